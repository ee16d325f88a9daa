"""The results of `recours check` about the machine, the settings and the database, and what to do about them.

The functions are pure: `recours.cli.check` gathers the facts and passes them as parameters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from recours.core.localized import Localized
from recours.core.text import plural
from recours.reporting.problems import ProblemKind, Verdict, VerdictSentences
from recours.reporting.system import Health, WorkerStatus
from recours.runs.worker import PODFetchWorker
from recours.scheduling.jobs import SUBCOMMANDS, Entry

MB = 1024 * 1024
_ROOM = 500 * MB  # enough for several weeks of runs with many documents
_OTHERS_MAY_READ = 0o004
_GROUP_MAY_READ = 0o040


class CheckState(StrEnum):
    """How serious a result is. A `FAULT` must be fixed; a `REMARK` may describe something intentional."""

    OK = "ok"
    REMARK = "remark"
    FAULT = "fault"


@dataclass(frozen=True)
class CheckResult:
    """The result of a check. `remedy`: what to do about a remark or a fault."""

    name: str
    state: CheckState
    text: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "state": self.state, "words": self.text, "remedy": self.remedy or None}


def ok(name: str, text: str) -> CheckResult:
    return CheckResult(name, CheckState.OK, text)


def remark(name: str, text: str, remedy: str = "") -> CheckResult:
    return CheckResult(name, CheckState.REMARK, text, remedy)


def fault(name: str, text: str, remedy: str) -> CheckResult:
    return CheckResult(name, CheckState.FAULT, text, remedy)


def credentials(carrier: str, source: str, missing: str) -> CheckResult:
    """Whether credentials are set, and their source. `missing`: the missing settings, "" if none."""
    name = f"credentials of {carrier}"
    if missing:
        return remark(name, "not set", f"set {missing}, if you ship with {carrier}")
    return ok(name, f"from {source}")


def secret_file(path: str, mode: int | None) -> CheckResult:
    """Who may read a file with secrets. `mode`: from stat(2); None on Windows, whose permissions differ."""
    name = f"permissions of {path}"
    if mode is None:
        return remark(
            name,
            "not checked on Windows",
            f"in the properties of {path}, allow only the user of the jobs and administrators to read it",
        )
    bits = f"({mode & 0o777:03o})"
    remedy = f"chmod 600 {path}"
    if mode & _OTHERS_MAY_READ:
        return fault(name, f"readable by everyone on this machine {bits}", remedy)
    if mode & _GROUP_MAY_READ:
        return remark(name, f"readable by its group {bits}", f"{remedy}, if that is not intended")
    return ok(name, f"readable by its owner only {bits}")


def folder(
    title: str, path: str, trouble: str | None, free: int | None, *, is_there: bool, more: int = 0
) -> CheckResult:
    """Whether a folder is writable and has enough free space.

    `trouble`: why the folder is not writable; None if it is writable. `free`: free bytes; None: unknown. `more`: bytes
    needed in addition to the usual amount.
    """
    name = f"folder of the {title}"
    if trouble:
        remedy = "give the user who runs the jobs write access to the folder, or set another folder"
        return fault(name, f"{path}: {trouble}", remedy)
    room = "" if free is None else f", {free // MB} MB free"
    if free is not None and free < _ROOM + more:
        return fault(name, f"{path}{room}: {(_ROOM + more) // MB} MB are needed", "free up disk space")
    return ok(name, f"{path}: {'writable' if is_there else 'the first run creates it'}{room}")


def copied_log(path: str, size: int, limit: int) -> CheckResult:
    """Check the size of cron's copy of the log. `limit`: the size at which recours rotates its own logs, in bytes."""
    name = "cron's copy of the log"
    if size > limit:
        remedy = "delete the file and set up logrotate (docs/schedule.md)"
        return fault(name, f"{path} has grown to {size // MB} MB, and nothing rotates it", remedy)
    return ok(name, f"{path}: {-(-size // MB)} MB")


RIGHTS = "database rights"


def rights(missing: Sequence[str], sql: Sequence[str], *, optional: bool) -> CheckResult:
    """Missing rights of the database user, such as `SELECT on clients`. `optional`: only emails need them."""
    text = f"missing: {', '.join(missing)}"
    remedy = granting(sql)
    if optional:
        return remark(RIGHTS, f"{text}; PODs are fetched, but emails are not sent, or not recorded", remedy)
    return fault(RIGHTS, f"{text}; every run fails until these rights are granted", remedy)


def granting(sql: Sequence[str]) -> str:
    return f"ask your administrator to run: {' '.join(sql)}"


def clock(offset: timedelta | None, agree: timedelta, now: datetime, texts: Localized) -> CheckResult:
    """Whether the clocks agree. `offset`: the database's clock minus this machine's; None: no separate clock (SQLite).

    `agree`: the maximum difference of synchronized clocks.
    """
    if offset is not None and abs(offset) > agree:
        apart = f"{abs(offset).total_seconds():.0f} s {'behind' if offset > timedelta(0) else 'ahead of'}"
        text = f"this machine's clock is {apart} the database's clock, which runs use"
        return fault("clock", text, "check the time synchronization (NTP) of both")
    agreed = "" if offset is None else ", and the database agrees"
    return ok("clock", f"{texts.minute(now)} on this machine{agreed}")


# ---------------------------------------------------------------- schedule


def schedule(
    worker: str, entries: Sequence[Entry], status: WorkerStatus | None, texts: Localized
) -> Iterator[CheckResult]:
    """Whether the crontab starts the worker (`entries`), and whether the worker runs. `status` None: unknown."""
    yield _installed(worker, entries, status.health if status else None)
    if status is not None:
        yield from _runs(status, texts, installed=bool(entries))


def _installed(worker: str, entries: Sequence[Entry], health: Health | None) -> CheckResult:
    name = f"schedule of {worker}"
    if not entries:
        if health in (Health.FINE, Health.RUNNING, Health.FAILED):
            elsewhere = (
                "not scheduled for this user here, but running: systemd, a container, Windows, another machine "
                "or another user starts it"
            )
            return remark(name, elsewhere, "recours schedule install, if this machine should start it")
        return fault(name, "not scheduled for this user on this machine", "recours schedule install")
    for entry in entries:
        if entry.problem:
            by_hand = "correct the line with 'crontab -e', because it also runs other commands"
            remedy = "recours schedule install" if entry.plain else by_hand
            return fault(name, f"crontab: {entry.problem}", remedy)
    if len(entries) > 1:
        several = f"{len(entries)} lines of the crontab start it"
        return remark(name, several, "recours schedule show, then remove or install")
    if not entries[0].plain:
        return remark(name, "crontab: the line also runs other commands", "recours schedule show")
    often = "30 minutes" if worker == PODFetchWorker.name else "hour"
    return ok(name, f"crontab, every {often}")


# ---------------------------------------------------------------- the fleet


FLEET = "fleet"


def fleet(
    version: str | None, missing: Sequence[str], missing_rights: Sequence[str], sql: Sequence[str]
) -> CheckResult:
    """Whether the database has Procrastinate's tables and functions, and its user has the rights on them."""
    if missing:
        remedy = "recours init-db --fleet, as the owner of the database"
        return fault(
            FLEET, f"missing tables: {', '.join(missing)}; long-lived workers cannot run without them", remedy
        )
    if missing_rights:
        text = f"missing rights: {', '.join(missing_rights)}; long-lived workers cannot run without them"
        return fault(FLEET, text, granting(sql))
    return ok(FLEET, f"Procrastinate {version or 'is not installed'}; all its tables and rights are present")


def _runs(status: WorkerStatus, texts: Localized, *, installed: bool) -> Iterator[CheckResult]:
    """Whether the worker has run. If `installed`, its first run may not be due yet. The verdict covers bad runs."""
    name = f"runs of {status.worker}"
    if status.last is None:
        never = "has never run on this database"
        by_hand = f"recours {SUBCOMMANDS[status.worker]} --dry-run, then recours schedule install"
        wait = "wait for its next scheduled time; if it does not run then, check cron"
        yield remark(name, never, wait) if installed else fault(name, never, by_hand)
    elif status.health in (Health.FINE, Health.RUNNING):
        yield ok(name, f"the last run started {texts.minute(status.last.started_at)}")


# ---------------------------------------------------------------- other things that need a person


def problems(verdict: Verdict, texts: VerdictSentences) -> Iterator[CheckResult]:
    """The problems that `recours status` shows, each as a fault."""
    for problem in verdict.problems:
        if problem.kind is not ProblemKind.NEVER_RAN:
            worker = str(problem.facts.get("worker", ""))
            name = f"{problem.kind.replace('_', ' ')} {worker}".strip()
            text = texts.sentence(problem, verdict.at).removeprefix(
                f"{worker} "
            )  # the name of the check already includes the worker
            yield fault(name, text, texts.remedy(problem, verdict.at))


def deleted_claims(attempts: int, files: int) -> CheckResult:
    """Whether data of deleted claims, or of claims whose erasure was interrupted, is still kept."""
    if not (attempts or files):
        return ok("deleted claims", "none of their data is kept")
    text = f"{plural(attempts, 'attempt')} and {plural(files, 'file')} of deleted or erased claims are still kept"
    return remark("deleted claims", text, "recours erase --deleted")


def mail(server: str, sender: str, trouble: str | None, waiting: int = 0) -> CheckResult:
    """Whether emails can be sent. `server`: host:port (security), or "" if none is set. `waiting`: unsent emails.

    `trouble`: the error of the test login; "": the login succeeded; None: no login was attempted.
    """
    mails = f"; waiting: {plural(waiting, 'email')}" if waiting else ""
    if not server:
        text = f"no mail server is set{mails}"
        remedy = "set SMTP_HOST and the other SMTP settings in .env"
        return fault("mail server", text, remedy) if waiting else remark("mail server", text, remedy)
    if not sender:
        return fault("mail server", f"{server}: no sender address is set", "set SMTP_FROM")
    if trouble:
        remedy = "correct the SMTP settings, then: recours mail test you@example.com"
        return fault("mail server", f"{trouble}{mails}", remedy)
    tried = "not tried (--offline)" if trouble is None else "accepts the login; nothing was sent"
    return ok("mail server", f"{server}: {tried}{mails}")
