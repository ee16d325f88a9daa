"""`recours status`: whether the system works, at a glance."""

from collections.abc import Iterator
from typing import Any

import click

from recours.cli.console import Table, harmless, show, whole_number
from recours.cli.operations import DONE, FAILED, database_option, json_option, tell_json, with_operations
from recours.core.carrier import Catalog
from recours.core.claim import Stage
from recours.core.mail import MailState
from recours.core.text import clean, format_minute, plural
from recours.logs import local
from recours.operations.problem_texts import VerdictSentences
from recours.operations.problems import Verdict, verdict
from recours.operations.records import Backlog, Run
from recours.operations.status import CarrierNow, Health, Overview, Rate, WorkerStatus

_RUNS_SHOWN = 3
_KINDS_SHOWN = 8
_WORDS = VerdictSentences("en", local)
_HEALTH = {
    Health.FINE: "fine",
    Health.RUNNING: "running",
    Health.FAILED: "FAILED",
    Health.OVERDUE: "OVERDUE",
    Health.NEVER_RAN: "NEVER RAN",
}


@click.command("status")
@click.option(
    "--days",
    type=whole_number(1, 366),
    default=7,
    show_default=True,
    metavar="N",
    help="Success rates of so many days, today included, 1 to 366.",
)
@click.option("--exact", is_flag=True, help="Count every backlog to its end, not up to 10,000 only.")
@click.option(
    "--check", is_flag=True, help="Print the verdict only; the exit status is 1 if something needs you."
)
@database_option
@json_option
def command(days: int, database_url: str | None, *, exact: bool, check: bool, as_json: bool) -> None:
    """Say whether all is well and what needs you, then show runs, success rates, backlogs and quotas. Calls no carrier."""
    with with_operations(database_url) as operations:
        seen = operations.overview(days, exact=exact)
        shown = operations.database.shown
    found = verdict(seen)
    if as_json:
        tell_json((_about(found) if check else seen.as_json()) | _verdict_json(found))
    else:
        _say(found)
    if check:
        raise SystemExit(DONE if found.is_well else FAILED)
    if as_json:
        return
    click.echo()
    click.echo(harmless(f"{shown}, {format_minute(seen.at, local)}"))
    for table in _tables(seen, operations.catalog):
        if table.rows:
            show(table)
    click.echo(_mails(seen))
    for remark in seen.left_alone.remarks:
        click.echo(harmless(f"{remark}."))


def _say(found: Verdict) -> None:
    click.echo(harmless(_WORDS.verdict(found)))
    for problem in found.problems:
        click.echo(harmless(f"! {_WORDS.sentence(problem, found.at)}"))
        click.echo("  " + harmless(f"→ {_WORDS.remedy(problem, found.at)}"))


def _about(found: Verdict) -> dict[str, Any]:
    return {"at": found.at.isoformat()}


def _verdict_json(found: Verdict) -> dict[str, Any]:
    problems = [_WORDS.as_json(problem, found.at) for problem in found.problems]
    return {"verdict": _WORDS.verdict(found), "problems": problems}


def _tables(seen: Overview, catalog: Catalog) -> Iterator[Table]:
    yield _workers(seen)
    yield _backlogs(seen, catalog)
    yield _quotas(seen)
    yield _closed(seen)
    days = [(day.isoformat(), rate) for day, rate in seen.success.by_day.items()]
    yield _rates(f"Attempts of {plural(len(days), 'day')}", "Day", days)
    by_carrier = [(catalog.name_of(key, key), rate) for key, rate in seen.success.by_carrier.items()]
    yield _rates("By carrier", "Carrier", by_carrier)
    yield _errors(seen)


# ---------------------------------------------------------------- the tables


def _workers(seen: Overview) -> Table:
    columns = ("Worker", "Last runs", "Took", "Success", "Failed", "Exit", "State")
    rows = [row for worker in seen.workers for row in _runs_of(worker)]
    return Table("Runs", columns, rows, frozenset({"Took", "Success", "Failed", "Exit"}))


def _runs_of(worker: WorkerStatus) -> Iterator[tuple[str, ...]]:
    if not worker.runs:
        yield (worker.worker, "none", "", "", "", "", _HEALTH[worker.health])
    for place, run in enumerate(worker.runs[:_RUNS_SHOWN]):
        state = _HEALTH[worker.health] if place == 0 else ("never ended" if run in worker.unended else "")
        exit_status = "" if run.exit_status is None else str(run.exit_status)
        counts = (_count_of(run, "success"), _count_of(run, "failed"))
        yield (worker.worker, format_minute(run.started_at, local), _took(run), *counts, exit_status, state)


def _count_of(run: Run, name: str) -> str:
    """What a run counted; other versions, or a person, may have left anything there."""
    return clean(run.stats.get(name, ""), 12)


def _took(run: Run) -> str:
    return f"{(run.ended_at - run.started_at).total_seconds():.0f} s" if run.ended_at else ""


def _backlogs(seen: Overview, catalog: Catalog) -> Table:
    columns = (
        "Carrier",
        "Due",
        "Waiting",
        "To correct",
        "Given up",
        "Not seen yet",
        "No number",
        "Set aside",
        "Oldest",
    )
    rows = [
        (
            catalog.name_of(backlog.carrier, backlog.carrier or "(not known)"),
            _number(backlog.due, backlog),
            *(_of_stage(stage, backlog) for stage in (Stage.WAITING, Stage.SETTLED, Stage.GIVEN_UP)),
            _number(backlog.unassessed, backlog),
            *(_of_stage(stage, backlog) for stage in (Stage.UNNUMBERED, Stage.SHELVED)),
            format_minute(backlog.oldest, local) if backlog.oldest else "",
        )
        for backlog in seen.backlogs
    ]
    return Table("Backlog", columns, rows, frozenset(columns[1:-1]))


def _of_stage(stage: Stage, backlog: Backlog) -> str:
    return _number(backlog.stages.get(stage, 0), backlog)


def _number(count: int, backlog: Backlog) -> str:
    """`10000+`: so many, or more."""
    return f"{count}+" if backlog.counted_up_to is not None and count >= backlog.counted_up_to else str(count)


def _quotas(seen: Overview) -> Table:
    columns = ("Carrier", "Limit", "Used", "Reserved", "Left", "Resets")
    rows = [
        (
            carrier.name,
            f"{use.limit.capability.lower() + ' ' if use.limit.capability else ''}{use.limit}",
            str(use.used),
            str(use.held),
            str(use.left),
            "" if use.limit.window.is_short else format_minute(use.resets_at, local),
        )
        for carrier in seen.carriers
        if carrier.configured
        for use in carrier.uses
    ]
    return Table("Quotas", columns, rows, frozenset({"Used", "Reserved", "Left"}))


def _closed(seen: Overview) -> Table:
    with_claims = {backlog.carrier for backlog in seen.backlogs if backlog.is_tried}
    rows = [
        (
            carrier.name,
            carrier.refusal.reason,
            format_minute(carrier.refusal.until, local) if carrier.refusal.until else "",
        )
        for carrier in seen.carriers
        if carrier.refusal and _concerns_us(carrier, with_claims)
    ]
    return Table("Carriers that take no call now", ("Carrier", "Why", "Until"), rows)


def _concerns_us(carrier: CarrierNow, with_claims: set[str]) -> bool:
    return carrier.configured or carrier.key in with_claims


def _rates(title: str, head: str, groups: list[tuple[str, Rate]]) -> Table:
    columns = (head, "Success", "Failed", "Deferred", "Rate")
    rows = [
        (
            name,
            str(rate.success),
            str(rate.failed),
            str(rate.left),
            "" if rate.percent is None else f"{rate.percent:.1f}%",
        )
        for name, rate in groups
    ]
    return Table(title, columns, rows, frozenset(columns[1:]))


def _errors(seen: Overview) -> Table:
    rows = [(kind, str(count)) for kind, count in list(seen.success.errors.items())[:_KINDS_SHOWN]]
    return Table("Errors", ("Kind", "Attempts"), rows, frozenset({"Attempts"}))


def _mails(seen: Overview) -> str:
    waiting = seen.mails.get(MailState.READY, 0) + seen.mails.get(MailState.SENDING, 0)
    return f"Mails: {waiting} waiting, {seen.mails.get(MailState.HELD, 0)} held"
