"""Bad input of every kind, given to the real scripts.

Each case of the tables shows: the exit status, a sentence that a person understands on stderr and in the log, nothing
lost, no traceback, no secret anywhere, no forged line.
"""

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from recours.database.engine import Database, DatabaseError
from recours.database.schema.creation import create_file
from recours.database.schema.inspection import look
from recours.sandbox import Sandbox
from tests.acceptance import bad_input_carrier, bad_input_columns, bad_input_places, bad_input_usage
from tests.acceptance.bad_input_case import Case
from tests.acceptance.bad_input_world import (
    ACCOUNT,
    PARTS,
    PASSWORD,
    ROOT,
    World,
    a_number,
    faults_of,
    is_soon,
    lost_claims,
    were_used_up,
)
from tests.long_form import IS_LONG


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        box.accounts[ACCOUNT] = PASSWORD
        box.slow_seconds = 20
        yield box


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, for files that are read from its root."""
    root = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("*.pyc.*"))
        else:
            shutil.copy(source, root / part)
    return root


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database whose schema is current, with a client."""
    path = tmp_path_factory.mktemp("template") / "claims.db"
    create_file(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO clients (id, email) VALUES (1, 'client@example.com')")
    return path


@contextlib.contextmanager
def world_of(case: Case, tmp_path: Path, box: Sandbox, checkout: Path, template: Path) -> Iterator[World]:
    world = World(tmp_path, box, checkout if case.copied else ROOT, case.worker)
    try:
        shutil.copy(template, world.database)
        yield world
    finally:
        world.end()


def show(case: Case, world: World) -> None:
    """Run the case and see that all holds."""
    for name, value in case.env.items():
        world.env.pop(name, None)
        if value is not None:
            world.env[name] = value
    if case.prepare:
        case.prepare(world)
    before, calls = world.snapshot(), len(world.box.calls)
    ran = world.run(*case.options, memory_mb=case.memory_mb, modes_bind=case.modes_bind)
    try:
        assert ran.status == case.status
        assert ran.seconds < case.seconds
        for sentence in case.says:
            assert sentence in ran.stderr
            assert not case.logged or sentence in ran.log, f"not in the log: {sentence}"
        assert list(faults_of(world, ran, traceback=case.internal)) == []
        assert world.snapshot() == before
        assert case.calls or len(world.box.calls) == calls, "the carrier was asked"
        if case.check:
            case.check(world, ran)
        if before is not None:
            assert list(lost_claims(world)) == []
    except AssertionError as error:
        raise AssertionError(f"{error}\n{ran.everything}") from None


# The unit tests have each setting, each answer of a carrier and each fault of a folder: here each takes a process.
SAMPLE = pytest.mark.sample("bad input: repeats another case, or takes long", every=6)
FULL = pytest.mark.full("bad input: repeats another case, or takes long")
ON_POSIX = pytest.mark.skipif(os.name != "posix", reason="file modes mean little there")


def table(cases: list[Case]) -> list[object]:
    return [
        pytest.param(case, id=case.name, marks=[FULL] * case.full + [ON_POSIX] * case.modes_bind)
        for case in cases
    ]


@SAMPLE
@pytest.mark.parametrize("case", table(bad_input_usage.CASES))
def test_usage(case: Case, tmp_path: Path, box: Sandbox, checkout: Path, template: Path) -> None:
    with world_of(case, tmp_path, box, checkout, template) as world:
        bad_input_usage.first_claim(world)
        show(case, world)


@SAMPLE
@pytest.mark.parametrize("case", table(bad_input_places.CASES))
def test_places(case: Case, tmp_path: Path, box: Sandbox, checkout: Path, template: Path) -> None:
    with world_of(case, tmp_path, box, checkout, template) as world:
        bad_input_places.first_claim(world)
        show(case, world)


@SAMPLE
@pytest.mark.parametrize("case", table(bad_input_carrier.CASES))
def test_carrier(case: Case, tmp_path: Path, box: Sandbox, checkout: Path, template: Path) -> None:
    with world_of(case, tmp_path, box, checkout, template) as world:
        show(case, world)


# ---------------------------------------------------------------- garbage in every column


Rows = list[tuple[str, str, str]]


def garbage_world(world: World, rows: Rows, stage: str | None) -> dict[str, tuple[str, str]]:
    """A claim for each row's garbage, spoilt after our first run if `stage` is given. By reference: column and garbage."""
    for place in range(len(rows)):
        world.claim(f"CLM-{place:04}", a_number(), response_deadline="2099-01-01")
    if stage:
        world.sql("UPDATE claims SET updated_at = datetime('now')")
        world.run()
        world.sql(f"UPDATE claims SET pod_stage = '{stage}', pod_next_retry_at = datetime('now', '-1 hour')")
    for place, (column, _, sql) in enumerate(rows):
        if column != "claim_reference":  # by which the others are found; it has a test of its own
            world.sql(f"UPDATE claims SET {column} = {sql} WHERE claim_reference = 'CLM-{place:04}'")
    return {f"CLM-{place:04}": (column, name) for place, (column, name, _) in enumerate(rows)}


def verdicts(world: World, spoilt: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Rows with which something else happened than what their column says."""
    for reference, (column, name) in spoilt.items():
        claim, attempts = world.one(reference), world.attempts(reference)
        what = f"{column} = {name}: {claim['pod_fetch_status']!r}, stage {claim['pod_stage']!r}"
        if column in bad_input_columns.LEFT_ALONE:
            if attempts or claim["pod_fetch_status"] == "success":
                yield f"{what}: a claim in a state of others was touched"
        elif column in bad_input_columns.REFUSED:
            if [a["error_kind"] for a in attempts] not in (["invalid_tracking"], ["unsupported_carrier"]):
                yield f"{what}: not refused, {attempts}"
        elif claim["pod_fetch_status"] != "success" and not explained(column, attempts, claim):
            yield f"{what}: not fetched, {[a['message'] for a in attempts]}"


def explained(column: str, attempts: list[dict[str, Any]], claim: dict[str, Any]) -> bool:
    if bad_input_columns.is_used_up(column) and (attempts or were_used_up(claim)):
        return True
    waits = claim["pod_stage"] in ("waiting", "settled") and is_soon(claim["pod_next_retry_at"])
    return bad_input_columns.has_a_retry(column) and waits


def show_garbage(world: World, rows: Rows, stage: str | None) -> None:
    world.env["QUOTA_CHRONOPOST"] = "100000/day"
    spoilt = garbage_world(world, rows, stage)
    before = world.snapshot()
    ran = world.run("--batch-size", "10000", "--concurrency", "16", "--json")
    assert ran.status == 0, ran.stderr[-3000:]
    assert list(faults_of(world, ran)) == []
    assert world.snapshot() == before
    odd = [*verdicts(world, spoilt), *lost_claims(world)]
    assert odd == [], "\n".join(odd)


@pytest.mark.full("garbage in every column: tests/contract/test_records.py has spoilt claims")
@pytest.mark.parametrize("stage", [None, "waiting", "ready"])
def test_garbage_in_every_column(
    stage: str | None, tmp_path: Path, box: Sandbox, checkout: Path, template: Path
) -> None:
    with world_of(Case("garbage", 0, ()), tmp_path, box, checkout, template) as world:
        show_garbage(world, bad_input_columns.rows(), stage)


@pytest.mark.parametrize(
    "name",
    [name for name, sql in bad_input_columns.GARBAGE.items() if sql != "NULL"]  # the column takes none
    if IS_LONG
    else bad_input_columns.OF_A_REFERENCE,
)
def test_garbage_for_a_reference(
    name: str, tmp_path: Path, box: Sandbox, checkout: Path, template: Path
) -> None:
    sql = bad_input_columns.GARBAGE[name]
    with world_of(Case("garbage", 0, ()), tmp_path, box, checkout, template) as world:
        world.claim("CLM-1", a_number())
        world.sql(f"UPDATE claims SET claim_reference = {sql}")
        before = world.snapshot()
        ran = world.run()
        assert ran.status == 0, ran.stderr
        assert list(faults_of(world, ran)) == []
        assert world.snapshot() == before
        assert world.sql("SELECT pod_fetch_status FROM claims") == [("success",)]
        (path,) = [Path(url) for (url,) in world.sql("SELECT pod_url FROM claims")]
        assert path.is_relative_to(world.pod_dir)
        assert path.is_file()


# ---------------------------------------------------------------- a lock, without the half minute


@contextlib.contextmanager
def locked(template: Path, tmp_path: Path) -> Iterator[Database]:
    """A database that another program holds; we wait for it for a fifth of a second."""
    path = tmp_path / "claims.db"
    shutil.copy(template, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        database = Database(URL.create("sqlite", database=str(path)), lock_wait_s=0.2)
        try:
            yield database
        finally:
            database.close()


def test_a_lock_is_waited_for_and_told(template: Path, tmp_path: Path) -> None:
    with locked(template, tmp_path) as database:
        with pytest.raises(DatabaseError, match="is locked by another program"), database.write():
            pass
        with (
            pytest.raises(DatabaseError, match="is locked by another program"),
            database.read() as connection,
        ):
            connection.exec_driver_sql("SELECT * FROM claims")


def test_a_lock_is_waited_for_once(template: Path, tmp_path: Path) -> None:
    with locked(template, tmp_path) as database:
        start = time.monotonic()
        with pytest.raises(DatabaseError, match="is locked by another program"):
            look(database)
        assert time.monotonic() - start < 0.35


# ---------------------------------------------------------------- a console that takes nothing


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device")
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_full_disk_under_the_console(
    stream: str, tmp_path: Path, box: Sandbox, checkout: Path, template: Path
) -> None:
    with (
        world_of(Case("full", 0, ()), tmp_path, box, checkout, template) as world,
        Path("/dev/full").open("w") as full,
    ):
        world.claim("CLM-1", a_number())
        streams: dict[str, Any] = {stream: full}
        ran = world.run("--json", **streams)
        assert world.one("CLM-1")["pod_fetch_status"] == "success"
        assert ran.status in (0, 1)
        assert "Traceback" not in ran.log
