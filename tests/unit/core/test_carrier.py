"""Carriers are found by any name in a claims database."""

import re
from dataclasses import replace

import pytest

from recours.core.carrier import Catalog, Substitute, fold
from recours.core.claim import Delivery
from recours.core.quota import Capability
from tests.fakes.carriers import CATALOG, CHRONOPOST, DHL


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("chronopost", "chronopost"),
        ("CHRONOPOST", "chronopost"),
        ("Chronopost", "chronopost"),
        (" Chrono ", "chronopost"),
        ("DHL Express", "dhl_express"),
        ("dhl_express", "dhl_express"),
        ("DHL-EXPRESS", "dhl_express"),
        ("DHL", None),
        ("", None),
        ("UPS", None),
    ],
)
def test_a_carrier_is_found_under_any_spelling(name: str, key: str | None) -> None:
    assert CATALOG.resolve(name) == key


def test_accents_and_punctuation_do_not_distinguish_names() -> None:
    assert fold("Móndial-Relay (FR)") == "mondialrelayfr"


def test_display_names() -> None:
    assert CATALOG.names == ["Chronopost", "DHL Express"]
    assert CATALOG.name_of("dhl_express") == "DHL Express"
    assert CATALOG.name_of("heppner", "Heppner") == "Heppner"
    assert CATALOG.name_of(None, "(none)") == "(none)"
    assert CATALOG.name_of(None) == ""


def test_names_are_sorted_regardless_of_the_order_of_the_specs() -> None:
    catalog = Catalog([DHL, CHRONOPOST])
    assert catalog.names == ["Chronopost", "DHL Express"]
    assert (catalog.resolve("Chrono"), catalog.resolve("dhl express")) == ("chronopost", "dhl_express")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Chronopst", "Chronopost"),
        ("CRHONO", "Chronopost"),
        ("dhl expres", "DHL Express"),
        ("zzz", None),
        ("", None),
    ],
)
def test_a_misspelt_name_finds_the_nearest(name: str, nearest: str | None) -> None:
    hint = f"Did you mean {nearest}?" if nearest else "Supported: Chronopost, DHL Express."
    assert CATALOG.no_such(name) == f"there is no carrier '{name}'. {hint}"


def test_a_name_cannot_forge_a_line() -> None:
    assert CATALOG.no_such("x\ny").startswith(r"there is no carrier 'x\x0ay'. ")


OTHER = replace(DHL, key="dhl", name="DHL", spellings=(), number_form=re.compile(r"[0-9]{10,20}"))
ROUTES = Catalog(
    [CHRONOPOST, DHL, OTHER],
    [
        Substitute("dhl", "dhl_express", re.compile(r"[0-9]{10}"), preferred=True),
        Substitute("chronopost", "dhl"),
    ],
)
TEN, TWELVE = "1234567890", "123456789012"


@pytest.mark.parametrize(
    ("name", "number", "configured", "key"),
    [
        ("DHL", TEN, (), "dhl"),
        ("DHL", TEN, ("dhl",), "dhl"),
        ("DHL", TEN, ("dhl", "dhl_express"), "dhl_express"),
        ("DHL", TEN, ("dhl_express",), "dhl_express"),
        ("DHL", TWELVE, ("dhl_express",), "dhl"),
        ("DHL", None, ("dhl_express",), "dhl"),
        ("DHL Express", TWELVE, ("dhl",), "dhl_express"),
        ("Chronopost", TEN, ("dhl",), "dhl"),
        ("Chronopost", TEN, ("dhl", "chronopost"), "chronopost"),
        ("Chronopost", TEN, ("dhl_express",), "chronopost"),
        ("Nobody", TEN, ("dhl",), None),
    ],
)
def test_a_claim_is_routed_to_a_configured_account(
    name: str, number: str | None, configured: tuple[str, ...], key: str | None
) -> None:
    assert ROUTES.with_accounts(configured).resolve(name, number) == key


@pytest.mark.parametrize(
    ("name", "configured", "keys"),
    [
        ("DHL", (), ("dhl",)),
        ("DHL", ("dhl_express",), ("dhl", "dhl_express")),
        ("dhl express", ("dhl",), ("dhl_express",)),
        ("Chronopost", ("dhl",), ("dhl",)),
        ("Chronopost", ("dhl", "chronopost"), ("chronopost",)),
        ("Nobody", ("dhl",), ()),
    ],
)
def test_the_keys_of_a_carriers_claims(name: str, configured: tuple[str, ...], keys: tuple[str, ...]) -> None:
    assert ROUTES.with_accounts(configured).keys_of(name) == keys


def test_a_wrong_check_digit_only_makes_a_number_doubtful() -> None:
    assert not DHL.is_doubtful(TEN)
    strict = replace(DHL, check_digit_fits=lambda number: number.endswith("7"))
    assert [strict.is_doubtful(number) for number in ("1234567897", TEN)] == [False, True]


def test_any_complete_set_of_credentials_is_named_once() -> None:
    spec = replace(DHL, credentials=(("A", "B"), ("A", "C"), ("D",)))
    assert spec.credential_names == ("A", "B", "C", "D")


def test_setting_names_begin_with_the_carrier_key() -> None:
    assert CHRONOPOST.base_url_setting == "CHRONOPOST_BASE_URL"
    assert DHL.prefix == "DHL_EXPRESS"
    assert DHL.base_url_setting == "DHL_EXPRESS_BASE_URL"


def test_a_parcel_known_to_be_delivered_is_not_tracked_again() -> None:
    assert CHRONOPOST.calls_for(None) == {Capability.TRACKING: 1, Capability.POD: 1}
    assert CHRONOPOST.calls_for(Delivery()) == {Capability.POD: 1}
    assert DHL.calls_for(Delivery()) == {Capability.POD: 1}
    always = replace(CHRONOPOST, tracks_always=True)
    assert always.calls_for(Delivery()) == {Capability.TRACKING: 1, Capability.POD: 1}
