"""Invariants of leases with any answers: no claim is leased without being fetched."""

import threading
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from recours.core.claim import Claim, Stage, State
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.core.pauses import Refusal
from recours.core.quota import Capability
from recours.runs.ports import CarrierAnswer, Lease, ParcelQuery, Reservation
from tests.fakes.carriers import CATALOG, CHRONOPOST
from tests.fakes.examples import MODEST
from tests.fakes.queue import GOT
from tests.fakes.world import World

HARMLESS = (
    GOT,
    GOT,
    Failure(ErrorKind.NOT_FOUND, "unknown"),
    Failure(ErrorKind.NOT_DELIVERED_YET, "in transit"),
)
TROUBLES = tuple(
    Failure(kind, "said no")
    for kind in (
        ErrorKind.RATE_LIMITED,
        ErrorKind.AUTH_FAILED,
        ErrorKind.ACCESS_DENIED,
        ErrorKind.TIMEOUT,
        ErrorKind.BAD_RESPONSE,
    )
)


@dataclass(frozen=True)
class Scene:
    """Claims by their answers, every third at another carrier, and the parameters of a run."""

    answers: Sequence[Outcome | Exception]
    concurrency: int
    carrier_concurrency: int
    per_call: int
    batch_size: int
    accepts: bool  # the carriers' answers always prove that our account is valid
    calls_left: int = 1000
    stopped_after: int | None = None


def scenes(
    answers: Collection[Outcome | Exception], **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[Scene]:
    return st.builds(
        Scene,
        st.lists(st.sampled_from(list(answers)), min_size=4, max_size=14),
        concurrency=st.integers(1, 3),
        carrier_concurrency=st.integers(1, 5),
        per_call=st.sampled_from([1, 1, 3]),
        batch_size=st.integers(1, 15),
        accepts=st.booleans(),
        **more,
    )


@dataclass
class Watched:
    """A run, and the result of each claim that it leased."""

    scene: Scene
    leased: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    put_back: list[Claim] = field(default_factory=list)
    most_waiting: int = 0  # leased, and not answered yet
    short: set[str] = field(default_factory=set)  # carriers whose units other calls had reserved

    def __post_init__(self) -> None:
        self.world = world = World()
        self._answered = 0
        self._lock = threading.Lock()
        for place, answer in enumerate(self.scene.answers):
            number, carrier = f"XY{place:09}FR", "Chronopost"
            if place % 3 == 2:
                number, carrier = f"{place:010}", "DHL Express"
            world.failed(f"CLM-{place}", number, carrier=carrier)
            world.queue.answers[number] = [answer]
        world.queue.limits["chronopost"] = self.scene.calls_left
        if self.scene.accepts:
            world.queue.asks_alone = lambda key: False  # noqa: ARG005 (the port names it)
        self._take, self._put_back = world.claims.lease, world.claims.release
        self._fetch_bundle, self._reserve = world.queue.fetch_bundle, world.queue.reserve
        world.claims.lease, world.claims.release = self.take, self.note_put_back
        world.queue.fetch_bundle, world.queue.reserve = self.fetch_bundle, self.reserve
        self.worker = world.scheduler(
            self.scene.batch_size,
            concurrency=self.scene.concurrency,
            carrier_concurrency=self.scene.carrier_concurrency,
        )

    def take(
        self,
        stage: Stage,
        carriers: Collection[str],
        limit: int,
        lease: Lease,
        now: datetime,
        *,
        unnumbered: bool = False,
    ) -> list[Claim]:
        claims = self._take(stage, carriers, limit, lease, now, unnumbered=unnumbered)
        with self._lock:
            self.leased += [claim.id for claim in claims]
            waiting = len(self.leased) - self._answered - len(self.put_back)
            self.most_waiting = max(self.most_waiting, waiting)
        return claims

    def note_put_back(self, leased: Sequence[tuple[Claim, State]], lease: Lease) -> None:
        with self._lock:
            self.put_back += [claim for claim, _ in leased]
        self._put_back(leased, lease)

    def reserve(
        self,
        key: str,
        fetches: Sequence[dict[Capability, int]],
        *,
        urgent: dict[Capability, int] | None = None,
        may_continue: Callable[[], bool] = lambda: True,
    ) -> tuple[list[Reservation], Refusal | None]:
        granted, refusal = self._reserve(key, fetches, urgent=urgent, may_continue=may_continue)
        if refusal and refusal.passing:
            self.short.add(key)
        return granted, refusal

    def fetch_bundle(
        self,
        reservations: Sequence[Reservation],
        key: str,
        asked: Sequence[ParcelQuery],
        may_continue: Callable[[], bool] = lambda: True,
    ) -> Generator[CarrierAnswer, None, None]:
        with self._lock:
            self.asked += [one.claim for one in asked]
        answers = self._fetch_bundle(reservations, key, asked, may_continue)
        for _ in asked:
            try:
                yield next(answers)
            finally:
                with self._lock:
                    self._answered += 1
                    if self._answered == self.scene.stopped_after:
                        self.worker.stop(15)

    def run(self) -> None:
        spec = replace(CHRONOPOST, numbers_per_call=self.scene.per_call)
        before, CATALOG.specs["chronopost"] = CATALOG.specs["chronopost"], spec
        try:
            self.report = self.worker.run()
        finally:
            CATALOG.specs["chronopost"] = before


@settings(MODEST)
@given(scenes(HARMLESS))
def test_each_leased_claim_is_fetched_once(scene: Scene) -> None:
    watched = Watched(scene)
    watched.run()
    assert sorted(watched.leased) == sorted(watched.asked)
    assert len(set(watched.leased)) == len(watched.leased)
    assert len(watched.leased) == min(scene.batch_size, len(scene.answers))
    assert watched.put_back == []
    assert watched.most_waiting <= (scene.concurrency + scene.concurrency // 2) * scene.per_call


@settings(MODEST)
@given(
    scenes(
        [*HARMLESS, *TROUBLES, KeyError("an internal error")],
        calls_left=st.sampled_from([1, 3, 5, 1000]),
        stopped_after=st.none() | st.integers(1, 8),
    )
)
@example(Scene([GOT] * 5, 2, 2, per_call=1, batch_size=5, accepts=False, calls_left=5))
@example(Scene([GOT] * 5, 2, 2, per_call=1, batch_size=2, accepts=True, calls_left=3))
def test_a_lease_ends_without_a_call_only_if_the_carrier_is_closed_or_the_run_is_stopped(
    scene: Scene,
) -> None:
    watched = Watched(scene)
    watched.run()
    if watched.report.exit_status == 0 and scene.per_call == 1:
        assert {claim.carrier for claim in watched.put_back} <= watched.worker.refusals.keys() | watched.short
    never_asked = set(watched.leased) - set(watched.asked)
    assert never_asked <= {claim.id for claim in watched.put_back}
    assert watched.most_waiting <= (scene.concurrency + scene.concurrency // 2) * scene.per_call
    assert not watched.world.table.leases()
    assert not any(watched.world.queue.held.values())
