"""After a run is killed between the parts of an answer, the next run records every part once."""

import hashlib
import json
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from recours.carriers.registry import CATALOG
from recours.core.quota import SHORT
from recours.database.tables import evidence, quota
from recours.sandbox import Parcel, Scenario
from tests.carriers.cases import CASES
from tests.chaos.world import LEASE, World, world_in
from tests.conftest import SERVICE_CLAIMS, START, Kind, claim_row
from tests.processes.forks import Forks

pytestmark = pytest.mark.full("kills between pieces: tests/chaos/test_enumerated.py has kills")

ARGUMENTS = ("--concurrency", "1")
AFTER_THE_LEASE = START + LEASE + timedelta(minutes=1)
# The steps of storing a file that leave something new on disk.
STEPS = ("after a document's replace", "between a document's halves")
# The parts of each carrier's most complete answer, or a tracking record if the carrier issues no documents.
PIECES = {key: [kind.value for kind in cases.pieces] or ["record"] for key, cases in CASES.items()}
KINDS = ["sqlite"]  # one kind is enough, because the kills happen before the run writes to the database


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, kinds: Callable[[str], Kind]) -> Kind:
    return kinds(request.param)


def world_with(world: World, carrier: str, scenario: Scenario) -> World:
    """Add a claim whose parcel has this scenario to the world."""
    number = world.box.example(carrier, "62", 1)
    world.box.parcels[number] = Parcel((scenario,))
    world.settings = world.box.environment(carrier) | world.settings
    row = claim_row(0) | {"carrier": CATALOG.specs[carrier].name, "tracking_number": number}
    with world.database.write() as connection:
        connection.execute(insert(SERVICE_CLAIMS).values(row))
    return world


def check(world: World, pieces: list[str], *, refused: int = 0) -> None:
    rows = world.rows(evidence)
    assert sorted(row["kind"] for row in rows) == sorted(pieces)
    assert sum(row["refused"] is not None for row in rows) == refused
    for row in rows:
        assert hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest() == row["sha256"]
    # Every file has a row, and no note about recorded files remains.
    assert not list(world.pods.glob(".parts/*.jsonl"))
    paths = [path for path in world.pods.rglob("*") if path.is_file()]
    files = [path for path in paths if not {".parts", "manifests"} & {*path.parts}]
    assert {str(path) for path in files} == {row["path"] for row in rows}
    (claim,) = world.claims()
    (tried,) = world.attempts()[claim["id"]]
    is_success = set(pieces) != {"record"} and refused < len(pieces)
    assert (tried["outcome"] == "success") is is_success
    world.check_nothing_is_leased()
    # Only limits on all kinds of calls count every call, and short windows are not stored.
    used_units = [
        row["taken"]
        for row in world.rows(quota)
        if row["window_end"] - row["window_start"] > SHORT and "/*/" in row["limit_key"]
    ]
    assert not used_units or len(world.calls()) <= sum(used_units)


def boundaries(world: World) -> list[tuple[str, int]]:
    """The boundaries of an undisturbed run at which a part, its note, or half of it has just been written."""
    names = world.folder / "names.json"
    ran = world.run(START, *ARGUMENTS, kill_at=None, names=str(names))
    assert ran.status == 0, ran.output
    count, found = 0, []
    for thread, name in json.loads(names.read_text(encoding="utf-8")):
        count += thread == "fetch"
        if thread == "fetch" and name in STEPS:
            found.append((thread, count))
    return found


@pytest.mark.parametrize("carrier", PIECES)
def test_a_kill_between_parts_neither_loses_nor_duplicates_any(
    carrier: str, kind: Kind, forks: Forks, tmp_path: Path
) -> None:
    with world_in(tmp_path / "undisturbed", kind, forks) as world:
        world_with(world, carrier, Scenario.FULL_EVIDENCE)
        places = boundaries(world)
        check(world, PIECES[carrier])
        usual = len(world.calls())
    assert len(places) >= 2 * (1 + len(PIECES[carrier]))  # the parts and the note
    for n, place in enumerate(places):
        with world_in(tmp_path / f"killed-{n}", kind, forks) as world:
            world_with(world, carrier, Scenario.FULL_EVIDENCE)
            assert world.run(START, *ARGUMENTS, kill_at=list(place)).status == -signal.SIGKILL
            assert not world.rows(evidence)
            is_whole = place == places[-1] and PIECES[carrier] != ["record"]
            before = len(world.calls())
            assert world.run(AFTER_THE_LEASE, *ARGUMENTS).status == 0
            check(world, PIECES[carrier])
            # If the answer on disk is complete, no call is repeated; otherwise all calls are.
            assert (len(world.calls()) == before) is is_whole
            assert len(world.calls()) <= 2 * usual


def test_a_kill_while_a_refused_part_is_moved_keeps_the_good_parts(
    kind: Kind, forks: Forks, tmp_path: Path
) -> None:
    """With UPS: the page is refused as a proof, the signature and the photo are kept."""
    with world_in(tmp_path / "undisturbed", kind, forks) as world:
        world_with(world, "ups", Scenario.PARTLY_HOLLOW)
        places = boundaries(world)
        check(world, PIECES["ups"], refused=1)
    for n, place in enumerate(places):
        with world_in(tmp_path / f"killed-{n}", kind, forks) as world:
            world_with(world, "ups", Scenario.PARTLY_HOLLOW)
            assert world.run(START, *ARGUMENTS, kill_at=list(place)).status == -signal.SIGKILL
            assert world.run(AFTER_THE_LEASE, *ARGUMENTS).status == 0
            check(world, PIECES["ups"], refused=1)
            (row,) = [row for row in world.claims() if row["pod_url"]]
            assert row["pod_url"].endswith(".png")


def test_an_answer_without_any_proof_is_stored_as_refused(kind: Kind, forks: Forks, tmp_path: Path) -> None:
    with world_in(tmp_path / "world", kind, forks) as world:
        world_with(world, "ups", Scenario.HOLLOW_POD)
        assert world.run(START, *ARGUMENTS).status == 0
        check(world, ["letter"], refused=1)
        (tried,) = world.attempts()[1]
        assert tried["error_kind"] == "bad_response"
        assert "invalid document as the proof: it says that no proof is available" in tried["message"]
