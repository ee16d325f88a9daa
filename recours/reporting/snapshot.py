"""The state of the system, each thing read once: status, the page, the check, mails and metrics show it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from heapq import nsmallest
from itertools import chain, islice
from math import inf
from operator import attrgetter
from typing import Any

from recours.accounts.health import AccountHealth, AccountReader, ListedAccount
from recours.app import App
from recours.core.accounts import ServiceClient
from recours.core.actions import PastAction
from recours.core.claim import DUE, Claim
from recours.core.pauses import Blocked, Refusal
from recours.core.policy import Policy
from recours.core.position import Position, position
from recours.database.journal import ActionLog
from recours.reporting.figures import (
    NEAR,
    InLine,
    OverlongBacklog,
    Pace,
    ToCorrect,
    daily_pace,
    in_line,
    is_late,
    loses_evidence,
    overlong_backlog,
)
from recours.reporting.problems import Problem, ProblemKind, problems
from recours.reporting.reader import DatabaseRecords, stakes_in
from recours.reporting.records import COUNTED_UP_TO, Backlog, ListedClaim, Run, with_lines
from recours.reporting.survey import DatabaseTroubles, Mark
from recours.reporting.system import (
    RECENT_RUNS,
    REFUSED_LONG,
    SINCE,
    CarrierNow,
    Overview,
    Troubles,
    days_until,
    fleet_status,
    is_by_fleet,
    of_last_day,
    success_of,
    worker_status,
)
from recours.runs.summary import MOST_NOT_ENROLLED
from recours.runs.workers import WORKERS
from recours.settings.model import redactor

_RECENT_DAYS = 2
_ACTIONS_SHOWN = 10  # of each carrier
# Claims between two reads of the carriers' states.
_POSITIONS_AT_ONCE = 1000
# How far back the beginning of refusals is searched for: longer ones are shown as so long.
_LONGEST_STREAK = timedelta(days=60)
# The same of clients' accounts, of which there may be many.
_LONGEST_OF_ACCOUNTS = 2 * REFUSED_LONG


def latest_runs(records: DatabaseRecords, now: datetime) -> list[Run]:
    """The latest of each worker, and those of a day, the newest first. Raises DatabaseError."""
    return records.latest_runs(list(WORKERS), RECENT_RUNS, now, now - SINCE)


@dataclass(frozen=True)
class Reports:
    """Reads the state of one installation. All methods raise DatabaseError."""

    app: App

    @cached_property
    def records(self) -> DatabaseRecords:
        return DatabaseRecords(self.app.database, self.app.catalog, redactor(self.app.settings))

    @cached_property
    def troubles(self) -> DatabaseTroubles:
        return DatabaseTroubles(self.app.database, self.app.catalog, redactor(self.app.settings))

    @property
    def policy(self) -> Policy:
        return self.app.policy

    @property
    def is_by_fleet(self) -> bool:
        """Tell whether long-lived workers do the work."""
        now = self.app.clock.now()
        return is_by_fleet(of_last_day(latest_runs(self.records, now), now), now)

    def carriers_now(self) -> list[CarrierNow]:
        """What the queue knows of each carrier at this moment. Calls nobody."""
        app = self.app
        statuses = app.queue().statuses(app.catalog.specs)
        credentials = app.settings.credentials
        unavailable = self.troubles.unavailable(app.clock.now())
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
        """The accounts of clients, with their health at this moment. Calls nobody."""
        app = self.app
        return AccountReader(app.settings, app.database, app.clock).listed(app.client_accounts)

    def actions_now(self) -> dict[str, list[PastAction]]:
        """What people did to each carrier last, by its key, the latest first."""
        return ActionLog(self.app.database).latest_of_each(self.app.catalog.specs, _ACTIONS_SHOWN)

    def positions(self, claims: Sequence[ListedClaim]) -> dict[Any, Position]:
        """Where these claims stand, by their ids; each account is looked at once."""
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
            positions[claim.id] = position(claim, now, self.policy, refusal=refusal, leased=is_leased)
        return positions

    def with_positions(self, claims: Iterable[ListedClaim]) -> Iterator[tuple[ListedClaim, Position]]:
        """Claims with where they stand, a part at a time in memory."""
        remaining = iter(claims)
        while part := list(islice(remaining, _POSITIONS_AT_ONCE)):
            positions = self.positions(part)
            yield from ((listed, positions[listed.claim.id]) for listed in part)

    def problems_of(self, *kinds: ProblemKind) -> list[Problem]:
        """The problems of these kinds that there are now, with the claims and the money of each."""
        return [problem for problem in problems(self.overview(days=1)) if problem.kind in kinds]

    def overview(self, days: int = 7) -> Overview:
        """The state now, with what became of the attempts of so many days, and the money at stake."""
        policy = self.policy
        records = self.records
        now = self.app.clock.now()
        carriers = self.carriers_now()
        accounts = self.accounts_now()
        today = now.astimezone(policy.zone).date()
        last_days = days_until(today, days)
        recent_days = days_until(today, _RECENT_DAYS)
        tallies = records.tallies(max(last_days, recent_days, key=len), policy.zone)
        intake = records.intake(now)
        to_correct = self.troubles.to_correct(now, policy.skip_claim_statuses, COUNTED_UP_TO)
        count = Counter(claim.lane for claim in to_correct)
        backlogs = [
            replace(backlog, to_correct=count[backlog.carrier])
            for backlog in records.backlogs(policy.due_until(now), mark=intake.mark)
        ]
        runs = latest_runs(records, now)
        fleet = fleet_status(of_last_day(runs, now), now)
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
            mails=records.mails(now),
            troubles=self._troubles(now, carriers, accounts, to_correct, backlogs, batches, intake.mark),
            undecided=self.app.enrolment.undecided_ids(MOST_NOT_ENROLLED + 1, now, intake.adoption),
            differences=intake.differences,
            fleet=fleet,
        )
        current = problems(overview)
        stakes = stakes_in(records.database, [problem.claims for problem in current])
        keys = [(problem.kind, problem.carrier) for problem in current]
        return replace(overview, stakes=dict(zip(keys, stakes, strict=True)))

    def _troubles(
        self,
        now: datetime,
        carriers: Sequence[CarrierNow],
        accounts: Sequence[ListedAccount],
        to_correct: Sequence[ToCorrect],
        backlogs: Sequence[Backlog],
        batches: Mapping[str, int],
        mark: Mark,
    ) -> Troubles:
        read = self.troubles
        refusals = {carrier.key: carrier.refusal for carrier in carriers if carrier.refusal}
        refusals |= {
            listed.account.key: Refusal(Blocked.CARRIER, listed.why or "", listed.until)
            for listed in accounts
            if listed.health is not AccountHealth.OPEN
        }
        unassessed = read.unassessed(mark) if any(backlog.unassessed for backlog in backlogs) else []
        new = in_line(unassessed, now, self.policy)
        with_new = with_lines(backlogs, new)
        paces = self._paces(carriers, accounts, with_new)
        overlong = self._overlong(paces, with_new, refusals, new, now)
        soon = [claim_id for backlog in overlong.values() for claim_id in backlog.late_soon]
        open_ = [backlog for backlog in with_new if backlog.carrier not in refusals]
        soon += self._behind_batches(batches, paces, open_, new, now)
        late, forgotten = self._untried(refusals, soon, unassessed, now)
        beyond = {
            backlog.carrier: replace(overlong[backlog.carrier], due=backlog.due)
            for backlog in backlogs
            if backlog.carrier in overlong and backlog.due > paces[backlog.carrier].claims
        }
        rejected = {carrier.key for carrier in carriers if carrier.rejected}
        refused = [listed.account.id for listed in accounts if listed.health is AccountHealth.REFUSED]
        return Troubles(
            streaks=read.house_refused_since(rejected, now - _LONGEST_STREAK) if rejected else {},
            late=late,
            forgotten=forgotten,
            to_correct=to_correct,
            backlogs=beyond,
            refused=read.refused_documents(now - timedelta(days=1)),
            account_streaks=read.refused_since(refused, now - _LONGEST_OF_ACCOUNTS) if refused else {},
            without_account=self._without_account(carriers) if accounts else {},
        )

    def _without_account(self, carriers: Sequence[CarrierNow]) -> dict[str, list[ServiceClient]]:
        """The clients who have claims where neither they nor the house have an account, by the carrier's key."""
        clients = self.troubles.clients_of([carrier.key for carrier in carriers if not carrier.configured])
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
    ) -> dict[str, Pace]:
        """At which pace the quota of each account lets claims through, where it is limited."""
        limits = {carrier.key: [use.limit for use in carrier.uses] for carrier in carriers}
        usable = (AccountHealth.OPEN, AccountHealth.PAUSED)
        of_clients = {listed.account.key: listed.account for listed in accounts if listed.health in usable}
        paces = {}
        for backlog in backlogs:
            spec = self.records.catalog.spec_of(backlog.carrier)
            account = of_clients.get(backlog.carrier)
            if spec is None:
                continue
            client_limits = spec.limits_of_client(account.key, account.limits) if account else None
            pace = daily_pace(
                limits.get(backlog.carrier, ()) if client_limits is None else client_limits, spec
            )
            if pace:
                paces[backlog.carrier] = pace
        return paces

    def _overlong(
        self,
        paces: Mapping[str, Pace],
        backlogs: Sequence[Backlog],
        refusals: Mapping[str, Refusal],
        new: Mapping[str, Sequence[InLine]],
        now: datetime,
    ) -> dict[str, OverlongBacklog]:
        """The backlogs within which deadlines fall, by account; of those that a day's quota cannot do, or that are paused."""

        def opens_at(key: str) -> datetime | None:
            return refusals[key].until if key in refusals else None

        held_up = []
        for backlog in backlogs:
            pace = paces.get(backlog.carrier)
            if pace and (backlog.due > pace.claims or opens_at(backlog.carrier) is not None):
                held_up.append(backlog)
        lines = self.troubles.lines([backlog.carrier for backlog in held_up], DUE, now, COUNTED_UP_TO)
        overlong = {}
        for backlog in held_up:
            key = backlog.carrier
            line = [*lines[key], *new.get(key, ())]
            if result := overlong_backlog(paces[key], backlog.due, line, now, opens_at(key)):
                overlong[key] = result
        return overlong

    def _behind_batches(
        self,
        batches: Mapping[str, int],
        paces: Mapping[str, Pace],
        backlogs: Sequence[Backlog],
        new: Mapping[str, Sequence[InLine]],
        now: datetime,
    ) -> list[Any]:
        """The ids of claims that are late within a week because more urgent ones fill the batches of the runs.

        `backlogs`: of accounts that take calls. Those that their quotas hold back fill batches at their paces.
        """
        late: list[Any] = []
        limited = [
            backlog
            for backlog in backlogs
            if backlog.carrier in paces and backlog.due > paces[backlog.carrier].claims
        ]
        free = [backlog for backlog in backlogs if backlog not in limited]
        held_back = sum(paces[backlog.carrier].claims for backlog in limited)
        for worker in WORKERS.values():
            due = {backlog.carrier: count for backlog in free if (count := backlog.stages.get(worker.stage))}
            runs_a_day = timedelta(days=1) / worker.schedule
            pace = max(batches.get(worker.name, inf) * runs_a_day - held_back, 1)
            if sum(due.values()) > pace:
                lines = self.troubles.lines(due, [worker.stage], now, COUNTED_UP_TO)
                line = nsmallest(COUNTED_UP_TO, chain(*lines.values()), key=attrgetter("rank_at"))
                line += [entry for key in due for entry in new.get(key, ()) if entry.stage is worker.stage]
                overlong = overlong_backlog(Pace(pace, keeps=True), sum(due.values()), line, now)
                late += overlong.late_soon if overlong else []
        return late

    def _untried(
        self,
        refusals: Mapping[str, Refusal],
        behind: Sequence[Any],
        unassessed: Sequence[Claim],
        now: datetime,
    ) -> tuple[list[Claim], list[tuple[datetime, Claim]]]:
        """Claims that are not tried before their deadline, or before their evidence ends if that comes first.

        `behind`: the ids of those whose turn in the backlog comes too late.
        """
        policy = self.policy
        forgotten = []
        late = {claim.id: claim for claim in self.troubles.read(behind)} if behind else {}
        late |= {claim.id: claim for claim in unassessed if claim.id in set(behind)}
        for claim in [*self.troubles.near_deadline(now, now + NEAR, refusals), *unassessed]:
            where = position(claim, now, policy, refusal=refusals.get(claim.account_key))
            if where.evidence and loses_evidence(where, now):
                forgotten.append((where.evidence.ends_at, claim))
            elif is_late(claim, where, now, policy):
                late[claim.id] = claim
        nearest = sorted(late.values(), key=lambda claim: (str(claim.deadline), claim.reference))
        return nearest, sorted(forgotten, key=lambda end: (end[0], end[1].reference))
