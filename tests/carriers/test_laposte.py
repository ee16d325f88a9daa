"""The requests to La Poste, and the meaning of each answer. The client and the simulator list the sources."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recours.carriers.answers import ParcelStatus as P
from recours.carriers.laposte import CODES, EVENT_CODES, LaPoste, parse_tracking
from recours.carriers.message import Request, Response, Wait
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure, Outcome
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.sandbox import Scenario
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE, no_answers, raw, response
from tests.fakes.checks import as_failure
from tests.fakes.session import NOW, FakeSession, fetched
from tests.fakes.simulated import SandboxSession, client_of

NUMBER = "6A00000000017"
SETTINGS = {"LAPOSTE_API_KEY": "0k4p1"}
AT = datetime(2026, 10, 5, 9, 20, tzinfo=UTC)
KNOWN = Delivery(AT)
K = ErrorKind
BAD_NUMBER = "Le numéro que vous avez saisi n'est pas valide. Un conseil."


def an_event(
    code: Any, date: Any = "2026-10-05T11:20:00+02:00", label: Any = "Un événement"
) -> dict[str, Any]:
    return {"code": code, "label": label, "date": date}


def tracked(*events: Any, **more: Any) -> Response:
    shipment = {
        "idShip": NUMBER,
        "holder": 4,
        "product": "Colissimo",
        "isFinal": True,
        "entryDate": "2026-10-02T10:00:00+02:00",
        "timeline": [{"id": 5, "shortLabel": "Livré", "date": "", "status": True, "type": 1}],
        "event": list(events),
    }
    return response({"lang": "fr_FR", "scope": "open", "returnCode": 200, "shipment": shipment | more})


def functional(code: Any, message: Any, status: int | None = None) -> Response:
    tree = {"returnCode": code, "returnMessage": message, "lang": "fr_FR", "scope": "open", "idShip": NUMBER}
    return response(tree, code if status is None else status)


def gateway(status: int, code: Any, message: Any = "Words") -> Response:
    return response({"code": code, "message": message}, status)


IN_TRANSIT = an_event("MD2", "2026-10-05T07:10:00+02:00")
DELIVERED = tracked(an_event("DI1"), IN_TRANSIT)
TOO_MANY = gateway(429, "TOO_MANY_REQUESTS", "max quota reached (10 calls per 1s)")


def fetch(*answers: Response | Failure, known: Delivery | None = None) -> tuple[Outcome, FakeSession]:
    return fetched(LaPoste(SETTINGS), NUMBER, answers, known)


def parse_one(answer: Response) -> Failure:
    found = parse_tracking(answer, [NUMBER])
    return found if isinstance(found, Failure) else found[NUMBER]


def failure_of(answer: Response) -> Failure:
    failure = as_failure(fetch(answer)[0])
    assert failure.http_status == answer.status
    return failure


# ---------------------------------------------------------------- requests


def test_the_request_is_that_of_the_public_clients() -> None:
    _, session = fetch(DELIVERED)
    assert session.requests == [
        (
            Capability.TRACKING,
            Request(
                "GET",
                "/suivi/v2/idships/6A00000000017?lang=fr_FR",
                {"X-Okapi-Key": "0k4p1", "Accept": "application/json"},
            ),
        )
    ]


def test_a_number_is_escaped_in_the_path() -> None:
    session = FakeSession([DELIVERED], checks_requests=False)
    LaPoste(SETTINGS).track_many(["6A/../x?lang=#é", "a,b"], session)
    assert session.requests[0][1].path == "/suivi/v2/idships/6A%2F..%2Fx%3Flang%3D%23%C3%A9,a%2Cb?lang=fr_FR"


# ---------------------------------------------------------------- delivered

WITHOUT_DOCUMENT = (
    "La Poste's tracking has no documents; "
    "with the credentials of a Colissimo contract, recours can fetch the proofs of Colissimo parcels"
)


@pytest.mark.parametrize("code", ["DI1", "DI0"])
def test_a_delivered_parcel_has_a_delivery_and_no_document(code: str) -> None:
    outcome, session = fetch(tracked(an_event(code), IN_TRANSIT))
    expected = Failure.of(Sentence.PROOFS_ELSEWHERE, "La Poste", "2026-10-05", 200, delivery=KNOWN)
    assert outcome == expected
    assert (expected.kind, expected.message) == (
        K.POD_NEVER_AVAILABLE,
        f"The parcel was delivered (2026-10-05), but {WITHOUT_DOCUMENT}",
    )
    assert session.accepted


def test_a_parcel_known_to_be_delivered_costs_no_call() -> None:
    outcome, session = fetch(known=KNOWN)
    assert session.requests == []
    asked, _ = fetch(DELIVERED)
    assert isinstance(asked, Failure)
    assert outcome == asked
    # Facts that are already known are kept.
    signed = Delivery(None, "DUPONT")
    outcome, _ = fetch(known=signed)
    assert outcome == Failure.of(Sentence.PROOFS_ELSEWHERE, "La Poste", None, 200, delivery=signed)
    assert isinstance(outcome, Failure)
    assert outcome.message == f"The parcel was delivered, but {WITHOUT_DOCUMENT}"


@pytest.mark.parametrize(
    ("date", "at", "day"),
    [
        ("2026-10-05T11:20:00+02:00", AT, "2026-10-05"),
        ("2026-10-05T09:20:00Z", AT, "2026-10-05"),
        ("2026-10-05T11:20:00", AT, "2026-10-05"),  # a time without an offset is French
        ("2026-10-05T23:30:00Z", datetime(2026, 10, 5, 23, 30, tzinfo=UTC), "2026-10-06"),  # the French day
        ("9999-12-31T23:30:00Z", datetime(9999, 12, 31, 23, 30, tzinfo=UTC), "9999-12-31"),
        ("9999-12-31T23:59:59-14:00", None, None),
        ("hier", None, None),
        (["2026"], None, None),
        (None, None, None),
    ],
)
def test_the_time_of_delivery(date: Any, at: datetime | None, day: str | None) -> None:
    for answer in (tracked(an_event("DI1", date)), tracked(an_event("DI1", None), deliveryDate=date)):
        failure = failure_of(answer)
        assert failure.delivery == Delivery(at)
        assert (f"delivered ({day}), but" if day else "delivered, but") in failure.message


def test_the_event_time_takes_precedence_over_the_shipment_time() -> None:
    failure = failure_of(tracked(an_event("DI1"), deliveryDate="2026-10-09T10:00:00+02:00"))
    assert failure.delivery == KNOWN


def test_information_after_a_delivery_does_not_undo_it() -> None:
    for code in ("ID0", "XX9"):
        failure = failure_of(tracked(an_event(code, "2026-10-09T10:00:00+02:00"), an_event("DI1")))
        assert (failure.delivery, failure.unknown) == (KNOWN, None)


# ---------------------------------------------------------------- not delivered


def test_a_parcel_that_went_back_was_not_delivered() -> None:
    failure = failure_of(tracked(an_event("DI2"), IN_TRANSIT))
    assert (failure.kind, failure.delivery) == (K.RETURNED_TO_SENDER, None)
    assert failure.message == "La Poste says that the parcel was returned to the sender (Un événement)"


def test_a_parcel_on_its_way_back_may_still_be_redirected() -> None:
    failure = failure_of(tracked(an_event("RE1"), IN_TRANSIT))
    assert (failure.kind, failure.delivery, failure.unknown) == (K.NOT_DELIVERED_YET, None, None)
    assert failure.message == "The parcel has not been delivered yet (Un événement)"


@pytest.mark.parametrize("back", ["DI2", "RE1"])
def test_a_return_takes_precedence_over_an_earlier_or_later_delivery(back: str) -> None:
    # As strings, these times would sort in another order.
    early, late = "2026-10-05T10:20:00+02:00", "2026-10-05T09:20:00+00:00"
    for turn in (1, -1):
        for first, second in ((back, "DI1"), ("DI1", back)):
            failure = failure_of(tracked(*[an_event(second, late), an_event(first, early)][::turn]))
            goes_back = (first, second) == ("DI1", "RE1")
            assert failure.kind is (K.NOT_DELIVERED_YET if goes_back else K.RETURNED_TO_SENDER)
            assert failure.delivery is None


def test_the_first_of_several_events_of_the_same_time_is_the_newest() -> None:
    returned, turned = (failure_of(tracked(an_event("RE1"), an_event(code))) for code in ("DI2", "DI1"))
    assert (returned.kind, turned.kind) == (K.RETURNED_TO_SENDER, K.NOT_DELIVERED_YET)
    assert failure_of(tracked(an_event("DI1"), an_event("RE1"))).kind is K.RETURNED_TO_SENDER


def test_a_parcel_marked_as_a_return_is_delivered_to_its_sender() -> None:
    for is_back, kind in ((True, K.RETURNED_TO_SENDER), (False, K.POD_NEVER_AVAILABLE)):
        failure = failure_of(tracked(an_event("DI1"), contextData={"isParcelBack": is_back}))
        assert failure.kind is kind


def test_a_delivery_before_the_acceptance_belongs_to_another_parcel() -> None:
    old = an_event("DI1", "2025-03-05T11:20:00+02:00")
    assert failure_of(tracked(an_event("PC1"), old)).kind is K.NOT_DELIVERED_YET
    assert failure_of(tracked(IN_TRANSIT, old)).kind is K.NOT_DELIVERED_YET
    entered = tracked(old, entryDate="2026-10-02T10:00:00+02:00")
    assert failure_of(entered).kind is K.NOT_DELIVERED_YET
    assert (
        failure_of(tracked(an_event("DI1"), an_event("PC1", "2026-10-03T11:20:00+02:00"), old)).delivery
        == KNOWN
    )


def test_the_newest_shipment_of_a_number_counts() -> None:
    old = item(NUMBER, an_event("DI1", "2025-03-05T11:20:00+02:00"))
    old["shipment"]["entryDate"] = "2025-03-01T11:20:00+02:00"
    for new, kind in (
        (item(NUMBER), K.NOT_DELIVERED_YET),
        (item(NUMBER, an_event("DI1")), K.POD_NEVER_AVAILABLE),
    ):
        for items in ([old, new], [new, old], [item_in_error(NUMBER), new, old]):
            kinds = {NUMBER: kind, OTHER: K.NOT_DELIVERED_YET}
            assert kinds_of(response([*items, item(OTHER)], 207), [NUMBER, OTHER]) == kinds
            assert parse_one(response(items, 207)).kind is kind


def test_a_number_may_be_reported_with_its_check_character() -> None:
    """ha-parcel-integrations/ha-laposte, api.py: a Chronopost parcel's number; `inputIdShip` is the requested one."""
    answer = tracked(an_event("DI1"), idShip="12345678901234A")
    found = parse_tracking(answer, ["12345678901234"])
    assert not isinstance(found, Failure)
    assert found["12345678901234"].delivery == KNOWN
    echoed = json.loads(tracked(an_event("DI1"), idShip="XX").body) | {"inputIdShip": NUMBER.lower()}
    assert parse_one(response([echoed], 207)).delivery == KNOWN


ON_THE_WAY = "AG1 DI3 DO1 DO2 DO3 DR1 EP1 ET1 ET2 ET3 ET4 ID0 MD1 MD2 MD3 ND1 PB1 PB2 PC1 PC2"


def test_the_tables_have_these_codes() -> None:
    other = {"DI0": P.DELIVERED, "DI1": P.DELIVERED, "DI2": P.RETURNED, "RE1": P.GOING_BACK}
    accepted = {"PC1": P.ACCEPTED, "PC2": P.ACCEPTED}
    assert dict.fromkeys(ON_THE_WAY.split(), P.ON_ITS_WAY) | accepted | other == EVENT_CODES
    assert set(CODES) == {"104", "105", "109", "400", "401", "403", "404", "500", "504"}


@pytest.mark.parametrize("code", ["XX9", "di1", "7"])
def test_an_unknown_event_code_is_reported(code: str) -> None:
    failure = failure_of(tracked(an_event("DR1", "2026-10-01T00:00:00+02:00"), an_event(code)))
    assert failure.kind is K.NOT_DELIVERED_YET
    assert failure.unknown == f"the event code {code} (Un événement)"
    assert failure_of(tracked(an_event(code, "2026-10-01T00:00:00+02:00"), IN_TRANSIT)).unknown is None


def test_a_shipment_without_events_is_not_delivered() -> None:
    failure = failure_of(tracked())
    assert (failure.kind, failure.unknown) == (K.NOT_DELIVERED_YET, None)


# ---------------------------------------------------------------- errors

ROWS: dict[str, Row] = {
    "400": (functional(400, BAD_NUMBER), K.INVALID_TRACKING),
    "400 as a text": (functional("400", BAD_NUMBER, 400), K.INVALID_TRACKING),
    "400 in the message's shape only": (response({"returnMessage": BAD_NUMBER}, 400), K.INVALID_TRACKING),
    "404": (functional(404, "Ressource non trouvée"), K.NOT_FOUND),
    "404, no news": (functional(404, "Aucune information disponible"), K.NOT_FOUND),
    # The carrier's OpenAPI file, `openapi/_original/la-poste-groupe-suivi-openapi.json` of api-evangelist/la-poste-groupe.
    **{
        f"{code} in a {status}": (
            functional(code, "Votre suivi n'est pas encore disponible.", status),
            K.NOT_FOUND,
        )
        for code in (104, 105, 109)
        for status in (200, 404)
    },
    "404 in a 200": (functional(404, "Ressource non trouvée", 200), K.NOT_FOUND),
    "401": (gateway(401, "UNAUTHORIZED", "This action requires an authorization"), K.AUTH_FAILED),
    "401, empty": (raw("", 401), K.AUTH_FAILED),
    "403": (gateway(403, "FORBIDDEN"), K.ACCOUNT_DENIED),
    "403, a page": (raw("<html/>", 403), K.ACCOUNT_DENIED),
    "500": (functional(500, "Erreur système"), K.SERVER_ERROR),
    "500 in a 200": (functional(500, "Erreur système", 200), K.SERVER_ERROR),
    "500, a page": (raw("<html/>", 500), K.SERVER_ERROR),
    "503": (raw("", 503), K.SERVER_ERROR),
    "504": (functional(504, "Service indisponible"), K.SERVER_ERROR),
    "504 with another code": (functional(404, "Ressource non trouvée", 504), K.SERVER_ERROR),
    # The gateway's own answer does not concern the number.
    "400 of the gateway": (gateway(400, "BAD_REQUEST"), K.BAD_RESPONSE, "BAD_REQUEST (HTTP 400: Words)"),
    "404 of the gateway": (gateway(404, "NOT_FOUND"), K.BAD_RESPONSE, "NOT_FOUND (HTTP 404: Words)"),
    "404, a page": (raw("<html/>", 404), K.BAD_RESPONSE),
    "400, empty": (raw("", 400), K.BAD_RESPONSE),
    "another code": (functional(207, "Words", 200), K.BAD_RESPONSE, "the error code 207 (HTTP 200: Words)"),
}


def test_the_carriers_text_is_quoted() -> None:
    assert failure_of(functional(400, BAD_NUMBER)).message.endswith(f": {BAD_NUMBER}")
    assert failure_of(gateway(403, "FORBIDDEN", "No subscription")).message.endswith(": No subscription")


ACCEPTED: list[Any] = [
    (DELIVERED, True),
    (tracked(an_event("DI2")), True),
    (tracked(IN_TRANSIT), True),
    (functional(404, "Ressource non trouvée"), True),
    (functional(400, BAD_NUMBER), True),
    (raw("", 401), False),
    (raw("", 403), False),  # the key has no permission for this service
    (raw("", 500), False),
    (raw("<html/>"), False),
]


# ---------------------------------------------------------------- requests to wait


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("max quota reached (10 calls per 1s)", 1),
        ("max quota reached (100 calls per 60s)", 60),
        ("max quota reached (100 calls per 60 s)", 60),
        ("max quota reached (5000 calls per 86400s)", 86_400),
        ("max quota reached (10 calls per 0s)", None),
        ("max quota reached (10 calls per 1234567890s)", None),
        ("max quota reached (10 calls per ١s)", None),
        ("max quota reached", None),
        (7, None),
        (None, None),
    ],
)
def test_the_text_of_a_429_names_the_window(message: Any, seconds: int | None) -> None:
    answer = gateway(429, "TOO_MANY_REQUESTS", message)
    until = NOW + timedelta(seconds=seconds) if seconds else None
    assert LaPoste(SETTINGS).wait_asked(Capability.TRACKING, answer, NOW) == Wait(until)
    with pytest.raises(CallError) as failed:
        fetch(answer)
    assert (failed.value.failure.kind, failed.value.failure.retry_at) == (K.RATE_LIMITED, until)


@pytest.mark.parametrize("body", ["", "<html/>", "[" * 100_000, "[]", "max quota reached (10 calls per 1s)"])
def test_a_429_without_text_also_asks_to_wait(body: str) -> None:
    assert LaPoste(SETTINGS).wait_asked(Capability.TRACKING, raw(body, 429), NOW) == Wait()


@pytest.mark.parametrize("status", [200, 403, 503])
def test_no_other_answer_asks_to_wait(status: int) -> None:
    answer = replace(TOO_MANY, status=status)
    assert LaPoste(SETTINGS).wait_asked(Capability.TRACKING, answer, NOW) is None


# ---------------------------------------------------------------- hostile answers

NONE: list[Any] = [
    *(answer.body for answer, _ in no_answers().values() if answer.status == 200),
    DELIVERED.body[:80],
    b'{"shipment":' * 100_000,
    b'{"returnCode": ' + b"9" * 10_000 + b"}",
    '{"returnMessage": "Livré"}'.encode("latin-1"),
    b'[[{"returnCode": 404, "returnMessage": "Ressource non trouv\\u00e9e"}]]',
    b'{"returnCode": 200}',
    b'{"returnCode": 200, "shipment": []}',
    b'{"returnCode": 200, "shipment": {"event": {"code": "DI1"}}}',
    b'{"returnCode": 200, "shipment": {"event": "DI1"}}',
]

# ---------------------------------------------------------------- several numbers

OTHER = "EY000000002FR"
THIRD = "6C00000000003"
ALL = [NUMBER, OTHER, THIRD]


def item(number: Any, *events: Any) -> Any:
    tree = json.loads(tracked(*events or [IN_TRANSIT]).body)
    tree["shipment"]["idShip"] = number
    return tree


def item_in_error(number: Any, code: Any = 404, message: Any = "Ressource non trouvée") -> Any:
    return json.loads(functional(code, message, 200).body) | {"idShip": number}


def kinds_of(answer: Response, numbers: Sequence[str] = ALL) -> dict[str, ErrorKind] | ErrorKind:
    found = parse_tracking(answer, numbers)
    if isinstance(found, Failure):
        return found.kind
    return {number: one.kind for number, one in found.items()}


@pytest.mark.parametrize("status", [200, 207])
@pytest.mark.parametrize(
    "alone",
    [
        DELIVERED,
        tracked(IN_TRANSIT),
        functional(400, BAD_NUMBER),
        functional(404, "Ressource non trouvée"),
        functional(104, "Votre suivi n'est pas encore disponible.", 200),
        functional(500, "Erreur système"),
        functional(504, "Erreur système"),
    ],
)
def test_a_parcel_among_several_has_the_same_result_as_alone(alone: Response, status: int) -> None:
    answer = response([item(OTHER), json.loads(alone.body)], status)
    found = parse_tracking(answer, [NUMBER, OTHER])
    assert not isinstance(found, Failure)
    assert found[NUMBER] == parse_one(alone)


@pytest.mark.parametrize(
    "answer",
    [
        response([item(NUMBER), item(OTHER)], 207),
        response([item("1"), item(NUMBER), item(None), "x", None, item(["x"]), item(OTHER.lower())]),
    ],
)
def test_a_parcel_without_a_result_is_omitted(answer: Response) -> None:
    assert kinds_of(answer) == {NUMBER: K.NOT_DELIVERED_YET, OTHER: K.NOT_DELIVERED_YET}


def test_an_answer_about_one_of_several_parcels_is_the_result_of_that_parcel() -> None:
    assert kinds_of(tracked(IN_TRANSIT)) == {NUMBER: K.NOT_DELIVERED_YET}
    assert kinds_of(functional(400, BAD_NUMBER)) == {NUMBER: K.INVALID_TRACKING}
    assert kinds_of(tracked(IN_TRANSIT, idShip="1")) is K.BAD_RESPONSE


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            response({"returnCode": 400, "returnMessage": BAD_NUMBER, "idShip": ",".join(ALL)}, 400),
            K.INVALID_TRACKING,
        ),
        (response({"returnCode": 404, "returnMessage": "x"}, 404), K.NOT_FOUND),
        (response([], 207), K.BAD_RESPONSE),
        (response([item("1"), item("2")]), K.BAD_RESPONSE),
        (gateway(401, "UNAUTHORIZED"), K.AUTH_FAILED),
        (gateway(403, "FORBIDDEN"), K.ACCOUNT_DENIED),
        (gateway(500, "INTERNAL"), K.SERVER_ERROR),
        (raw(b"<html/>"), K.BAD_RESPONSE),
    ],
)
def test_an_answer_without_any_of_the_parcels_is_one_failure(answer: Response, kind: ErrorKind) -> None:
    assert kinds_of(answer) is kind


@pytest.mark.parametrize("code", [None, "207", 99, 1000, "²00", {"a": 1}, "x" * 500, -5])
def test_an_unknown_code_of_one_parcel_does_not_affect_others(code: Any) -> None:
    strange = item(NUMBER) | {"returnCode": code}
    found = kinds_of(response([strange, item(OTHER)], 207), [NUMBER, OTHER])
    assert isinstance(found, dict)
    assert found[OTHER] is K.NOT_DELIVERED_YET
    assert found[NUMBER] is (K.NOT_DELIVERED_YET if code in (None, {"a": 1}) else K.BAD_RESPONSE)


def test_the_only_parcel_may_be_in_a_list() -> None:
    for status in (200, 207):
        assert parse_one(response([json.loads(DELIVERED.body)], status)) == parse_one(DELIVERED)


# ---------------------------------------------------------------- the simulated carrier


@pytest.mark.parametrize(("wait", "header"), [("120", [("Retry-After", "120")]), (None, [])])
def test_the_simulated_429_names_the_window(wait: str | None, header: list[tuple[str, str]]) -> None:
    session = SandboxSession(client_of("laposte"), NUMBER, Scenario.RATE_LIMITED, retry_after=wait)
    assert as_failure(session.fetch()).retry_at == NOW + timedelta(seconds=1)
    answer = session.answers[0]
    assert isinstance(answer, Response)
    assert json.loads(answer.body) == json.loads(TOO_MANY.body)
    assert [item for item in answer.headers.items() if item[0] == "Retry-After"] == header


# ---------------------------------------------------------------- the table for test_rules.py

TABLE = Table(
    make=lambda: LaPoste(SETTINGS),
    number=NUMBER,
    facts={
        "name": "La Poste",
        "spellings": ("La Poste Suivi", "Lettre suivie", "Lettre recommandée", "Courrier"),
        "limits": {None: "10/second"},
        "credentials": (("LAPOSTE_API_KEY",),),
        "base_url": "https://api.laposte.fr",
        "calls": {Capability.TRACKING: 1},
        "numbers_per_call": 10,
    },
    answers=(DELIVERED,),
    known=KNOWN,
    proof=None,
    numbers="12345678901 123456789012345 LL000000000FR AB1234567890CDE 6A00000000000",
    no_numbers="1234567890 1234567890123456 6A-0000000017",
    # Only numbers of the postal union, here a published one, can have a wrong check digit.
    good_check_digits=[NUMBER, "6A00000000018", "12345678901", "RR473124829FR"],
    bad_check_digits=[f"RR47312482{n}FR" for n in range(9)],
    errors=[
        {
            **ROWS,
            **{f"no answer {n}": (raw(body), K.BAD_RESPONSE) for n, body in enumerate(NONE)},
            **{f"no answer {n}, 500": (raw(body, 500), K.SERVER_ERROR) for n, body in enumerate(NONE)},
        }
    ],
    limited=[TOO_MANY],
    accepted=ACCEPTED,
    of_another=[
        *(tracked(an_event("DI1"), idShip=number) for number in ("1", "6A00000000025")),
        *(response([item(number, an_event("DI1"))], 207) for number in ("1", "6A00000000025")),
    ],
    of_several=lambda numbers: response([item(number) for number in numbers]),
    hostile=(
        functional(400, HOSTILE),
        functional(500, HOSTILE),
        functional(HOSTILE, HOSTILE, 400),
        gateway(401, HOSTILE, HOSTILE),
        gateway(400, HOSTILE, HOSTILE),
        tracked(an_event("MD2", label=HOSTILE)),
        tracked(an_event(HOSTILE, label=HOSTILE)),
        tracked(an_event("DI2", label=HOSTILE)),
        tracked(an_event("DI1", label=HOSTILE)),
    ),
    whole=[tracked(IN_TRANSIT), functional(404, "Ressource non trouvée"), TOO_MANY],
    nobody=(functional(404, "Ressource non trouvée"), K.NOT_FOUND),
    # `isFinal` is ignored.
    status=lambda code: tracked(an_event("DR1", "2026-10-01T00:00:00+02:00", "Ancien"), an_event(code)),
    not_delivered=ON_THE_WAY.split(),
    strange=["XX9", "di1", "7"],
)
