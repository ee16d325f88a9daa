"""The figures that a monitoring system keeps: drawn from the records, for both workers at once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from recours.core.claim import Stage
from recours.core.errors import ACCOUNT_KINDS
from recours.core.mail import MailState
from recours.core.quota import Limit
from recours.operations.problems import ProblemKind, problems
from recours.operations.records import COUNTED_UP_TO, Backlog, Run
from recours.operations.status import CarrierNow, Overview
from recours.runs.ports import Blocked, Refusal

Labels = tuple[tuple[str, str], ...]

# Keys of a run's `--json` that count claims, by what the metric calls the outcome.
OUTCOMES = {
    "success": "success",
    "failed": "failed",
    "skipped_persistent": "skipped_persistent",
    "skipped_rate_limit": "skipped_rate_limit",
    "skipped_reserved": "skipped_reserved",
    "skipped_carrier": "skipped_carrier",
    "skipped_locked": "skipped_locked",
    "gave_up": "max_retries_reached",
}
# Why a carrier takes no call.
CLOSED = ("rate_limit", "account", "paused")
_UNASSESSED = "unjudged"


@dataclass(frozen=True)
class Metric:
    """One metric with its samples, all gauges: what is counted here may go down again."""

    name: str
    meaning: str
    samples: tuple[tuple[Labels, float], ...]


def metrics(now: Overview, last_success: Mapping[str, Run]) -> list[Metric]:
    """What there is to be told. `last_success`: of each worker that has one, the last run that went well."""
    found = [*_runs(now, last_success), *_backlogs(now), *_carriers(now.carriers)]
    mails = [((("state", state),), now.mails.get(state, 0)) for state in (MailState.READY, MailState.HELD)]
    found.append(
        Metric("recours_mails_waiting", "Mails that are to be sent (ready) or released (held).", tuple(mails))
    )
    found.append(_problems(now))
    found.append(
        _one("recours_metrics_timestamp_seconds", "When these figures were read.", now.at.timestamp())
    )
    return [metric for metric in found if metric.samples]


def _problems(now: Overview) -> Metric:
    count = Counter(problem.kind for problem in problems(now))
    samples = tuple(((("kind", kind.value),), count[kind]) for kind in ProblemKind)
    return Metric(
        "recours_problems", "Problems that need a person, as 'recours status' counts them.", samples
    )


def _one(name: str, meaning: str, value: float) -> Metric:
    return Metric(name, meaning, (((), value),))


# ---------------------------------------------------------------- runs


def _runs(now: Overview, last_success: Mapping[str, Run]) -> Iterator[Metric]:
    begun = {worker.worker: worker.last for worker in now.workers if worker.last}
    over = {
        worker.worker: run
        for worker in now.workers
        if (run := next((run for run in worker.runs if run.ended_at is not None), None))
    }
    yield _of_workers(
        "recours_run_last_start_timestamp_seconds",
        "When the worker's last run began.",
        {name: run.started_at.timestamp() for name, run in begun.items()},
    )
    yield _of_workers(
        "recours_run_last_success_timestamp_seconds",
        "When the worker's last run with exit status 0 ended.",
        {name: run.ended_at.timestamp() for name, run in last_success.items() if run.ended_at},
    )
    yield _of_workers(
        "recours_run_exit_status",
        "Exit status of the worker's last run that is over.",
        {name: run.exit_status for name, run in over.items() if run.exit_status is not None},
    )
    yield _of_workers(
        "recours_run_duration_seconds",
        "How long the worker's last run that is over took.",
        {name: number for name, run in over.items() if (number := _number(run, "duration_s")) is not None},
    )
    claims = [
        ((("worker", name), ("outcome", outcome)), number)
        for name, run in over.items()
        for outcome, key in OUTCOMES.items()
        if (number := _number(run, key)) is not None
    ]
    yield Metric("recours_run_claims", "Claims of the worker's last run that is over.", tuple(claims))


def _of_workers(name: str, meaning: str, values: Mapping[str, float]) -> Metric:
    return Metric(name, meaning, tuple(((("worker", worker),), value) for worker, value in values.items()))


def _number(run: Run, key: str) -> float | None:
    """A figure of a run; what somebody has spoilt in the records is none."""
    value = run.stats.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


# ---------------------------------------------------------------- claims


def _backlogs(now: Overview) -> Iterator[Metric]:
    there = {backlog.carrier: backlog for backlog in now.backlogs}
    for carrier in now.carriers:
        if carrier.configured:
            there.setdefault(carrier.key, Backlog(carrier.key, {}))
    yield Metric(
        "recours_backlog_claims",
        f"Claims that are not done, by stage (due now: ready and new), each counted up to {COUNTED_UP_TO}.",
        tuple(
            ((("carrier", key or "none"), ("stage", stage)), count)
            for key, backlog in sorted(there.items())
            for stage, count in _stages(backlog)
        ),
    )
    yield Metric(
        "recours_backlog_oldest_timestamp_seconds",
        "Since when the oldest claim that is still tried has failed, or is new.",
        tuple(
            ((("carrier", key or "none"),), backlog.oldest.timestamp())
            for key, backlog in sorted(there.items())
            if backlog.oldest
        ),
    )


def _stages(backlog: Backlog) -> Iterator[tuple[str, int]]:
    for stage in Stage:
        yield stage.value, backlog.stages.get(stage, 0)
    yield _UNASSESSED, backlog.unassessed


# ---------------------------------------------------------------- carriers


def _carriers(carriers: Iterable[CarrierNow]) -> Iterator[Metric]:
    ours = [carrier for carrier in carriers if carrier.configured]
    uses = [(_of_limit(use.limit), use) for carrier in ours for use in carrier.uses]
    parts = (
        ("used", "Calls used of a limit, in its present window.", [(at, use.used) for at, use in uses]),
        ("limit", "Calls that a limit allows in a window.", [(at, use.limit.number) for at, use in uses]),
        (
            "left",
            "Calls that can still be granted in the present window.",
            [(at, use.left) for at, use in uses],
        ),
    )
    for name, meaning, samples in parts:
        yield Metric(f"recours_quota_{name}_calls", meaning, tuple(samples))
    yield Metric(
        "recours_quota_reset_timestamp_seconds",
        "When the present window of a limit ends.",
        tuple((at, use.resets_at.timestamp()) for at, use in uses),
    )
    yield Metric(
        "recours_carrier_closed",
        "1 for the reason why a carrier takes no call now, else 0.",
        tuple(
            ((("carrier", carrier.key), ("reason", reason)), int(reason == _why(carrier.refusal)))
            for carrier in ours
            for reason in CLOSED
        ),
    )


def _of_limit(limit: Limit) -> Labels:
    day = limit.window.seconds == 0
    return (
        ("carrier", limit.carrier),
        ("calls", (limit.capability or "any").lower()),
        ("window", limit.window.key if day else limit.window.label),
    )


def _why(refusal: Refusal | None) -> str | None:
    if refusal is None:
        return None
    if refusal.kind in ACCOUNT_KINDS:
        return "account"
    return "rate_limit" if refusal.why is Blocked.RATE_LIMIT else "paused"  # by a person
