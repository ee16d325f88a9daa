"""The buttons that deal with each problem: where to go, or what is done at once. Pure."""

from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from recours.operations.problems import OF_CLAIMS, OF_WORKERS, Problem, ProblemKind

_K = ProblemKind


@dataclass(frozen=True)
class Fix:
    """`label`: the key of its text. With `fields` it is done at once, by a form that sends them; else it is a link."""

    label: str
    address: str
    icon: str = ""
    fields: dict[str, str] = field(default_factory=dict)


# In which order the claims are shown, where the newest first would not do.
_SORTED = {
    _K.TO_CORRECT: {"sort": "deadline"},
    _K.DEADLINES: {"sort": "deadline"},
    _K.EVIDENCE: {"sort": "age", "order": "desc"},
}


# What waits while a worker does not run, what is due first: it can be retried from there.
_WAITING_FOR = {
    "pod_fetch_worker": "/claims?status=pending",
    "pod_retry_scheduler": "/claims?status=failed&sort=next_try",
}
_WAITING_FOR_ANY = "/claims?status=pending&status=failed&sort=next_try"
# Those that are dealt with on a machine itself, by the command at the end of what to do.
_TYPED = OF_WORKERS - {_K.CLOCK_AHEAD} | {_K.FLEET_SILENT, _K.INTERNAL_ERRORS}


def with_command(problem: Problem, remedy: str) -> tuple[str, str]:
    """What to do, and apart from it the command to be typed; "": there is none, or the page has its button."""
    if problem.kind not in _TYPED:
        return remedy, ""
    before, colon, command = remedy.rpartition(": ")
    return before + colon.rstrip(), command


def fixes_of(problem: Problem) -> list[Fix]:
    """What can be done about it on the page, the best first. A schedule is the machine's: what waits for it is shown."""
    if problem.kind is _K.NOT_ENROLLED:
        return [Fix("fix_enroll", claims_of(problem), "check")]
    found = _first_of(problem)
    if problem.kind in OF_CLAIMS and problem.count:
        found.append(Fix("fix_claims", claims_of(problem), "" if found else "search"))
    return found


def claims_of(problem: Problem) -> str:
    """Where exactly those claims are listed that it counts."""
    carrier = {"carrier": problem.carrier} if problem.carrier else {}
    return f"/claims?{urlencode({'problem': problem.kind, **carrier, **_SORTED.get(problem.kind, {})})}"


def _first_of(problem: Problem) -> list[Fix]:
    key = problem.carrier
    carrier, accounts = (
        Fix("fix_carrier", f"/carriers#{quote(key)}"),
        Fix("fix_accounts", "/carriers#accounts"),
    )
    check = Fix("fix_check_credentials", "/carriers/check", "retry", {"carrier": key})
    worker = str(problem.facts.get("worker", ""))
    waiting = Fix("fix_waiting", _WAITING_FOR.get(worker, _WAITING_FOR_ANY), "search")
    mails = Fix("fix_mails", "/mails", "mail")
    runs = Fix("fix_runs", "#runs")
    return {
        _K.NEVER_RAN: [waiting],
        _K.OVERDUE: [waiting, runs],
        _K.FLEET_SILENT: [waiting],
        _K.RUN_FAILED: [runs],
        _K.RUNS_KILLED: [runs],
        _K.CLOCK_AHEAD: [runs],
        _K.CREDENTIALS_REJECTED: [check, carrier],
        _K.ACCOUNT_DENIED: [check, carrier],
        _K.OUTAGE: [check, carrier],
        _K.NOT_CONFIGURED: [carrier],
        _K.NO_ACCOUNT: [accounts],
        _K.ACCOUNTS_REFUSED: [accounts],
        _K.ACCOUNTS_UNUSABLE: [accounts],
        _K.CARRIER_PAUSED: [Fix("fix_resume", "/carriers/resume", "play", {"carrier": key}), carrier],
        _K.INTERNAL_ERRORS: [Fix("fix_claims", "/claims?kind=internal_error", "search")],
        _K.MAILS_WAITING: [mails],
        _K.MAILS_HELD: [
            Fix("fix_release", "/mails/release", "mail", {"state": "held"}),
            Fix("fix_mails", "/mails"),
        ],
        _K.MAILS_UNDECIDED: [mails],
    }.get(problem.kind, [])
