"""Metrics of both workers in Prometheus's text format, for node_exporter's textfile collector.

The format is described at https://prometheus.io/docs/instrumenting/exposition_formats/. The collector may read files
whose names end in `.prom` at any time, and rejects samples with timestamps.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from recours.core.errors import ACCOUNT_KINDS
from recours.core.mail import MailState
from recours.core.pauses import Blocked
from recours.reporting.problems import OF_ACCOUNTS, ProblemKind, problems
from recours.reporting.records import COUNTED_UP_TO
from recours.reporting.system import Backlog, CarrierNow, Overview, Run

# The outcome labels of the metric `recours_run_claims`, with the keys of the counts in a run's `--json`.
OUTCOMES = {
    "success": "success",
    "failed": "failed",
    "skipped_persistent": "skipped_persistent",
    "skipped_rate_limit": "skipped_rate_limit",
    "skipped_reserved": "skipped_reserved",
    "skipped_carrier": "skipped_carrier",
    "gave_up": "max_retries_reached",
}
# The reasons why a carrier is not called.
CLOSED = ("rate_limit", "account", "paused", "unavailable")

# All metrics are gauges, because counts may decrease.
MEANINGS = {
    "recours_run_last_start_timestamp_seconds": "Start of the worker's last run.",
    "recours_run_last_success_timestamp_seconds": "End of the worker's last run with exit status 0.",
    "recours_run_exit_status": "Exit status of the worker's last completed run.",
    "recours_run_duration_seconds": "Duration of the worker's last completed run.",
    "recours_fleet_last_tick_timestamp_seconds": "Time when a long-lived worker last checked for due claims.",
    "recours_run_claims": "Claims in the worker's last completed run.",
    "recours_backlog_claims": (
        f"Claims that are not done, by stage (ready and new are due now), each counted up to {COUNTED_UP_TO}."
    ),
    "recours_backlog_oldest_timestamp_seconds": (
        "Time since when the oldest claim that is still attempted has been new or failed."
    ),
    "recours_quota_used_calls": "Calls used of a limit in its current window.",
    "recours_quota_limit_calls": "Calls that a limit allows per window.",
    "recours_quota_reset_timestamp_seconds": "End of a limit's current window.",
    "recours_carrier_closed": "1 for the reason why a carrier is not called now or does not answer, else 0.",
    "recours_mails_waiting": "Emails that wait to be sent (ready) or released (held).",
    "recours_problems": "Problems that need a person, as counted by 'recours status'.",
    "recours_metrics_timestamp_seconds": "Time when these metrics were read.",
}
_IN_LABEL = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})

# The name of a metric and its samples, each with its labels and value.
Metric = tuple[str, Sequence[tuple[Mapping[str, str], float]]]


def metrics(now: Overview, last_success: Mapping[str, Run]) -> list[Metric]:
    """The metrics to export. `last_success`: each worker's last successful run, if any."""
    mails = [({"state": state}, now.open_mails.get(state, 0)) for state in (MailState.READY, MailState.HELD)]
    count = Counter(problem.kind for problem in problems(now))
    kinds = [kind for kind in ProblemKind if kind not in OF_ACCOUNTS or now.accounts]
    all_metrics = [
        *_runs(now, last_success),
        *_backlogs(now),
        *_carriers([carrier for carrier in now.carriers if carrier.configured]),
        ("recours_mails_waiting", mails),
        ("recours_problems", [({"kind": kind}, count[kind]) for kind in kinds]),
        ("recours_metrics_timestamp_seconds", [({}, now.at.timestamp())]),
    ]
    return [(name, samples) for name, samples in all_metrics if samples]


def _runs(now: Overview, last_success: Mapping[str, Run]) -> Iterator[Metric]:
    def of_workers(name: str, values: Mapping[str, float]) -> Metric:
        return name, [({"worker": worker}, value) for worker, value in values.items()]

    over = {
        worker.worker: run
        for worker in now.workers
        if (run := next((run for run in worker.runs if run.ended_at is not None), None))
    }
    yield of_workers(
        "recours_run_last_start_timestamp_seconds",
        {worker.worker: worker.last.started_at.timestamp() for worker in now.workers if worker.last},
    )
    yield of_workers(
        "recours_run_last_success_timestamp_seconds",
        {name: run.ended_at.timestamp() for name, run in last_success.items() if run.ended_at},
    )
    yield of_workers(
        "recours_run_exit_status",
        {name: run.exit_status for name, run in over.items() if run.exit_status is not None},
    )
    yield of_workers(
        "recours_run_duration_seconds",
        {name: number for name, run in over.items() if (number := run.stats.get("duration_s")) is not None},
    )
    if now.fleet:
        yield "recours_fleet_last_tick_timestamp_seconds", [({}, now.fleet.ticked_at.timestamp())]
    claims = [
        ({"worker": name, "outcome": outcome}, number)
        for name, run in over.items()
        for outcome, key in OUTCOMES.items()
        if (number := run.stats.get(key)) is not None
    ]
    yield "recours_run_claims", claims


def _backlogs(now: Overview) -> Iterator[Metric]:
    backlogs = {carrier.key: Backlog(carrier.key, {}) for carrier in now.carriers if carrier.configured}
    backlogs |= {backlog.carrier: backlog for backlog in now.backlogs_by_carrier}
    counts: list[tuple[Mapping[str, str], float]] = []
    oldest: list[tuple[Mapping[str, str], float]] = []
    for key, backlog in sorted(backlogs.items()):
        carrier = {"carrier": key or "none"}
        counts += [
            (carrier | {"stage": stage}, count) for stage, count in backlog.counts.items() if stage != "due"
        ]
        if backlog.oldest:
            oldest.append((carrier, backlog.oldest.timestamp()))
    yield "recours_backlog_claims", counts
    yield "recours_backlog_oldest_timestamp_seconds", oldest


def _carriers(carriers: Sequence[CarrierNow]) -> Iterator[Metric]:
    uses = []
    for carrier in carriers:
        for use in carrier.uses:
            limit = use.limit
            window = use.limit.window
            labels = {"carrier": limit.carrier, "calls": (limit.capability or "any").lower()}
            uses.append((labels | {"window": window.label if window.seconds else window.key}, use))
    yield "recours_quota_used_calls", [(labels, use.calls) for labels, use in uses]
    yield "recours_quota_limit_calls", [(labels, use.limit.number) for labels, use in uses]
    yield (
        "recours_quota_reset_timestamp_seconds",
        [(labels, use.resets_at.timestamp()) for labels, use in uses],
    )
    closed = [
        ({"carrier": carrier.key, "reason": reason}, int(reason == _why_closed(carrier)))
        for carrier in carriers
        for reason in CLOSED
    ]
    yield "recours_carrier_closed", closed


def _why_closed(carrier: CarrierNow) -> str | None:
    refusal = carrier.refusal
    if refusal is None:
        return "unavailable" if carrier.unavailable_since else None
    if refusal.kind in ACCOUNT_KINDS:
        return "account"
    return "rate_limit" if refusal.why is Blocked.RATE_LIMIT else "paused"  # by a person


def exposition(metrics: Iterable[Metric]) -> str:
    lines = []
    for name, samples in metrics:
        lines += [f"# HELP {name} {MEANINGS[name]}", f"# TYPE {name} gauge"]
        for labels, value in samples:
            text = ",".join(f'{label}="{content.translate(_IN_LABEL)}"' for label, content in labels.items())
            number = str(int(value)) if float(value).is_integer() else repr(float(value))
            lines.append(f"{name}{f'{{{text}}}' if text else ''} {number}")
    return "".join(f"{line}\n" for line in lines)


def replace_file(path: Path, text: str, mark: str) -> None:
    """Replace the file atomically. `mark`: a unique part of the temporary file's name, which the collector ignores.

    Raises OSError.
    """
    part = path.with_name(f".{path.name}.{mark}.part")
    try:
        with part.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
