"""Rules for client accounts: valid values, state, and the result of a check."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from recours.accounts.health import AccountHealth, listed
from recours.accounts.rules import (
    CHECKED,
    AccountRefusedError,
    CheckVerdict,
    NewAccount,
    account_check,
    checked_text,
    limits_in,
    usable_credentials,
    usable_limits,
)
from recours.carriers.registry import CATALOG
from recours.core.accounts import ClientAccount, ServiceClient
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.core.pauses import AccountState, Blocked, CarrierState, Pause, Refusal, Stop
from recours.core.translations import LANGUAGES
from recours.runs.ports import CarrierAnswer

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SHOP = ServiceClient(17, "shop@example.com")
CHRONOPOST, COLISSIMO, GLS = (CATALOG.specs[key] for key in ("chronopost", "colissimo", "gls"))
ACCOUNT = ClientAccount(3, 17, "chronopost", limits=None, added_at=NOW, added_by="lea", changed_at=NOW)
SECRET = "hunter2-secret"


def test_every_verdict_has_its_text() -> None:
    assert CHECKED.keys() == set(CheckVerdict)


# ---------------------------------------------------------------- credentials


@pytest.mark.parametrize(
    "given",
    [
        {"CHRONOPOST_ACCOUNT": "1986", "CHRONOPOST_PASSWORD": SECRET},
        {"account": " 1986 ", "Password": SECRET},
        {"account": "1986", "password": SECRET, "chronopost_account": "1986"},
    ],
)
def test_credentials_have_the_names_of_their_settings_or_the_end_of_these(given: Mapping[str, Any]) -> None:
    expected = {"CHRONOPOST_ACCOUNT": "1986", "CHRONOPOST_PASSWORD": SECRET}
    assert usable_credentials(CHRONOPOST, given) == expected


def test_an_ambiguous_credential_is_rejected() -> None:
    twice = {"account": "1", "CHRONOPOST_account": "2", "password": "p"}
    with pytest.raises(AccountRefusedError, match="CHRONOPOST_ACCOUNT was given twice"):
        usable_credentials(CHRONOPOST, twice)


def test_the_first_complete_set_of_credentials_is_kept() -> None:
    assert usable_credentials(COLISSIMO, {"api_key": "K", "login": ""}) == {"COLISSIMO_API_KEY": "K"}
    both = {"api_key": "K", "login": "L", "password": SECRET}
    first = COLISSIMO.credentials[0]
    assert usable_credentials(COLISSIMO, both).keys() == set(first)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "incomplete"),
        ({"account": "1986"}, "incomplete"),
        ({"account": "1986", "password": "   "}, "incomplete"),
        ({"account": 1986, "password": SECRET}, "not_text"),
        ({"account": True, "password": SECRET}, "not_text"),
        ({"account": ["1986"], "password": SECRET}, "not_text"),
        ({"account": "1986", "password": f"{SECRET}\nX"}, "not_text"),
        ({"account": "1986", "password": "\udcff" + SECRET}, "not_text"),
        ({"account": "1986", "password": SECRET * 100}, "not_text"),
        ({"account": "1986", "pasword": SECRET}, "not_credential"),
        ({"account": "1986", SECRET: "password"}, "not_credential"),
    ],
)
def test_credentials_that_cannot_be_used_are_named_and_never_shown(given: dict[str, Any], why: str) -> None:
    with pytest.raises(AccountRefusedError) as refused:
        usable_credentials(CHRONOPOST, given)
    assert refused.value.why == why
    for language in LANGUAGES:
        assert SECRET not in refused.value.sentences(language)
    if "pasword" in given:
        assert "(CHRONOPOST_PASSWORD?)" in str(refused.value)


def test_options_of_a_carrier_must_match_their_format() -> None:
    spec, option = next((s, o) for s in CATALOG.specs.values() for o in s.options if o.default)
    complete = dict.fromkeys(spec.credentials[0], "x")
    with pytest.raises(AccountRefusedError, match=f"{option.name} is invalid: it must be"):
        usable_credentials(spec, complete | {option.name: f"{SECRET}!!"})
    assert usable_credentials(spec, complete | {option.name: ""}) == complete
    assert usable_credentials(spec, complete | {option.name: option.default}) == complete | {
        option.name: option.default
    }


def test_a_new_account_does_not_show_its_credentials() -> None:
    new = NewAccount(SHOP, CHRONOPOST, {"CHRONOPOST_PASSWORD": SECRET})
    assert SECRET not in repr(new)
    assert SECRET not in str([new])


# ---------------------------------------------------------------- limits


def test_limits_are_entered_by_kind_of_call() -> None:
    assert limits_in(CHRONOPOST, ["100/day", "tracking=20/hour"]) == {"": "100/day", "TRACKING": "20/hour"}
    assert usable_limits(CHRONOPOST, {"": "250/day@UTC,1/second"}) == {"": "250/day@UTC,1/second"}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["1/day"], "is not enough for even one claim, which needs up to 2 calls"),
        (["many"], "'many' is not a limit"),
        (["PODS=5/day"], "limits can be set for all calls"),
        (["100/day", "50/day"], "named twice"),
        (["TRACKING="], "one of them is empty"),
        (["100/day,200/day"], "the same window twice"),
    ],
)
def test_limits_that_cannot_serve_a_claim_are_refused(texts: list[str], said: str) -> None:
    with pytest.raises(AccountRefusedError, match=said):
        limits_in(CHRONOPOST, texts)


# ---------------------------------------------------------------- health


def test_account_health_reports_the_most_important_obstacle() -> None:
    paused = CarrierState(pause=Pause(LATER, "slow down"))
    refused = CarrierState(account=AccountState(2, LATER, "Invalid Password"))
    stopped = replace(refused, stopped=Stop(NOW, "by lea"))
    stopped_alone = replace(stopped, own_stop=Stop(NOW, "by lea: unpaid"))
    cases: list[tuple[CarrierState, str | None, AccountHealth, str | None, datetime | None]] = [
        (CarrierState(), None, AccountHealth.OPEN, None, None),
        (CarrierState(Pause(NOW, "over")), None, AccountHealth.OPEN, None, None),
        (CarrierState(Pause(LATER, "down")), None, AccountHealth.PAUSED, "down", LATER),
        (paused, None, AccountHealth.PAUSED, "slow down", LATER),
        (refused, None, AccountHealth.REFUSED, "Invalid Password", LATER),
        (CarrierState(account=AccountState(2, NOW, "x")), None, AccountHealth.REFUSED, "x", None),
        (stopped, None, AccountHealth.PAUSED, "by lea", None),
        (stopped, "no key", AccountHealth.UNUSABLE, "no key", None),
        (stopped_alone, "no key", AccountHealth.PAUSED, "by lea: unpaid", None),
        (CarrierState(own_stop=Stop(NOW, "by lea", LATER)), None, AccountHealth.PAUSED, "by lea", LATER),
        (CarrierState(own_stop=Stop(NOW, "by lea", NOW)), None, AccountHealth.OPEN, None, None),
    ]
    for state, trouble, health, why, until in cases:
        one = listed(ACCOUNT, state, trouble, NOW)
        assert (one.health, one.why, one.until) == (health, why, until)
        assert one.is_stopped == (health is AccountHealth.PAUSED and state.own_stop is not None)


# ---------------------------------------------------------------- checks


def answered(kind: ErrorKind, message: str = "It says so.") -> CarrierAnswer:
    return CarrierAnswer(Failure(kind, message), 1, 0)


@pytest.mark.parametrize(
    ("answer", "verdict", "is_accepted"),
    [
        (answered(ErrorKind.NOT_FOUND), CheckVerdict.ACCEPTED, True),
        (answered(ErrorKind.ACCESS_DENIED), CheckVerdict.KNOWN, True),
        (answered(ErrorKind.AUTH_FAILED), CheckVerdict.REJECTED, False),
        (answered(ErrorKind.ACCOUNT_DENIED), CheckVerdict.DENIED, False),
        (answered(ErrorKind.TIMEOUT), CheckVerdict.NOT_TRIED, None),
        (Refusal(Blocked.RATE_LIMIT, "Chronopost is at its limit"), CheckVerdict.NOT_TRIED, None),
    ],
)
def test_the_verdict_of_a_check_depends_on_the_answer(
    answer: Any, verdict: CheckVerdict, is_accepted: Any
) -> None:
    check = account_check(answer)
    assert (check.verdict, check.is_accepted) == (verdict, is_accepted)
    for language, client in product(LANGUAGES, ("", "c")):
        assert not checked_text(language, check, "C", client, check.error or "").endswith("..")
