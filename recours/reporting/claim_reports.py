"""Reports on claims from a database: the status of one claim, and the plan of the upcoming runs."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import islice
from random import random

from recours.accounts.opened import make_queue, open_accounts
from recours.app import App
from recours.core.accounts import account_name, carrier_of
from recours.core.claim import NEVER, Claim, tidy_number
from recours.core.policy import DEFAULT_MAX_RETRIES, Policy
from recours.core.position import Position, position
from recours.reporting.evidence import ClaimEvidence
from recours.reporting.explain import Explanation, Facts, explain
from recours.reporting.labels import UNKNOWN_CARRIER
from recours.reporting.plan import (
    AccountFacts,
    Plan,
    Terms,
    day_in_line,
    is_in_line,
    make_plan,
    planned_claim,
    reopens_at,
)
from recours.reporting.reader import most_urgent_claims, survey
from recours.reporting.records import ClaimFilter, ListedClaim
from recours.reporting.snapshot import Reports
from recours.reporting.system import is_by_fleet, is_of_fleet
from recours.runs.source import can_be_reference
from recours.runs.worker import WORKERS, Options

_MOST_NAMED = 20  # claims of one order
_IN_LINE = 1000  # claims of an account and worker that are read for an estimate, most urgent first


def explanation_of(
    app: App,
    reference: str,
    max_retries: int = DEFAULT_MAX_RETRIES,
    *,
    language: str = "en",
) -> Explanation | None:
    """Explain the status of the claim with this reference; None if it does not exist. Raises DatabaseError."""
    reports = Reports(app)
    listed = reports.records.find(reference)
    if listed is None:
        return None
    claim = listed.claim
    now = app.clock.now()
    policy = replace(app.policy, max_retries=max_retries)
    refusal = app.refusal_of(claim)
    leased_until = listed.leased_until(now)
    where = position(claim, now, policy, refusal=refusal, leased=leased_until is not None)
    may_have_account = bool(app.catalog.client_accounts) and claim.client_id is not None
    facts = Facts(
        attempts=reports.records.attempts(claim.id),
        messages=reports.records.messages(claim.id),
        changes=reports.records.changes(claim.id),
        evidence=evidence_of(app, listed),
        times_asked=app.claims.times_asked(claim),
        leased_until=leased_until,
        refusal=refusal,
        client=app.client_named(claim) if may_have_account else "",
        not_before=_not_before(app, claim, where, policy),
    )
    by_fleet = reports.is_by_fleet
    return explain(listed, facts, app.catalog, policy, now, by_fleet=by_fleet, language=language)


def references_of(app: App, typed: str) -> list[str]:
    """`typed` if a claim has this reference, else up to _MOST_NAMED with this number or order. Raises DatabaseError."""
    if not can_be_reference(typed):
        return []
    records = Reports(app).records
    if records.find(typed):
        return [typed]
    number = tidy_number(typed)
    order = typed.strip()
    references = (
        listed.claim.reference
        for listed in records.each_claim(criteria=ClaimFilter(text=typed))
        if listed.claim.number == number or listed.order == order
    )
    return list(islice(references, _MOST_NAMED))


def evidence_of(app: App, listed: ListedClaim | None) -> ClaimEvidence:
    """All recorded evidence of a claim; empty if `listed` is None (the claim was deleted). Raises DatabaseError."""
    if listed is None:
        return ClaimEvidence()
    pieces = Reports(app).records.evidence(listed.claim.id)
    return ClaimEvidence(pieces, listed.dispute)


def _not_before(app: App, claim: Claim, where: Position, policy: Policy) -> date | None:
    """The estimated earliest day of a claim's attempt; None if no other claims delay the attempt."""
    if not is_in_line(where):
        return None
    now = app.clock.now()
    key = claim.account_key
    urgent = most_urgent_claims(app.database, app.catalog, key, _IN_LINE, now)
    planned = (
        planned_claim(other, now, policy)
        for other in {other.id: other for other in (*urgent, claim)}.values()
    )
    account = accounts_now(app, [key])[key]
    terms = terms_now(app, policy)
    return day_in_line(claim.id, where, [other for other in planned if other], account, terms, now)


# ---------------------------------------------------------------- the plan


def plan_for(
    app: App,
    horizon: timedelta,
    *,
    max_retries: int | None = None,
    batch_sizes: Mapping[str, int] | None = None,
) -> Plan:
    """Simulate the runs of both workers up to `horizon` from now. Raises DatabaseError.

    `batch_sizes`: by worker; None: the workers' defaults.
    """
    now = app.clock.now()
    policy = app.policy
    if max_retries is not None:
        policy = replace(policy, max_retries=max_retries)
    rows = survey(app.database, app.schema, app.catalog, NEVER, policy.max_retries, now)
    planned = (planned_claim(row.claim, now, policy, edited=row.edited) for row in rows)
    claims = [claim for claim in planned if claim]
    account_facts = accounts_now(app, {claim.account_key for claim in claims})
    return make_plan(claims, account_facts, terms_now(app, policy, batch_sizes), now, now + horizon)


def terms_now(app: App, policy: Policy, batch_sizes: Mapping[str, int] | None = None) -> Terms:
    """The parameters of the upcoming runs. Raises DatabaseError."""
    now = app.clock.now()
    runs = Reports(app).system.latest_runs(now)
    last_runs: dict[str, datetime] = {}
    for run in runs:
        if run.started_at <= now and not is_of_fleet(run):
            last_runs.setdefault(run.worker, run.started_at)
    return Terms(
        policy=policy,
        catalog=app.catalog,
        batch_sizes={name: worker.usual_batch for name, worker in WORKERS.items()} | dict(batch_sizes or {}),
        last_runs=last_runs,
        by_fleet=is_by_fleet(runs, now),
        concurrency=Options(0).concurrency,
        carrier_concurrency=app.settings.carrier_concurrency,
    )


def accounts_now(app: App, keys: Collection[str]) -> dict[str, AccountFacts]:
    """The current state of these accounts by key ("": claims of unknown carriers). Raises DatabaseError."""
    catalog = app.catalog
    real = open_accounts(app.settings, app.clock, random, database=app.database)
    queue = make_queue(app.settings, app.database, app.clock, random, real)
    account_keys = [key for key in keys if key in real]
    real.open_all(key for key in account_keys if carrier_of(key) != key)
    statuses = queue.statuses(account_keys)
    facts = {key: AccountFacts(catalog.label_of(key) or UNKNOWN_CARRIER) for key in keys}
    for key in account_keys:
        status = statuses[key]
        lasting = (closing for closing in status.closings if reopens_at(closing) is None)
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
