"""What is kept of a run stays small, and what several runs met is one record."""

from datetime import UTC, datetime, timedelta

from recours.core.errors import ErrorKind
from recours.core.pauses import Blocked, Refusal
from recours.core.sentences import Said, Sentence
from recours.runs.circumstances import MOST_CARRIERS, MOST_CLOSURES, Circumstances, closing_kind
from recours.runs.lane import Lane
from recours.runs.ports import Ready

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ready(claims: int) -> Ready:
    return Ready(claims, (0, NOW))


def lane(key: str = "ups", asked: int = 0, closed_at: datetime | None = None, until: int | None = 1) -> Lane:
    end = closed_at + until * MINUTE if closed_at and until else None
    refusal = Refusal(Blocked.RATE_LIMIT, "UPS asked us to wait", end) if closed_at else None
    return Lane(key, key, asked=asked, refusal=refusal, closed_at=closed_at)


def test_claims_of_no_known_carrier_are_nobodys() -> None:
    run = Circumstances()
    run.found({"": ready(3)})
    run.ended([lane("")])
    assert run.met == {}


def test_of_many_carriers_the_first_are_kept() -> None:
    run = Circumstances()
    run.found({f"carrier {n:03}": ready(1) for n in range(MOST_CARRIERS + 5)})
    run.ended([lane("carrier 104", asked=1), lane("carrier 007", asked=1)])
    assert len(run.met) == MOST_CARRIERS
    assert "carrier 104" not in run.met
    assert run.met["carrier 007"].asked == 1


def test_of_several_runs_one_record_is_made() -> None:
    shift = Circumstances()
    for n, due in enumerate((5, 9, 2)):
        piece = Circumstances({"max_retries": 4})
        piece.found({"ups": ready(due)})
        piece.ended([lane(asked=due), lane("gls", closed_at=NOW + n * MINUTE)])
        shift.add(piece)
    assert shift.policy == {"max_retries": 4}
    assert (shift.met["ups"].due, shift.met["ups"].asked) == (9, 16)
    assert [one.since for one in shift.met["gls"].closures] == [NOW + n * MINUTE for n in range(3)]
    assert shift.closed == {"gls"}


def test_a_closure_that_several_workers_met_is_one() -> None:
    run = Circumstances()
    run.ended([lane(closed_at=NOW), lane(closed_at=NOW)])
    for n in range(2):
        run.ended([lane(closed_at=NOW + n * MINUTE, until=None)])
    assert [one.until for one in run.met["ups"].closures] == [NOW + MINUTE, None, None]


def test_of_many_closures_the_last_are_kept() -> None:
    run = Circumstances()
    for n in range(MOST_CLOSURES + 5):
        run.ended([lane(closed_at=NOW + n * MINUTE)])
    assert [one.since for one in run.met["ups"].closures] == [
        NOW + n * MINUTE for n in range(5, MOST_CLOSURES + 5)
    ]


def test_who_closed_it_is_told_apart() -> None:
    own = Refusal(Blocked.RATE_LIMIT, "at its limit", said=Said(Sentence.LIMIT_REACHED, "UPS"))
    assert closing_kind(own) == "own_limit"
    assert closing_kind(Refusal(Blocked.RATE_LIMIT, "asked us to wait")) == "rate_limited"
    assert (
        closing_kind(Refusal(Blocked.RATE_LIMIT, "kept for new claims", reserved=True)) == "kept_for_others"
    )
    assert closing_kind(Refusal(Blocked.CARRIER, "was paused", stopped=True)) == "stopped"
    assert closing_kind(Refusal(Blocked.CARRIER, "refused", kind=ErrorKind.AUTH_FAILED)) == "auth_failed"
