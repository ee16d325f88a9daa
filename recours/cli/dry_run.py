"""`--dry-run`: shows which claims a run would fetch, and why other claims wait. Makes no call and writes nothing."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from random import random
from typing import Any

from recours.accounts.opened import make_catalog, make_queue
from recours.app import connect, make_assessor, make_enrollment, needs_creation, read_clock, read_policy
from recours.cli.console import print_json
from recours.core.carrier import Catalog
from recours.core.claim import Stage, attempt_name
from recours.core.last_attempt import awaits_last_attempt
from recours.core.pauses import Refusal
from recours.core.policy import DEFAULT_MAX_RETRIES
from recours.core.position import Why
from recours.core.text import format_minute, plural
from recours.database.claims import ClaimRepository, UntouchedClaims
from recours.database.client_accounts import ClientAccounts
from recours.database.schema.inspection import Schema, dropped_columns, inspect_schema, require_claims
from recours.host import logs
from recours.reporting.plan import Preview, preview, preview_named
from recours.reporting.reader import survey
from recours.runs.ports import Waiting
from recours.runs.source import find_named
from recours.runs.summary import MOST_NOT_ENROLLED, not_enrolled_warning, waiting_line
from recours.runs.worker import Worker
from recours.settings.model import Settings


@dataclass(frozen=True)
class _DryRun:
    """The claims that were read, and the preview of a run."""

    database: str  # for display
    table: str  # the claims table, for display
    catalog: Catalog
    schema: Schema
    closed: dict[str, Refusal]
    result: Preview
    waiting: Waiting | None
    counts: dict[str, int]  # numbers of claims outside the preview
    is_named: bool = False  # the claims were named with --claim


def show(kind: type[Worker], settings: Settings, options: dict[str, Any]) -> int:
    """Log the preview, print it as JSON with --json, and return the exit status. Raises RunError, UnfitClaimsError."""
    log = logs.run_log()
    if needs_creation(settings):
        log.info("Dry run: there is no database yet; a run would create an empty embedded database")
        return 0
    dry_run = _read(kind, settings, options)
    log.info(f"Dry run on {dry_run.database}: no carrier is called and nothing is changed")
    for line in _lines(dry_run, kind):
        log.info(line)
    if options["as_json"] and (fault := print_json(_as_json(kind, dry_run))):
        log.error(fault)
        return 1
    return 0


def _read(kind: type[Worker], settings: Settings, options: dict[str, Any]) -> _DryRun:
    """Read everything from the database. Raises RunError, UnfitClaimsError."""
    with closing(connect(settings)) as database:
        schema = inspect_schema(database)
        require_claims(database, schema)
        if schema.has_dropped_columns:
            raise dropped_columns(database, schema)
        policy = read_policy(settings, database) if schema.is_current else settings.policy
        policy = replace(policy, max_retries=options.get("max_retries", DEFAULT_MAX_RETRIES))
        clock = read_clock(database)
        now = clock.now()
        catalog = make_catalog(settings, ClientAccounts(database).directory())
        keys = catalog.accounts_of(catalog.specs)
        queue = make_queue(settings, database, clock, random)
        # If recours's tables do not exist yet, the settings are the only source.
        if schema.is_current:
            refusals = {key: status.refusal for key, status in queue.statuses(keys).items()}
        else:
            refusals = {key: queue.unconfigured(key) for key in keys}
        closed = {key: refusal for key, refusal in refusals.items() if refusal}
        repository = ClaimRepository if schema.is_current else UntouchedClaims
        claims = repository(database, catalog, "", kind.name)
        named = find_named(claims, options.get("claims", ()), policy, now)
        if named:
            result = preview_named(named, closed)
        else:
            carriers = tuple(key for name in options["carriers"] for key in catalog.keys_of(name))
            rows = survey(database, schema, catalog, policy.due_until(now), policy.max_retries, now)
            claims_of_rows = ((row.claim, row.leased) for row in rows)
            result = preview(claims_of_rows, kind.stage, options["batch_size"], carriers, closed, policy, now)
        takes_new = kind.stage is Stage.NEW and not named
        enrollment = make_enrollment(settings, make_assessor(settings, database, catalog, policy))
        # Claims outside the preview: claims that the run would enroll itself, and claims that await a decision.
        if schema.is_current:
            undecided = enrollment.undecided(MOST_NOT_ENROLLED, now)
            counts = {
                "would_enroll": enrollment.count_new(now) if takes_new else 0,
                "not_enrolled": undecided,
            }
        else:
            counts = {"would_enroll": 0, "not_enrolled": enrollment.count_later_undecided(MOST_NOT_ENROLLED)}
        waiting = claims.waiting() if schema.is_current else None
        return _DryRun(
            database.safe_url,
            database.border.table,
            catalog,
            schema,
            closed,
            result,
            waiting,
            counts,
            bool(named),
        )


def _lines(dry_run: _DryRun, kind: type[Worker]) -> Iterator[str]:
    result = dry_run.result
    catalog = dry_run.catalog
    if not dry_run.schema.is_current:
        missing = ", ".join(dry_run.schema.missing_columns) or "none"
        yield f"A run would first bring the schema up to date; columns that the run would add to {dry_run.table}: {missing}"
    yield f"Would fetch {plural(len(result.batch), 'claim')}"
    for place, (claim, state) in enumerate(result.batch, 1):
        carrier = catalog.name_of(claim.carrier, claim.carrier_name)
        is_last = not dry_run.is_named and awaits_last_attempt(state)
        yield f"[{place}] {attempt_name(claim, state, is_last=is_last)} for {claim.reference} ({carrier})"
    for key, count in sorted(result.left_behind.items()):
        refusal = dry_run.closed[key]
        until = f" until {format_minute(refusal.until, logs.local)}" if refusal.until else ""
        yield f"{plural(count, 'claim')} skipped{until}: {refusal.reason}"
    if count := result.beyond_batch:
        yield f"{plural(count, 'claim')}: due, but beyond the batch size"
    for why, reason in _REASONS.items():
        if count := result.waiting[why]:
            yield f"{plural(count, 'claim')}: {reason}"
    if dry_run.waiting and kind.stage is Stage.READY:
        yield waiting_line(dry_run.waiting, logs.local)
    if count := dry_run.counts["would_enroll"]:
        yield f"{plural(count, 'new claim')} would be enrolled first, then fetched too (RECOURS_ENROLL_NEW)"
    if count := dry_run.counts["not_enrolled"]:
        yield not_enrolled_warning(count)


_REASONS = {
    Why.SETTLED: "persistent error; the retry would be skipped without a call",
    Why.ENDING: "would be given up without a call: all retries are used",
    Why.EXPIRING: "would be given up without a call: the deadline has long passed (RECOURS_EXPIRE_DAYS)",
    Why.IN_HAND: "being fetched by another run",
    Why.SHELVED: "not fetched because of the claim's status",
    Why.BY_BACKOFF: "not due yet",
    Why.UNNUMBERED: "pending, without a tracking number",
}


def _as_json(kind: type[Worker], dry_run: _DryRun) -> dict[str, Any]:
    result = dry_run.result
    by_carrier: Counter[str] = Counter()
    for key, count in result.left_behind.items():
        by_carrier[dry_run.catalog.name_of(key)] += count
    return {
        "worker": kind.name,
        "dry_run": True,
        "would_take": [claim.reference for claim, _ in result.batch],
        "would_add_columns": list(dry_run.schema.missing_columns),
        "beyond_batch": result.beyond_batch,
        "skipped_persistent": result.waiting[Why.SETTLED],
        "expired": result.waiting[Why.EXPIRING],
        "held": result.waiting[Why.IN_HAND],
        "left_behind": by_carrier,
        **dry_run.counts,
    }
