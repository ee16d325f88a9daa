"""The overview: problems with the buttons that deal with them, then figures, charts and runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER

from recours.core.mail import MailState
from recours.core.text import clean
from recours.core.translations import N_, Counted
from recours.dashboard import charts
from recours.dashboard.charts import Chart
from recours.dashboard.claim import address_of
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import Visit
from recours.host.installation import readable
from recours.reporting.problems import OF_CLAIMS, PROBLEMS, Problem, ProblemKind, VerdictSentences, verdict
from recours.reporting.system import Health, Overview, Run, Success

_K = ProblemKind
PERIODS = {7: N_("{count} days"), 30: N_("{count} days"), 84: N_("{weeks} weeks")}  # days: name
_MOST_RUNS = 12
_LONGEST = 1000
_SIGNAL = 128  # higher exit statuses mean that a signal ended the run

_BADGES = {
    Health.FINE: ("good", "check"),
    Health.RUNNING: ("good", "play"),
    Health.FAILED: ("bad", "alert"),
    Health.OVERDUE: ("bad", "clock"),
    Health.NEVER_RAN: ("warn", "clock"),
}


def show(visit: Visit) -> Response:
    """Show the overview, or redirect to the claim that an email links to."""
    if reference := visit.query.get("claim"):
        return RedirectResponse(address_of(reference), HTTP_303_SEE_OTHER)
    period = visit.query.get("days", "")
    days = int(period) if period in map(str, PERIODS) else min(PERIODS)
    texts = visit.texts
    overview = visit.reports.overview(days)
    names = {key: spec.name for key, spec in visit.app.catalog.specs.items()}
    verdict_now = verdict(overview)
    sentences = VerdictSentences(texts.language, texts.zone)
    return visit.page(
        "overview.html",
        verdict=verdict_now,
        sentence=clean(sentences.verdict(verdict_now), _LONGEST),
        problems=[_problem(problem, overview, sentences, texts) for problem in verdict_now.problems],
        cards=_cards(overview, texts),
        workers=[(worker, *_BADGES[worker.health]) for worker in overview.workers],
        differences=sentences.differences(overview.differences),
        charts=_charts(overview.success, names, texts),
        runs=[(run, *_result(run, overview, texts)) for run in overview.runs[:_MOST_RUNS]],
        at=overview.at,
        days=days,
        periods=PERIODS,
    )


_ATTEMPTS = Counted("{count} attempt", "{count} attempts")
_CLAIMS = Counted("{count} claim", "{count} claims")
_MAILS = Counted("{count} email", "{count} emails")
_RUNS = Counted("{count} run", "{count} runs")
# The unit that each kind of problem counts. Other kinds have no count.
_COUNTED_AS = {
    **dict.fromkeys(OF_CLAIMS, _CLAIMS),
    _K.RUNS_KILLED: _RUNS,
    _K.CLOCK_AHEAD: _RUNS,
    _K.INTERNAL_ERRORS: _ATTEMPTS,
    _K.MAILS_WAITING: _MAILS,
    _K.MAILS_HELD: _MAILS,
    _K.MAILS_UNDECIDED: _MAILS,
}


def _problem(
    problem: Problem, overview: Overview, sentences: VerdictSentences, texts: PageTexts
) -> dict[str, Any]:
    """A problem for the template. `facts`: its count, start and the money at stake; `name`: the carrier's name."""
    facts = []
    if (forms := _COUNTED_AS.get(problem.kind)) and problem.count:
        facts.append(texts.counted(*forms, problem.count, count=texts.many(problem.count)))
    if problem.since:
        facts.append(texts("since {day}", day=texts.short_minute(problem.since, overview.at)))
    if money := texts.sums(problem.money.amounts):
        if problem.money.is_more:
            money = texts("at least {money}", money=money)
        facts.append(texts("at stake: {money}", money=money))
    remedy = readable(clean(sentences.remedy(problem, overview.at), _LONGEST))
    remedy, command = split_command(problem, remedy)
    return {
        "sentence": clean(sentences.sentence(problem, overview.at), _LONGEST),
        "remedy": remedy,
        "command": command,
        "facts": facts,
        "fixes": fixes_of(problem),
        "name": str(problem.facts.get("name", "")),
    }


def _cards(overview: Overview, texts: PageTexts) -> list[tuple[str, str, str, str]]:
    """The figures, each with its label, value, link to the list of its claims, and explanation."""
    lists = {
        "due": (texts("Due now"), "/claims?stage=new&stage=ready"),
        "waiting": (texts("Waiting"), "/claims?stage=waiting"),
        "to_correct": (texts("To correct"), claims_of(Problem(_K.TO_CORRECT))),
        "given_up": (texts("Given up"), "/claims?stage=given_up"),
    }
    counts = {name: sum(backlog.counts[name] for backlog in overview.backlogs) for name in lists}
    oldest = min((backlog.oldest for backlog in overview.backlogs if backlog.oldest), default=None)
    period = texts("in the last {count} days", count=len(overview.success.by_day))
    mails_held = overview.open_mails.get(MailState.HELD, 0)
    return [
        (
            texts("Success rate"),
            texts.percent(overview.success.all.percent),
            "#chart-by_day",
            texts.counted("of {count} closed claim", "of {count} closed claims", overview.success.all.closed),
        ),
        (texts("Fetched"), texts.number(overview.success.all.success), "/claims?status=success", period),
        *((label, texts.many(counts[name]), link, "") for name, (label, link) in lists.items()),
        (
            texts("Oldest open claim"),
            texts.age(overview.at - oldest) if oldest else "–",
            "/claims?stage=new&stage=ready&stage=waiting&stage=settled&sort=age&order=desc",
            "",
        ),
        (
            texts("Emails waiting"),
            texts.number(sum(overview.open_mails.values())),
            "/mails",
            texts.counted("{count} held", "{count} held", mails_held) if mails_held else "",
        ),
    ]


def _charts(
    success: Success, names: Mapping[str, str], texts: PageTexts
) -> list[tuple[str, str, str, Chart]]:
    """The charts, each with its key, title and direction of the bars."""
    tried = success.all.success + success.all.failed + success.all.left
    return [
        # Every day has a bar, even without attempts.
        ("by_day", texts("Success by day"), "columns", charts.by_day(success.by_day if tried else {}, texts)),
        (
            "by_carrier",
            texts("Success by carrier"),
            "rows",
            charts.by_carrier(success.by_carrier, names, texts),
        ),
        ("by_retry", texts("Success by retry"), "columns", charts.by_retry(success.by_retry, texts)),
        ("by_kind", texts("Errors by kind"), "rows", charts.by_kind(success.errors, texts)),
    ]


def _result(run: Run, overview: Overview, texts: PageTexts) -> tuple[str, str]:
    """The tone and text for the result of a run."""
    if run.ended_at is None or run.exit_status is None:
        has_died = any(run.id == other.id for worker in overview.workers for other in worker.unended)
        return ("bad", texts("did not finish")) if has_died else ("", texts("in progress"))
    if run.exit_status == 0:
        return "good", texts("completed")
    if run.exit_status > _SIGNAL:
        return "warn", texts("stopped (exit status {status})", status=run.exit_status)
    return "bad", texts("failed (exit status {status})", status=run.exit_status)


@dataclass(frozen=True)
class Fix:
    """A button for a problem. `label`: a message id. With `fields`, the button submits a form; otherwise it links."""

    label: str
    address: str
    icon: str = ""
    fields: dict[str, str] = field(default_factory=dict)


# How the claims of these problems are sorted. For other problems, the newest claims are first.
_SORT_ORDERS = {
    _K.TO_CORRECT: {"sort": "deadline"},
    _K.DEADLINES: {"sort": "deadline"},
    _K.EVIDENCE: {"sort": "age", "order": "desc"},
}


# Lists of the claims that wait for a worker that does not run, due claims first. People can retry them there.
_WAITING_FOR = {
    "pod_fetch_worker": "/claims?status=pending",
    "pod_retry_scheduler": "/claims?status=failed&sort=next_try",
}
_WAITING_FOR_ANY = "/claims?status=pending&status=failed&sort=next_try"


def split_command(problem: Problem, remedy: str) -> tuple[str, str]:
    """The remedy without its command, and the command to type ("": no command, or a button replaces it)."""
    if not PROBLEMS[problem.kind].is_typed:
        return remedy, ""
    advice, colon, command = remedy.rpartition(": ")
    return advice + colon.rstrip(), command


def fixes_of(problem: Problem) -> list[Fix]:
    """The buttons for a problem, best first. If a worker does not run, its button only lists the waiting claims."""
    if problem.kind is _K.NOT_ENROLLED:
        return [Fix(N_("Select and enroll"), claims_of(problem), "check")]
    fixes = _specific_fixes(problem)
    if problem.kind in OF_CLAIMS and problem.count:
        fixes.append(Fix(N_("Show these claims"), claims_of(problem), "" if fixes else "search"))
    return fixes


def claims_of(problem: Problem) -> str:
    """The address of a list that contains exactly the claims that a problem counts."""
    carrier = {"carrier": problem.carrier} if problem.carrier else {}
    return f"/claims?{urlencode({'problem': problem.kind, **carrier, **_SORT_ORDERS.get(problem.kind, {})})}"


def _specific_fixes(problem: Problem) -> list[Fix]:
    key = problem.carrier
    carrier = Fix(N_("Go to the carrier"), f"/carriers#{quote(key)}")
    accounts = Fix(N_("Go to the accounts"), "/carriers#accounts")
    check = Fix(N_("Check credentials"), "/carriers/check", "retry", {"carrier": key})
    worker = str(problem.facts.get("worker", ""))
    waiting = Fix(N_("Show waiting claims"), _WAITING_FOR.get(worker, _WAITING_FOR_ANY), "search")
    mails = Fix(N_("Go to the emails"), "/mails", "mail")
    runs = Fix(N_("Show the runs"), "#runs")
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
        _K.CARRIER_PAUSED: [Fix(N_("Resume {name}"), "/carriers/resume", "play", {"carrier": key}), carrier],
        _K.INTERNAL_ERRORS: [Fix(N_("Show these claims"), "/claims?kind=internal_error", "search")],
        _K.MAILS_WAITING: [mails],
        _K.MAILS_HELD: [
            Fix(N_("Release the emails"), "/mails/release", "mail", {"state": "held"}),
            Fix(N_("Go to the emails"), "/mails"),
        ],
        _K.MAILS_UNDECIDED: [mails],
    }.get(problem.kind, [])
