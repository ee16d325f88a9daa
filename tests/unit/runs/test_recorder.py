"""An attempt's end, decided, recorded and said."""

import logging
from datetime import timedelta

import pytest

from recours.core.claim import Delivery, Stage
from recours.core.decision import give_up
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Retrieved
from recours.runs.attempt import Ended
from recours.runs.ports import Label, Lease, RunError, StoredDocument
from recours.runs.recorder import Recorder
from recours.runs.summary import Stats
from tests.fakes.documents import PDF
from tests.fakes.world import World, local


@pytest.fixture
def world() -> World:
    return World()


def recorder(world: World, stats: Stats) -> Recorder:
    return Recorder(
        world.claims,
        world.documents,
        world.clock,
        world.policy,
        stats,
        "run-1",
        local,
        asked=False,
        what=lambda _: "Fetch",
    )


def test_the_end_of_a_claim_that_was_edited_meanwhile_is_not_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="__main__")
    claim, stats = world.failed("CLM-1", retries_counted=5), Stats()
    recorder(world, stats).end(claim, give_up(claim, world.now, world.policy))
    assert (stats, caplog.messages, world.table.told) == (Stats(), [], [])


def test_without_its_disk_what_has_no_document_is_recorded_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(documents: list[StoredDocument]) -> None:
        if documents:
            raise RunError("The disk is broken.")

    for number in (1, 2):
        world.failed(f"CLM-{number}")
    world.retry(carriers=("dhl_express",))  # makes them ready, and takes none
    lease = Lease("run-1", world.now + timedelta(minutes=10))
    proved, failed = world.claims.lease(Stage.READY, ["chronopost"], 2, lease, world.now)
    got = Retrieved(PDF, Delivery(), "a test")
    document = world.documents.store(Label("chronopost", proved.id, proved.reference, "N"), got)
    monkeypatch.setattr(world.documents, "secure", broken)
    with pytest.raises(RunError, match="broken"):
        recorder(world, Stats()).conclude(
            [
                (proved, Ended(got, world.now, 0.1, calls=2, document=document)),
                (failed, Ended(Failure(ErrorKind.NOT_FOUND, "unknown"), world.now, 0.1, calls=1)),
            ]
        )
    assert [attempt.claim.id for attempt in world.table.attempts] == [failed.id]


@pytest.mark.parametrize(("text", "shown"), [("bad\nnews", "bad\\x0anews"), ("x" * 400, "x" * 299 + "…")])
def test_a_foreign_text_cannot_forge_a_line(
    world: World, caplog: pytest.LogCaptureFixture, text: str, shown: str
) -> None:
    claim, stats = world.failed("CLM-1", retries_counted=5, error_text=text), Stats()
    decision = give_up(claim, world.now, world.policy)
    recorder(world, stats).say_passed(claim, decision)
    assert caplog.messages == [f"🛑 FINAL FAILURE: CLM-1 gave up after 5 attempts - {shown}"]
    assert (stats.skipped_persistent, stats.max_retries_reached) == (1, 1)
