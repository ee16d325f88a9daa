"""Render the weekly report: the verdict and problems of `recours status`, the week's figures and the open claims."""

from collections.abc import Iterator
from datetime import timedelta

from recours.core.carrier import Catalog
from recours.core.localized import Localized
from recours.core.text import clean
from recours.core.translations import translate
from recours.mail.render import Branding, Rendered, Section, render_sections
from recours.reporting.labels import UNKNOWN_CARRIER, kind_name
from recours.reporting.problems import VerdictSentences, verdict
from recours.reporting.system import Rate, WeekReport

_MOST_ERRORS = 12
_LONGEST_NAME = 60


def render_report(report: WeekReport, language: str, branding: Branding, catalog: Catalog) -> Rendered:
    """Render the email. External text is cleaned here and escaped by the template."""
    texts = Localized(language, branding.zone)
    sentences = VerdictSentences(language, branding.zone)
    current = verdict(report.now)
    rate = report.success.all
    subject = texts("Weekly report: no proofs")
    if rate.success:
        subject = texts.counted("Weekly report: {count} proof", "Weekly report: {count} proofs", rate.success)
    if secured := texts.sums(report.secured, cents=False):
        subject += texts(", {money} secured", money=secured)
    if current.problems:
        subject += texts.counted(", {count} problem", ", {count} problems", len(current.problems))
    sections = [
        Section(
            sentences.sentence(problem, current.at),
            [(texts("What you can do"), sentences.remedy(problem, current.at))],
        )
        for problem in current.problems
    ]
    title = texts(
        "Week {week}, from {first} to {last}",
        week=report.monday.isocalendar().week,
        first=texts.day(report.monday),
        last=texts.day(report.monday + timedelta(days=6)),
    )
    sections.append(Section(title, list(_figures(report, texts, catalog))))
    if waiting := list(_waiting(report, texts, catalog)):
        sections.append(Section(texts("Claims without proof"), waiting))
    return render_sections(subject, sentences.verdict(current), sections, texts, branding)


def _name(carrier: str, texts: Localized, catalog: Catalog) -> str:
    return catalog.name_of(carrier, clean(carrier, _LONGEST_NAME)) or translate(
        texts.language, UNKNOWN_CARRIER
    )


def _rate(rate: Rate, texts: Localized) -> str:
    if rate.percent is None:
        return texts("no claims closed")
    return texts(
        "{percent} ({success} of {closed} closed claims)",
        percent=texts.percent(rate.percent),
        success=texts.number(rate.success),
        closed=texts.number(rate.closed),
    )


def _figures(report: WeekReport, texts: Localized, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """The week's figures as labeled lines."""
    rate = report.success.all
    yield texts("Success rate"), _rate(rate, texts)
    yield texts("Previous week"), _rate(report.previous, texts)
    if rate.percent_of_attempts is not None:
        of_attempts = texts(
            "{percent} ({success} of {tried})",
            percent=texts.percent(rate.percent_of_attempts),
            success=texts.number(rate.success),
            tried=texts.number(rate.success + rate.failed),
        )
        yield texts("Per attempt"), of_attempts
    if rate.left:
        beside = texts.counted(
            "{count} more attempt (quota, account or network)",
            "{count} more attempts (quota, account or network)",
            rate.left,
        )
        yield texts("Not counted"), beside
    for carrier, of_carrier in report.success.by_carrier.items():
        yield _name(carrier, texts, catalog), _rate(of_carrier, texts)
    errors = [
        f"{kind_name(texts, kind)} ({texts.number(count)})" for kind, count in report.success.errors.items()
    ]
    if errors:
        yield texts("Errors"), ", ".join(errors[:_MOST_ERRORS])
    if secured := texts.sums(report.secured):
        yield texts("Disputed amounts secured"), secured
    if report.manifest:
        manifest = texts(
            "{name}, SHA-256 {sha256}. Keep this email: it later proves that no document listed so far was changed.",
            name=report.manifest.name,
            sha256=report.manifest.sha256,
        )
        yield texts("Last manifest"), manifest


def _waiting(report: WeekReport, texts: Localized, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Claims without a proof, by carrier."""
    for backlog in report.now.backlogs_by_carrier:
        counts = {name: backlog.counts[name] for name in ("due", "waiting", "to_correct", "given_up")}
        if any(counts.values()):
            numbers = {name: texts.number(count) for name, count in counts.items()}
            stages = texts(
                "{due} due, {waiting} waiting, {to_correct} to correct, {given_up} given up", **numbers
            )
            yield _name(backlog.carrier, texts, catalog), stages
