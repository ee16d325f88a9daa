"""Manifests on real databases: of concurrent runs, of killed runs, of many files."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, make_url

from recours.core.evidence import NOTHING_BEFORE
from recours.database.engine import Database
from recours.database.evidence import PORTION, DatabaseCustody, add_evidence, evidence_rows
from recours.database.tables import evidence
from recours.evidence.verification import Verification
from tests.contract.test_claims import NOW, Run, rows
from tests.contract.test_pieces import BLANK, LETTER, record, run

SPAWN = multiprocessing.get_context("spawn")
PROCESSES, ROUNDS = 4, 10
__all__ = ["run"]  # a fixture


def keep(folder: Path) -> Callable[[str, bytes], None]:
    def write(name: str, content: bytes) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return write


def store(database: Database, first: int, count: int) -> None:
    """Record files like runs."""
    row = {
        "carrier": "ups", "tracking_number": "X", "kind": "letter", "source": "a test", "obtained_at": NOW, "size": 9,
        "media_type": "application/pdf", "shown": {},
    }  # fmt: skip
    numbers = range(first, first + count)
    files = [row | {"claim_id": n, "path": f"/pods/{n}.pdf", "sha256": f"{n:064x}"} for n in numbers]
    with database.write() as connection:
        connection.execute(insert(evidence), files)


def named(database: Database, folder: Path) -> list[list[str]]:
    """The files in each manifest. Each manifest follows its predecessor."""
    previous = NOTHING_BEFORE
    names: list[list[str]] = []
    for row in rows(database, "SELECT * FROM recours_manifests ORDER BY id"):
        number, _, before, _, *lines = (folder / row["path"]).read_text().splitlines()
        assert (number, before) == (f"# recours manifest {len(names) + 1}", f"# previous {previous}")
        previous = row["sha256"]
        names.append([line.partition("  ")[2] for line in lines if not line.startswith("# record ")])
    return names


def run_once(url: str, folder: Path, first: int) -> None:
    database = Database(make_url(url))
    for n in range(ROUNDS):
        store(database, first + n, 1)
        DatabaseCustody(database, Path("/pods")).add(f"run-{first}", NOW, keep(folder))
    database.close()


def test_concurrent_runs_list_each_file_in_one_manifest(url: str, database: Database, tmp_path: Path) -> None:
    processes = [SPAWN.Process(target=run_once, args=(url, tmp_path, 100 * n)) for n in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    assert sorted(name for names in named(database, tmp_path) for name in names) == sorted(
        f"{100 * n + m}.pdf" for n in range(PROCESSES) for m in range(ROUNDS)
    )


def die_before_the_row(url: str, folder: Path) -> None:
    def write(name: str, content: bytes) -> None:
        keep(folder)(name, content)
        os.kill(os.getpid(), signal.SIGKILL)

    DatabaseCustody(Database(make_url(url)), Path("/pods")).add("killed", NOW, write)


def test_the_next_manifest_lists_the_files_of_a_killed_run(
    url: str, database: Database, tmp_path: Path
) -> None:
    store(database, 1, 3)
    process = SPAWN.Process(target=die_before_the_row, args=(url, tmp_path))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["000001-killed.txt"]
    assert named(database, tmp_path) == []
    custody = DatabaseCustody(database, Path("/pods"))
    added = custody.add("next", NOW, keep(tmp_path))
    assert added
    assert added[0] == custody.last()
    assert named(database, tmp_path) == [["1.pdf", "2.pdf", "3.pdf"]]
    assert custody.add("next", NOW, keep(tmp_path)) is None


def test_many_files_are_listed_in_several_manifests(database: Database, tmp_path: Path) -> None:
    store(database, 1, PORTION + 7)
    custody = DatabaseCustody(database, Path("/pods"))
    counts = [added[1] for _ in range(3) if (added := custody.add("a-run", NOW, keep(tmp_path)))]
    assert counts == [PORTION, 7]
    assert [len(names) for names in named(database, tmp_path)] == counts


def test_a_file_obtained_again_is_listed_again(run: Run, tmp_path: Path) -> None:
    custody = DatabaseCustody(run.database, Path("/pods"))
    (claim,) = run.take()
    record(run, claim, LETTER, BLANK)
    custody.add("1", NOW, keep(tmp_path))
    with run.database.write() as connection:
        moved = replace(BLANK, refused=None, path="/pods/c.pdf")
        add_evidence(connection, evidence_rows(claim, [LETTER, moved], NOW + timedelta(days=1)))
    custody.add("2", NOW, keep(tmp_path))
    assert named(run.database, tmp_path) == [["a.pdf", "refused/c.pdf"], ["a.pdf", "c.pdf"]]
    problems: list[str] = []
    Verification(custody, problems.append).run()
    # No file was created here, and no run is recorded.
    assert all(
        "is missing" in problem or "no recorded run" in problem or "different proofs" in problem
        for problem in problems
    )
