"""The metrics file: what Prometheus reads from it after whole runs, and what happens if it cannot be written."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from recours.database.engine import Database
from recours.database.schema import inspection
from recours.monitoring.prometheus import Metric, exposition, replace_file
from recours.sandbox import Parcel, Sandbox, Scenario
from tests.conftest import add_claims, environment_of
from tests.processes.commands import Done, recours, worker

ROOT = Path(inspection.__file__).parents[3]
Run = Callable[..., Done]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
SCHEDULER, FETCHER = "pod_retry_scheduler", "pod_fetch_worker"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "textfiles").mkdir()
    return tmp_path / "textfiles" / "recours.prom"


@pytest.fixture
def run(url: str, sandbox: Sandbox, tmp_path: Path, file: Path) -> Run:
    environment = environment_of(url, sandbox.url) | {
        "RECOURS_POD_DIR": str(tmp_path / "pods"),
        "RECOURS_LOG_DIR": str(tmp_path / "logs"),
        "RECOURS_METRICS_FILE": str(file),
    }

    def run(name: str, *options: str, **more: str) -> Done:
        return worker(name, *options, environment=environment | more, folder=tmp_path)

    return run


def samples(content: str) -> Samples:
    """Every sample, read by Prometheus's own parser; each metric has a description, and none has a timestamp."""
    found: Samples = {}
    for family in text_string_to_metric_families(content):
        assert family.type == "gauge"
        assert family.documentation
        assert family.samples
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            assert sample.timestamp is None
            found[key] = sample.value
    return found


def read(file: Path) -> Samples:
    return samples(file.read_text(encoding="utf-8"))


def value(found: Samples, name: str, **labels: str) -> float:
    return found[f"recours_{name}", frozenset(labels.items())]


# ---------------------------------------------------------------- after runs


def test_each_run_tells_of_both_workers_what_is_recorded(
    run: Run, file: Path, database: Database, sandbox: Sandbox
) -> None:
    begun = datetime.now(UTC)
    sandbox.parcels["XY009999999FR"] = Parcel((Scenario.IN_TRANSIT,))
    add_claims(database, [{}, {}, {"tracking_number": "XY009999999FR"}, {"tracking_number": "nonsense"}])
    assert run(SCHEDULER, "--dry-run").returncode == 0
    assert not file.exists()
    assert run(SCHEDULER).returncode == 0
    add_claims(database, [{"claim_reference": "new", "pod_fetch_status": "pending", "tracking_number": None}])
    assert run(FETCHER, QUOTA_CHRONOPOST="10/day").returncode == 0
    found = read(file)
    outcomes = {"success": 2, "failed": 2, "skipped_persistent": 0, "gave_up": 0}
    for outcome, count in outcomes.items():
        assert value(found, "run_claims", worker=SCHEDULER, outcome=outcome) == count
        assert value(found, "run_claims", worker=FETCHER, outcome=outcome) == 0
    for name in (SCHEDULER, FETCHER):
        start = value(found, "run_last_start_timestamp_seconds", worker=name)
        end = value(found, "run_last_success_timestamp_seconds", worker=name)
        assert begun.timestamp() - 1 < start <= end < datetime.now(UTC).timestamp() + 1
        assert value(found, "run_exit_status", worker=name) == 0
        assert value(found, "run_duration_seconds", worker=name) > 0
    of_day = {"carrier": "chronopost", "calls": "any", "window": "day@Europe/Paris"}
    figures = [value(found, f"quota_{what}_calls", **of_day) for what in ("used", "limit")]
    assert figures == [5, 10]
    stages = {"waiting": 1, "settled": 1, "ready": 0, "unnumbered": 1, "given_up": 0}
    for stage, count in stages.items():
        assert value(found, "backlog_claims", carrier="chronopost", stage=stage) == count
    assert value(found, "backlog_oldest_timestamp_seconds", carrier="chronopost") < begun.timestamp()
    assert value(found, "mails_waiting", state="ready") == 0
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    page = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    described = page.partition("## Metrics")[2].partition("```yaml")[0]
    named = set(re.findall(r"recours_[a-z_]+", described.partition("|")[2]))
    of_clients = {name for name in named if name.startswith("recours_client_account")}  # here none has one
    assert named - of_clients == {name for name, _ in found}


def test_a_closed_carrier_and_its_reason(run: Run, url: str, file: Path, database: Database) -> None:
    add_claims(database, [{}] * 3)

    def closed() -> list[float]:
        reasons = ("rate_limit", "account", "paused")
        return [value(read(file), "carrier_closed", carrier="chronopost", reason=why) for why in reasons]

    assert run(SCHEDULER, QUOTA_CHRONOPOST="4/day").returncode == 0
    assert closed() == [1, 0, 0]
    assert run(SCHEDULER, CHRONOPOST_PASSWORD="999999").returncode == 0
    assert closed() == [0, 1, 0]
    assert run(SCHEDULER).returncode == 0
    assert closed() == [0, 0, 0]
    assert recours("pause", "Chronopost", environment={"DATABASE_URL": url}).returncode == 0
    assert run(FETCHER).returncode == 0
    assert closed() == [0, 0, 1]


def test_a_killed_run_counts_as_started_but_not_successful(run: Run, file: Path, database: Database) -> None:
    assert run(SCHEDULER).returncode == 0
    well = value(read(file), "run_last_success_timestamp_seconds", worker=SCHEDULER)
    later = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(minutes=1)
    insert = "INSERT INTO recours_runs (id, worker, started_at, ended_at, exit_status, stats) VALUES "
    with database.write() as connection:
        connection.execute(
            text(f"{insert} ('a', '{SCHEDULER}', :at, :at, 1, '{{\"failed\": \"?\"}}')"), {"at": str(later)}
        )
        for n in range(30):
            at = later + timedelta(minutes=n + 1)
            connection.execute(
                text(f"{insert} ('b{n}', '{SCHEDULER}', :at, NULL, NULL, NULL)"), {"at": str(at)}
            )
    assert run(FETCHER).returncode == 0
    found = read(file)
    assert value(found, "run_last_success_timestamp_seconds", worker=SCHEDULER) == well
    last = (later + timedelta(minutes=30)).replace(tzinfo=UTC).timestamp()
    assert value(found, "run_last_start_timestamp_seconds", worker=SCHEDULER) == last


@pytest.mark.parametrize("spoil", ["no folder", "a folder of that name"])
def test_a_file_that_cannot_be_written_is_a_warning(
    run: Run, file: Path, database: Database, spoil: str
) -> None:
    add_claims(database, [{}])
    file.parent.rmdir() if spoil == "no folder" else (file / "x").mkdir(parents=True)
    done = run(SCHEDULER)
    assert done.returncode == 0
    assert "✅ Success: 1" in done.stderr
    (warned,) = [line for line in done.stderr.splitlines() if "metrics" in line]
    assert f" - [WARNING] - __main__ - The metrics could not be written to {file}: " in warned
    assert "Traceback" not in done.stderr
    assert not file.parent.exists() or [path.name for path in file.parent.iterdir()] == [file.name]


# ---------------------------------------------------------------- the format, and the file


def test_label_values_are_escaped_reversibly() -> None:
    hostile = 'a "quoted" \\ back\\nslash\nline }'
    name = "recours_backlog_claims"
    metric: Metric = (name, [({"carrier": hostile, "b": "é"}, 0.1), ({}, 1e9)])
    found = samples(exposition([metric]))
    assert found[name, frozenset({("carrier", hostile), ("b", "é")})] == 0.1
    assert found[name, frozenset()] == 1e9
    assert len(exposition([metric]).splitlines()) == 4


def test_a_reader_never_sees_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, replace, seen = tmp_path / "x.prom", Path.replace, []

    def look_and_replace(part: Path, target: Path) -> Path:
        """The state just before: the new text is complete, under a name that the collector ignores."""
        read = {found.name: found.read_text() for found in tmp_path.glob("*.prom")}
        seen.append((part.read_text(), part.parent == tmp_path, part.suffix, read))
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", look_and_replace)
    replace_file(path, "recours_x 1\n", "first")
    replace_file(path, "recours_x 2\n", "second")
    assert seen == [
        ("recours_x 1\n", True, ".part", {}),
        ("recours_x 2\n", True, ".part", {"x.prom": "recours_x 1\n"}),
    ]
    assert path.read_text() == "recours_x 2\n"


def test_a_failed_write_keeps_the_previous_file(tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    replace_file(path, "recours_x 1\n", "first")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "recours_x 2\n\ud800", "spoilt")
    assert path.read_text() == "recours_x 1\n"
    assert list(tmp_path.iterdir()) == [path]
