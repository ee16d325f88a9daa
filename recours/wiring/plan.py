"""A plan over a database: open claims, quotas and accounts as they are now."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import random

from recours.core.accounts import account_name, carrier_of
from recours.core.claim import NEVER
from recours.core.policy import Policy
from recours.reporting.labels import UNKNOWN_CARRIER
from recours.reporting.plan import AccountFacts, Plan, Terms, as_planned, make_plan, opening_of
from recours.reporting.snapshot import latest_runs
from recours.reporting.survey import survey
from recours.reporting.system import is_by_fleet, is_of_fleet, of_last_day
from recours.runs.worker import Options
from recours.runs.workers import WORKERS
from recours.wiring.carriers import accounts, make_queue
from recours.wiring.operations import Operations


def plan_for(
    operations: Operations,
    horizon: timedelta,
    *,
    max_retries: int | None = None,
    batch_sizes: Mapping[str, int] | None = None,
) -> Plan:
    """What the runs of both workers do up to `horizon` from now. Raises DatabaseError.

    What is None is taken to be as the workers have it by themselves; `batch_sizes` by worker.
    """
    now = operations.clock.now()
    policy = operations.settings.policy
    if max_retries is not None:
        policy = replace(policy, max_retries=max_retries)
    rows = survey(operations.database, operations.schema, operations.catalog, NEVER, policy.max_retries, now)
    planned = (as_planned(row.claim, now, policy, edited=row.edited) for row in rows)
    claims = [claim for claim in planned if claim]
    known = accounts_now(operations, {claim.account_key for claim in claims})
    return make_plan(claims, known, terms_now(operations, policy, batch_sizes), now, now + horizon)


def terms_now(operations: Operations, policy: Policy, batch_sizes: Mapping[str, int] | None = None) -> Terms:
    """What the coming runs go by. Raises DatabaseError."""
    now = operations.clock.now()
    runs = latest_runs(operations.records, now)
    last_runs: dict[str, datetime] = {}
    for run in runs:
        if run.started_at <= now and not is_of_fleet(run):
            last_runs.setdefault(run.worker, run.started_at)
    return Terms(
        policy=policy,
        catalog=operations.catalog,
        batch_sizes={name: worker.usual_batch for name, worker in WORKERS.items()} | dict(batch_sizes or {}),
        last_runs=last_runs,
        by_fleet=is_by_fleet(of_last_day(runs, now), now),
        concurrency=Options(0).concurrency,
        carrier_concurrency=operations.settings.carrier_concurrency,
    )


def accounts_now(operations: Operations, keys: Collection[str]) -> dict[str, AccountFacts]:
    """What is known now of these accounts, by their keys ("": that of no known carrier). Raises DatabaseError."""
    catalog = operations.catalog
    real = accounts(operations.settings, operations.clock, random, database=operations.database)
    queue = make_queue(operations.settings, operations.database, operations.clock, random, real)
    known = [key for key in keys if key in real]
    real.open_all(key for key in known if carrier_of(key) != key)
    statuses = queue.statuses(known)
    facts = {key: AccountFacts(catalog.label_of(key) or UNKNOWN_CARRIER) for key in keys}
    for key in known:
        status = statuses[key]
        lasting = (closing for closing in status.closings if opening_of(closing) is None)
        facts[key] = AccountFacts(
            name=account_name(catalog.name_of(key), real[key].client_address),
            spec=catalog.spec_of(key),
            uses=status.uses,
            closing=next(lasting, next(iter(status.closings), None)),
            documents_until=status.documents_until,
            setup_calls=queue.setup_calls(key),
            asks_alone=queue.asks_alone(key),
        )
    return facts
