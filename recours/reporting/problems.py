"""What needs a person: the verdict that `recours status`, the page, the weekly report and `recours check` begin with.

A problem is something that stays until a person acts, or that has lasted so long that one should look. Not problems:
- a carrier at its limit, or that asked us to wait: that passes by itself;
- an outage of less than an hour, mails that have waited for less than three hours: the next runs try again;
- a backlog within which no deadline falls.

Pure. To add one: a kind, a rule below, and its text in `recours.reporting.problem_texts`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from recours.accounts.health import AccountHealth
from recours.core.accounts import ServiceClient, carrier_of
from recours.core.claim import DUE, IN_PROGRESS, Stage
from recours.core.errors import ErrorKind
from recours.core.mail import MailState
from recours.core.position import Closing, closing_of
from recours.core.sentences import carrier_message
from recours.core.text import clean
from recours.reporting.records import Concerned, iso
from recours.reporting.system import REFUSED_LONG, Backlog, CarrierNow, Health, Overview, Pile, Stake


class ProblemKind(StrEnum):
    """What needs a person. Values are printed as JSON."""

    NEVER_RAN = "never_ran"
    OVERDUE = "overdue"
    RUN_FAILED = "run_failed"
    RUNS_KILLED = "runs_killed"
    CLOCK_AHEAD = "clock_ahead"
    FLEET_SILENT = "fleet_silent"
    CREDENTIALS_REJECTED = "credentials_rejected"
    ACCOUNT_DENIED = "account_denied"
    NOT_CONFIGURED = "not_configured"
    NO_ACCOUNT = "no_account"
    ACCOUNTS_REFUSED = "accounts_refused"
    ACCOUNTS_UNUSABLE = "accounts_unusable"
    CARRIER_PAUSED = "carrier_paused"
    OUTAGE = "outage"
    BACKLOG = "backlog"
    UNKNOWN_CARRIER = "unknown_carrier"
    TO_CORRECT = "to_correct"
    DEADLINES = "deadlines"
    EVIDENCE = "evidence"
    REFUSED_DOCUMENTS = "refused_documents"
    NOT_ENROLLED = "not_enrolled"
    INTERNAL_ERRORS = "internal_errors"
    MAILS_WAITING = "mails_waiting"
    MAILS_HELD = "mails_held"
    MAILS_UNDECIDED = "mails_undecided"


# Those about a worker, whose name is among the facts.
_K = ProblemKind
OF_WORKERS = frozenset({_K.NEVER_RAN, _K.OVERDUE, _K.RUN_FAILED, _K.RUNS_KILLED, _K.CLOCK_AHEAD})
# Those that only an installation whose clients have accounts can have.
OF_ACCOUNTS = frozenset({_K.NO_ACCOUNT, _K.ACCOUNTS_REFUSED, _K.ACCOUNTS_UNUSABLE})
# Those that count claims.
OF_CLAIMS = OF_ACCOUNTS | {
    _K.CREDENTIALS_REJECTED,
    _K.ACCOUNT_DENIED,
    _K.NOT_CONFIGURED,
    _K.CARRIER_PAUSED,
    _K.OUTAGE,
    _K.BACKLOG,
    _K.UNKNOWN_CARRIER,
    _K.TO_CORRECT,
    _K.DEADLINES,
    _K.EVIDENCE,
    _K.REFUSED_DOCUMENTS,
    _K.NOT_ENROLLED,
}
# Those about claims that are late, or lose their evidence.
OF_LATE_CLAIMS = (_K.BACKLOG, _K.DEADLINES, _K.EVIDENCE)
_Facts = Mapping[str, str | int]
_NAMED = 10  # clients; the rest is counted
FEWEST_REFUSED = 5  # parcels of one carrier within a day
_FILES_NAMED = 5


@dataclass(frozen=True)
class Problem:
    """Something that needs a person. Datetimes are aware UTC.

    `count`: of the claims, runs, attempts or mails concerned; 0: of a carrier for which no claim waits.
    `until`: when it is tried again by itself. `facts`: what else its sentence says, by the names of its markers.
    `stake`: the money in dispute of the claims that it is about, which are those of `claims`.
    """

    kind: ProblemKind
    count: int = 1
    since: datetime | None = None
    until: datetime | None = None
    carrier: str = ""  # its key
    facts: _Facts = field(default_factory=dict)
    claims: Concerned = field(default_factory=Concerned, compare=False)
    stake: Stake = field(default_factory=Stake)

    def as_facts(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "count": self.count,
            "since": iso(self.since),
            "until": iso(self.until),
            "carrier": self.carrier or None,
            "facts": dict(self.facts),
            "amounts": dict(self.stake.amounts),
            "amounts_at_least": self.stake.is_more,
        }


@dataclass(frozen=True)
class Verdict:
    """Whether all is well, and what needs a person. `blocked`: claims in progress whose carrier takes no call now."""

    at: datetime
    problems: Sequence[Problem]
    proofs_today: int
    in_progress: int
    blocked: int
    is_more: bool = False  # there are more claims in progress than were counted

    @property
    def is_well(self) -> bool:
        return not self.problems


def verdict(overview: Overview) -> Verdict:
    today = list(overview.success.by_day.values())
    return Verdict(
        at=overview.at,
        problems=problems(overview),
        proofs_today=today[-1].success if today else 0,
        in_progress=sum(backlog.in_progress for backlog in overview.backlogs),
        blocked=overview.blocked,
        is_more=any(backlog.in_progress == backlog.counted_up_to for backlog in overview.backlogs),
    )


def problems(overview: Overview) -> list[Problem]:
    current = (problem for rule in RULES for problem in rule(overview))
    return [
        replace(problem, stake=overview.stakes.get((problem.kind, problem.carrier), Stake()))
        for problem in current
    ]


# ---------------------------------------------------------------- the rules


def _of_workers(overview: Overview) -> Iterator[Problem]:
    for worker in overview.workers:
        facts: dict[str, str | int] = {"worker": worker.worker}
        every = facts | {"schedule_minutes": round(worker.schedule.total_seconds() / 60)}
        if worker.health is Health.NEVER_RAN:
            yield Problem(_K.NEVER_RAN, facts=every)
        elif worker.health is Health.OVERDUE and worker.last:
            yield Problem(_K.OVERDUE, since=worker.last.started_at, facts=every)
        if failed := worker.failed:
            ended = facts | {"exit_status": failed.exit_status or 0}
            yield Problem(_K.RUN_FAILED, since=failed.started_at, facts=ended)
        if worker.unended:
            latest = max(run.started_at for run in worker.unended)
            yield Problem(_K.RUNS_KILLED, len(worker.unended), since=latest, facts=facts)
        if worker.ahead:
            latest = worker.ahead[0].started_at
            yield Problem(_K.CLOCK_AHEAD, len(worker.ahead), since=latest, facts=facts)


def _of_fleet(overview: Overview) -> Iterator[Problem]:
    if overview.fleet and overview.fleet.is_silent:
        yield Problem(_K.FLEET_SILENT, since=overview.fleet.ticked_at)


_OF_CLOSINGS = {
    Closing.STOPPED: _K.CARRIER_PAUSED,
    Closing.REJECTED: _K.CREDENTIALS_REJECTED,
    Closing.DENIED: _K.ACCOUNT_DENIED,
    Closing.UNCONFIGURED: _K.NOT_CONFIGURED,
}


def _of_carriers(overview: Overview) -> Iterator[Problem]:
    """Carriers that stay closed until somebody acts, if there are claims of theirs, or an account that was to work."""
    of_house = {backlog.carrier: backlog for backlog in overview.backlogs}
    of_all = {backlog.carrier: backlog for backlog in overview.backlogs_by_carrier}
    with_accounts = {listed.account.carrier for listed in overview.accounts}
    for carrier in overview.carriers:
        all_accounts = carrier.stopped is not None
        keys = _accounts_of(carrier, overview)
        backlog = (of_all if all_accounts else of_house).get(carrier.key, Backlog(carrier.key, {}))
        without = overview.troubles.without_account.get(carrier.key, ())
        refusal = carrier.refusal if carrier.stopped or not carrier.rejected else carrier.rejected
        kind = _OF_CLOSINGS.get(closing_of(refusal)) if refusal else None
        if refusal and kind and (carrier.configured or backlog.in_progress):
            yield Problem(
                _K.NO_ACCOUNT if without and kind is _K.NOT_CONFIGURED else kind,
                backlog.in_progress,
                _closed_since(carrier, kind, backlog, overview),
                refusal.until,
                carrier.key,
                {
                    "name": carrier.name,
                    "said": clean(carrier_message(refusal.reason), 100),
                    "source": carrier.source,
                    "missing": carrier.missing,
                    "by": clean(
                        (carrier.stopped.why or "").removeprefix("by ") if carrier.stopped else "", 100
                    ),
                    **(_named("clients", without) if without else {}),
                },
                Concerned(keys if all_accounts else [carrier.key]),
            )
        elif (carrier.configured or carrier.key in with_accounts) and carrier.unavailable_since:
            since = carrier.unavailable_since
            facts = {"name": carrier.name}
            count = of_all[carrier.key].in_progress if carrier.key in of_all else 0
            yield Problem(_K.OUTAGE, count, since, carrier=carrier.key, facts=facts, claims=Concerned(keys))


def _accounts_of(carrier: CarrierNow, overview: Overview) -> list[str]:
    """The keys of those of its accounts for which there are claims."""
    return [backlog.carrier for backlog in overview.backlogs if carrier_of(backlog.carrier) == carrier.key]


_OF_HEALTH = {
    AccountHealth.REFUSED: _K.ACCOUNTS_REFUSED,
    AccountHealth.UNUSABLE: _K.ACCOUNTS_UNUSABLE,
}


def _of_accounts(overview: Overview) -> Iterator[Problem]:
    """Accounts of clients with which no work is done until somebody acts: one problem for all of a carrier."""
    backlogs = {backlog.carrier: backlog for backlog in overview.backlogs}
    streaks = overview.troubles.account_streaks
    for health, kind in _OF_HEALTH.items():
        for carrier in overview.carriers:
            accounts = [
                listed
                for listed in overview.accounts
                if listed.health is health and listed.account.carrier == carrier.key
            ]
            if not accounts:
                continue
            since = [streaks[listed.account.id] for listed in accounts if listed.account.id in streaks]
            long = [
                listed
                for listed in accounts
                if overview.at - streaks.get(listed.account.id, overview.at) > REFUSED_LONG
            ]
            yield Problem(
                kind,
                sum(
                    backlogs[listed.account.key].in_progress
                    for listed in accounts
                    if listed.account.key in backlogs
                ),
                min(since, default=None),
                carrier=carrier.key,
                facts={
                    "name": carrier.name,
                    "said": clean(accounts[0].why or "", 200),
                    **_named("accounts", [listed.client for listed in accounts]),
                    **(_named("long", [listed.client for listed in long]) if long else {}),
                },
                claims=Concerned([listed.account.key for listed in accounts]),
            )


def _named(label: str, clients: Sequence[ServiceClient]) -> dict[str, str | int]:
    """How many they are, and the first of them by name."""
    names = ", ".join(clean(client.named, 100) for client in clients[:_NAMED])
    return {label: len(clients), f"{label}_named": names, f"{label}_more": max(len(clients) - _NAMED, 0)}


def _closed_since(
    carrier: CarrierNow, kind: ProblemKind, backlog: Backlog, overview: Overview
) -> datetime | None:
    if kind is _K.CARRIER_PAUSED:
        return carrier.stopped.at if carrier.stopped else None
    return backlog.oldest if kind is _K.NOT_CONFIGURED else overview.troubles.streaks.get(carrier.key)


def _of_backlogs(overview: Overview) -> Iterator[Problem]:
    """Due claims that come after their deadlines, at the pace of the quota."""
    for key, backlog in overview.troubles.backlogs.items():
        name = next((carrier.name for carrier in overview.carriers if carrier.key == carrier_of(key)), key)
        facts: _Facts = {
            "name": name,
            "days": backlog.days,
            "pace": backlog.pace,
            "late": len(backlog.late),
            "setting": f"QUOTA_{carrier_of(key).upper()}",
        }
        yield Problem(_K.BACKLOG, backlog.due, carrier=key, facts=facts, claims=Concerned([key], DUE))


def _of_claims(overview: Overview) -> Iterator[Problem]:
    unknown = next((backlog for backlog in overview.backlogs if backlog.carrier == ""), None)
    stages = (*IN_PROGRESS, Stage.SETTLED)
    # Not those that no run has assessed: whose they are is not known yet.
    count = unknown.capped(sum(unknown.stages.get(stage, 0) for stage in stages)) if unknown else 0
    if unknown and count:
        yield Problem(_K.UNKNOWN_CARRIER, count, unknown.oldest, claims=Concerned([""], stages))
    if to_correct := overview.troubles.to_correct:
        with_deadline = next((claim for claim in to_correct if claim.deadline), None)
        nearest: dict[str, str | int] = (
            {"reference": clean(with_deadline.reference, 100), "deadline": with_deadline.deadline}
            if with_deadline
            else {}
        )
        concerned = Concerned(ids=[claim.id for claim in to_correct])
        yield Problem(_K.TO_CORRECT, len(to_correct), facts=nearest, claims=concerned)
    if late := overview.troubles.late:
        first: _Facts = {"reference": clean(late[0].reference, 100), "deadline": str(late[0].deadline)}
        yield Problem(
            _K.DEADLINES, len(late), facts=first, claims=Concerned(ids=[claim.id for claim in late])
        )
    if forgotten := overview.troubles.forgotten:
        at, claim = forgotten[0]
        ends: _Facts = {"reference": clean(claim.reference, 100), "evidence_until": at.isoformat()}
        ids = [claim.id for _, claim in forgotten]
        yield Problem(_K.EVIDENCE, len(forgotten), facts=ends, claims=Concerned(ids=ids))
    if overview.not_enrolled:
        yield Problem(_K.NOT_ENROLLED, overview.not_enrolled, claims=Concerned(ids=overview.undecided))
    errors = sum(tally.count for tally in overview.recent if tally.kind == ErrorKind.INTERNAL_ERROR)
    if errors:
        yield Problem(_K.INTERNAL_ERRORS, errors)


def _of_documents(overview: Overview) -> Iterator[Problem]:
    """Carriers of which the documents of several parcels were refused: their layout may have changed."""
    names = {carrier.key: carrier.name for carrier in overview.carriers}
    for carrier, pieces in overview.troubles.refused.items():
        ids = list(dict.fromkeys(piece.claim_id for piece in pieces))
        if len(ids) < FEWEST_REFUSED:
            continue
        files = ", ".join(clean(PurePath(piece.path).name, 100) for piece in pieces[:_FILES_NAMED])
        facts: _Facts = {"name": names.get(carrier, carrier), "files": files}
        first = min(piece.obtained_at for piece in pieces)
        yield Problem(_K.REFUSED_DOCUMENTS, len(ids), first, None, carrier, facts, Concerned(ids=ids))


_OF_MAILS = {
    MailState.READY: _K.MAILS_WAITING,
    MailState.HELD: _K.MAILS_HELD,
    MailState.UNDECIDED: _K.MAILS_UNDECIDED,
}


def _of_mails(overview: Overview) -> Iterator[Problem]:
    for state, kind in _OF_MAILS.items():
        pile = overview.mails.get(state, Pile())
        if count := pile.overdue if state is MailState.READY else pile.count:
            yield Problem(kind, count, pile.since)


# Every rule, in the order in which problems are shown.
RULES: tuple[Callable[[Overview], Iterator[Problem]], ...] = (
    _of_workers,
    _of_fleet,
    _of_carriers,
    _of_accounts,
    _of_backlogs,
    _of_claims,
    _of_documents,
    _of_mails,
)
