"""What is said of each problem, and of the verdict: one table for all who say it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from recours.core.localized import Localized
from recours.core.text import names_text
from recours.core.translations import N_, Counted
from recours.host.installation import pasteable
from recours.reporting.labels import author_text, quoted
from recours.reporting.problems import Problem, ProblemKind, Verdict
from recours.reporting.system import Differences
from recours.scheduling.jobs import SUBCOMMANDS

_K = ProblemKind


@dataclass(frozen=True)
class ProblemText:
    """What is said of one kind of problem.

    `remedy`: what to do, with the command that does it. `sentence`: what the problem is.
    Markers: the facts of the problem, and {count}; {since} and {at} (its time, after a preposition or alone), {next}
    (a sentence about the next try) and {blocked} (a sentence about the claims that wait), each empty if not known.
    """

    short: str
    remedy: str
    sentence: str | Counted


PROBLEMS: Mapping[ProblemKind, ProblemText] = {
    _K.NEVER_RAN: ProblemText(
        N_("{worker} has never run"),
        N_("recours check"),
        N_("{worker} has never run on this database. It should run every {often}."),
    ),
    _K.OVERDUE: ProblemText(
        N_("{worker} is overdue"),
        N_(
            "See whether cron, the timer or the task still starts it (recours check); then try it by hand: recours {command}"
        ),
        N_(
            "{worker} has not run{since}. It should run every {often}. Is the machine off, or the schedule disabled?"
        ),
    ),
    _K.RUN_FAILED: ProblemText(
        N_("{worker} failed"),
        N_("The end of its log says why: tail -n 50 logs/{worker}.log"),
        N_("The last run of {worker} ({at}) failed with exit status {exit_status}."),
    ),
    _K.RUNS_KILLED: ProblemText(
        N_("killed runs of {worker}"),
        N_("See what its log says: tail -n 50 logs/{worker}.log"),
        Counted(
            "{count} run of {worker} never ended ({at}): it was killed, or the machine went down.",
            "{count} runs of {worker} never ended, the latest of {at}: they were killed, or the machine went down.",
        ),
    ),
    _K.CLOCK_AHEAD: ProblemText(
        N_("a clock that is ahead"),
        N_(
            "Check the time synchronisation (NTP) of each machine; docs/troubleshooting.md says how to delete these runs"
        ),
        Counted(
            "{count} run of {worker} began in the future ({at}): the clock of a machine is or was wrong.",
            "{count} runs of {worker} began in the future, the latest at {at}: the clock of a machine is or was wrong.",
        ),
    ),
    _K.FLEET_SILENT: ProblemText(
        N_("long-lived workers that stand still"),
        N_("On each of their machines: systemctl --user status recours-worker"),
        N_("No long-lived worker has looked for claims that are due{since}. One should every minute."),
    ),
    _K.CREDENTIALS_REJECTED: ProblemText(
        N_("the credentials of {name}"),
        N_("Correct them, then: recours carriers check {carrier}"),
        N_("{name} rejects our credentials ({quote}from {source}).{blocked}{next}"),
    ),
    _K.ACCOUNT_DENIED: ProblemText(
        N_("the account at {name}"),
        N_("Ask {name} to enable it, then: recours carriers check {carrier}"),
        N_("{name} accepts our account but does not let it use this service{quoted}.{blocked}{next}"),
    ),
    _K.NOT_CONFIGURED: ProblemText(
        N_("{name} has no credentials"),
        N_("Set {missing} in .env, then: recours carriers check {carrier}"),
        N_("{name} has no credentials.{blocked}"),
    ),
    _K.NO_ACCOUNT: ProblemText(
        N_("no account at {name}"),
        N_("recours accounts add CLIENT {carrier}, or set {missing} in .env for all clients"),
        N_("There is no account at {name} for {clients}.{blocked}"),
    ),
    _K.ACCOUNTS_REFUSED: ProblemText(
        N_("accounts of clients at {name}"),
        N_("Ask the clients to correct them, then: recours accounts check"),
        N_("{name} refuses {accounts}.{blocked}{long}"),
    ),
    _K.ACCOUNTS_UNUSABLE: ProblemText(
        N_("credentials of clients at {name}"),
        N_("recours accounts list"),
        N_("The credentials of {accounts} at {name} cannot be used{quoted}.{blocked}"),
    ),
    _K.CARRIER_PAUSED: ProblemText(
        N_("{name} is paused"),
        N_("recours resume {carrier}"),
        N_("{name} is paused{since}{author}.{blocked}"),
    ),
    _K.OUTAGE: ProblemText(
        N_("{name} is unavailable"),
        N_("recours carriers check {carrier}"),
        N_("{name} is unavailable: no call has been answered{since}.{blocked}"),
    ),
    _K.BACKLOG: ProblemText(
        N_("{name}'s backlog"),
        N_("Ask {name} for more calls, then raise {setting}. What comes when: recours plan"),
        N_(
            "At this pace ({pace} a day) the last of {count} due claims at {name} is tried in {days} days, and {late} of them "
            "after their deadline: the quota is the limit."
        ),
    ),
    _K.UNKNOWN_CARRIER: ProblemText(
        N_("claims of an unknown carrier"),
        N_(
            "Correct the carrier in the claims: 'recours export --csv' lists them, 'recours carriers' the names"
        ),
        Counted(
            "{count} claim names a carrier that recours does not know.",
            "{count} claims name a carrier that recours does not know.",
        ),
    ),
    _K.TO_CORRECT: ProblemText(
        N_("claims to correct"),
        N_("The page lists them; 'recours export --csv' too. Corrected, they are tried by the next run"),
        Counted(
            "{count} claim is not asked for until it is corrected{money}{nearest}.",
            "{count} claims are not asked for until they are corrected{money}{nearest}.",
        ),
    ),
    _K.DEADLINES: ProblemText(
        N_("deadlines"),
        N_("recours why {reference}"),
        Counted(
            "{count} claim will not be tried before its deadline: {reference}, due on {day}.",
            "{count} claims will not be tried before their deadlines; the first is {reference}, due on {day}.",
        ),
    ),
    _K.EVIDENCE: ProblemText(
        N_("evidence that vanishes"),
        N_("recours why {reference}"),
        Counted(
            "{count} claim will not be tried before its carrier forgets the parcel: {reference}, on {day} at the latest.",
            "{count} claims will not be tried before their carriers forget the parcels; the first is {reference}, on {day} at "
            "the latest.",
        ),
    ),
    _K.REFUSED_DOCUMENTS: ProblemText(
        N_("refused documents of {name}"),
        N_("Look at the files. If they are proofs, say so: recours attach CLAIM FILE --anyway --why TEXT"),
        N_(
            "Documents of {count} parcels of {name} were refused within a day: it may have changed its layout ({files})."
        ),
    ),
    _K.NOT_ENROLLED: ProblemText(
        N_("claims that are not enrolled"),
        N_("To choose which ones are: recours enroll. To leave them all out: RECOURS_ENROLL_NEW=false"),
        Counted(
            "{count} open claim with a tracking number is not enrolled, so no POD is fetched for it.",
            "{count} open claims with a tracking number are not enrolled, so no POD is fetched for them.",
        ),
    ),
    _K.INTERNAL_ERRORS: ProblemText(
        N_("internal errors"),
        N_("grep -A 20 Traceback logs/*.log"),
        Counted(
            "{count} attempt ended in an internal error of recours since yesterday.",
            "{count} attempts ended in an internal error of recours since yesterday.",
        ),
    ),
    _K.MAILS_WAITING: ProblemText(
        N_("mails that cannot be sent"),
        N_("recours mail test you@example.com"),
        Counted(
            "{count} mail has waited for the mail server{since}.",
            "{count} mails have waited for the mail server{since}.",
        ),
    ),
    _K.MAILS_HELD: ProblemText(
        N_("mails that are held"),
        N_("recours mail release"),
        Counted(
            "{count} mail is held by the send limit (RECOURS_MAIL_BRAKE){since}.",
            "{count} mails are held by the send limit (RECOURS_MAIL_BRAKE){since}.",
        ),
    ),
    _K.MAILS_UNDECIDED: ProblemText(
        N_("mails that may not have arrived"),
        N_("Ask the recipients: logs/email_sender.log names them"),
        Counted(
            "{count} mail may not have arrived: a run died while sending it.",
            "{count} mails may not have arrived: a run died while sending them.",
        ),
    ),
}

_NAMED = {
    "clients": Counted("{count} client ({named})", "{count} clients ({named})"),
    "accounts": Counted("{count} account of a client ({named})", "{count} accounts of clients ({named})"),
    "long": Counted(" For more than a week: {named}.", " For more than a week: {named}."),
}
_DIFFERENCES = {
    "repaired": Counted(
        "The sweep over all claims had to repair {count} row that differed from its claim.",
        "The sweep over all claims had to repair {count} rows that differed from their claims.",
    ),
    "owed": Counted(
        "The service's table has been without a result of {count} claim for more than an hour.",
        "The service's table has been without results of {count} claims for more than an hour.",
    ),
}


class VerdictSentences(Localized):
    """Problems and verdicts in one language."""

    def verdict(self, verdict: Verdict) -> str:
        """The one sentence that says whether all is well."""
        if not verdict.is_well:
            things = ", ".join(self._filled(PROBLEMS[p.kind].short, p, verdict.at) for p in verdict.problems)
            return self.counted(
                "{count} thing needs you: {things}.",
                "{count} things need you: {things}.",
                len(verdict.problems),
                things=things,
            )
        more = "+" if verdict.is_more else ""
        blocked = self("nothing blocked")
        if verdict.blocked:
            blocked = self("{count} of them until a limit resets", count=self.number(verdict.blocked))
        return self(
            "All is well: {proofs}, {in_progress}, {blocked}.",
            proofs=self.counted("{count} proof today", "{count} proofs today", verdict.proofs_today),
            in_progress=self.counted(
                "{count} claim in progress",
                "{count} claims in progress",
                verdict.in_progress,
                count=f"{self.number(verdict.in_progress)}{more}",
            ),
            blocked=blocked,
        )

    def differences(self, differences: Differences) -> list[str]:
        """A sentence for each way in which recours's rows and the service's do not agree; none at rest."""
        return [
            self.counted(*_DIFFERENCES[name], count) for name, count in asdict(differences).items() if count
        ]

    def sentence(self, problem: Problem, now: datetime) -> str:
        """What the problem is."""
        return self._filled(PROBLEMS[problem.kind].sentence, problem, now)

    def remedy(self, problem: Problem, now: datetime) -> str:
        """What to do: a command, or what must be done before it."""
        return pasteable(self._filled(PROBLEMS[problem.kind].remedy, problem, now))

    def as_json(self, problem: Problem, now: datetime) -> dict[str, Any]:
        """A problem for programs."""
        texts = {"sentence": self.sentence(problem, now), "remedy": self.remedy(problem, now)}
        return problem.as_facts() | texts

    def _filled(self, message: str | Counted, problem: Problem, now: datetime) -> str:
        facts = problem.facts
        since = problem.since
        until = problem.until
        message_text = str(facts.get("said", ""))
        money = self.sums(problem.stake.amounts)
        deadline = facts.get("deadline")
        day = self._day_of(str(deadline or facts.get("evidence_until", "")))
        quote = quoted(self.language, message_text)
        since_when = self._since(since, now) if since else ""
        singular = message if isinstance(message, str) else message.one
        once = "" if "{since}" in singular else since_when  # said already
        values: dict[str, Any] = {
            **facts,
            **{key: names_text(self.language, str(facts.get(key, ""))) for key in ("source", "missing")},
            "count": self.number(problem.count),
            "carrier": problem.carrier,
            "command": SUBCOMMANDS.get(str(facts.get("worker")), ""),
            "since": since_when,
            "at": self._at(since, now, exact=True) if since else "",
            "blocked": self.counted(
                " {count} claim blocked{since}.",
                " {count} claims blocked{since}.",
                problem.count,
                since=once,
            )
            if problem.count
            else "",
            "next": self._next_try(until, now),
            "quote": f"{quote}, " if message_text else "",
            "quoted": f" ({quote})" if message_text else "",
            "author": self(" (by {by})", by=author_text(self.language, f"by {facts['by']}"))
            if facts.get("by")
            else "",
            **{what: self._named(what, facts) for what in ("clients", "accounts", "long")},
            "money": self("; in dispute: {money}", money=money) if money else "",
            "nearest": self(
                "; the nearest deadline is that of {reference}, on {day}",
                reference=facts["reference"],
                day=day,
            )
            if deadline
            else "",
            "often": self._often(int(facts.get("schedule_minutes", 0))),
            "day": day,
        }
        if isinstance(message, str):
            return self(message, **values)
        return self.counted(*message, problem.count, **values)

    def _named(self, label: str, facts: Mapping[str, str | int]) -> str:
        """How many of these there are, and the first of them by name; "": none."""
        named = facts.get(f"{label}_named", "")
        more = int(facts.get(f"{label}_more", 0))
        if more:
            named = self("{named} and {count} more", count=self.number(more), named=named)
        return self.counted(*_NAMED[label], int(facts[label]), named=named) if label in facts else ""

    def _often(self, minutes: int) -> str:
        if minutes % 60 or not minutes:
            return f"{minutes} min"
        return "60 min" if self.language == "fr" and minutes == 60 else f"{minutes // 60} h"  # noqa: PLR2004 (an hour)

    def _day_of(self, text: str) -> str:
        try:
            return self.day(datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text))
        except ValueError:
            return text

    def _at(self, at: datetime, now: datetime, *, exact: bool = False) -> str:
        """Of today the time, of other days the day; `exact`: both."""
        if self.is_same_day(at, now):
            return self.time(at)
        return self.minute(at) if exact else self.day(at)

    def _since(self, at: datetime, now: datetime) -> str:
        if self.is_same_day(at, now):
            return self.in_context("today", " since {at}", at=self._at(at, now))
        return self(" since {at}", at=self._at(at, now))

    def _next_try(self, at: datetime | None, now: datetime) -> str:
        if at is None or at <= now:
            return self(" Next try: at the next run.")
        if self.is_same_day(at, now):
            return self.in_context("today", " Next try {at}.", at=self._at(at, now, exact=True))
        return self(" Next try {at}.", at=self._at(at, now, exact=True))
