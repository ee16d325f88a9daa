"""Of many lanes only a few are asked for claims at once: the most urgent ones are leased first all the same."""

from collections.abc import Collection
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from recours.core.claim import Claim, FetchStatus, Stage, State, urgency
from recours.memory.claims import MemoryClaims
from recours.memory.clock import SimulatedClock
from recours.runs.lane_order import LANES_AT_ONCE
from recours.runs.leasing import Limits
from recours.runs.ports import Lease, Ready
from tests.fakes.examples import MODEST
from tests.fakes.many_lanes import Model, Slice, catalog_of, lane_name
from tests.fakes.table import ServiceTable

LANES = 2 * LANES_AT_ONCE
HOUR = timedelta(hours=1)


@MODEST
@given(
    claims=st.lists(
        st.tuples(st.integers(0, LANES - 1), st.integers(-9, 40), st.booleans()), min_size=60, max_size=90
    ),
    events=st.lists(
        st.tuples(st.sampled_from(["next", "next", "end", "back"]), st.integers(0, 99)), max_size=30
    ),
    concurrency=st.sampled_from([1, 4, 20, 40]),
    carrier_concurrency=st.sampled_from([1, 4, 20]),
)
def test_what_is_leased_next_is_the_most_urgent_of_all_lanes_with_room(
    claims: list[tuple[int, int, bool]],
    events: list[tuple[str, int]],
    concurrency: int,
    carrier_concurrency: int,
) -> None:
    clock, catalog = SimulatedClock(), catalog_of(LANES)
    now, table = clock.now(), ServiceTable(catalog)
    for n, (lane, hours, is_deadline) in enumerate(claims):
        claim = table.add(
            f"CLM-{n}", lane_name(lane), number="XY000000001FR", fetch_status=FetchStatus.FAILED
        )
        state = State(Stage.READY, rank_at=now + hours * HOUR, rank_is_deadline=is_deadline)
        table.rows[claim.id].write_assessed(state)
    limits = Limits(len(claims), concurrency, carrier_concurrency, HOUR)
    leased = Slice(MemoryClaims(table), catalog, clock, limits)
    waiting = {id_: (row.carrier_key, urgency(row.claim.state, now)) for id_, row in table.rows.items()}
    model = Model(leased, waiting)
    for event, n in events:
        if event == "next":
            model.next(now)
        elif leased.under_way and event == "end":
            leased.end(n % len(leased.under_way))
        elif leased.under_way:
            model.hand_back(n % len(leased.under_way), now)
    while model.next(now):
        while leased.under_way:
            leased.end()


class CountedClaims(MemoryClaims):
    """Notes of how many lanes claims are asked at once, and how often heads are read."""

    def __init__(self, table: ServiceTable) -> None:
        """Nothing was asked yet."""
        super().__init__(table)
        self.lanes_asked: list[int] = []
        self.heads_read = 0

    def ready_by_carrier(
        self, stage: Stage, now: datetime, most: int | None = None, carriers: Collection[str] = ()
    ) -> dict[str, Ready]:
        self.heads_read += 1
        return super().ready_by_carrier(stage, now, most, carriers)

    def lease(
        self,
        stage: Stage,
        carriers: Collection[str],
        most: int,
        lease: Lease,
        now: datetime,
        *,
        unnumbered: bool = False,
    ) -> list[Claim]:
        self.lanes_asked.append(len(carriers))
        return super().lease(stage, carriers, most, lease, now, unnumbered=unnumbered)


def test_a_few_lanes_are_asked_at_once_however_many_there_are() -> None:
    """A statement that names thousands of them is slow, and each bundle would need one."""
    clock, catalog = SimulatedClock(), catalog_of(LANES)
    now, table = clock.now(), ServiceTable(catalog)
    for n in range(2 * LANES):
        claim = table.add(
            f"CLM-{n}", lane_name(n % LANES), number="XY000000001FR", fetch_status=FetchStatus.FAILED
        )
        table.rows[claim.id].write_assessed(State(Stage.READY, rank_at=now + n * HOUR))
    claims = CountedClaims(table)
    leased = Slice(claims, catalog, clock, Limits(2 * LANES, 4, 2, HOUR))
    found = 0
    while taken := leased.next():
        found += len(taken)
        while leased.under_way:
            leased.end()
    assert found == 2 * LANES
    assert max(claims.lanes_asked) == LANES_AT_ONCE
    assert claims.heads_read < len(claims.lanes_asked) / 3
