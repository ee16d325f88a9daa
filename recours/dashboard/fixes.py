"""The button that deals with each problem: where to go, or what is done at once. Pure."""

from dataclasses import dataclass, field
from urllib.parse import quote

from recours.operations.problems import Problem, ProblemKind

_K = ProblemKind


@dataclass(frozen=True)
class Fix:
    """`label`: the key of its text. With `fields` it is done at once, by a form that sends them; else it is a link."""

    label: str
    address: str
    icon: str = ""
    fields: dict[str, str] = field(default_factory=dict)


_WAITING = "stage=new&stage=ready&stage=waiting&stage=unnumbered"
_OF_CLAIMS = {
    _K.UNKNOWN_CARRIER: "/claims?carrier=none",
    _K.DEADLINES: f"/claims?{_WAITING}&sort=deadline&order=asc",
    _K.EVIDENCE: f"/claims?{_WAITING}&sort=age&order=desc",
    _K.INTERNAL_ERRORS: "/claims?kind=internal_error",
}
_AT_CARRIER = frozenset({_K.CREDENTIALS_REJECTED, _K.ACCOUNT_DENIED, _K.OUTAGE})
_OF_RUNS = frozenset({_K.RUN_FAILED, _K.RUNS_KILLED, _K.CLOCK_AHEAD})


def fixes_of(problem: Problem) -> list[Fix]:
    """What can be done about it on the page, the best first; nothing about a schedule, which is the machine's."""
    kind, key = problem.kind, problem.carrier
    carrier = Fix("fix_carrier", f"/carriers#{quote(key)}")
    if kind in _OF_CLAIMS:
        return [Fix("fix_claims", _OF_CLAIMS[kind], "search")]
    if kind in _AT_CARRIER:
        return [Fix("fix_check_credentials", "/carriers/check", "retry", {"carrier": key}), carrier]
    if kind in _OF_RUNS:
        return [Fix("fix_runs", "#runs")]
    of_kind = {
        _K.NOT_CONFIGURED: [carrier],
        _K.NO_ACCOUNT: [Fix("fix_accounts", "/carriers#accounts")],
        _K.ACCOUNTS_REFUSED: [Fix("fix_accounts", "/carriers#accounts")],
        _K.ACCOUNTS_UNUSABLE: [Fix("fix_accounts", "/carriers#accounts")],
        _K.CARRIER_PAUSED: [Fix("fix_resume", "/carriers/resume", "play", {"carrier": key}), carrier],
        _K.NOT_ENROLLED: [Fix("fix_enroll", "/claims?status=none", "check")],
        _K.MAILS_HELD: [
            Fix("fix_release", "/mails/release", "mail", {"state": "held"}),
            Fix("fix_mails", "/mails"),
        ],
        _K.MAILS_WAITING: [Fix("fix_mails", "/mails", "mail")],
        _K.MAILS_UNDECIDED: [Fix("fix_mails", "/mails", "mail")],
    }
    return of_kind.get(kind, [])
