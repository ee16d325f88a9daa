"""What a person asks of the system, over a database."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import chain, islice
from math import inf
from operator import attrgetter
from random import random
from typing import Any

from recours.carriers.queue import APIRequestQueue
from recours.core.accounts import ServiceClient
from recours.core.actions import PastAction
from recours.core.carrier import Catalog
from recours.core.claim import DUE, Claim
from recours.core.pauses import Blocked, Refusal
from recours.core.position import Position, position
from recours.database.by_person import ClaimEnrolment, GivenUpClaims
from recours.database.claims import ClaimRepository
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database, DatabaseError
from recours.database.intake import Assessor
from recours.database.journal import ActionLog
from recours.database.schema.inspection import Schema
from recours.operations.accounts import AccountHealth, ListedAccount
from recours.reporting.figures import (
    NEAR,
    Concerned,
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
from recours.reporting.survey import DatabaseTroubles
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
from recours.runs.ports import Clock
from recours.runs.summary import MOST_NOT_ENROLLED
from recours.runs.workers import WORKERS
from recours.settings.model import Settings
from recours.wiring.carriers import catalog_of, directory_of, make_queue, redactor
from recours.wiring.databases import assessor_of, clock_of, connect, current_schema, enrolment_of, policy_of

# How often each worker is to run.
SCHEDULES = {name: worker.schedule for name, worker in WORKERS.items()}
_RECENT_DAYS = 2

# How far back the beginning of an outage or of refusals is searched for: longer ones are shown as so long.
_LONGEST_STREAK = timedelta(days=60)
# The same of clients' accounts, of which there may be many.
_LONGEST_OF_ACCOUNTS = 2 * REFUSED_LONG

_ACTIONS_SHOWN = 10  # of each carrier

# Claims between two reads of the carriers' states.
_POSITIONS_AT_ONCE = 1000


@dataclass(frozen=True)
class Operations:
    """What the operator's commands and the page work with."""

    settings: Settings
    database: Database
    schema: Schema
    clock: Clock
    catalog: Catalog
    records: DatabaseRecords
    claims: ClaimRepository

    def queue(self) -> APIRequestQueue:
        """The queue: to be looked at, or to call with."""
        return make_queue(self.settings, self.database, self.clock, random)

    @property
    def due_until(self) -> datetime:
        """Claims whose retries come by then are due."""
        return self.settings.policy.backoff.due_until(self.clock.now())

    @property
    def given_up(self) -> GivenUpClaims:
        return GivenUpClaims(self.assessor)

    @property
    def assessor(self) -> Assessor:
        """What assesses claims that a person's command changes."""
        return assessor_of(self.settings, self.database, self.catalog, self.settings.policy)

    @property
    def is_by_fleet(self) -> bool:
        """Tell whether long-lived workers do the work. Raises DatabaseError."""
        now = self.clock.now()
        return is_by_fleet(of_last_day(self.latest_runs(now), now), now)

    def latest_runs(self, now: datetime) -> list[Run]:
        """The latest of each worker, and those of a day, the newest first. Raises DatabaseError."""
        return self.records.latest_runs(list(SCHEDULES), RECENT_RUNS, now, now - SINCE)

    @property
    def enrolment(self) -> ClaimEnrolment:
        """The claims that nobody has enrolled."""
        return enrolment_of(self.settings, self.assessor)

    def carriers_now(self) -> list[CarrierNow]:
        """What the queue knows of each carrier at this moment. Calls nobody."""
        statuses, credentials = self.queue().statuses(self.catalog.specs), self.settings.credentials
        unavailable = self._troubles_read.unavailable(self.clock.now())
        return [
            CarrierNow(
                key=key,
                name=spec.name,
                configured=key in self.catalog.configured,
                uses=statuses[key].uses,
                refusal=statuses[key].refusal,
                rejected=statuses[key].rejected,
                documents=statuses[key].documents,
                stopped=statuses[key].stopped,
                unavailable_since=unavailable.get(key),
                source=credentials[key].source,
                missing=credentials[key].missing,
            )
            for key, spec in self.catalog.specs.items()
        ]

    def actions_now(self) -> dict[str, list[PastAction]]:
        """What people did to each carrier last, by its key, the latest first. Raises DatabaseError."""
        return ActionLog(self.database).latest_of_each(self.catalog.specs, _ACTIONS_SHOWN)

    @property
    def clients(self) -> ClientAccounts:
        return ClientAccounts(self.database)

    def accounts_now(self) -> list[ListedAccount]:
        """The accounts of clients, with their health at this moment. Calls nobody. Raises DatabaseError."""
        from recours.wiring.account_operations import AccountOperations  # noqa: PLC0415 (which works with operations)

        return AccountOperations(self).listed(self.clients.all())

    def client_named(self, claim: Claim) -> str:
        """The client of a claim, for people. Raises DatabaseError."""
        emails = self.clients.emails([claim.client_id]) if claim.client_id is not None else {}
        return ServiceClient(claim.client_id, emails.get(claim.client_id, "")).named

    def overview(self, days: int = 7) -> Overview:
        """The state of the system, with what became of the attempts of so many days. Raises DatabaseError."""
        report = self._seen(days)
        complete = self._with_claims(problems(report), report.at)
        return replace(
            report, stakes={(problem.kind, problem.carrier): problem.stake for problem in complete}
        )

    def problems_of(self, *kinds: ProblemKind) -> list[Problem]:
        """The problems of these kinds that there are now, with the claims and the money of each. Raises DatabaseError."""
        seen = self._seen(days=1)
        return self._with_claims([each for each in problems(seen) if each.kind in kinds], seen.at)

    def _seen(self, days: int) -> Overview:
        """The same as `overview`, without the money at stake."""
        now, policy, carriers = self.clock.now(), self.settings.policy, self.carriers_now()
        accounts = self.accounts_now()
        today = now.astimezone(policy.zone).date()
        last_days, recent_days = days_until(today, days), days_until(today, _RECENT_DAYS)
        tallies = self.records.tallies(max(last_days, recent_days, key=len), policy.zone)
        to_correct = self._troubles_read.to_correct(now, policy.skip_claim_statuses, COUNTED_UP_TO)
        count = Counter(claim.lane for claim in to_correct)
        backlogs = [
            replace(backlog, to_correct=count[backlog.carrier])
            for backlog in self.records.backlogs(self.due_until)
        ]
        runs = self.latest_runs(now)
        fleet = fleet_status(of_last_day(runs, now), now)
        workers = [worker_status(name, schedule, runs, now) for name, schedule in SCHEDULES.items()]
        batches = {} if fleet else {worker.worker: worker.largest_batch for worker in workers}
        return Overview(
            at=now,
            workers=workers,
            success=success_of([tally for tally in tallies if tally.day in last_days], last_days),
            recent=[tally for tally in tallies if tally.day in recent_days],
            backlogs=backlogs,
            carriers=carriers,
            accounts=accounts,
            mails=self.records.mails(),
            troubles=self._troubles(now, carriers, accounts, to_correct, backlogs, batches),
            not_enrolled=self.enrolment.undecided(MOST_NOT_ENROLLED, now),
            differences=self.records.differences(now),
            fleet=fleet,
        )

    def _with_claims(self, incomplete: Sequence[Problem], at: datetime) -> list[Problem]:
        """The problems with their claims and the money of these; those that nobody enrolled were only counted until now."""
        complete = []
        for problem in incomplete:
            claims = problem.claims
            if problem.kind is ProblemKind.NOT_ENROLLED:
                claims = Concerned(ids=self.enrolment.undecided_ids(MOST_NOT_ENROLLED + 1, at))
            complete.append(replace(problem, claims=claims))
        stakes = stakes_in(self.database, [problem.claims for problem in complete])
        return [replace(problem, stake=stake) for problem, stake in zip(complete, stakes, strict=True)]

    @property
    def _troubles_read(self) -> DatabaseTroubles:
        return DatabaseTroubles(self.database, self.catalog, redactor(self.settings))

    def _troubles(
        self,
        now: datetime,
        carriers: Sequence[CarrierNow],
        accounts: Sequence[ListedAccount],
        to_correct: Sequence[ToCorrect],
        backlogs: Sequence[Backlog],
        batches: Mapping[str, int],
    ) -> Troubles:
        policy = self.settings.policy
        read = self._troubles_read
        refusals = {carrier.key: carrier.refusal for carrier in carriers if carrier.refusal}
        refusals |= {
            one.account.key: Refusal(Blocked.CARRIER, one.why or "", one.until)
            for one in accounts
            if one.health is not AccountHealth.OPEN
        }
        unassessed = read.unassessed() if any(backlog.unassessed for backlog in backlogs) else []
        new = in_line(unassessed, now, policy)
        with_new = with_lines(backlogs, new)
        paces = self._paces(carriers, accounts, with_new)
        overlong = self._overlong(read, paces, with_new, refusals, new, now)
        soon = [claim_id for backlog in overlong.values() for claim_id in backlog.late_soon]
        open_ = [backlog for backlog in with_new if backlog.carrier not in refusals]
        soon += self._behind_batches(read, batches, paces, open_, new, now)
        late, forgotten = self._untried(read, refusals, soon, unassessed, now)
        beyond = {
            backlog.carrier: replace(overlong[backlog.carrier], due=backlog.due)
            for backlog in backlogs
            if backlog.carrier in overlong and backlog.due > paces[backlog.carrier].claims
        }
        rejected = {carrier.key for carrier in carriers if carrier.rejected}
        refused = [one.account.id for one in accounts if one.health is AccountHealth.REFUSED]
        return Troubles(
            mails=read.mail_piles(now),
            streaks=read.house_refused_since(rejected, now - _LONGEST_STREAK) if rejected else {},
            late=late,
            forgotten=forgotten,
            to_correct=to_correct,
            backlogs=beyond,
            refused=read.refused_documents(now - timedelta(days=1)),
            account_streaks=read.refused_since(refused, now - _LONGEST_OF_ACCOUNTS) if refused else {},
            without_account=self._without_account(read, carriers) if accounts else {},
        )

    def _without_account(
        self, read: DatabaseTroubles, carriers: Sequence[CarrierNow]
    ) -> dict[str, list[ServiceClient]]:
        """The clients who have claims where neither they nor the house have an account, by the carrier's key."""
        found = read.clients_of([carrier.key for carrier in carriers if not carrier.configured])
        emails = self.clients.emails({client_id for ids in found.values() for client_id in ids})
        return {
            key: [ServiceClient(client_id, emails.get(client_id, "")) for client_id in ids]
            for key, ids in found.items()
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
        of_clients = {one.account.key: one.account for one in accounts if one.health in usable}
        paces = {}
        for backlog in backlogs:
            spec, account = self.catalog.spec_of(backlog.carrier), of_clients.get(backlog.carrier)
            if spec is None:
                continue
            own = spec.limits_of_client(account.key, account.limits) if account else None
            pace = daily_pace(limits.get(backlog.carrier, ()) if own is None else own, spec)
            if pace:
                paces[backlog.carrier] = pace
        return paces

    def _overlong(
        self,
        read: DatabaseTroubles,
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
        lines = read.lines([backlog.carrier for backlog in held_up], DUE, now, COUNTED_UP_TO)
        overlong = {}
        for backlog in held_up:
            key = backlog.carrier
            line = [*lines[key], *new.get(key, ())]
            if found := overlong_backlog(paces[key], backlog.due, line, now, opens_at(key)):
                overlong[key] = found
        return overlong

    def _behind_batches(
        self,
        read: DatabaseTroubles,
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
        held = [
            backlog
            for backlog in backlogs
            if backlog.carrier in paces and backlog.due > paces[backlog.carrier].claims
        ]
        free = [backlog for backlog in backlogs if backlog not in held]
        held_back = sum(paces[backlog.carrier].claims for backlog in held)
        for worker in WORKERS.values():
            due = {backlog.carrier: count for backlog in free if (count := backlog.stages.get(worker.stage))}
            runs_a_day = timedelta(days=1) / worker.schedule
            pace = max(batches.get(worker.name, inf) * runs_a_day - held_back, 1)
            if sum(due.values()) > pace:
                lines = read.lines(due, [worker.stage], now, COUNTED_UP_TO)
                line = nsmallest(COUNTED_UP_TO, chain(*lines.values()), key=attrgetter("rank_at"))
                line += [one for key in due for one in new.get(key, ()) if one.stage is worker.stage]
                overlong = overlong_backlog(Pace(pace, keeps=True), sum(due.values()), line, now)
                late += overlong.late_soon if overlong else []
        return late

    def _untried(
        self,
        read: DatabaseTroubles,
        refusals: Mapping[str, Refusal],
        behind: Sequence[Any],
        unassessed: Sequence[Claim],
        now: datetime,
    ) -> tuple[list[Claim], list[tuple[datetime, Claim]]]:
        """Claims that are not tried before their deadline, or before their evidence ends if that comes first.

        `behind`: the ids of those whose turn in the backlog comes too late.
        """
        policy, forgotten = self.settings.policy, []
        late = {claim.id: claim for claim in read.read(behind)} if behind else {}
        late |= {claim.id: claim for claim in unassessed if claim.id in set(behind)}
        for claim in [*read.near_deadline(now, now + NEAR, refusals), *unassessed]:
            where = position(claim, now, policy, refusal=refusals.get(claim.account_key))
            if where.evidence and loses_evidence(where, now):
                forgotten.append((where.evidence.ends_at, claim))
            elif is_late(claim, where, now, policy):
                late[claim.id] = claim
        nearest = sorted(late.values(), key=lambda claim: (str(claim.deadline), claim.reference))
        return nearest, sorted(forgotten, key=lambda end: (end[0], end[1].reference))

    def refusal_of(self, claim: Claim) -> Refusal | None:
        """Why the claim's account takes no call for it now. Raises DatabaseError."""
        key, is_last = _asked_for(claim)
        return self.queue().status(key).refusal_for(document=is_last) if claim.carrier else None

    def positions(self, found: Sequence[ListedClaim]) -> dict[Any, Position]:
        """Where these claims stand, by their ids; each account is looked at once. Raises DatabaseError."""
        now, policy = self.clock.now(), self.settings.policy
        asked = {listed.claim.id: _asked_for(listed.claim) for listed in found}
        statuses = self.queue().statuses({key for key, _ in asked.values() if key})
        refusals = {
            claim_id: statuses[key].refusal_for(document=is_last)
            for claim_id, (key, is_last) in asked.items()
            if key
        }
        return {
            listed.claim.id: position(
                listed.claim,
                now,
                policy,
                refusal=refusals.get(listed.claim.id),
                leased=listed.leased_until(now) is not None,
            )
            for listed in found
        }

    def with_positions(self, found: Iterable[ListedClaim]) -> Iterator[tuple[ListedClaim, Position]]:
        """Claims with where they stand, a part at a time in memory. Raises DatabaseError."""
        rest = iter(found)
        while part := list(islice(rest, _POSITIONS_AT_ONCE)):
            positions = self.positions(part)
            yield from ((listed, positions[listed.claim.id]) for listed in part)


def open_operations(settings: Settings) -> Operations:
    """The operations over a database whose schema is current. Changes nothing. Raises DatabaseError."""
    database = connect(settings)
    try:
        schema = current_schema(database)
        clock = clock_of(database)
    except DatabaseError:
        database.close()
        raise
    return operations_over(settings, database, schema, clock)


def operations_over(settings: Settings, database: Database, schema: Schema, clock: Clock) -> Operations:
    """The operations over a database that is open already. Raises DatabaseError."""
    catalog = catalog_of(settings, directory_of(database))
    redact = redactor(settings)
    return Operations(
        settings=replace(settings, policy=policy_of(settings, database)),
        database=database,
        schema=schema,
        clock=clock,
        catalog=catalog,
        records=DatabaseRecords(database, catalog, redact),
        claims=ClaimRepository(database, catalog, "", "operations", redact),
    )


def _asked_for(claim: Claim) -> tuple[str, bool]:
    """The key of the account that a claim is asked with, and whether only the document is missing."""
    return claim.account_key, claim.state.delivery is not None
