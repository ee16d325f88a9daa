"""French emails contain no English except in quotation marks: for every kind of email, error and sentence."""

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.core.claim import Stage
from recours.core.errors import ErrorKind
from recours.core.evidence import Manifest
from recours.core.mail import EventName, MailKind, OutboxEvent
from recours.core.sentences import Sentence, SentenceParts, facts_of
from recours.mail import weekly
from recours.mail.render import Branding, Rendered, render
from recours.reporting.problems import Problem, ProblemKind, Verdict
from recours.reporting.system import Backlog, Tally
from tests.french import with_plain_spaces
from tests.needs import missing, program
from tests.unit.reporting.test_problems import system_overview
from tests.unit.reporting.test_weekly import week_report

ENGLISH = "The parcel was thrown away"
NUMBER = count(1)
# Names, and words of the programs themselves.
KNOWN = {
    "API", "CLM", "Chronopost", "Colissimo", "DHL", "DPD", "Express", "FedEx", "GLS", "IP", "Mondial", "Relay", "UPS",
    "NTP", "UTC", "env", "recours", "pdf", "shop",
}  # fmt: skip
# A carrier's text, a command, an address, a number.
_FOREIGN = re.compile(r"« [^»]*»|recours (?:accounts|carriers|reopen) [\w \"@.-]*|\S*@\S*|\b\S*\d\S*")


def mail(kind: MailKind, name: EventName, carrier: str, facts: dict[str, Any]) -> Rendered:
    facts = {
        "reference": "CLM-1",
        "attempts": 4,
        "days": 30,
        "error": ENGLISH,
        "client": "c@shop.example",
    } | facts
    event = OutboxEvent(
        next(NUMBER), name, 1, carrier, "1Z999AA10123456784", datetime(2026, 2, 2, tzinfo=UTC), facts
    )
    return render(kind, [event], "fr", "M. Dupont", Branding(), CATALOG, {carrier: 32})


SUMMARY = MailKind.OPERATOR_SUMMARY
MAILS = [
    (MailKind.POD_FAILED, EventName.POD_FAILED, "ups"),
    (MailKind.POD_RETRIEVED, EventName.POD_RETRIEVED, "ups"),
    (MailKind.ACCOUNT_REFUSED, EventName.ACCOUNT_REFUSED, "ups#4"),
    (SUMMARY, EventName.POD_FAILED, "ups"),
    (SUMMARY, EventName.GAVE_UP, "ups"),
    (SUMMARY, EventName.EXPIRED, "ups"),
    (SUMMARY, EventName.ACCOUNT_FAULT, "ups"),
    (SUMMARY, EventName.ACCOUNT_FAULT, "ups#4"),
    (SUMMARY, EventName.RUN_FAULT, "ups"),
]
DELIVERED = {"delivered_at": "2026-02-02T10:31:00+00:00", "signatory": "DUPONT", "attempts": 2,
             "shown": {"is_readable": True, "number": True, "signatory": "DUPONT", "has_signature": True,
                       "delivered": "2026-02-02T10:31", "place": "Lille"}}  # fmt: skip


def every_mail(kind: MailKind, name: EventName, carrier: str) -> Iterator[Rendered]:
    """Emails with each kind of error, and with each sentence that quotes a carrier, at its end and in its middle."""
    for error in ErrorKind:
        for end in ({}, {"final": True, "last_attempt": True}):
            yield mail(kind, name, carrier, {"kind": error, **DELIVERED, **end})
    for key in Sentence:
        said = facts_of(SentenceParts(key, "UPS", ENGLISH))
        yield mail(kind, name, carrier, {"kind": "not_found", **said})


def english_in(text: str) -> set[str]:
    """The words of a text that are missing in the French dictionary, except quoted ones, which may be a carrier's."""
    command = [program("hunspell", "hunspell-fr"), "-d", "fr", "-l", "-i", "utf-8"]
    own = _FOREIGN.sub("", text)
    done = subprocess.run(command, input=own, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        missing(f"hunspell has no French dictionary: apt-get install hunspell-fr ({done.stderr.strip()})")
    return {word.strip(".-'’") for word in done.stdout.split()} - KNOWN - {""}


# Texts without a carrier's words: an example, names of settings, days and a place, numbers of parcels and claims.
_OF_OURS = (
    "exemple : ",
    "renseignez ",
    "a été livré (",
    "en une seule exécution (",
    "(livré le ",
    "(depuis le ",
    "ce matin (",
)


@pytest.mark.parametrize(("kind", "name", "carrier"), MAILS)
def test_a_french_email_contains_no_english_outside_quotations(
    kind: MailKind, name: EventName, carrier: str
) -> None:
    found = list(every_mail(kind, name, carrier))
    text = with_plain_spaces("\n".join(f"{one.subject}\n{one.plain}" for one in found)).replace(
        "DUPONT", "Dupont"
    )
    for place in _OF_OURS:
        text = text.replace(place + ENGLISH, place)
    assert english_in(text) == set()


def test_an_english_word_is_noticed() -> None:
    text = f"UPS refuse nos identifiants : {ENGLISH}"
    assert {"parcel", "thrown"} <= english_in(text)
    assert english_in(f"UPS refuse nos identifiants : « {ENGLISH} »") == set()


# ---------------------------------------------------------------- the weekly report

ABOUT: dict[str, Any] = {
    "name": "UPS", "said": ENGLISH, "source": ".env", "missing": "UPS_CLIENT_ID", "by": "Dupont", "worker": "pod_worker",
    "schedule_minutes": 60, "exit_status": 1, "reference": "CLM-1", "deadline": "2026-02-10", "evidence_until": "2026-02-10",
    "clients": 2, "clients_named": "c@shop.example", "accounts": 2, "accounts_named": "c@shop.example", "long": 1,
    "long_named": "c@shop.example", "files": "CLM-1", "days": 78, "late": 900, "pace": 51, "setting": "QUOTA_UPS",
}  # fmt: skip
# Commands and settings in instructions, in the form to type.
COMMANDS = re.compile(
    r"systemctl --user status recours-worker|tail -n \d+|cron\b|grep -A \d+ Traceback logs/\*\.log|logs/\w+\.log|pod_worker|[A-Z]+_[A-Z_=a-z]+"
    r"|recours [a-z]+(?: (?:--?[a-z-]+|[a-z]+\b|[A-ZÉ]{4,}))*"
)


def test_a_french_report_contains_no_english_outside_quotations(monkeypatch: pytest.MonkeyPatch) -> None:
    week = datetime(2026, 2, 9, 8, tzinfo=UTC)
    found = Verdict(week, [Problem(kind, 2, week, None, "ups", ABOUT) for kind in ProblemKind], 0, 2, 0)
    monkeypatch.setattr(weekly, "verdict", lambda _overview: found)
    tallies = [Tally(date(2026, 11, 16), "ups", 1, "failed", kind, 2) for kind in ErrorKind]
    backlogs = [Backlog(carrier, {Stage.WAITING: 1}) for carrier in ("ups", "")]
    now = system_overview(backlogs=backlogs)
    shown = week_report(*tallies, now=now, secured={"EUR": 12.5}, manifest=Manifest(7, "7.txt", "abc1"))
    report = weekly.render_report(shown, "fr", Branding(), CATALOG)
    assert ENGLISH in report.plain, "as a carrier's words"
    text = with_plain_spaces(f"{report.subject}\n{report.plain}")
    assert english_in(COMMANDS.sub("", text)) == set()
