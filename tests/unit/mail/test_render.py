"""The reason of a failure in an email: in its reader's language; external text is quoted after the kind of error."""

from datetime import UTC, datetime
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.core.mail import EventName, MailKind, OutboxEvent
from recours.core.sentences import Sentence, SentenceParts, facts_of
from recours.mail.render import Branding, render
from tests.french import with_plain_spaces

SAID = facts_of(SentenceParts(Sentence.NUMBER_UNKNOWN, "UPS", "No <b>such</b> parcel"))
ENGLISH = {
    "reference": "CLM-1",
    "kind": "not_found",
    "attempts": 4,
    "error": "UPS does not recognize this tracking number: No",
}


def plain_of(facts: dict[str, Any], language: str, kind: MailKind, name: EventName) -> str:
    event = OutboxEvent(1, name, 1, "ups", "1Z999AA10123456784", datetime(2026, 2, 2, tzinfo=UTC), facts)
    rendered = render(kind, [event], language, None, Branding(), CATALOG)
    assert "<b>such" not in rendered.html
    return with_plain_spaces(rendered.plain)


SHOWN = {"is_readable": True, "number": True, "signatory": "DUPONT", "has_signature": True,
         "delivered": "2026-10-05T10:31", "place": "Lille"}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "shows", "how"),
    [
        (
            "en",
            "What it shows: signed by DUPONT on 5 Oct 2026, 10:31, Lille; shows the tracking number",
            "attached manually",
        ),
        (
            "fr",
            "Ce qu'elle montre : signature de DUPONT le 05/10/2026 à 10 h 31, Lille ; le numéro de suivi y figure",
            "jointe manuellement",
        ),
    ],
)
def test_an_email_about_a_proof_lists_its_findings(language: str, shows: str, how: str) -> None:
    of = (MailKind.POD_RETRIEVED, EventName.POD_RETRIEVED)
    found = plain_of({"reference": "CLM-1", "attempts": 2, "shown": SHOWN}, language, *of)
    assert shows in found
    assert how not in found
    assert how in plain_of({"reference": "CLM-1", "by_hand": True, "shown": SHOWN}, language, *of)
    assert shows[:12] not in plain_of({"reference": "CLM-1", "attempts": 2}, language, *of)
    forged = {"reference": "CLM-1", "attempts": 2, "shown": SHOWN | {"place": "<b>such</b>\nBcc: x"}}
    assert "\nBcc" not in plain_of(forged, language, *of)


CLIENTS = (MailKind.POD_FAILED, EventName.POD_FAILED)
OPERATORS = (MailKind.OPERATOR_SUMMARY, EventName.GAVE_UP)
ACCOUNTS = (MailKind.OPERATOR_SUMMARY, EventName.ACCOUNT_FAULT)


@pytest.mark.parametrize("which", [CLIENTS, OPERATORS, ACCOUNTS])
def test_the_reason_is_in_the_readers_language(which: tuple[MailKind, EventName]) -> None:
    french = plain_of(ENGLISH | SAID, "fr", *which)
    assert "Numéro de suivi inconnu chez UPS : « No <b>such</b> parcel »" in french
    assert "does not know" not in french
    english = plain_of(ENGLISH | SAID, "en", *which)
    of_account = which is ACCOUNTS  # with the additional text of the log
    assert "UPS does not recognize this tracking number: No" in english
    assert ("No <b>such</b> parcel" in english) is not of_account


@pytest.mark.parametrize("which", [CLIENTS, OPERATORS])
def test_errors_stored_by_older_versions_are_quoted_after_the_error_kind(
    which: tuple[MailKind, EventName],
) -> None:
    assert "numéro inconnu du transporteur : « UPS does not recognize this tracking number: No »" in plain_of(
        ENGLISH, "fr", *which
    )
    assert 'number unknown to the carrier: "UPS does not recognize this tracking number: No"' in plain_of(
        ENGLISH, "en", *which
    )


@pytest.mark.parametrize(
    ("language", "happened"),
    [("en", "The claim has no tracking number"), ("fr", "La réclamation n'a pas de numéro de suivi")],
)
def test_a_client_email_says_once_that_the_number_is_missing(language: str, happened: str) -> None:
    facts = {"reference": "CLM-1", "error": "x", "kind": "invalid_tracking"}
    facts |= facts_of(SentenceParts(Sentence.NUMBER_MISSING))
    event = OutboxEvent(1, EventName.POD_FAILED, 1, "ups", "", datetime(2026, 2, 2, tzinfo=UTC), facts)
    plain = with_plain_spaces(render(CLIENTS[0], [event], language, None, Branding(), CATALOG).plain)
    assert plain.count(happened) == 1


def test_your_contract_is_written_only_to_the_client() -> None:
    for key, client, operator in (
        (Sentence.PARCEL_NOT_CLIENTS, "votre contrat UPS", "au contrat UPS du client"),
        (Sentence.PARCEL_NOT_OURS, "notre contrat UPS", "notre contrat UPS"),
    ):
        facts = {"kind": "access_denied", "error": "x", **facts_of(SentenceParts(key, "UPS"))}
        assert client in plain_of(facts, "fr", *CLIENTS)
        assert operator in plain_of(facts, "fr", *OPERATORS)


def test_an_untranslatable_account_error_is_quoted_in_french() -> None:
    facts = {"kind": "internal_error", "error": "recours itself failed on UPS"}
    assert "« recours itself failed on UPS »" in plain_of(facts, "fr", *ACCOUNTS)
    english = plain_of(facts, "en", *ACCOUNTS)
    assert "recours itself failed on UPS" in english
    assert '"recours' not in english


# ---------------------------------------------------------------- the last attempt before a deadline

TEMPORARY = {"reference": "CLM-1", "kind": "not_delivered_yet", "attempts": 4, "error": "x", "final": True}
LAST = {"last_attempt": True}


@pytest.mark.parametrize(
    ("facts", "english", "french"),
    [
        (
            TEMPORARY | LAST,
            "Given up after 4 attempts and a last attempt before the deadline",
            "Abandonnée après 4 tentatives, puis une dernière avant l'échéance",
        ),
        (
            TEMPORARY | LAST | {"kind": "returned_to_sender"},
            "Given up after a last attempt before the deadline, without another call, because the error is final",
            "Abandonnée après une dernière tentative avant l'échéance, car l'erreur est définitive ; le transporteur n'est plus interrogé",
        ),
    ],
)
def test_client_and_operator_emails_mention_a_last_attempt(
    facts: dict[str, Any], english: str, french: str
) -> None:
    for which in (CLIENTS, OPERATORS):
        assert f"  How it ended: {english}\n" in plain_of(facts, "en", *which)
        assert f"  Fin de la recherche : {french}\n" in plain_of(facts, "fr", *which)


@pytest.mark.parametrize("facts", [TEMPORARY, TEMPORARY | LAST | {"final": False}, ENGLISH | LAST])
def test_a_client_email_mentions_only_a_final_last_attempt(
    facts: dict[str, Any],
) -> None:
    assert "How it ended" not in plain_of(facts, "en", *CLIENTS)


def test_a_client_email_contains_the_deadline() -> None:
    facts = TEMPORARY | {"deadline": "2026-12-09"}
    assert "  Deadline of the claim: 9 Dec 2026\n" in plain_of(facts, "en", *CLIENTS)
    assert "  Échéance de la réclamation : 09/12/2026\n" in plain_of(facts, "fr", *CLIENTS)
    assert "Deadline of the claim" not in plain_of(TEMPORARY, "en", *CLIENTS)


# ---------------------------------------------------------------- accounts of clients


def fault(number: int, account: str, kind: str, **facts: Any) -> OutboxEvent:
    told = {"kind": kind, "error": "Chronopost rejects our credentials"} | facts
    return OutboxEvent(
        number, EventName.ACCOUNT_FAULT, 0, account, "2026-02-20", datetime(2026, 2, 20, tzinfo=UTC), told
    )


@pytest.mark.parametrize(
    ("language", "title", "rejected", "denied"),
    [
        (
            "en",
            "Chronopost: 31 client accounts rejected",
            "credentials rejected: c1@",
            "service not enabled: z@shop",
        ),
        (
            "fr",
            "Chronopost : 31 comptes de clients refusés",
            "identifiants refusés : c1@",
            "service non activé : z@shop",
        ),
    ],
)
def test_rejected_client_accounts_are_grouped_by_carrier(
    language: str, title: str, rejected: str, denied: str
) -> None:
    of_clients = [
        fault(n, f"chronopost#{n}", "auth_failed", client=f"c{n}@shop.example") for n in range(1, 31)
    ]
    denied_one = fault(31, "chronopost#31", "account_denied", client="z@shop.example")
    default = fault(32, "chronopost", "auth_failed")
    told = [*of_clients, denied_one, default, fault(33, "ups#40", "auth_failed")]
    mail = render(MailKind.OPERATOR_SUMMARY, told, language, None, Branding(), CATALOG)
    assert " 2 " in mail.subject  # after the default account: the clients' of two carriers
    assert title in with_plain_spaces(mail.plain)
    assert rejected in with_plain_spaces(mail.plain)
    assert denied in with_plain_spaces(mail.plain)
    assert "c20@shop.example" in mail.plain
    assert "c21@shop.example" not in mail.plain
    assert "ups#40" in mail.plain  # with an unknown address
    assert "recours accounts list" in mail.plain
