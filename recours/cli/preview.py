"""`--dry-run`: what a run would take, and why the rest waits. No call is made, nothing is written."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from recours import logs
from recours.cli.console import print_json
from recours.core.carrier import Catalog
from recours.core.claim import Stage
from recours.core.pauses import Refusal
from recours.core.text import format_minute, plural
from recours.database.claims import ClaimRepository
from recours.database.engine import Database
from recours.database.reports.survey import survey
from recours.database.schema.inspection import Schema, look, require_claims
from recours.database.schema.upgrade import left_alone
from recours.runs.preview import Preview, preview, preview_named
from recours.runs.source import find_named
from recours.runs.summary import MOST_NOT_ENROLLED, not_enrolled, waiting_line
from recours.runs.worker import Worker
from recours.settings.model import Settings
from recours.wiring.carriers import catalog_of, closed_carriers
from recours.wiring.databases import clock_of, connect, enrolment_of, is_to_be_made, policy_of


def show(kind: type[Worker], settings: Settings, options: dict[str, Any]) -> int:
    """Log the preview, and print it if asked for as JSON; returns the exit status. Raises RunError, RefusedError."""
    log = logs.run_log()
    if is_to_be_made(settings):
        log.info("Dry run: there is no database yet; a run would create the embedded one, empty")
        return 0
    catalog, database = catalog_of(settings), connect(settings)
    try:
        schema = look(database)
        require_claims(database, schema)
        policy = policy_of(settings, database) if schema.is_current else settings.policy
        policy = replace(policy, max_retries=options.get("max_retries", 4))
        clock = clock_of(database)
        now = clock.now()
        closed = closed_carriers(settings, database, clock, has_records=schema.is_current)
        claims = ClaimRepository(database, catalog, schema.columns, "", kind.name)
        if named := find_named(claims, options.get("claims", ()), policy, now):
            result = preview_named(named, closed)
        else:
            due_until, most = policy.backoff.due_until(now), policy.max_retries
            found = survey(database, schema, catalog, due_until, most, now, unnumbered=True)
            each = ((sighted.claim, sighted.leased_until is not None) for sighted in found)
            carriers = tuple(key for name in options["carriers"] for key in catalog.keys_of(name))
            result = preview(each, kind.stage, options["batch_size"], carriers, closed, policy, now)
        takes_new = kind.stage is Stage.NEW and not named
        counts, remarks = _outside(settings, database, schema, now, takes_new=takes_new)
        waiting = claims.waiting() if schema.is_current else None
    finally:
        database.close()
    log.info(f"Dry run on {database.shown}: nothing is called and nothing is changed")
    for line in _lines(schema, result, kind, closed, catalog):
        log.info(line)
    if waiting and kind.stage is Stage.READY:
        log.info(waiting_line(waiting, logs.local))
    if count := counts["would_enroll"]:
        new = plural(count, "new claim")
        log.info(f"{new} would be enrolled first, and taken too (RECOURS_ENROLL_NEW)")
    if count := counts["not_enrolled"]:
        log.info(not_enrolled(count))
    for remark in remarks:
        log.warning(remark)
    if options["as_json"] and (fault := print_json(_as_json(kind, schema, result, catalog) | counts)):
        log.error(fault)
        return 1
    return 0


def _outside(
    settings: Settings, database: Database, schema: Schema, now: datetime, *, takes_new: bool
) -> tuple[dict[str, int], Sequence[str]]:
    """Counts of claims outside the preview: that the run would enrol itself, that wait for a decision or a newer version.

    Also what a run's log says of the last ones.
    """
    enrolment = enrolment_of(settings, database, schema.columns)
    if not schema.is_current:
        undecided = enrolment.to_be_undecided(MOST_NOT_ENROLLED, is_new=schema.version is None)
        return {"would_enroll": 0, "not_enrolled": undecided, "left_alone": 0}, ()
    left = left_alone(database, schema)
    counts = {
        "would_enroll": enrolment.count_new(now) if takes_new else 0,
        "not_enrolled": enrolment.undecided(MOST_NOT_ENROLLED, now),
        "left_alone": left.claims,
    }
    return counts, left.remarks


def _lines(
    schema: Schema, result: Preview, kind: type[Worker], closed: dict[str, Refusal], catalog: Catalog
) -> Iterator[str]:
    if not schema.is_current:
        missing = ", ".join(schema.missing_columns) or "none"
        yield f"A run would first bring the schema up to date; columns it would add to claims: {missing}"
    yield f"Would take {plural(len(result.taken), 'claim')}"
    for place, (claim, state) in enumerate(result.taken, 1):
        carrier = catalog.name_of(claim.carrier, claim.carrier_name)
        what = "Fetch" if kind.stage is Stage.NEW else f"Retry #{state.retries_used + 1}"
        yield f"[{place}] {what} for {claim.reference} ({carrier})"
    for key, count in sorted(result.left_behind.items()):
        refusal = closed[key]
        until = f" until {format_minute(refusal.until, logs.local)}" if refusal.until else ""
        yield f"{plural(count, 'claim')} left behind{until}: {refusal.reason}"
    reasons = (
        (result.beyond_batch, "due, beyond the batch"),
        (result.passing, "persistent, a retry would pass without a call"),
        (result.ending, "would give up without a call: all retries are used"),
        (
            result.expiring,
            "would be given up without a call: their deadline has long passed (RECOURS_EXPIRE_DAYS)",
        ),
        (result.leased, "being fetched by another run"),
        (result.shelved, "set aside by the claim's status"),
        (result.waiting, "new, not due yet"),
        (result.unnumbered, "pending, without a tracking number"),
    )
    yield from (f"{plural(count, 'claim')}: {reason}" for count, reason in reasons if count)


def _as_json(kind: type[Worker], schema: Schema, result: Preview, catalog: Catalog) -> dict[str, Any]:
    return {
        "worker": kind.name,
        "dry_run": True,
        "would_take": [claim.reference for claim, _ in result.taken],
        "would_add_columns": schema.missing_columns,
        "beyond_batch": result.beyond_batch,
        "skipped_persistent": result.passing,
        "expired": result.expiring,
        "held": result.leased,
        "left_behind": {catalog.name_of(key): count for key, count in result.left_behind.items()},
    }
