"""`recours status`: the state of the system at a glance; `recours why`: the state of a claim, and what you can do."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from recours.cli.common import database_option, json_option, show_problems, tell_json, with_app
from recours.cli.console import DONE, FAILED, Table, colored_verdict, echo, harmless, number_option, show
from recours.core.carrier import Catalog
from recours.core.localized import Localized
from recours.core.mail import MailState
from recours.core.policy import DEFAULT_MAX_RETRIES
from recours.core.text import clean, plural
from recours.core.translations import LANGUAGES, translate
from recours.host.installation import pasteable
from recours.reporting.claim_reports import explanation_of, references_of
from recours.reporting.evidence import KIND_NAMES, ClaimEvidence, piece_text, source_text
from recours.reporting.explain import Explanation
from recours.reporting.labels import UNKNOWN_CARRIER
from recours.reporting.labels import colon as colon_of
from recours.reporting.problems import VerdictSentences, verdict
from recours.reporting.snapshot import Reports
from recours.reporting.system import Health, Overview, Rate
from recours.runs.refusals import ClaimsRefusedError
from recours.runs.source import unknown_claim

if TYPE_CHECKING:
    from recours.dashboard.texts import PageTexts

_RUNS_SHOWN = 3
_KINDS_SHOWN = 8
# The columns of the backlog table and the counts they show.
_COUNTED = {
    "Due": "due",
    "Waiting": "waiting",
    "To correct": "to_correct",
    "Given up": "given_up",
    "Not assessed": "unjudged",
    "No number": "unnumbered",
    "Not needed": "shelved",
}
_HEALTH = {
    Health.FINE: "fine",
    Health.RUNNING: "running",
    Health.FAILED: "FAILED",
    Health.OVERDUE: "OVERDUE",
    Health.NEVER_RAN: "NEVER RAN",
}


@click.command("status")
@number_option("--days", 1, 366, 7, "Show success rates of this many days, including today, 1 to 366.")
@click.option(
    "--check", is_flag=True, help="Print only the verdict; the exit status is 1 if there are problems."
)
@database_option
@json_option
def command(days: int, database_url: str | None, *, check: bool, as_json: bool) -> None:
    """Show problems and what to do about them, then runs, success rates and backlogs. No carrier is called.

    For quotas and paused carriers, see 'recours carriers'.
    """
    with with_app(database_url) as app:
        overview = Reports(app).overview(days)
    verdict_now = verdict(overview)
    sentences = VerdictSentences("en", app.settings.policy.zone)
    if as_json:
        facts = {"at": verdict_now.at.isoformat()} if check else overview.as_json()
        problems = [sentences.as_json(problem, verdict_now.at) for problem in verdict_now.problems]
        tell_json(facts | {"verdict": sentences.verdict(verdict_now), "problems": problems})
    else:
        sentence = harmless(sentences.verdict(verdict_now))
        echo(colored_verdict(sentence, is_good=not verdict_now.problems))
        show_problems(verdict_now.problems, sentences, verdict_now.at)
    if check:
        raise SystemExit(FAILED if verdict_now.problems else DONE)
    if not as_json:
        for carrier in overview.carriers:
            if carrier.stopped and carrier.stopped.until and carrier.refusal:
                echo(harmless(f"{carrier.refusal.reason}."))
        _show_overview(overview, app.catalog, app.database.safe_url, sentences)
        for sentence in sentences.differences(overview.differences):
            echo(sentence)


def _show_overview(overview: Overview, catalog: Catalog, database: str, texts: Localized) -> None:
    echo(f"\n{harmless(f'{database}, {texts.minute(overview.at)}')}")
    success = overview.success
    days = [(day.isoformat(), rate) for day, rate in success.by_day.items()]
    by_carrier = [
        (catalog.name_of(key, key or UNKNOWN_CARRIER), rate) for key, rate in success.by_carrier.items()
    ]
    errors = [(kind, str(count)) for kind, count in list(success.errors.items())[:_KINDS_SHOWN]]
    tables = (
        _runs(overview, texts),
        _backlogs(overview, catalog, texts),
        _rates(f"Success in {plural(len(days), 'day')}", "Day", days),
        _rates("By carrier", "Carrier", by_carrier),
        Table("Errors", ("Kind", "Attempts"), errors, frozenset({"Attempts"})),
    )
    for table in tables:
        if table.rows:
            show(table)
    mails = overview.open_mails
    waiting = mails.get(MailState.READY, 0) + mails.get(MailState.SENDING, 0)
    echo(f"Emails: {waiting} waiting, {mails.get(MailState.HELD, 0)} held")


def _runs(overview: Overview, texts: Localized) -> Table:
    def rows() -> Iterator[tuple[str, ...]]:
        for worker in overview.workers:
            health = _HEALTH[worker.health]
            if not worker.runs:
                yield (worker.worker, "none", "", "", "", health)
            for place, run in enumerate(worker.runs[:_RUNS_SHOWN]):
                took = f"{(run.ended_at - run.started_at).total_seconds():.0f} s" if run.ended_at else ""
                # The stored figures may come from another version or a manual edit.
                success, failed = (clean(run.stats.get(name, ""), 12) for name in ("success", "failed"))
                states = [health] if place == 0 else ["did not finish"] if run in worker.unended else []
                states += [f"exit {run.exit_status}"] if run.exit_status else []
                began = texts.minute(run.started_at)
                yield (worker.worker, began, took, success, failed, ", ".join(states))

    columns = ("Worker", "Last runs", "Duration", "Success", "Failed", "State")
    return Table("Runs", columns, list(rows()), frozenset(columns[2:5]))


def _backlogs(overview: Overview, catalog: Catalog, texts: Localized) -> Table:
    columns = ("Carrier", *_COUNTED, "Oldest")
    rows = []
    for backlog in overview.backlogs_by_carrier:
        limit = backlog.counted_up_to
        counts = [backlog.counts[stage] for stage in _COUNTED.values()]
        name = catalog.name_of(backlog.carrier, backlog.carrier or UNKNOWN_CARRIER)
        # `10000+` means 10000 or more.
        cells = [f"{count}+" if count >= limit else str(count) for count in counts]
        rows.append((name, *cells, texts.day(backlog.oldest) if backlog.oldest else ""))
    return Table("Backlog", columns, rows, frozenset(columns[1:-1]))


def _rates(title: str, head: str, groups: Iterable[tuple[str, Rate]]) -> Table:
    columns = (head, "Proofs", "Given up", "Success", "Failed attempts", "Deferred", "Per attempt")
    rows = []
    for name, rate in groups:
        percents = [
            "" if percent is None else f"{percent:.1f}%"
            for percent in (rate.percent, rate.percent_of_attempts)
        ]
        claims = (rate.success, rate.given_up)
        attempts = (rate.failed, rate.left)
        rows.append((name, *map(str, claims), percents[0], *map(str, attempts), percents[1]))
    return Table(title, columns, rows, frozenset(columns[1:]))


@click.command("why")
@click.argument("typed", metavar="CLAIM")
@number_option(
    "--max-retries", 1, 20, DEFAULT_MAX_RETRIES, "Assume that the scheduler uses this --max-retries."
)
@click.option(
    "--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Use this language."
)
@database_option
@json_option
def why_command(
    typed: str, max_retries: int, language: str, database_url: str | None, *, as_json: bool
) -> None:
    """Explain why a claim is waiting: its attempts, what happens next, and what you can do. No carrier is called.

    CLAIM is a claim's reference, tracking number or order number.
    """
    with with_app(database_url) as app:
        references = references_of(app, typed)
        if len(references) > 1:
            raise click.BadParameter(f"several claims match: {', '.join(references)}.", param_hint="CLAIM")
        explanation = explanation_of(app, "".join(references), max_retries, language=language)
        if explanation is None:
            raise ClaimsRefusedError(unknown_claim(app.claims, typed))
    if as_json:
        tell_json(explanation.as_json())
    else:
        _show_explanation(explanation, app.catalog, language, max_retries)


def _show_explanation(explanation: Explanation, catalog: Catalog, language: str, max_retries: int) -> None:
    from recours.dashboard.texts import PageTexts  # noqa: PLC0415 (needed by this command alone)

    def say(sentence: str, indent: str = "") -> None:
        echo(indent + harmless(sentence))

    texts = PageTexts(language, explanation.zone)
    claim = explanation.claim
    status = explanation.status
    colon = colon_of(language)
    deadline = texts("deadline: {day}", day=texts.day(claim.deadline)) if claim.deadline else ""
    head = ", ".join(filter(None, (explanation.carrier, claim.number, deadline)))
    say(f"{claim.reference}{colon}{head}")
    for sentence in explanation.sentences:
        say(sentence, "  ")
    if status.pod_path:
        say(status.pod_path, "  ")
        if status.signatory:
            say(texts("signed by {who}", who=status.signatory), "  ")
    if status.actor:
        say(
            f"{texts('Retries used')}{colon}{texts('{used} of {most}', used=claim.retries_counted, most=max_retries)}"
        )
        say(f"{texts('Who can act')}{colon}{texts.actor(status.actor)}")
    for sentence in explanation.advice:
        say(sentence, "  ")
    _show_history(explanation, texts, catalog)
    _show_evidence(explanation.facts.evidence, texts)


def _show_history(explanation: Explanation, texts: "PageTexts", catalog: Catalog) -> None:
    from recours.dashboard.history import History  # noqa: PLC0415 (as above)

    facts = explanation.facts
    state = explanation.claim.state
    if not facts.attempts and (state.retries_used or state.was_asked):
        echo(pasteable("No attempts recorded ('recours prune' deletes old ones)."))
    entries = History(texts, catalog).entries(facts.attempts, facts.messages, facts.changes)
    rows = [
        (texts.minute(entry.at), entry.title, " · ".join(filter(None, (*entry.lines, entry.by))))
        for entry in reversed(entries)
    ]
    if rows:
        show(Table(texts("History"), (texts("When"), texts("What"), texts("Details")), rows))


def _show_evidence(evidence: ClaimEvidence, texts: Localized) -> None:
    language = texts.language
    rows = [
        (
            translate(language, KIND_NAMES[piece.kind]),
            piece_text(piece, texts),
            source_text(piece, language),
            piece.path,
            piece.sha256[:12],
        )
        for piece in evidence.pieces
    ]
    if rows:
        heads = (texts("Kind"), texts("What it shows"), texts("Source"), texts("Path"), "SHA-256")
        show(Table(texts("Evidence"), heads, rows))
    if text := evidence.verdict_text(language):
        echo(harmless(text))
