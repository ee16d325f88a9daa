"""Tests the result and the calls of each scenario, for every carrier's client with the simulated carrier.

Every carrier in the registry is included automatically. Differences are in `tests/carriers/cases.py`.
"""

import json
import re
from dataclasses import replace

import pytest

from recours.carriers.client import StatusClient
from recours.carriers.message import Response
from recours.carriers.registry import CATALOG, CLIENTS
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Retrieved
from recours.runs.attempt import malformed
from recours.sandbox import Scenario, registry
from tests.carriers.answers import answered, file_of
from tests.carriers.cases import CASES
from tests.fakes.checks import as_failure, result
from tests.fakes.hostile import EVERY_STEP, AnyStep, Attack
from tests.fakes.simulated import (
    ACCOUNT,
    DELIVERED_AT,
    PASSWORD,
    PDF_TYPE,
    USUAL,
    USUAL_STATUS,
    SandboxSession,
    as_received,
    client_of,
    quiet_sandbox,
)
from tests.rows import row

S = Scenario
CARRIERS = sorted(CATALOG.specs)
SIMULATED = {carrier.key: carrier for carrier in registry.SIMULATED}
# Carriers with a separate call for documents.
ASKED_FOR_DOCUMENTS = [
    key for key, spec in CATALOG.specs.items() if spec.issues_documents and not spec.tracks_always
]
WITH_TOKENS = [key for key in CARRIERS if CASES[key].has_tokens]

of_every_carrier = pytest.mark.parametrize("carrier", CARRIERS)


def a_session(carrier: str, *steps: AnyStep, retry_after: str | None = "120") -> SandboxSession:
    number = quiet_sandbox().example(carrier, "99", 1)
    return SandboxSession(client_of(carrier), number, *steps, retry_after=retry_after)


def expected(carrier: str, scenario: AnyStep, turn: int = 0) -> ErrorKind | str:
    """The expected result of the first (`turn` 0) or second (`turn` 1) fetch of a parcel in the scenario."""
    cases = CASES[carrier]
    if scenario is S.NOT_OURS:
        return cases.not_ours
    if scenario is Attack.WRONG_TYPE and turn:
        return cases.wrong_type[0]
    usual = USUAL if CATALOG.specs[carrier].issues_documents else USUAL_STATUS
    found = cases.otherwise.get(scenario, usual[scenario])
    return cases.document if found == PDF_TYPE else found


def expected_of_known(carrier: str, scenario: AnyStep, turn: int) -> ErrorKind | str:
    cases = CASES[carrier]
    if scenario is Attack.WRONG_TYPE and turn:
        return cases.wrong_type[1]
    return cases.known_otherwise.get(scenario, expected(carrier, scenario))


# ---------------------------------------------------------------- every scenario


def test_every_carrier_is_simulated_and_has_its_cases() -> None:
    assert set(SIMULATED) == set(CASES) == set(CLIENTS)


@of_every_carrier
def test_only_the_status_is_requested_from_a_carrier_without_documents(carrier: str) -> None:
    assert CATALOG.specs[carrier].issues_documents is not issubclass(CLIENTS[carrier], StatusClient)


@of_every_carrier
def test_outcomes_of_each_scenario(carrier: str) -> None:
    for scenario in EVERY_STEP:
        with row(scenario):
            assert_outcomes(carrier, scenario)


def assert_outcomes(carrier: str, scenario: AnyStep) -> None:
    cases, session = CASES[carrier], a_session(carrier, scenario)
    for turn in range(2):  # some simulators alternate between two answers
        outcome = session.fetch()
        assert result(outcome) == expected(carrier, scenario, turn)
        if isinstance(outcome, Failure):
            assert outcome.message.isprintable()
            assert outcome.unknown is None or scenario in cases.unknown_in
            assert outcome.http_status is not None or scenario is Attack.RESET
        delivery = outcome.delivery
        if delivery is not None:
            assert (delivery.at, delivery.unknown) == (DELIVERED_AT, None)
            unnamed = cases.unnamed_in | {S.DELIVERED_NO_SIGNATORY}
            is_signed = cases.tells_signatory and scenario not in unnamed
            assert delivery.signatory == ("DUPONT" if is_signed else None) or scenario in (
                S.NOT_OURS,
                S.ACCOUNT_DENIED,
            )
        if turn == 0:
            calls = calls_in(carrier, scenario, is_delivered=delivery is not None)
            assert session.operations == list(calls)
            again = tuple(call for call in calls if call != "token")
            if calls.count("token") > 1:  # the new token is valid
                again = tuple(dict.fromkeys(again))
        else:
            assert session.operations == [*calls, *again]


def calls_in(carrier: str, scenario: AnyStep, *, is_delivered: bool) -> tuple[str, ...]:
    """The calls that a fetch needs and no others. A refused token is renewed once."""
    cases = CASES[carrier]
    if scenario in cases.calls_in:
        return cases.calls_in[scenario]
    if scenario is S.AUTH_REFUSED and cases.has_tokens:
        return cases.until_tracked * 2
    return cases.calls if is_delivered else cases.until_tracked


@pytest.mark.parametrize("carrier", ASKED_FOR_DOCUMENTS)
def test_outcomes_of_each_scenario_with_a_known_delivery(carrier: str) -> None:
    for scenario in EVERY_STEP:
        with row(scenario):
            assert_outcomes_of_known(carrier, scenario)


def assert_outcomes_of_known(carrier: str, scenario: AnyStep) -> None:
    known = Delivery(DELIVERED_AT, "DUPONT")
    session = a_session(carrier, scenario)
    for turn in range(2):
        outcome = session.fetch(known)
        assert result(outcome) == expected_of_known(carrier, scenario, turn)
        if isinstance(outcome, Failure):
            assert outcome.message.isprintable()
            assert outcome.delivery == known or scenario in (Attack.RESET, S.RATE_LIMITED)
        else:
            assert outcome.delivery == known
    asked = {*session.operations} - {"token"}
    # ShipIT of GLS may refuse a token that tracking accepts. The client then calls tracking to find out.
    is_refused = scenario in (S.ACCOUNT_DENIED, S.AUTH_REFUSED)
    assert asked <= {*CASES[carrier].calls} - {*CASES[carrier].until_tracked} or is_refused


@of_every_carrier
def test_the_simulated_carrier_answers_as_its_documents_show(carrier: str) -> None:
    assert answered(carrier) == json.loads(file_of(carrier).read_text(encoding="utf-8"))


@of_every_carrier
def test_every_piece_of_the_fullest_answer_is_taken(carrier: str) -> None:
    outcome = a_session(carrier, S.FULL_EVIDENCE).fetch()
    pieces = outcome.pieces if isinstance(outcome, Retrieved) else ()
    assert tuple(piece.kind for piece in pieces) == CASES[carrier].pieces
    assert len({piece.content for piece in pieces}) == len(pieces)


@of_every_carrier
def test_place_and_status_of_a_delivery_are_kept_in_the_carriers_own_text(carrier: str) -> None:
    delivery = a_session(carrier, S.DELIVERED).fetch().delivery
    assert delivery is not None
    assert (delivery.place, delivery.label) == (CASES[carrier].place, CASES[carrier].label)


# ---------------------------------------------------------------- several fetches


@of_every_carrier
def test_each_fetch_advances_the_script_by_one_step(carrier: str) -> None:
    steps = (S.IN_TRANSIT, S.POD_LATE, S.POD_UNSAID, S.NOT_OURS, S.RETURNED_TO_SENDER, S.DELIVERED)
    session = a_session(carrier, *steps)
    assert [result(session.fetch()) for _ in steps] == [expected(carrier, step) for step in steps]
    assert result(session.fetch()) == expected(carrier, S.DELIVERED)
    assert session.operations.count("token") == CASES[carrier].has_tokens


@of_every_carrier
@pytest.mark.parametrize(
    ("scenario", "ways"), [(S.IN_TRANSIT, "statuses"), (S.RETURNED_TO_SENDER, "returns")]
)
def test_a_parcel_is_shown_in_several_ways(carrier: str, scenario: AnyStep, ways: str) -> None:
    session = a_session(carrier, scenario)
    number = getattr(CASES[carrier], ways)
    failures = [as_failure(session.fetch()) for _ in range(number)]
    assert {one.kind for one in failures} == {expected(carrier, scenario)}
    assert len({one.message for one in failures}) == number


@pytest.mark.parametrize("carrier", WITH_TOKENS)
def test_a_revoked_token_is_renewed(carrier: str) -> None:
    session, calls = a_session(carrier), CASES[carrier].calls
    assert isinstance(session.fetch(), Retrieved)
    session.box.tokens.clear()
    assert isinstance(session.fetch(), Retrieved)
    assert session.operations == [*calls, calls[1], *calls]


# ---------------------------------------------------------------- our account


@of_every_carrier
def test_wrong_credentials_are_refused_at_once(carrier: str) -> None:
    options = {option.name: option.default for option in CATALOG.specs[carrier].options}
    cases = CASES[carrier]
    # Chronopost's tracking needs no credentials.
    calls = cases.calls if carrier == "chronopost" else cases.calls[:1]
    for account, password in ((ACCOUNT, "654321"), ("20000002", PASSWORD)):
        client = CLIENTS[carrier](options | SIMULATED[carrier].settings(account, password))
        session = SandboxSession(client, quiet_sandbox().example(carrier, "99", 1))
        assert result(session.fetch()) is ErrorKind.AUTH_FAILED
        assert (session.operations, session.accepted) == ([*calls], False)


# Chronopost has no such answer. At GLS, only the tracking call shows the meaning of the refusal.
@pytest.mark.parametrize("carrier", [key for key in CARRIERS if key not in ("chronopost", "gls")])
def test_a_denial_of_our_account_is_not_an_answer_about_the_parcel(carrier: str) -> None:
    message = as_failure(a_session(carrier, S.ACCOUNT_DENIED).fetch()).message
    assert any(words in message for words in ("our account", "our key", "our IP address"))


@pytest.mark.parametrize("carrier", [key for key in CARRIERS if key != "chronopost"])
def test_a_hostile_answer_repeats_secrets_for_the_queue_to_hide(carrier: str) -> None:
    session = a_session(carrier, Attack.HOSTILE_TEXT)
    message = as_failure(session.fetch()).message
    secret = re.search(r"password=(\S+)", message)
    assert secret, message
    sent = session.requests[-1][1]
    is_sent = secret[1] in f"{sent.path} {dict(sent.headers)} {sent.body!r}"
    assert is_sent or (carrier, secret[1]) == ("dhl_express", PASSWORD)  # sent in an encoded form


@of_every_carrier
@pytest.mark.parametrize("wait", ["120", None])
def test_a_rate_limit_quotes_the_carrier(carrier: str, wait: str | None) -> None:
    session = a_session(carrier, S.RATE_LIMITED, retry_after=wait)
    assert result(session.fetch()) is ErrorKind.RATE_LIMITED
    answer = session.answers[-1]
    assert isinstance(answer, Response)
    assert (answer.status, answer.headers.get("Retry-After")) == (429, wait)
    assert CASES[carrier].limit_words in answer.body.decode()


# ---------------------------------------------------------------- numbers

NO_NUMBERS = ("", "X", "1" * 60, "AB-12 34", "'; DROP TABLE claims", "<x/>", "１２３４５６７８", "٠" * 13)


@of_every_carrier
def test_numbers_are_of_the_carriers_form_and_their_digits_choose(carrier: str) -> None:
    spec, simulated = CATALOG.specs[carrier], SIMULATED[carrier]
    seen = set()
    for digits in ("00", "13", "42", "53", "99"):
        for serial in (0, 1, 2, 7, 1999, 99_999):
            number = simulated.example(digits, serial)
            assert simulated.digits_of(number) == digits
            seen.add(number)
    assert len(seen) == 30
    for number in (*seen, spec.sample_number, spec.number_example):
        with row(number):
            assert malformed(number, spec) is None
            assert malformed(f"{number}\n", spec) is not None
            assert not spec.is_doubtful(number)


@pytest.mark.parametrize("number", ["00340434161094015903", "563102430314"])
def test_a_wrong_check_digit_is_refused_where_the_carrier_refuses_it(number: str) -> None:
    session = SandboxSession(client_of("dhl_parcel_de"), number, S.DELIVERED)
    assert as_failure(session.fetch()).kind is ErrorKind.INVALID_TRACKING


@pytest.mark.parametrize("header", ["x-amz-access-token", "Authorization"])
def test_a_link_to_an_image_is_refused_with_credentials(header: str) -> None:
    session = a_session("amazon_shipping", S.DELIVERED)
    session.fetch()
    image = session.requests[-1][1]
    shown = replace(image, headers={**image.headers, header: "sandbox"})
    answers = [session.box.answer(as_received(request)) for request in (image, shown)]
    assert [answer.status for answer in answers] == [200, 403]


@of_every_carrier
def test_a_malformed_number_costs_no_call(carrier: str) -> None:
    spec = CATALOG.specs[carrier]
    for number in NO_NUMBERS:
        with row(number):
            failure = as_failure(malformed(number, spec))
            assert failure.kind is ErrorKind.INVALID_TRACKING
            words = f"is not a {spec.name} tracking number (example: {spec.number_example})"
            assert words in failure.message


@of_every_carrier
def test_simulated_settings_are_complete_credentials_of_the_client(carrier: str) -> None:
    spec = CATALOG.specs[carrier]
    settings = SIMULATED[carrier].settings("7", "x")
    assert any(set(names) <= set(settings) <= set(spec.credential_names) for names in spec.credentials)
    assert spec.base_url.startswith("https://")
