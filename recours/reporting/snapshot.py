"""The state of the system, read once for status, the dashboard, the check, emails and metrics."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from heapq import nsmallest
from itertools import accumulate, chain
from math import ceil, inf
from operator import attrgetter
from typing import Any, NamedTuple

from recours.accounts.health import AccountHealth, ListedAccount, list_accounts
from recours.app import App
from recours.core.accounts import ServiceClient
from recours.core.actions import PastAction
from recours.core.carrier import CarrierSpec
from recours.core.claim import DUE, Claim, Stage, deadline_end
from recours.core.pauses import Blocked, Refusal
from recours.core.policy import Policy
from recours.core.position import Position, Why, position
from recours.core.quota import Capability, Limit
from recours.database.journal import ActionLog
from recours.reporting.problems import Problem, ProblemKind, problems
from recours.reporting.reader import DatabaseRecords
from recours.reporting.records import COUNTED_UP_TO, ListedClaim
from recours.reporting.system import (
    REFUSED_LONG,
    Backlog,
    CarrierNow,
    InLine,
    OverlongBacklog,
    Overview,
    ProblemFacts,
    ToCorrect,
    counted_by_hour,
    days_until,
    fleet_status,
    is_by_fleet,
    merge_backlogs,
    success_of,
    usual_calls,
    worker_status,
)
from recours.reporting.system_reader import Mark, SystemReader
from recours.runs.refusals import ClaimsRefusedError, UnfitClaimsError, why_erased
from recours.runs.source import unknown_claim
from recours.runs.summary import MOST_NOT_ENROLLED
from recours.runs.worker import WORKERS
from recours.settings.model import redactor

_A_DAY = timedelta(days=1)
_RECENT_DAYS = 2
_ACTIONS_SHOWN = 10  # latest actions on each carrier
# How far back a period of refusals is traced. Longer periods are shown with this length.
_LONGEST_STREAK = timedelta(days=60)
# The same for clients' accounts. It is shorter, because there may be many accounts.
_LONGEST_OF_ACCOUNTS = 2 * REFUSED_LONG
# How far ahead deadlines are checked.
NEAR = timedelta(days=7)
_NO_PROOF_IS_DUE = (Why.HAS_POD, Why.IN_HAND, Why.LEFT_ALONE, Why.ERASED, Why.SHELVED)


@dataclass(frozen=True)
class Reports:
    """Reads the state of one installation. All methods raise DatabaseError."""

    app: App

    @cached_property
    def records(self) -> DatabaseRecords:
        return DatabaseRecords(self.app.database, self.app.catalog, redactor(self.app.settings))

    @cached_property
    def system(self) -> SystemReader:
        return SystemReader(self.app.database, self.app.catalog, redactor(self.app.settings))

    def require(self, reference: str) -> ListedClaim:
        """The claim with this reference. Raises UnfitClaimsError (no such claim), ClaimsRefusedError (it was erased)."""
        listed = self.records.find(reference)
        if listed is None:
            raise UnfitClaimsError(unknown_claim(self.app.claims, reference))
        if refusal := why_erased(listed.claim):
            raise ClaimsRefusedError(refusal)
        return listed

    @property
    def is_by_fleet(self) -> bool:
        """Return whether long-lived workers do the fetching."""
        now = self.app.clock.now()
        return is_by_fleet(self.system.latest_runs(now), now)

    def carriers_now(self) -> list[CarrierNow]:
        """The current state of each carrier, without calls."""
        app = self.app
        statuses = app.queue().statuses(app.catalog.specs)
        credentials = app.settings.credentials
        unavailable = self.system.unavailable(app.clock.now())
        return [
            CarrierNow(
                key=key,
                name=spec.name,
                configured=key in app.catalog.configured,
                uses=statuses[key].uses,
                refusal=statuses[key].refusal,
                rejected=statuses[key].rejected,
                documents=statuses[key].documents,
                stopped=statuses[key].stopped,
                unavailable_since=unavailable.get(key),
                source=credentials[key].source,
                missing=credentials[key].missing,
            )
            for key, spec in app.catalog.specs.items()
        ]

    def accounts_now(self) -> list[ListedAccount]:
        """The client accounts with their current health, without calls."""
        app = self.app
        return list_accounts(app.settings, app.database, app.clock, app.client_accounts)

    def actions_now(self) -> dict[str, list[PastAction]]:
        """The latest actions of people on each carrier, by its key, latest first."""
        return ActionLog(self.app.database).latest_of_each(self.app.catalog.specs, _ACTIONS_SHOWN)

    def positions(self, claims: Sequence[ListedClaim]) -> dict[Any, Position]:
        """The positions of these claims by id; each account is read once."""
        now = self.app.clock.now()
        keys = {listed.claim.account_key for listed in claims if listed.claim.account_key}
        statuses = self.app.queue().statuses(keys)
        positions = {}
        for listed in claims:
            claim = listed.claim
            refusal = None
            if claim.account_key:
                refusal = statuses[claim.account_key].refusal_for(document=claim.state.delivery is not None)
            is_leased = listed.leased_until(now) is not None
            positions[claim.id] = position(claim, now, self.app.policy, refusal=refusal, leased=is_leased)
        return positions

    def problems_of(self, *kinds: ProblemKind) -> list[Problem]:
        """The current problems of these kinds, with their claims and the money in dispute."""
        return [problem for problem in problems(self.overview(days=1)) if problem.kind in kinds]

    def overview(self, days: int = 7) -> Overview:
        """The current state, with the results of the attempts of the last `days` days and the money in dispute."""
        policy = self.app.policy
        system = self.system
        now = self.app.clock.now()
        carriers = self.carriers_now()
        accounts = self.accounts_now()
        today = now.astimezone(policy.zone).date()
        last_days = days_until(today, days)
        recent_days = days_until(today, _RECENT_DAYS)
        tallies = system.tallies(max(last_days, recent_days, key=len), policy.zone)
        intake = system.intake(now)
        to_correct = system.to_correct(now, policy.skip_claim_statuses, COUNTED_UP_TO)
        count = Counter(claim.lane for claim in to_correct)
        backlogs = [
            replace(backlog, to_correct=count[backlog.carrier])
            for backlog in system.backlogs(policy.due_until(now), mark=intake.mark)
        ]
        runs = system.latest_runs(now)
        fleet = fleet_status(runs, now)
        workers = [worker_status(name, worker.schedule, runs, now) for name, worker in WORKERS.items()]
        batches = {} if fleet else {worker.worker: worker.largest_batch for worker in workers}
        overview = Overview(
            at=now,
            workers=workers,
            success=success_of([tally for tally in tallies if tally.day in last_days], last_days),
            recent=[tally for tally in tallies if tally.day in recent_days],
            backlogs=backlogs,
            carriers=carriers,
            runs=runs,
            accounts=accounts,
            mails=system.mails(now),
            problem_facts=self._problem_facts(
                now, carriers, accounts, to_correct, backlogs, batches, intake.mark
            ),
            undecided=self.app.enrollment.undecided_ids(MOST_NOT_ENROLLED + 1, now, intake.adoption),
            differences=intake.differences,
            fleet=fleet,
        )
        current = problems(overview)
        sums = system.money_in_dispute([problem.claims for problem in current])
        keys = [(problem.kind, problem.carrier) for problem in current]
        return replace(overview, money=dict(zip(keys, sums, strict=True)))

    def _problem_facts(
        self,
        now: datetime,
        carriers: Sequence[CarrierNow],
        accounts: Sequence[ListedAccount],
        to_correct: Sequence[ToCorrect],
        backlogs: Sequence[Backlog],
        batches: Mapping[str, int],
        mark: Mark,
    ) -> ProblemFacts:
        system = self.system
        refusals = {carrier.key: carrier.refusal for carrier in carriers if carrier.refusal}
        refusals |= {
            listed.account.key: Refusal(Blocked.CARRIER, listed.why or "", listed.until)
            for listed in accounts
            if listed.health is not AccountHealth.OPEN
        }
        unassessed = system.unassessed(mark) if any(backlog.unassessed for backlog in backlogs) else []
        new = _lines_of(unassessed, now, self.app.policy) if unassessed else {}
        of_new = [Backlog(key, Counter(entry.stage for entry in line)) for key, line in new.items()]
        with_new = merge_backlogs([*backlogs, *of_new])
        paces = self._paces(carriers, accounts, with_new)
        overlong = self._overlong(paces, with_new, refusals, new, now)
        soon = [claim_id for backlog in overlong.values() for claim_id in backlog.late_soon]
        open_ = [backlog for backlog in with_new if backlog.carrier not in refusals]
        soon += self._behind_batches(batches, paces, open_, new, now)
        late, expiring = self._late_claims(refusals, soon, unassessed, now)
        beyond = {
            backlog.carrier: replace(overlong[backlog.carrier], due=backlog.due)
            for backlog in backlogs
            if backlog.carrier in overlong and backlog.due > paces[backlog.carrier].claims
        }
        rejected = {carrier.key for carrier in carriers if carrier.rejected}
        refused = [listed.account.id for listed in accounts if listed.health is AccountHealth.REFUSED]
        return ProblemFacts(
            streaks=system.default_refused_since(rejected, now - _LONGEST_STREAK) if rejected else {},
            late=late,
            expiring=expiring,
            to_correct=to_correct,
            backlogs=beyond,
            refused=system.refused_documents(now - _A_DAY),
            account_streaks=system.refused_since(refused, now - _LONGEST_OF_ACCOUNTS) if refused else {},
            without_account=self._clients_without_account(carriers) if accounts else {},
        )

    def _clients_without_account(self, carriers: Sequence[CarrierNow]) -> dict[str, list[ServiceClient]]:
        """The clients with claims at a carrier but without any account for them, by carrier key."""
        clients = self.system.clients_of([carrier.key for carrier in carriers if not carrier.configured])
        emails = self.app.clients.emails({client_id for ids in clients.values() for client_id in ids})
        return {
            key: [ServiceClient(client_id, emails.get(client_id, "")) for client_id in ids]
            for key, ids in clients.items()
            if ids
        }

    def _paces(
        self,
        carriers: Sequence[CarrierNow],
        accounts: Sequence[ListedAccount],
        backlogs: Sequence[Backlog],
    ) -> dict[str, "Pace"]:
        """The pace of each account whose quota limits the number of claims per day."""
        limits = {carrier.key: [use.limit for use in carrier.uses] for carrier in carriers}
        usable = (AccountHealth.OPEN, AccountHealth.PAUSED)
        of_clients = {listed.account.key: listed.account for listed in accounts if listed.health in usable}
        paces = {}
        for backlog in backlogs:
            spec = self.app.catalog.spec_of(backlog.carrier)
            if spec is None:
                continue
            account = of_clients.get(backlog.carrier)
            client_limits = spec.limits_of_client(account.key, account.limits) if account else None
            pace = daily_pace(
                limits.get(backlog.carrier, ()) if client_limits is None else client_limits, spec
            )
            if pace:
                paces[backlog.carrier] = pace
        return paces

    def _overlong(
        self,
        paces: Mapping[str, "Pace"],
        backlogs: Sequence[Backlog],
        refusals: Mapping[str, Refusal],
        new: Mapping[str, Sequence[InLine]],
        now: datetime,
    ) -> dict[str, OverlongBacklog]:
        """Backlogs of closed accounts or small quotas, by account, in which claims will miss their deadlines."""
        openings = {key: refusal.until for key, refusal in refusals.items()}
        held_up = []
        for backlog in backlogs:
            pace = paces.get(backlog.carrier)
            if pace and (backlog.due > pace.claims or openings.get(backlog.carrier) is not None):
                held_up.append(backlog)
        overlong: dict[str, OverlongBacklog] = {}
        if not held_up:
            return overlong
        lines = self.system.lines([backlog.carrier for backlog in held_up], DUE, now, COUNTED_UP_TO)
        for backlog in held_up:
            key = backlog.carrier
            line = [*lines[key], *new.get(key, ())]
            if result := overlong_backlog(paces[key], backlog.due, line, now, openings.get(key)):
                overlong[key] = result
        return overlong

    def _behind_batches(
        self,
        batches: Mapping[str, int],
        paces: Mapping[str, "Pace"],
        backlogs: Sequence[Backlog],
        new: Mapping[str, Sequence[InLine]],
        now: datetime,
    ) -> list[Any]:
        """The ids of claims that become late within a week because more urgent claims fill the batches of the runs.

        `backlogs`: of accounts that can be called. An account with a small quota fills batches only at its pace.
        """
        late: list[Any] = []
        free = []
        held_back = 0.0
        for backlog in backlogs:
            if backlog.carrier in paces and backlog.due > paces[backlog.carrier].claims:
                held_back += paces[backlog.carrier].claims
            else:
                free.append(backlog)
        for worker in WORKERS.values():
            due = {backlog.carrier: count for backlog in free if (count := backlog.stages.get(worker.stage))}
            pace = max(batches.get(worker.name, inf) * (_A_DAY / worker.schedule) - held_back, 1)
            if sum(due.values()) > pace:
                lines = self.system.lines(due, [worker.stage], now, COUNTED_UP_TO)
                line = nsmallest(COUNTED_UP_TO, chain(*lines.values()), key=attrgetter("rank_at"))
                line += [entry for key in due for entry in new.get(key, ()) if entry.stage is worker.stage]
                overlong = overlong_backlog(Pace(pace, keeps=True), sum(due.values()), line, now)
                late += overlong.late_soon if overlong else []
        return late

    def _late_claims(
        self,
        refusals: Mapping[str, Refusal],
        behind: Sequence[Any],
        unassessed: Sequence[Claim],
        now: datetime,
    ) -> tuple[list[Claim], list[tuple[datetime, Claim]]]:
        """Claims that will miss their deadline, and claims whose evidence expires before an attempt, with the time.

        `behind`: the ids of claims that will be late because of more urgent claims.
        """
        policy = self.app.policy
        expiring = []
        late = {claim.id: claim for claim in self.system.read(behind)} if behind else {}
        late |= {claim.id: claim for claim in unassessed if claim.id in set(behind)}
        for claim in [*self.system.near_deadline(now, now + NEAR, refusals), *unassessed]:
            where = position(claim, now, policy, refusal=refusals.get(claim.account_key))
            if where.evidence and loses_evidence(where, now):
                expiring.append((where.evidence.ends_at, claim))
            elif is_late(claim, where, now, policy):
                late[claim.id] = claim
        nearest = sorted(late.values(), key=lambda claim: (str(claim.deadline), claim.reference))
        return nearest, sorted(expiring, key=lambda end: (end[0], end[1].reference))


# ---------------------------------------------------------------- late claims


def is_late(claim: Claim, where: Position, now: datetime, policy: Policy) -> bool:
    """Return whether a claim's deadline is within a week and no attempt is due before it, at any stage."""
    if claim.deadline is None or where.why in _NO_PROOF_IS_DUE:
        return False
    return _passes(where, deadline_end(claim.deadline, policy.zone), now)


def loses_evidence(where: Position, now: datetime) -> bool:
    """Return whether a claim's evidence expires within a week, before the deadline and before the next attempt."""
    evidence = where.evidence
    if evidence is None or not evidence.counts or not where.is_open:
        return False
    return where.why is not Why.IN_HAND and _passes(where, evidence.ends_at, now)


def _passes(where: Position, end: datetime, now: datetime) -> bool:
    return now < end <= now + NEAR and (where.next_at is None or where.next_at >= end)


# ---------------------------------------------------------------- the pace of quotas


class Pace(NamedTuple):
    """The number of claims per day that an account's narrowest limit allows.

    `keeps`: with this limit, each worker reserves calls for more urgent claims of the other worker.
    """

    claims: float
    keeps: bool


def daily_pace(limits: Iterable[Limit], spec: CarrierSpec) -> Pace | None:
    """The pace that these limits allow; None: no limit applies to claims."""
    paces = []
    bundle = spec.calls_for_bundle([None] * spec.numbers_per_call)
    for limit in map(counted_by_hour, limits):
        units_per_call = sum(limit.units(usual_calls(calls, None)) for calls in bundle)
        if not units_per_call:
            continue
        # A fetch starts only if the units for its document are left too. With few units, fewer parcels share a call.
        reserved = list(accumulate(limit.units(calls) for calls in bundle))
        units_left = limit.number
        if Capability.TOKEN in spec.limits:
            units_left -= limit.units({Capability.TOKEN: 1})
        full = max((units_left - reserved[-1]) // units_per_call + 1, 0)
        claims = full * len(bundle)
        units_left -= full * units_per_call
        while units_left >= reserved[0]:
            claims += sum(units <= units_left for units in reserved)
            units_left -= units_per_call
        window_s = limit.window.seconds or _A_DAY.total_seconds()
        paces.append(Pace(max(claims, 1) * _A_DAY.total_seconds() / window_s, not limit.window.seconds))
    return min(paces, default=None)


def _lines_of(claims: Iterable[Claim], now: datetime, policy: Policy) -> dict[str, list[InLine]]:
    """The claims that will be due once assessed and whose `rank_at` is in the future, by account."""
    lines = defaultdict[str, list[InLine]](list)
    for claim in claims:
        where = position(claim, now, policy)
        rank_at = where.state.rank_at
        if where.why in (Why.NEW, Why.DUE) and rank_at and rank_at >= now:
            stage = Stage.NEW if claim.is_pending else Stage.READY
            lines[claim.account_key].append(InLine(claim.id, rank_at, where.state.rank_is_deadline, stage))
    return lines


def overlong_backlog(
    pace: Pace, due: int, line: Sequence[InLine], now: datetime, opens_at: datetime | None = None
) -> OverlongBacklog | None:
    """The backlog of `due` claims if some of the claims are attempted after their deadlines; else None.

    `line`: the claims whose `rank_at` is in the future. `opens_at`: when the account can be called again; None: now.
    """
    in_order = sorted(line, key=attrgetter("rank_at"))
    if not pace.keeps:  # the fetch worker runs more often, so it uses all calls first
        in_order.sort(key=lambda entry: entry.stage is not Stage.NEW)
    begins_at = opens_at or now
    turns = [(entry, begins_at + (place + 1) / pace.claims * _A_DAY) for place, entry in enumerate(in_order)]
    late = [entry for entry, at in turns if entry.is_deadline and entry.rank_at < at]
    if not late:
        return None
    soon = [entry.id for entry in late if entry.rank_at <= now + NEAR]
    days = ceil(due / pace.claims)
    return OverlongBacklog(due, days, max(int(pace.claims), 1), [entry.id for entry in late], soon)
