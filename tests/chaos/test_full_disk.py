"""During a run, the disk with the log, the database or the documents becomes full."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from recours.sandbox import Sandbox, Scenario
from tests.chaos.test_enumerated import AFTER_THE_LEASE
from tests.chaos.world import Durable, Moment, Ran, World
from tests.conftest import START, Databases, Kind
from tests.fakes.disk import Disk
from tests.postgres import running
from tests.processes.forks import Forks

CLAIMS = 60
STEPS = [(Scenario.DELIVERED,), (Scenario.UNKNOWN,), (Scenario.DELIVERED,)] * (CLAIMS // 3)
ALL = ("--batch-size", str(CLAIMS))
KB = 1024


@contextmanager
def open_to_all() -> Iterator[Path]:
    """A folder that the server's user can access, unlike pytest's folders."""
    with tempfile.TemporaryDirectory(prefix="recours-disk-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def world_with(
    folder: Path, databases: Databases, forks: Forks, place: Path | None = None
) -> Iterator[World]:
    """A world with its database at `place`, which only matters for SQLite."""
    clock = Moment()
    with Sandbox(now=clock.now) as box:
        world = World(folder, databases.ready(place or folder), box, clock, forks)
        world.add(STEPS)
        try:
            yield world
        finally:
            world.database.close()


def _recovers(world: World) -> None:
    """Check that the first run with free space, after the end of the leases, completes everything."""
    stored, asked = world.documents(), world.proof_requests()
    ran = world.run(AFTER_THE_LEASE, *ALL)
    assert ran.status == 0, ran.output[-2000:]
    ends = [fact[0] for fact in world.facts().values()]
    assert ends == [{Scenario.DELIVERED: "success"}.get(steps[0], "failed") for steps in STEPS]
    assert all(row["pod_retry_count"] == 1 for row in world.claims())
    assert not [row for row in world.claims() if row["kind"] == "internal_error"]
    for number in stored:
        assert world.proof_requests()[number] == asked[number], f"{number}: its document was paid for twice"
    world.check_claims()
    world.check_nothing_is_leased()
    world.check_quota()


def _check_output(ran: Ran, sentence: str) -> None:
    assert ran.status == 1, ran.output[-2000:]
    assert sentence in ran.output, ran.output[-2000:]
    assert "Traceback" not in ran.output


@pytest.fixture
def leaves(*, is_long: bool) -> list[int]:
    """Amounts of free space in bytes, so that the disk becomes full at different points of a run."""
    return [n * 12 * KB for n in (range(14) if is_long else (0, 5))]


Repeat = Callable[[Callable[[Path, int], None]], None]


@pytest.fixture
def for_each_amount(tmp_path: Path, leaves: list[int]) -> Repeat:
    def repeat(case: Callable[[Path, int], None]) -> None:
        for leave in leaves:
            folder = tmp_path / str(leave)
            folder.mkdir()
            case(folder, leave)

    return repeat


def test_the_disk_of_the_documents(kind: Kind, forks: Forks, for_each_amount: Repeat) -> None:
    def case(folder: Path, leave: int) -> None:
        with closing(Disk(folder / "pods", 1024)) as disk, world_with(folder, kind, forks) as world:
            disk.fill(leave)
            ran = world.run(START, *ALL)
            if leave > CLAIMS * 8 * KB:  # enough space for all documents
                assert ran.status == 0
            else:
                _check_output(ran, "Documents cannot be stored in")
            disk.empty()
            _recovers(world)

    for_each_amount(case)


def test_the_disk_of_the_log(kind: Kind, forks: Forks, for_each_amount: Repeat) -> None:
    def case(folder: Path, leave: int) -> None:
        with closing(Disk(folder / "logs", 1024)) as disk, world_with(folder, kind, forks) as world:
            disk.fill(min(leave, 4 * KB))
            ran = world.run(START, *ALL)
            _check_output(ran, "could not be written: No space left on device")
            assert all(row["pod_retry_count"] == 1 for row in world.claims()), (
                "a full log must not stop a run"
            )
            disk.empty()
            _recovers(world)

    for_each_amount(case)


def test_the_disk_of_an_sqlite_file(kinds: Any, forks: Forks, for_each_amount: Repeat) -> None:
    failed = []

    def case(folder: Path, leave: int) -> None:
        place = folder / "disk"
        with (
            closing(Disk(place, 16 * 1024)) as disk,
            world_with(folder, kinds("sqlite"), forks, place) as world,
        ):
            world.database.close()
            disk.fill(leave)
            ran = world.run(START, *ALL)
            failed.append(ran.status)
            if ran.status:
                _check_output(ran, f"[ERROR] - __main__ - The database SQLite {place}")
            disk.empty()
            _recovers(world)

    for_each_amount(case)
    assert 1 in failed


@pytest.mark.full("full disks, of a PostgreSQL server too")
def test_the_disk_of_postgresql(
    forks: Forks, tmp_path: Path, leaves: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = []
    for leave in leaves[:4]:
        folder = tmp_path / str(leave)
        folder.mkdir()
        with open_to_all() as place, closing(Disk(place, 160 * 1024)) as disk:
            monkeypatch.setattr(tempfile, "tempdir", str(place))
            with running(durable=True, max_wal_size="32MB") as server:
                monkeypatch.undo()
                with world_with(folder, Durable(server), forks) as world:
                    disk.fill(leave)
                    ran = world.run(START, *ALL)
                    failed.append(ran.status)
                    if ran.status:
                        _check_output(ran, "[ERROR] - __main__ - The database postgresql+psycopg://")
                    disk.empty()
                    _recovers(world)
    assert 1 in failed, failed
