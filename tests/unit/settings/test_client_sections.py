"""Accounts of clients in the secrets file: what is read, and what is said of a section that cannot be used."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.settings.loading import load
from recours.settings.model import Settings
from recours.wiring.carriers import redactor
from tests.planted import MARK

SECRET = f"{MARK}-of-a-client"
SHOP = "shop@example.com"


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """`settings(toml, NAME=value, …)`: with this secrets file."""

    def read(toml: str, **environment: str) -> Settings:
        (tmp_path / ".streamlit").mkdir(exist_ok=True)
        (tmp_path / ".streamlit/secrets.toml").write_text(toml, encoding="utf-8")
        found = load(tmp_path, environment, CATALOG)
        assert SECRET not in repr(found)
        return found

    return read


def section(content: str, carrier: str = "chronopost", address: str = SHOP) -> str:
    return f'[clients."{address}".{carrier}]\n{content}\n'


FULL = f'account = "10000017"\npassword = "{SECRET}"'


def test_a_section_is_an_account_beside_the_houses(settings: Callable[..., Settings]) -> None:
    found = settings('[chronopost]\naccount = "1"\npassword = "p"\n' + section(FULL), RECOURS_LOG_FILES="3")
    assert found.client_credentials.keys() == {(SHOP, "chronopost")}
    account = found.client_credentials[SHOP, "chronopost"]
    assert account.values == {"CHRONOPOST_ACCOUNT": "10000017", "CHRONOPOST_PASSWORD": SECRET}
    assert (account.source, account.missing) == (".streamlit/secrets.toml", "")
    assert found.credentials["chronopost"].values["CHRONOPOST_ACCOUNT"] == "1"
    assert found.warnings == ()


def test_several_clients_and_carriers_by_any_of_their_names(settings: Callable[..., Settings]) -> None:
    found = settings(
        section(FULL, "Chronopost", "Shop@Example.com")
        + section('api_key = "k"', '"DHL Express"')
        + section('api key = "k"'.replace("api key", '"api key"'), "colissimo", "b@example.com")
    )
    assert found.client_credentials.keys() == {
        (SHOP, "chronopost"),
        (SHOP, "dhl_express"),
        ("b@example.com", "colissimo"),
    }
    assert found.client_credentials["b@example.com", "colissimo"].values == {"COLISSIMO_API_KEY": "k"}


def test_other_settings_of_a_carrier_are_the_houses_where_a_section_has_none(
    settings: Callable[..., Settings],
) -> None:
    login = 'client_id = "i"\nclient_secret = "s"\n'
    found = settings(
        section(login, "gls") + section(login + "pod = true", "gls", "b@example.com"), GLS_POD="no"
    )
    assert found.client_credentials[SHOP, "gls"].options == {"GLS_POD": "no"}
    assert found.client_credentials["b@example.com", "gls"].options == {"GLS_POD": "no"}
    (warning,) = found.warnings
    assert 'pod in [clients."b@example.com".gls] is not used: it must be yes or no' in warning
    found = settings(section(login + 'pod = "yes"', "gls"), GLS_POD="no")
    assert found.client_credentials[SHOP, "gls"].options == {"GLS_POD": "yes"}


def test_a_clients_secret_may_stand_in_a_file(settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "shop.secret").write_text(f"{SECRET}\n")
    found = settings(section('account = "10000017"\npassword_file = "shop.secret"'))
    account = found.client_credentials[SHOP, "chronopost"]
    assert account.values["CHRONOPOST_PASSWORD"] == SECRET
    assert account.sources["CHRONOPOST_PASSWORD"] == "shop.secret"
    assert found.warnings == ()


def test_the_secrets_file_can_be_another(settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/other.toml").write_text(section(FULL))
    found = settings(section('account = "1"'), RECOURS_SECRETS_FILE="credentials/other.toml")
    assert found.client_credentials[SHOP, "chronopost"].source == "credentials/other.toml"


# ---------------------------------------------------------------- what cannot be used

_INCOMPLETE = "so this account cannot be used: no"
BAD: dict[str, tuple[str, str, dict[str, str] | None]] = {
    "no address": (section(FULL, address="shop"), "clients.'shop' is not used: below [clients] stand sections such as", None),
    "an address that forges a line": (section(FULL, address="a@b.example\\n2026"), r"clients.'a@b.example\\x0a2026' is not", None),
    "a value in place of a client": (f'[clients]\n"{SHOP}" = 1', f"clients.'{SHOP}' is not used", None),
    "an unknown carrier": (section(FULL, "chronpost"), "chronpost] is not used: there is no carrier 'chronpost'. Did you mean Chronopost?", None),
    "a value in place of a section": (f'[clients."{SHOP}"]\nchronopost = "{SECRET}"', ".chronopost] is not used: it is a value, not a section.", None),
    "incomplete": (section('account = "10000017"'), f'.chronopost] is incomplete, {_INCOMPLETE} password in [clients."{SHOP}".chronopost].',
                   {"CHRONOPOST_ACCOUNT": "10000017"}),
    "nothing in it": (section("", "colissimo"), f"is incomplete, {_INCOMPLETE} login and password in ", {}),
    "an unknown key": (section(FULL + "\npasword = 1"), 'pasword in [clients."shop@example.com".chronopost] is not a setting. Did you mean password?',
                       {"CHRONOPOST_ACCOUNT": "10000017", "CHRONOPOST_PASSWORD": SECRET}),
    "a control character": (section(f'account = "1"\npassword = "{SECRET}\\u0007"'), 'password in [clients."shop@example.com".chronopost] holds a line break',
                            {"CHRONOPOST_ACCOUNT": "1"}),
    "no such file": (section('account = "1"\npassword_file = "shop"'), 'password_file in [clients."shop@example.com".chronopost] names a file that does not exist.',
                     {"CHRONOPOST_ACCOUNT": "1"}),
}  # fmt: skip


@pytest.mark.parametrize(("toml", "said", "values"), BAD.values(), ids=BAD)
def test_a_section_that_cannot_be_used_stops_no_other(
    toml: str, said: str, values: dict[str, str] | None, settings: Callable[..., Settings]
) -> None:
    """An account that is closed, as opposed to none at all: the client's claims wait for it, and use up no calls."""
    good = section(FULL, address="good@example.com")
    found = settings(good + toml)
    others: dict[Any, Any] = dict(found.client_credentials)
    assert others.pop(("good@example.com", "chronopost")).missing == ""
    assert [dict(account.values) for account in others.values()] == ([] if values is None else [values])
    assert any(said in warning for warning in found.warnings), found.warnings
    assert all(warning.startswith(".streamlit/secrets.toml: ") for warning in found.warnings)
    assert SECRET not in "".join(found.warnings)


def test_a_second_section_of_one_account_is_not_used(settings: Callable[..., Settings]) -> None:
    found = settings(
        section(FULL) + section('account = "2"\npassword = "p"', "Chronopost", "SHOP@example.com")
    )
    assert found.client_credentials[SHOP, "chronopost"].values["CHRONOPOST_PASSWORD"] == SECRET
    assert [w.partition(": ")[2] for w in found.warnings] == [
        '[clients."SHOP@example.com".Chronopost] is a second one of that client and carrier; it is not used.'
    ]


def test_of_a_value_and_its_file_the_value_holds(settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "shop.secret").write_text("another")
    found = settings(section(FULL + '\npassword_file = "shop.secret"'))
    assert found.client_credentials[SHOP, "chronopost"].values["CHRONOPOST_PASSWORD"] == SECRET
    assert [w.partition(": ")[2] for w in found.warnings] == [
        'password in [clients."shop@example.com".chronopost] differs from the one in shop.secret, which is not used.'
    ]


@pytest.mark.parametrize("toml", ["clients = 1", "[clients]", "[[clients]]\nx = 1"])
def test_clients_that_are_none(toml: str, settings: Callable[..., Settings]) -> None:
    found = settings(toml)
    assert (found.client_credentials, found.warnings) == ({}, ())


# ---------------------------------------------------------------- kept out of everything that is shown


def test_what_a_section_holds_is_hidden(settings: Callable[..., Settings]) -> None:
    hide = redactor(settings(section(FULL) + section('account = "2"', address="b@example.com")))
    basic = base64.b64encode(f"10000017:{SECRET}".encode()).decode()
    shown = hide(f"x {SECRET} 10000017 10000017:{SECRET} Basic {basic} 20000017")
    assert shown == "x *** *** *** Basic *** 20000017"
