"""The weekly report's figures and texts, without a database."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.carriers.registry import CATALOG
from recours.core.claim import Stage
from recours.core.evidence import Manifest
from recours.mail.render import Branding, Rendered
from recours.mail.weekly import render_report
from recours.reporting.problems import VerdictSentences, verdict
from recours.reporting.system import Backlog, Overview, Rate, Tally, WeekReport, success_of
from tests.french import with_plain_spaces
from tests.unit.reporting.test_problems import CASES, system_overview

PARIS = ZoneInfo("Europe/Paris")
MONDAY = date(2026, 11, 16)


def tally(outcome: str, count: int, carrier: str = "dpd", kind: str | None = None) -> Tally:
    return Tally(MONDAY, carrier, 4, outcome, kind, count)


def week_report(*tallies: Tally, now: Overview | None = None, **more: Any) -> WeekReport:
    values = {"previous": Rate(), **more}
    return WeekReport(MONDAY, now or system_overview(), success_of(tallies, [MONDAY]), **values)


def rendered(found: WeekReport, language: str = "en") -> Rendered:
    mail = render_report(found, language, Branding(zone=PARIS), CATALOG)
    return Rendered(*map(with_plain_spaces, (mail.subject, mail.plain, mail.html)))


@pytest.mark.parametrize(
    ("tallies", "has_run", "tells"),
    [
        ([], False, False),
        ([], True, True),
        ([tally("failed", 1)], False, True),
        ([tally("attached", 1)], False, False),
    ],
)
def test_an_unused_database_gets_no_report(tallies: list[Tally], has_run: bool, tells: bool) -> None:
    assert week_report(*tallies, has_run=has_run).has_something_to_tell is tells


EVENTFUL = week_report(
    tally("success", 1234),
    tally("failed", 1, kind="network"),
    tally("failed", 2, kind="timeout"),
    tally("deferred", 1, "ups"),
    tally("given_up", 766),
    now=system_overview(
        backlogs=[
            Backlog("dpd", {Stage.READY: 2, Stage.WAITING: 30}),
            Backlog("", {Stage.SETTLED: 1}, to_correct=1),
        ]
    ),
    previous=Rate(1, 5, 0, 2),
    secured={"EUR": 1234.5},
    manifest=Manifest(7, "7.txt", "abc"),
)


@pytest.mark.parametrize(
    ("language", "subject", "lines"),
    [
        (
            "en",
            "Weekly report: 1,234 proofs, €1,234 secured, 1 problem",
            [
                "* Week 47, from 16 Nov 2026 to 22 Nov 2026",
                "Success rate: 61.7% (1,234 of 2,000 closed claims)",
                "Per attempt: 99.8% (1,234 of 1,237)",
                "Previous week: 33.3% (1 of 3 closed claims)",
                "Not counted: 1 more attempt (quota, account or network)",
                "UPS: no claims closed",
                "Errors: no answer in time (2), network error (1)",
                "Disputed amounts secured: €1,234.50",
                "DPD: 2 due, 30 waiting, 0 to correct, 0 given up",
                "unknown carrier: 0 due, 0 waiting, 1 to correct, 0 given up",
            ],
        ),
        (
            "fr",
            "Rapport hebdomadaire : 1 234 preuves, 1 234 € couverts, 1 problème",
            [
                "* Semaine 47, du 16/11/2026 au 22/11/2026",
                "Taux de réussite : 61,7 % (1 234 sur 2 000 réclamations closes)",
                "Par tentative : 99,8 % (1 234 sur 1 237)",
                "Semaine précédente : 33,3 % (1 sur 3 réclamations closes)",
                "Non comptées : 1 autre tentative (quota, compte ou réseau)",
                "UPS : aucune réclamation close",
                "Erreurs : pas de réponse à temps (2), erreur réseau (1)",
                "Montants en litige couverts : 1 234,50 €",
                "DPD : 2 à traiter, 30 en attente, 0 à corriger, 0 abandonnées",
            ],
        ),
    ],
)
def test_the_report_contains_the_figures_of_the_week_and_the_backlog(
    language: str, subject: str, lines: list[str]
) -> None:
    mail = rendered(EVENTFUL, language)
    assert mail.subject == subject
    shown = [line.strip() for line in mail.plain.splitlines()]
    assert [line for line in lines if line not in shown] == []
    assert "abc" in mail.plain
    for line in lines[1:]:
        assert line.rpartition(": ")[2].rpartition(" : ")[2] in mail.html


@pytest.mark.parametrize("overview", [case[1] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_report_contains_the_sentences_of_recours_status(overview: Overview, language: str) -> None:
    mail, sentences = rendered(week_report(now=overview), language), VerdictSentences(language, PARIS)
    found = verdict(overview)
    expected = [sentences.verdict(found)]
    expected += [sentences.sentence(problem, found.at) for problem in found.problems]
    expected += [sentences.remedy(problem, found.at) for problem in found.problems]
    plain = mail.plain.replace("\N{NO-BREAK SPACE}", " ")
    missing = [text for text in expected if " ".join(text.split()) not in " ".join(plain.split())]
    assert missing == []
    count = len(found.problems)
    noun = "problem" if language == "en" else "problème"
    assert (f", {count} {noun}" in mail.subject) == bool(count)


def test_foreign_text_is_shown_as_text() -> None:
    mail = rendered(week_report(tally("failed", 1, "<b>x</b>\r\n", kind="<i>")))
    assert "&lt;b&gt;x" in mail.html
    assert "<b>" not in mail.html + mail.subject
    assert "<i>" not in mail.html
