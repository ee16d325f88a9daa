"""The weekly report as a mail: the verdict and problems of `recours status`, then the week's figures and what waits."""

from collections.abc import Iterator

from recours.core.carrier import Catalog
from recours.core.errors import ErrorKind
from recours.core.localized import Texts
from recours.core.text import by_language, clean
from recours.notifications.render import TEXTS, Branding, Item, Rendered, mail_of
from recours.reporting.figures import Rate
from recours.reporting.labels import KINDS, UNKNOWN_CARRIER
from recours.reporting.problem_texts import VerdictSentences
from recours.reporting.problems import verdict
from recours.reporting.system import WeekReport

_MOST_ERRORS = 12
_LONGEST_NAME = 60


def render_report(report: WeekReport, language: str, head: Branding, catalog: Catalog) -> Rendered:
    """The mail. Foreign text is cleaned here, and escaped by the template."""
    texts = Texts(language, head.zone, TEXTS[language] | REPORT_TEXTS[language])
    sentences = VerdictSentences(language, head.zone)
    current = verdict(report.now)
    rate = report.success.all
    number = report.week.label.partition("-W")[2].lstrip("0")
    subject = texts.counted("subject", rate.success) if rate.success else texts("subject_nothing")
    if secured := texts.sums(report.secured, cents=False):
        subject += texts("subject_secured", money=secured)
    if current.problems:
        subject += texts.counted("subject_problems", len(current.problems))
    problems = [
        Item(sentences.sentence(problem, current.at), ((texts("do"), sentences.remedy(problem, current.at)),))
        for problem in current.problems
    ]
    first, last = (texts.day(day) for day in (report.week.days[0], report.week.days[-1]))
    figures = Item(
        texts("week", week=number, first=first, last=last), tuple(_figures(report, texts, catalog))
    )
    waiting = tuple(_waiting(report, texts, catalog))
    items = [*problems, figures, *([Item(texts("waiting"), waiting)] if waiting else [])]
    return mail_of(subject, sentences.verdict(current), items, texts, head)


def _name(carrier: str, texts: Texts, catalog: Catalog) -> str:
    return catalog.name_of(carrier, clean(carrier, _LONGEST_NAME)) or UNKNOWN_CARRIER[texts.language]


def _rate(rate: Rate, texts: Texts) -> str:
    if rate.percent is None:
        return texts("nothing_tried")
    return texts(
        "rate_is",
        percent=texts.percent(rate.percent),
        success=texts.number(rate.success),
        closed=texts.number(rate.closed),
    )


def _figures(report: WeekReport, texts: Texts, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """The lines about the week: what each says, and the figure."""
    rate = report.success.all
    yield texts("rate"), _rate(rate, texts)
    yield texts("before"), _rate(report.before, texts)
    if rate.percent_of_attempts is not None:
        tried = texts.number(rate.success + rate.failed)
        percent, proofs = texts.percent(rate.percent_of_attempts), texts.number(rate.success)
        yield texts("per_attempt"), texts("per_attempt_is", percent=percent, success=proofs, tried=tried)
    if rate.left:
        yield texts("left"), texts.counted("left_is", rate.left)
    for carrier, of_carrier in report.success.by_carrier.items():
        yield _name(carrier, texts, catalog), _rate(of_carrier, texts)
    kinds = KINDS[texts.language]
    errors = [
        f"{kinds[ErrorKind(kind)] if kind in set(ErrorKind) else kind} ({texts.number(count)})"
        for kind, count in report.success.errors.items()
    ]
    if errors:
        yield texts("errors"), ", ".join(errors[:_MOST_ERRORS])
    if secured := texts.sums(report.secured):
        yield texts("secured"), secured
    if last := report.manifest:
        yield texts("manifest"), texts("manifest_is", name=last.name, sha256=last.sha256)


def _waiting(report: WeekReport, texts: Texts, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """What is not done, by carrier."""
    for backlog in report.now.backlogs_by_carrier:
        counts = {name: backlog.counts[name] for name in ("due", "waiting", "to_correct", "given_up")}
        if any(counts.values()):
            numbers_by_stage = {name: texts.number(count) for name, count in counts.items()}
            yield _name(backlog.carrier, texts, catalog), texts("backlog", **numbers_by_stage)


REPORT_TEXTS = by_language(
    {
        "subject": (
            "{count} proof{s} this week",
            (
                "{count} preuve de livraison obtenue cette semaine",
                "{count} preuves de livraison obtenues cette semaine",
            ),
        ),
        "subject_nothing": ("No proof this week", "Aucune preuve de livraison obtenue cette semaine"),
        "subject_secured": (", {money} secured", " ({money} de litiges couverts)"),
        "subject_problems": ("; {count} thing{s} to do", " ; {count} chose{s} à faire"),
        "week": ("Week {week}, from {first} to {last}", "Semaine {week}, du {first} au {last}"),
        "rate": ("Success rate", "Taux de réussite"),
        "rate_is": (
            "{percent} ({success} of {closed} closed claims)",
            "{percent} ({success} sur {closed} réclamations closes)",
        ),
        "nothing_tried": ("no claim was closed", "aucune réclamation close"),
        "per_attempt": ("Per attempt", "Par tentative"),
        "per_attempt_is": ("{percent} ({success} of {tried})", "{percent} ({success} sur {tried})"),
        "before": ("The week before", "Semaine précédente"),
        "left": ("Not counted", "Non comptés"),
        "left_is": (
            "{count} more attempt{s}: quota, account or network",
            "{count} essai{s} de plus : quota, compte ou réseau",
        ),
        "errors": ("Errors", "Erreurs"),
        "secured": ("Amounts in dispute secured", "Montants en litige couverts"),
        "manifest": ("Last manifest", "Dernier manifeste"),
        "manifest_is": (
            "{name}, SHA-256 {sha256}. Keep this e-mail: it proves later that no document up to then was changed.",
            "{name}, SHA-256 {sha256}. Conservez ce courriel : il prouvera qu'aucun document n'a été modifié jusque-là.",
        ),
        "waiting": ("Waiting", "En attente"),
        "backlog": (
            "{due} due, {waiting} waiting, {to_correct} to correct, {given_up} given up",
            "{due} à traiter, {waiting} en attente, {to_correct} à corriger, {given_up} abandonnés",
        ),
    }
)
