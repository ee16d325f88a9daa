"""Problems that need a person: the verdict of `recours status`, the dashboard, the weekly report and `recours check`.

A problem either requires a person to act or has lasted so long that a person should check. These are not problems:
- a used-up quota, or a carrier that asked us to wait, because both resolve themselves;
- an outage of less than an hour, or emails waiting for less than three hours, because the next runs retry;
- a backlog that causes no missed deadline.

All functions are pure. To add a problem, add a kind, a rule, and a text in `PROBLEMS`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from recours.accounts.health import AccountHealth
from recours.core.accounts import ServiceClient, carrier_of
from recours.core.claim import DUE, IN_PROGRESS, Stage
from recours.core.errors import ErrorKind
from recours.core.localized import Localized
from recours.core.mail import MailState
from recours.core.position import Closing, closing_of
from recours.core.sentences import carrier_message, names_text
from recours.core.text import clean
from recours.core.translations import N_, Counted
from recours.host.installation import pasteable
from recours.reporting.labels import author_text, quoted
from recours.reporting.records import ProblemClaims, iso
from recours.reporting.system import (
    REFUSED_LONG,
    Backlog,
    Differences,
    Health,
    MoneyInDispute,
    Overview,
    Pile,
)
from recours.scheduling.jobs import SUBCOMMANDS


class ProblemKind(StrEnum):
    """The kind of a problem. Values are part of the JSON output."""

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


_K = ProblemKind
# Problems that exist only if clients have accounts.
OF_ACCOUNTS = frozenset({_K.NO_ACCOUNT, _K.ACCOUNTS_REFUSED, _K.ACCOUNTS_UNUSABLE})
# Problems whose `count` is a number of claims.
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
# Problems about claims that miss their deadline or lose their evidence.
OF_LATE_CLAIMS = (_K.BACKLOG, _K.DEADLINES, _K.EVIDENCE)
_Facts = Mapping[str, str | int]
_NAMED = 10  # clients named in a sentence; the others are counted
FEWEST_REFUSED = 5  # parcels of one carrier within a day
_FILES_NAMED = 5


@dataclass(frozen=True)
class Problem:
    """A problem that a person must solve or check. Datetimes are aware UTC.

    `count`: the number of affected claims, runs, attempts or emails; 0: no claims wait for the carrier. `until`: when
    recours retries automatically. `facts`: values for its sentence. `claims`: the affected claims.
    `money`: the money in dispute.
    """

    kind: ProblemKind
    count: int = 1
    since: datetime | None = None
    until: datetime | None = None
    carrier: str = ""  # its key
    facts: _Facts = field(default_factory=dict)
    claims: ProblemClaims = field(default_factory=ProblemClaims, compare=False)
    money: MoneyInDispute = field(default_factory=MoneyInDispute)


@dataclass(frozen=True)
class Verdict:
    """All problems, and the claims in progress. `blocked`: claims in progress whose carrier cannot be called now."""

    at: datetime
    problems: Sequence[Problem]
    proofs_today: int
    in_progress: int
    blocked: int
    is_more: bool = False  # more claims are in progress than were counted


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
        replace(problem, money=overview.money.get((problem.kind, problem.carrier), MoneyInDispute()))
        for problem in current
    ]


# ---------------------------------------------------------------- the rules


def _worker_problems(overview: Overview) -> Iterator[Problem]:
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
    if overview.fleet and overview.fleet.is_silent:
        yield Problem(_K.FLEET_SILENT, since=overview.fleet.ticked_at)


_BY_CLOSING = {
    Closing.STOPPED: _K.CARRIER_PAUSED,
    Closing.REJECTED: _K.CREDENTIALS_REJECTED,
    Closing.DENIED: _K.ACCOUNT_DENIED,
    Closing.UNCONFIGURED: _K.NOT_CONFIGURED,
}


def _carrier_problems(overview: Overview) -> Iterator[Problem]:
    """Carriers that have claims or credentials but cannot be called until somebody acts."""
    of_default = {backlog.carrier: backlog for backlog in overview.backlogs}
    of_all = {backlog.carrier: backlog for backlog in overview.backlogs_by_carrier}
    with_accounts = {listed.account.carrier for listed in overview.accounts}
    for carrier in overview.carriers:
        if carrier.stopped and carrier.stopped.until:
            continue  # the pause ends automatically
        keys = [
            backlog.carrier for backlog in overview.backlogs if carrier_of(backlog.carrier) == carrier.key
        ]
        backlog = (of_all if carrier.stopped else of_default).get(carrier.key, Backlog(carrier.key, {}))
        refusal = carrier.refusal if carrier.stopped or not carrier.rejected else carrier.rejected
        kind = _BY_CLOSING.get(closing_of(refusal)) if refusal else None
        if refusal and kind and (carrier.configured or backlog.in_progress):
            facts: dict[str, str | int] = {
                "name": carrier.name,
                "said": clean(carrier_message(refusal.reason), 100),
                "source": carrier.source,
                "missing": carrier.missing,
                "by": "",
            }
            if carrier.stopped:
                facts["by"] = clean((carrier.stopped.why or "").removeprefix("by "), 100)
            clients = overview.problem_facts.without_account.get(carrier.key)
            if clients:
                facts |= _named("clients", clients)
            since = overview.problem_facts.streaks.get(carrier.key)
            if kind is _K.CARRIER_PAUSED:
                since = carrier.stopped.at if carrier.stopped else None
            elif kind is _K.NOT_CONFIGURED:
                since = backlog.oldest
                kind = _K.NO_ACCOUNT if clients else kind
            affected = ProblemClaims(keys if carrier.stopped else [carrier.key])
            yield Problem(kind, backlog.in_progress, since, refusal.until, carrier.key, facts, affected)
        elif (carrier.configured or carrier.key in with_accounts) and carrier.unavailable_since:
            yield Problem(
                _K.OUTAGE,
                of_all[carrier.key].in_progress if carrier.key in of_all else 0,
                carrier.unavailable_since,
                carrier=carrier.key,
                facts={"name": carrier.name},
                claims=ProblemClaims(keys),
            )


_BY_HEALTH = {
    AccountHealth.REFUSED: _K.ACCOUNTS_REFUSED,
    AccountHealth.UNUSABLE: _K.ACCOUNTS_UNUSABLE,
}


def _account_problems(overview: Overview) -> Iterator[Problem]:
    """Client accounts that cannot be used until somebody acts: one problem for each carrier."""
    backlogs = {backlog.carrier: backlog for backlog in overview.backlogs}
    streaks = overview.problem_facts.account_streaks
    for health, kind in _BY_HEALTH.items():
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
                claims=ProblemClaims([listed.account.key for listed in accounts]),
            )


def _named(label: str, clients: Sequence[ServiceClient]) -> dict[str, str | int]:
    """The number of clients, and the names of the first ones."""
    names = ", ".join(clean(client.display_name, 100) for client in clients[:_NAMED])
    return {label: len(clients), f"{label}_named": names, f"{label}_more": max(len(clients) - _NAMED, 0)}


def _backlog_problems(overview: Overview) -> Iterator[Problem]:
    """Due claims that will be attempted after their deadlines, at the pace of the quota."""
    for key, backlog in overview.problem_facts.backlogs.items():
        name = next((carrier.name for carrier in overview.carriers if carrier.key == carrier_of(key)), key)
        facts: _Facts = {
            "name": name,
            "days": backlog.days,
            "pace": backlog.pace,
            "late": len(backlog.late),
            "setting": f"QUOTA_{carrier_of(key).upper()}",
        }
        yield Problem(_K.BACKLOG, backlog.due, carrier=key, facts=facts, claims=ProblemClaims([key], DUE))


def _claim_problems(overview: Overview) -> Iterator[Problem]:
    unknown = next((backlog for backlog in overview.backlogs if backlog.carrier == ""), None)
    stages = (*IN_PROGRESS, Stage.SETTLED)
    # Unassessed claims are not counted, because their carrier is not known yet.
    count = unknown.capped(sum(unknown.stages.get(stage, 0) for stage in stages)) if unknown else 0
    if unknown and count:
        yield Problem(_K.UNKNOWN_CARRIER, count, unknown.oldest, claims=ProblemClaims([""], stages))
    if to_correct := overview.problem_facts.to_correct:
        with_deadline = next((claim for claim in to_correct if claim.deadline), None)
        nearest: dict[str, str | int] = (
            {"reference": clean(with_deadline.reference, 100), "deadline": with_deadline.deadline}
            if with_deadline
            else {}
        )
        affected = ProblemClaims(ids=[claim.id for claim in to_correct])
        yield Problem(_K.TO_CORRECT, len(to_correct), facts=nearest, claims=affected)
    if late := overview.problem_facts.late:
        first: _Facts = {"reference": clean(late[0].reference, 100), "deadline": str(late[0].deadline)}
        yield Problem(
            _K.DEADLINES, len(late), facts=first, claims=ProblemClaims(ids=[claim.id for claim in late])
        )
    if expiring := overview.problem_facts.expiring:
        at, claim = expiring[0]
        ends: _Facts = {"reference": clean(claim.reference, 100), "evidence_until": at.isoformat()}
        ids = [claim.id for _, claim in expiring]
        yield Problem(_K.EVIDENCE, len(expiring), facts=ends, claims=ProblemClaims(ids=ids))
    if overview.not_enrolled:
        yield Problem(_K.NOT_ENROLLED, overview.not_enrolled, claims=ProblemClaims(ids=overview.undecided))
    errors = sum(tally.count for tally in overview.recent if tally.kind == ErrorKind.INTERNAL_ERROR)
    if errors:
        yield Problem(_K.INTERNAL_ERRORS, errors)


def _document_problems(overview: Overview) -> Iterator[Problem]:
    """Carriers whose documents of several parcels were refused: their layout may have changed."""
    names = {carrier.key: carrier.name for carrier in overview.carriers}
    for carrier, pieces in overview.problem_facts.refused.items():
        ids = list(dict.fromkeys(piece.claim_id for piece in pieces))
        if len(ids) < FEWEST_REFUSED:
            continue
        files = ", ".join(clean(PurePath(piece.path).name, 100) for piece in pieces[:_FILES_NAMED])
        facts: _Facts = {"name": names.get(carrier, carrier), "files": files}
        first = min(piece.obtained_at for piece in pieces)
        yield Problem(_K.REFUSED_DOCUMENTS, len(ids), first, None, carrier, facts, ProblemClaims(ids=ids))


_BY_MAIL_STATE = {
    MailState.READY: _K.MAILS_WAITING,
    MailState.HELD: _K.MAILS_HELD,
    MailState.UNDECIDED: _K.MAILS_UNDECIDED,
}


def _mail_problems(overview: Overview) -> Iterator[Problem]:
    for state, kind in _BY_MAIL_STATE.items():
        pile = overview.mails.get(state, Pile())
        if count := pile.overdue if state is MailState.READY else pile.count:
            yield Problem(kind, count, pile.since)


# All rules, in the order in which problems are shown.
RULES: tuple[Callable[[Overview], Iterator[Problem]], ...] = (
    _worker_problems,
    _carrier_problems,
    _account_problems,
    _backlog_problems,
    _claim_problems,
    _document_problems,
    _mail_problems,
)


# ---------------------------------------------------------------- texts


@dataclass(frozen=True)
class ProblemText:
    """The texts of one kind of problem.

    `sentence`: what the problem is. `remedy`: what to do, with the command. `is_typed`: the command must be
    typed in a terminal, so the dashboard shows it; for other problems, the dashboard has a button.
    Markers: the facts of the problem, {count}, {since} and {at} (its time, with or without a preposition), {next} (a
    sentence about the next attempt) and {blocked} (a sentence about the waiting claims). Unknown facts are empty.
    """

    short: str
    remedy: str
    sentence: str | Counted
    is_typed: bool = False


PROBLEMS: Mapping[ProblemKind, ProblemText] = {
    _K.NEVER_RAN: ProblemText(
        N_("{worker} has never run"),
        N_("recours check"),
        N_("{worker} has never run on this database. It should run {often}."),
        is_typed=True,
    ),
    _K.OVERDUE: ProblemText(
        N_("{worker} is overdue"),
        N_(
            "Check that cron, the timer or the task still starts this worker (see its schedule in 'recours check'), "
            "then run it manually: recours {command}"
        ),
        N_(
            "{worker} has not run{since}. It should run {often}. Is the machine off, or the schedule "
            "disabled?"
        ),
        is_typed=True,
    ),
    _K.RUN_FAILED: ProblemText(
        N_("{worker} failed"),
        N_("See the end of its log: tail -n 50 logs/{worker}.log"),
        N_("The last run of {worker} ({at}) failed with exit status {exit_status}."),
        is_typed=True,
    ),
    _K.RUNS_KILLED: ProblemText(
        N_("killed runs of {worker}"),
        N_("See its log: tail -n 50 logs/{worker}.log"),
        Counted(
            "{count} run of {worker} never ended ({at}): it was killed, or the machine went down.",
            "{count} runs of {worker} never ended, the latest at {at}: they were killed, or the machine went "
            "down.",
        ),
        is_typed=True,
    ),
    _K.CLOCK_AHEAD: ProblemText(
        N_("a clock that runs ahead"),
        N_(
            "Check the time synchronization (NTP) of each machine; docs/troubleshooting.md explains how to "
            "delete these runs"
        ),
        Counted(
            "{count} run of {worker} began in the future ({at}): the clock of a machine is or was wrong.",
            "{count} runs of {worker} began in the future, the latest at {at}: the clock of a machine is or was wrong.",
        ),
    ),
    _K.FLEET_SILENT: ProblemText(
        N_("stalled long-lived workers"),
        N_("Run on each worker's machine: systemctl --user status recours-worker"),
        N_("No long-lived worker has checked for due claims{since}. The workers should check every minute."),
        is_typed=True,
    ),
    _K.CREDENTIALS_REJECTED: ProblemText(
        N_("{name} credentials"),
        N_("Correct the credentials, then run: recours carriers check {carrier}"),
        N_("{name} rejects our credentials ({quote}from {source}).{blocked}{next}"),
    ),
    _K.ACCOUNT_DENIED: ProblemText(
        N_("our {name} account"),
        N_("Ask {name} to enable the service, then run: recours carriers check {carrier}"),
        N_("{name} accepts our account but does not let it use this service{quoted}.{blocked}{next}"),
    ),
    _K.NOT_CONFIGURED: ProblemText(
        N_("{name} has no credentials"),
        N_("Set {missing} in .env, then run: recours carriers check {carrier}"),
        N_("{name} has no credentials.{blocked}"),
    ),
    _K.NO_ACCOUNT: ProblemText(
        N_("no account with {name}"),
        N_("recours accounts add CLIENT {carrier}, or set {missing} in .env for all clients"),
        N_("No account with {name} is set up for {clients}.{blocked}"),
    ),
    _K.ACCOUNTS_REFUSED: ProblemText(
        N_("client accounts with {name}"),
        N_("Ask the clients to correct their credentials, then run: recours accounts check"),
        N_("{name} rejects {accounts}.{blocked}{long}"),
    ),
    _K.ACCOUNTS_UNUSABLE: ProblemText(
        N_("client credentials for {name}"),
        N_("recours accounts list"),
        N_("The {name} credentials of {accounts} cannot be used{quoted}.{blocked}"),
    ),
    _K.CARRIER_PAUSED: ProblemText(
        N_("{name} is paused"),
        N_("recours resume {carrier}"),
        N_("{name} has been paused{since}{author}.{blocked}"),
    ),
    _K.OUTAGE: ProblemText(
        N_("{name} is unavailable"),
        N_("recours carriers check {carrier}"),
        N_("{name} is unavailable: no call has been answered{since}.{blocked}"),
    ),
    _K.BACKLOG: ProblemText(
        N_("the {name} backlog"),
        N_("Ask {name} for a higher rate limit, then raise {setting}. For a forecast: recours plan"),
        N_(
            "The {name} quota is too small for {count} due claims: at {pace} claims a day, the last claim "
            "will be attempted in {days} days, and {late} claims will be attempted after their deadlines."
        ),
    ),
    _K.UNKNOWN_CARRIER: ProblemText(
        N_("claims with an unknown carrier"),
        N_(
            "Correct the carrier in these claims: 'recours export claims' lists the claims, and 'recours "
            "carriers' lists the known carriers"
        ),
        Counted(
            "{count} claim names a carrier that recours does not know.",
            "{count} claims name a carrier that recours does not know.",
        ),
    ),
    _K.TO_CORRECT: ProblemText(
        N_("claims to correct"),
        N_(
            "Correct these claims (the dashboard and 'recours export claims' list them); the next run then "
            "asks the carriers"
        ),
        Counted(
            "{count} claim needs correction before recours asks its carrier again{money}{nearest}.",
            "{count} claims need correction before recours asks their carriers again{money}{nearest}.",
        ),
    ),
    _K.DEADLINES: ProblemText(
        N_("deadlines"),
        N_("recours why {reference}"),
        Counted(
            "{count} claim will not be attempted before its deadline: {reference}, due on {day}.",
            "{count} claims will not be attempted before their deadlines; the first is {reference}, due on "
            "{day}.",
        ),
    ),
    _K.EVIDENCE: ProblemText(
        N_("expiring evidence"),
        N_("recours why {reference}"),
        Counted(
            "{count} claim will not be attempted before its carrier deletes the parcel's data: {reference}, "
            "on {day} at the latest.",
            "{count} claims will not be attempted before their carriers delete the parcels' data; the first "
            "is {reference}, on {day} at the latest.",
        ),
    ),
    _K.REFUSED_DOCUMENTS: ProblemText(
        N_("rejected {name} documents"),
        N_(
            "Look at the files. If they are proofs, accept them: recours attach CLAIM FILE --anyway --why TEXT"
        ),
        N_(
            "recours rejected documents of {count} {name} parcels within a day: {name} may have changed their "
            "layout ({files})."
        ),
    ),
    _K.NOT_ENROLLED: ProblemText(
        N_("claims that are not enrolled"),
        N_(
            "To enroll some or all of them: recours enroll. To leave them all out, set RECOURS_ENROLL_NEW=false"
        ),
        Counted(
            "{count} open claim with a tracking number is not enrolled, so no POD is fetched for it.",
            "{count} open claims with a tracking number are not enrolled, so no POD is fetched for them.",
        ),
    ),
    _K.INTERNAL_ERRORS: ProblemText(
        N_("internal errors"),
        N_("See the tracebacks in the logs: grep -A 20 Traceback logs/*.log"),
        Counted(
            "{count} attempt has ended in an internal error of recours since yesterday.",
            "{count} attempts have ended in an internal error of recours since yesterday.",
        ),
        is_typed=True,
    ),
    _K.MAILS_WAITING: ProblemText(
        N_("emails that cannot be sent"),
        N_("recours mail test you@example.com"),
        Counted(
            "{count} email has been waiting for the mail server{since}.",
            "{count} emails have been waiting for the mail server{since}.",
        ),
    ),
    _K.MAILS_HELD: ProblemText(
        N_("held emails"),
        N_("recours mail release"),
        Counted(
            "{count} email has been held by the send limit (RECOURS_MAIL_BRAKE){since}.",
            "{count} emails have been held by the send limit (RECOURS_MAIL_BRAKE){since}.",
        ),
    ),
    _K.MAILS_UNDECIDED: ProblemText(
        N_("emails that may not have arrived"),
        N_("Ask the recipients whether the emails arrived; logs/email_sender.log lists their addresses"),
        Counted(
            "{count} email may not have arrived: a run died while sending it.",
            "{count} emails may not have arrived: a run died while sending them.",
        ),
    ),
}

_NAMED_TEXTS = {
    "clients": Counted("{count} client ({named})", "{count} clients ({named})"),
    "accounts": Counted("{count} client account ({named})", "{count} client accounts ({named})"),
    "long": Counted(" Rejected for more than a week: {named}.", " Rejected for more than a week: {named}."),
}
_DIFFERENCES = {
    "repaired": Counted(
        "The sweep over all claims had to repair {count} row that differed from its claim.",
        "The sweep over all claims had to repair {count} rows that differed from their claims.",
    ),
    "owed": Counted(
        "The result of {count} claim has been missing from the service's table for more than an hour.",
        "The results of {count} claims have been missing from the service's table for more than an hour.",
    ),
}


class VerdictSentences(Localized):
    """Problems and verdicts in one language."""

    def verdict(self, verdict: Verdict) -> str:
        """One sentence that sums up the problems, or says that all is well."""
        if verdict.problems:
            things = ", ".join(self._filled(PROBLEMS[p.kind].short, p, verdict.at) for p in verdict.problems)
            return self.counted(
                "{count} problem needs your attention: {things}.",
                "{count} problems need your attention: {things}.",
                len(verdict.problems),
                things=things,
            )
        in_progress = self.number(verdict.in_progress)
        if verdict.is_more:
            in_progress += "+"
        blocked = self("nothing blocked")
        if verdict.blocked:
            blocked = self(
                "{count} of them blocked until a limit resets or a pause ends",
                count=self.number(verdict.blocked),
            )
        return self(
            "All is well: {proofs}, {in_progress}, {blocked}.",
            proofs=self.counted("{count} proof today", "{count} proofs today", verdict.proofs_today),
            in_progress=self.counted(
                "{count} claim in progress",
                "{count} claims in progress",
                verdict.in_progress,
                count=in_progress,
            ),
            blocked=blocked,
        )

    def differences(self, differences: Differences) -> list[str]:
        """A sentence for each kind of difference between recours's rows and the service's."""
        return [
            self.counted(*_DIFFERENCES[name], count) for name, count in asdict(differences).items() if count
        ]

    def sentence(self, problem: Problem, now: datetime) -> str:
        return self._filled(PROBLEMS[problem.kind].sentence, problem, now)

    def remedy(self, problem: Problem, now: datetime) -> str:
        """What to do, with the command."""
        return pasteable(self._filled(PROBLEMS[problem.kind].remedy, problem, now))

    def as_json(self, problem: Problem, now: datetime) -> dict[str, Any]:
        """The JSON object of a problem."""
        return {
            "kind": problem.kind,
            "count": problem.count,
            "since": iso(problem.since),
            "until": iso(problem.until),
            "carrier": problem.carrier or None,
            "facts": dict(problem.facts),
            "amounts": dict(problem.money.amounts),
            "amounts_at_least": problem.money.is_more,
            "sentence": self.sentence(problem, now),
            "remedy": self.remedy(problem, now),
        }

    def _filled(self, message: str | Counted, problem: Problem, now: datetime) -> str:
        facts = problem.facts
        since = self._since(problem.since, now) if problem.since else ""
        day = str(facts.get("deadline") or facts.get("evidence_until", ""))
        with suppress(ValueError):
            day = self.day(datetime.fromisoformat(day) if "T" in day else date.fromisoformat(day))
        optional = ("at", "blocked", "quote", "quoted", "author", "money", "nearest", "often", *_NAMED_TEXTS)
        values: dict[str, Any] = dict(facts) | dict.fromkeys(optional, "")
        values |= {
            "source": names_text(self.language, str(facts.get("source", ""))),
            "missing": names_text(self.language, str(facts.get("missing", ""))),
            "count": self.number(problem.count),
            "carrier": problem.carrier,
            "command": SUBCOMMANDS.get(str(facts.get("worker")), ""),
            "since": since,
            "next": self._next_try(problem.until, now),
            "day": day,
        }
        if problem.since:
            values["at"] = self._time_of(problem.since, now, exact=True)
        if problem.count:
            singular = message if isinstance(message, str) else message.one
            values["blocked"] = self.counted(
                " {count} claim blocked{since}.",
                " {count} claims blocked{since}.",
                problem.count,
                since="" if "{since}" in singular else since,
            )
        if facts.get("said"):
            quote = quoted(self.language, str(facts["said"]))
            values |= {"quote": f"{quote}, ", "quoted": f" ({quote})"}
        if facts.get("by"):
            values["author"] = self(" (by {by})", by=author_text(self.language, f"by {facts['by']}"))
        if money := self.sums(problem.money.amounts):
            values["money"] = self("; in dispute: {money}", money=money)
        if facts.get("deadline"):
            values["nearest"] = self(
                "; nearest deadline: {reference}, on {day}",
                reference=facts["reference"],
                day=day,
            )
        if minutes := int(facts.get("schedule_minutes", 0)):
            is_hourly = minutes == 60  # noqa: PLR2004 (an hour)
            values["often"] = (
                self("every hour") if is_hourly else self("every {count} minutes", count=minutes)
            )
        for name in _NAMED_TEXTS.keys() & facts.keys():
            named = facts[f"{name}_named"]
            if more := int(facts.get(f"{name}_more", 0)):
                named = self("{named} and {count} more", count=self.number(more), named=named)
            values[name] = self.counted(*_NAMED_TEXTS[name], int(facts[name]), named=named)
        return (
            self(message, **values)
            if isinstance(message, str)
            else self.counted(*message, problem.count, **values)
        )

    def _time_of(self, at: datetime, now: datetime, *, exact: bool = False) -> str:
        """The time of day if `at` is today, otherwise the date. `exact`: add the time of day to the date."""
        if self.is_same_day(at, now):
            return self.time(at)
        return self.minute(at) if exact else self.day(at)

    def _since(self, at: datetime, now: datetime) -> str:
        if self.is_same_day(at, now):
            return self.in_context("today", " since {at}", at=self._time_of(at, now))
        return self(" since {at}", at=self._time_of(at, now))

    def _next_try(self, at: datetime | None, now: datetime) -> str:
        if at is None or at <= now:
            return self(" Next attempt: at the next run.")
        if self.is_same_day(at, now):
            return self.in_context("today", " Next attempt: {at}.", at=self._time_of(at, now, exact=True))
        return self(" Next attempt: {at}.", at=self._time_of(at, now, exact=True))
