"""Rules for the clients of all carriers. The answers are in the `TABLE` of each carrier's test file."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest

from recours.carriers.client import StatusClient
from recours.carriers.message import Response
from recours.carriers.registry import CATALOG
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure, Outcome, Retrieved, begins_as
from recours.core.quota import Capability
from recours.runs.attempt import malformed
from tests.carriers.table import Row, Table, several
from tests.fakes.answers import ODD, b64, damaged, in_lines, no_answers, no_envelopes, replaced
from tests.fakes.checks import as_failure, assert_costs_no_call, assert_harmless
from tests.fakes.session import NOW, FakeSession
from tests.fakes.simulated import quiet_sandbox
from tests.rows import row

K = ErrorKind
TABLES: dict[str, Table] = {key: import_module(f"tests.carriers.test_{key}").TABLE for key in CATALOG.specs}
UNAUTHORIZED = 401
ARABIC_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
EARLIER = Delivery(datetime(2026, 10, 1, 9, tzinfo=UTC), "MARTIN")


def of_carriers(*needed: str) -> pytest.MarkDecorator:
    """Parametrize a test with the tables that have all of these fields."""
    tables = {key: one for key, one in TABLES.items() if all(getattr(one, name) for name in needed)}
    return pytest.mark.parametrize("table", tables.values(), ids=tables.keys())


of_every_carrier = of_carriers()
of_carriers_with_documents = of_carriers("proof")


# ---------------------------------------------------------------- facts and numbers


@of_every_carrier
def test_the_fixed_facts(table: Table) -> None:
    assert {name: getattr(table.spec, name) for name in table.facts} == table.facts


@of_every_carrier
def test_valid_numbers_are_accepted(table: Table) -> None:
    for number in (table.number, *table.numbers.split(), *table.good_check_digits, *table.bad_check_digits):
        with row(number):
            assert malformed(number, table.spec) is None


@of_every_carrier
def test_numbers_that_cost_no_call(table: Table) -> None:
    other_case = table.number.lower() if not table.number.isdigit() else ""
    odd = (other_case, f"{table.number}\n", table.number.translate(ARABIC_DIGITS), "")
    for number in (*table.no_numbers.split(), *odd):
        with row(number):
            assert_costs_no_call(number, table.spec)


@of_every_carrier
def test_check_digits(table: Table) -> None:
    assert [one for one in table.good_check_digits if table.spec.is_doubtful(one)] == []
    assert [one for one in table.bad_check_digits if not table.spec.is_doubtful(one)] == []


# ---------------------------------------------------------------- calls


@of_carriers_with_documents
def test_known_facts_are_not_requested_again(table: Table) -> None:
    outcome, session = table.fetch(*table.answers)
    assert outcome == table.proof
    again, of_known = table.fetch(*answers_if_known(table), known=table.known)
    assert again == table.proof
    tracks = Capability.TRACKING in [what for what, _ in of_known.requests]
    assert tracks is table.spec.tracks_always
    for asked, calls in (
        (session.requests, table.spec.calls_for(None)),
        (of_known.requests, table.spec.calls_for(table.known)),
    ):
        made = [what for what, _ in asked]
        assert made.count(Capability.TOKEN) == (table.make()._tokens is not None)
        assert all(made.count(what) <= calls.get(what, 0) for what in made if what is not Capability.TOKEN)


@of_carriers("proof", "nobody")
def test_the_status_and_the_document_can_be_fetched_separately(table: Table) -> None:
    assert table.nobody
    client = table.make()
    session = FakeSession(table.with_token(table.answers[:1]), client)
    tracked = client.track(table.number, session)
    assert tracked == (table.at[1] if len(table.at) > 1 else table.known)
    session = FakeSession([*session.answers, *answers_if_known(table)], client, session.requests)
    assert client.fetch_proof(table.number, table.known, session) == table.proof
    if client.tracking_shows_account:  # otherwise `nobody` is the answer to the document call
        session = FakeSession([*session.answers, table.nobody[0]], client, session.requests)
        assert as_failure(client.track(table.number, session)).kind is table.nobody[1]


def answers_if_known(table: Table) -> tuple[Response, ...]:
    """The answers to the calls that remain if the delivery is known."""
    if table.spec.tracks_always:
        return table.answers
    return tuple(one for one, known in zip(table.answers, table.at, strict=True) if known == table.known)


@pytest.mark.parametrize("meaning", [K.TIMEOUT, K.NETWORK, K.SERVER_ERROR, K.RATE_LIMITED])
@of_every_carrier
def test_a_failed_call_keeps_its_failure_and_the_known_delivery(table: Table, meaning: ErrorKind) -> None:
    failed_call = Failure(meaning, "of the line", 429 if meaning is K.RATE_LIMITED else None)
    for place, known in enumerate(table.at):
        outcome: Outcome
        try:
            outcome, _ = table.fetch(*table.answers[:place], failed_call)
        except CallError as failed:
            outcome = failed.failure
        assert outcome == replace(failed_call, delivery=known)


@of_every_carrier
def test_the_session_handles_too_many_calls(table: Table) -> None:
    for place in range(len(table.answers)):
        for answer in table.limited:
            with pytest.raises(CallError) as failed:
                table.fetch(*table.answers[:place], answer)
            assert failed.value.failure.kind is K.RATE_LIMITED


@of_carriers("nobody")
def test_credentials_are_checked_with_one_call_for_the_sample_number(table: Table) -> None:
    assert table.nobody
    client, (answer, meaning) = table.make(), table.nobody
    session = FakeSession(table.with_token([answer]), client)
    assert as_failure(client.check_credentials(session)).kind is meaning
    assert session.accepted
    *_, (_, request) = session.requests
    sample = table.sample_sent or table.spec.sample_number
    assert sample.encode() in request.path.encode() + (request.body or b"")


@of_carriers("of_several")
def test_several_numbers_are_tracked_with_one_call(table: Table) -> None:
    assert table.of_several
    numbers = [quiet_sandbox().example(table.spec.key, "99", n) for n in range(table.spec.numbers_per_call)]
    for answered in (numbers, numbers[::-1], numbers[1:]):
        client = table.make()
        session = FakeSession(table.with_token([table.of_several(answered)]), client)
        tracked = client.track_many(numbers, session)
        assert not isinstance(tracked, Failure)
        assert set(tracked) == set(answered)
        assert {as_failure(result).kind for result in tracked.values()} == {K.NOT_DELIVERED_YET}
        (request,) = [request for what, request in session.requests if what is Capability.TRACKING]
        sent = request.path.encode() + (request.body or b"")
        assert all(number.encode() in sent for number in numbers)


# ---------------------------------------------------------------- errors


@of_carriers("of_another")
def test_an_answer_about_another_parcel_counts_for_nothing(table: Table) -> None:
    for answers in table.of_another:
        with row(several(answers)[0].body):
            failure = table.failure_of(*several(answers))
            assert (failure.kind, failure.http_status) == (K.BAD_RESPONSE, several(answers)[-1].status)
            assert (failure.delivery, failure.unknown) == (None, None)
            assert failure.message == f"{table.spec.name} answered about a different parcel"


@of_every_carrier
def test_errors(table: Table) -> None:
    for place, errors in enumerate(table.errors):
        for name, error in errors.items():
            with row(f"call {place + 1}: {name}"):
                assert_error(table, place, error)


def assert_error(table: Table, place: int, error: Row) -> None:
    wrong, meaning, *seen = error
    answers = several(wrong)
    answer = answers[-1]
    if table.token and answer.status == UNAUTHORIZED:
        answers = (answer, table.token("new"), answer)
    failure = table.failure_of(*table.answers[:place], *answers)
    assert (failure.kind, failure.http_status) == (meaning, answer.status)
    is_delivered = meaning is K.POD_NOT_AVAILABLE_YET
    assert failure.delivery == (table.known if is_delivered else table.at[place])
    if seen:
        assert seen[0] in (failure.unknown or "")
        assert len(failure.unknown or "") < 200
    else:
        assert failure.unknown is None
    if table.at[place] == table.known:
        assert table.failure_of(*answers, known=table.known) == failure
    if table.spec.tracks_always and failure.delivery is None:
        assert table.failure_of(*answers, known=EARLIER) == replace(failure, delivery=EARLIER)


@of_every_carrier
def test_invalid_answers(table: Table) -> None:
    for place, usual in enumerate(table.answers):
        bad = no_answers(table.make_answer)
        if begins_as(usual.body) is None:  # otherwise the appraisal decides whether it is truncated
            bad["half"] = table.make_answer(usual.body[: len(usual.body) // 2], 200), K.BAD_RESPONSE
        if is_xml(usual):
            bad |= no_envelopes(usual.body)
        for name, (answer, usually) in bad.items():
            with row(place, name):
                meaning = table.of_no_answer(place, name, usually)
                if meaning is None:
                    continue
                failure = as_failure(table.outcome_of(*table.answers[:place], answer))
                assert (failure.kind, failure.http_status) == (meaning, answer.status)
                assert (failure.delivery, failure.unknown) == (table.at[place], None)
                assert table.spec.name in failure.message


@of_carriers("accepted")
def test_whether_answers_show_that_our_account_is_good(table: Table) -> None:
    for known, rows in ((None, table.accepted), (table.known, table.accepted_known)):
        for answers, is_accepted in rows:
            with row(answers, known):
                assert table.fetch(*several(answers), known=known)[1].accepted is is_accepted


# ---------------------------------------------------------------- the status


@of_carriers("status", "delivered")
def test_delivered_codes_lead_to_the_document(table: Table) -> None:
    assert table.status
    for code in table.delivered:
        with row(code):
            outcome, _ = table.fetch(table.status(code), *table.answers[1:])
            if table.proof:
                assert outcome == table.proof
            else:
                assert (as_failure(outcome).kind, outcome.delivery) == (K.POD_NEVER_AVAILABLE, table.known)


@of_carriers("status")
def test_other_codes_mean_not_delivered(table: Table) -> None:
    assert table.status
    for code in table.not_delivered:
        with row(code):
            failure = table.failure_of(table.status(code))
            assert (failure.kind, failure.http_status) == (K.NOT_DELIVERED_YET, 200)
            assert (failure.delivery, failure.unknown) == (None, None)
            assert (
                failure.message == f"The parcel has not been delivered yet ({table.label.format(code=code)})"
            )


@of_carriers("status")
def test_an_unknown_code_is_reported_and_is_not_a_delivery(table: Table) -> None:
    assert table.status
    for code in (*table.strange, "7" * 400, "9" * 5000):
        with row(code[:9]):
            failure = table.failure_of(table.status(code))
            assert (failure.kind, failure.delivery) == (K.NOT_DELIVERED_YET, None)
            assert (failure.unknown or "").startswith(f"the event code {code[:50]}")
            assert len(failure.unknown or "") < 200


def delivery_of(table: Table, answers: tuple[Response, ...]) -> Delivery:
    outcome, _ = table.fetch(*answers, *table.answers[len(answers) :])
    assert outcome.delivery is not None
    assert isinstance(outcome, Retrieved) is (table.proof is not None)
    return outcome.delivery


@of_carriers("times")
def test_the_time_of_delivery(table: Table) -> None:
    for answers, at in table.times:
        with row(several(answers)[0].body, at):
            delivery = delivery_of(table, several(answers))
            assert (delivery.at, delivery.signatory) == (at, table.known.signatory)
            assert at is None or (delivery.at or NOW).utcoffset() == timedelta()


NAMES = {
    "DUPONT": "DUPONT",
    " MME LEFÈVRE ": "MME LEFÈVRE",
    "D\n2026-02-06 - forged": r"D\x0a2026-02-06 - forged",
    "X" * 100: "X" * 100,
    "A&B <SARL>": "A&B <SARL>",
    "": None,
    " ": None,
}


@of_carriers("signed")
def test_the_signatory(table: Table) -> None:
    assert table.signed
    for answers, signatory in (
        *((table.signed(name), signatory) for name, signatory in NAMES.items()),
        *table.signatories,
    ):
        with row(several(answers)[-1].body, signatory):
            assert delivery_of(table, several(answers)) == Delivery(table.known.at, signatory)


# ---------------------------------------------------------------- the document


@of_carriers("encoded")
@pytest.mark.parametrize("encoded", ["JVBERi0*", "JVBERi0", "-_-_", "éééé", "\ud800\ud800"])
def test_base64_is_read_strictly(table: Table, encoded: str) -> None:
    assert table.encoded
    if encoded.startswith("\ud800") and is_xml(table.answers[0]):
        return  # XML cannot contain this character
    failure = as_failure(table.outcome_of(*table.answers[:-1], table.encoded(encoded)))
    assert (failure.kind, failure.http_status, failure.delivery) == (K.BAD_RESPONSE, 200, table.known)
    assert failure.message == f"{table.spec.name} sent a proof that is not valid base64"


@of_carriers("encoded")
@pytest.mark.parametrize("width", [4, 76])
def test_base64_in_lines_is_read(table: Table, width: int) -> None:
    assert table.encoded
    assert table.proof
    lines = in_lines(b64(table.proof.best.content), width)
    outcome = table.outcome_of(*table.answers[:-1], table.encoded(f"\n{lines}\n"))
    assert isinstance(outcome, Retrieved)
    assert outcome.best.content == table.proof.best.content


# ---------------------------------------------------------------- known deliveries


@of_carriers("bare", "nameless")
def test_known_facts_complete_an_answer(table: Table) -> None:
    assert table.bare
    assert table.nameless
    rest = table.answers[1:]
    assert table.fetch(table.bare, *rest, known=EARLIER)[0].delivery == EARLIER
    named = replace(table.known, signatory="MARTIN")
    assert table.fetch(table.nameless, *rest, known=EARLIER)[0].delivery == named
    assert table.fetch(*table.answers, known=EARLIER)[0] == table.proof


# ---------------------------------------------------------------- tokens

of_carriers_with_tokens = of_carriers("token")


def tokens_shown(table: Table, session: FakeSession) -> list[str]:
    """The token in each call except token calls, or "" if a call has none."""
    service = table.make().token_service
    assert service
    requests = [request for what, request in session.requests if what is not Capability.TOKEN]
    return [request.headers.get(service.header, "").removeprefix(service.scheme) for request in requests]


@of_carriers_with_tokens
def test_one_token_serves_several_fetches_and_is_renewed_before_its_end(table: Table) -> None:
    assert table.token
    client, answers = table.make(), table.answers
    life = int(json.loads(table.token("tok").body)["expires_in"])
    scripted = [table.token("tok"), *answers, *answers, table.token("new"), *answers]
    session = FakeSession(scripted, client)
    assert client.setup_calls(NOW) == {Capability.TOKEN: 1}
    assert client.secrets() == ()
    first = client.fetch(table.number, None, session)
    assert first == client.fetch(table.number, None, session) == table.proof
    assert (client.setup_calls(NOW), client.secrets()) == ({}, ("tok",))
    session.at = NOW + timedelta(seconds=life - 119)
    assert client.setup_calls(session.at) == {Capability.TOKEN: 1}
    assert client.fetch(table.number, None, session) == table.proof
    assert [what for what, _ in session.requests].count(Capability.TOKEN) == 2
    assert [*filter(None, tokens_shown(table, session))][-1] == "new"
    assert client.secrets() == ("new", "tok")


@of_carriers_with_tokens
def test_a_refused_token_is_renewed_once(table: Table) -> None:
    assert table.token
    assert table.expired
    usual = tokens_shown(table, table.fetch(*table.answers)[1])
    for place in (place for place, token in enumerate(usual) if token):
        before, after = table.answers[:place], table.answers[place:]
        outcome, session = table.fetch(*before, table.expired, table.token("new"), *after)
        assert outcome == table.proof
        renewed = ["new" if token else "" for token in usual[place:]]
        assert tokens_shown(table, session) == [*usual[: place + 1], *renewed]
        assert session.accepted


@of_carriers_with_tokens
def test_a_second_refusal_means_rejected_credentials(table: Table) -> None:
    assert table.token
    assert table.expired
    outcome, session = table.fetch(table.expired, table.token("new"), table.expired)
    failure = as_failure(outcome)
    assert (failure.kind, failure.http_status, failure.delivery) == (K.AUTH_FAILED, 401, None)
    assert (failure.unknown, session.accepted) == (None, False)


@of_carriers_with_tokens
def test_a_refused_token_call_means_rejected_credentials(table: Table) -> None:
    for answer, words in table.no_token:
        with row(answer.status, words):
            client = table.make()
            session = FakeSession([answer], client)
            with pytest.raises(CallError) as failed:
                client.fetch(table.number, None, session)
            failure = failed.value.failure
            assert (failure.kind, failure.http_status) == (K.AUTH_FAILED, answer.status)
            assert failure.message == f"{table.spec.name} rejects our credentials: {words}"
            assert not session.accepted


# ---------------------------------------------------------------- hostile answers


@of_every_carrier
def test_no_text_of_an_answer_can_forge_a_line(table: Table) -> None:
    assert table.hostile
    for answers in table.hostile:
        with row([one.body[:200] for one in several(answers)]):
            assert_harmless(as_failure(table.outcome_of(*several(answers))), most=450)


def spoilable(table: Table) -> list[tuple[tuple[Response, ...], Response]]:
    """The answers that tests damage, each with the answers that precede it."""
    calls = [(table.answers[:place], answer) for place, answer in enumerate(table.answers)]
    return [*calls, *(((), answer) for answer in table.whole)]


def assert_is_read(table: Table, *answers: Response) -> None:
    try:
        outcome = table.outcome_of(*answers)
    except CallError as failed:
        outcome = failed.failure
    assert isinstance(outcome, Failure | Retrieved)


@of_every_carrier
def test_damaged_answers_raise_no_error(table: Table) -> None:
    for before, whole in spoilable(table):
        for answer in damaged(whole):
            assert_is_read(table, *before, answer)


def is_xml(answer: Response) -> bool:
    return answer.body.startswith(b"<")


@pytest.mark.parametrize(
    "table",
    [table for table in TABLES.values() if not is_xml(table.answers[0])],
    ids=[key for key, table in TABLES.items() if not is_xml(table.answers[0])],
)
def test_values_of_wrong_types_raise_no_error(table: Table) -> None:
    for before, whole in spoilable(table):
        if not whole.body.startswith(b"{"):
            continue
        for odd in (*ODD, "DL"):
            for answer in replaced(whole, odd):
                assert_is_read(table, *before, answer)


@of_every_carrier
def test_a_carrier_without_documents_costs_no_call_once_the_delivery_is_known(table: Table) -> None:
    if not isinstance(table.make(), StatusClient):
        return
    outcome, session = table.fetch(known=table.known)
    assert (as_failure(outcome).kind, outcome.delivery) == (K.POD_NEVER_AVAILABLE, table.known)
    assert (session.requests, session.accepted) == ([], False)
