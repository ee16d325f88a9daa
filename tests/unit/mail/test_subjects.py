"""Subjects: what happened, to which claim and to how many, in one short line, with any external text."""

from datetime import UTC, datetime
from itertools import count, product
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.core.errors import ErrorKind
from recours.core.mail import EventName, MailKind, OutboxEvent
from recours.core.translations import LANGUAGES
from recours.mail.subjects import subject_of

SHORT = 78  # characters, as RFC 5322 recommends for a line
NUMBER = count(1)


def an_event(
    name: EventName, carrier: str = "chronopost", kind: str = "auth_failed", **facts: Any
) -> OutboxEvent:
    number = facts.pop("number", "XY000000001FR")
    facts = {"kind": kind, "reference": "CLM-2024-001"} | facts
    return OutboxEvent(
        next(NUMBER), name, next(NUMBER), carrier, number, datetime(2026, 2, 2, tzinfo=UTC), facts
    )


def summary(language: str, *events: OutboxEvent, **blocked: int) -> str:
    return subject_of(MailKind.OPERATOR_SUMMARY, events, language, CATALOG, blocked)


FAULT = EventName.ACCOUNT_FAULT
GAVE_UP = EventName.GAVE_UP


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("fr", "Chronopost : identifiants refusés – 32 réclamations bloquées"),
        ("en", "Chronopost: credentials rejected – 32 claims blocked"),
    ],
)
def test_an_operator_subject_contains_the_problem_and_the_blocked_claims(
    language: str, expected: str
) -> None:
    assert summary(language, an_event(FAULT), chronopost=32, ups=7) == expected
    assert summary(language, an_event(FAULT), ups=7) == expected.partition(" – ")[0]


@pytest.mark.parametrize(
    ("name", "carrier", "claims", "subject"),
    [
        (EventName.OUTAGE, "ups", 5, "UPS is unavailable – 5 claims blocked"),
        (EventName.OUTAGE, "ups", 0, "UPS is unavailable"),
        (EventName.TO_CORRECT, "", 1600, "1,600 claims to correct"),
        (EventName.REFUSED_DOCUMENTS, "ups", 6, "UPS: documents of 6 parcels refused"),
    ],
)
def test_the_subject_of_a_problem_contains_the_count_of_the_verdict(
    name: EventName, carrier: str, claims: int, subject: str
) -> None:
    assert summary("en", an_event(name, carrier, problem="It is so.", count=claims), ups=3) == subject


def test_a_subject_has_the_most_urgent_issue_and_counts_the_others() -> None:
    gave_up = [an_event(GAVE_UP, kind="not_found") for _ in range(2)]
    assert summary("en", *gave_up) == "Chronopost: number unknown to the carrier – 2 claims given up"
    both = [*gave_up, an_event(GAVE_UP, "ups", "timeout")]
    assert summary("en", *both) == "No proof of delivery – 3 claims given up"
    expired = [an_event(EventName.EXPIRED, "ups", "timeout") for _ in range(3)]
    assert summary("en", *both, *expired) == "No proof of delivery – 3 claims given up (and 1 more)"
    accounts = [an_event(FAULT, f"ups#{n}") for n in (4, 5)]
    assert (
        summary("en", *both, *expired, *accounts, **{"ups#4": 1, "ups#5": 2, "ups": 9})
        == "UPS rejects 2 client accounts – 3 claims blocked (and 2 more)"
    )
    ours = an_event(EventName.RUN_FAULT, "dhl", "internal_error"), an_event(FAULT, "dpd")
    found = summary("fr", *both, *accounts, *reversed(ours))
    assert found == "DHL : erreur interne (et 3 autres points)"


def test_a_given_up_claim_with_its_reason_counts_once() -> None:
    gave_up = an_event(GAVE_UP, "Heppner", "unsupported_carrier")
    why = OutboxEvent(
        99,
        EventName.POD_FAILED,
        gave_up.claim_id,
        "Heppner",
        gave_up.number,
        gave_up.written_at,
        gave_up.facts,
    )
    assert (
        summary("fr", why, gave_up) == "Heppner : transporteur non pris en charge – CLM-2024-001 abandonnée"
    )
    assert summary("fr", why) == "Heppner : transporteur non pris en charge – réclamation CLM-2024-001"


def test_a_client_subject_has_the_reason_that_all_claims_share() -> None:
    def of(*events: OutboxEvent) -> str:
        return subject_of(MailKind.POD_FAILED, events, "fr", CATALOG, {})

    wrong = an_event(EventName.POD_FAILED, kind="invalid_tracking")
    assert of(wrong) == "Réclamation CLM-2024-001 : numéro de suivi à corriger"
    assert (
        of(an_event(EventName.POD_FAILED, kind="invalid_tracking", number=""))
        == "Réclamation CLM-2024-001 : numéro de suivi manquant"
    )
    assert (
        of(wrong, an_event(EventName.POD_FAILED, "ups", "not_found"))
        == "2 réclamations : preuve de livraison non obtenue"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_subjects_are_short_and_operator_subjects_name_the_carrier(language: str) -> None:
    """For every kind of error, at every carrier."""
    for carrier, error in product(CATALOG.specs, ErrorKind):
        assert_short(language, carrier, error)


def assert_short(language: str, carrier: str, error: ErrorKind) -> None:
    name = CATALOG.name_of(carrier)
    failed = subject_of(
        MailKind.POD_FAILED, [an_event(EventName.POD_FAILED, carrier, error)], language, CATALOG, {}
    )
    gave_up = summary(language, an_event(GAVE_UP, carrier, error))
    fault = summary(language, an_event(FAULT, carrier, error), **{carrier: 999})
    for subject in (failed, gave_up, fault):
        assert len(subject) <= SHORT, subject
        assert "{" not in subject
    assert name in gave_up
    assert name in fault


def test_external_text_in_a_subject_is_short_and_forges_no_header() -> None:
    hostile = "CLM\r\nBcc: evil@shop.example\x00\u202e" + "x" * 1000
    for kind, name in (
        (MailKind.POD_FAILED, EventName.POD_FAILED),
        (MailKind.POD_RETRIEVED, EventName.POD_RETRIEVED),
    ):
        event = an_event(name, hostile, "unsupported_carrier", reference=hostile)
        subject = subject_of(kind, [event], "fr", CATALOG, {})
        assert subject.isprintable()
        assert len(subject) < 150
    assert summary("fr", an_event(FAULT, hostile, "auth_failed", reference=None)).isprintable()
