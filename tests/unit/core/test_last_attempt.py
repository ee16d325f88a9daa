"""One more attempt before the deadline: when it is due, that it is made once, and that nothing else changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recours.core.assessment import assess, reschedule, revive, state_for_next_run
from recours.core.claim import Claim, Delivery, Snapshot, Stage, State, deadline_end
from recours.core.decision import Action, Decision, decide, expire, give_up, next_action, pass_retry, succeed
from recours.core.errors import TRAITS, ErrorKind, is_persistent
from recours.core.last_attempt import awaits_last_attempt
from recours.core.outcome import Failure, Retrieved
from recours.core.policy import DUE_SLACK, Policy
from tests.fakes.examples import MODEST

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)
START = datetime(2026, 1, 20, 9, 0, tzinfo=UTC)
DEADLINE = date(2026, 2, 4)
END = datetime(2026, 2, 4, 23, 0, tzinfo=UTC)  # midnight in Paris
OFF = Policy(PARIS)
ON = replace(OFF, last_attempt=30 * HOUR)
TEMPORARY = [
    kind for kind in ErrorKind if TRAITS[kind].uses_attempt and not is_persistent(kind, last_retry=True)
]
# A last attempt with one of these results is repeated.
FAULTS = [ErrorKind.SERVER_ERROR, ErrorKind.TIMEOUT, ErrorKind.NETWORK, ErrorKind.BAD_RESPONSE]
ABOUT_PARCELS = [kind for kind in TEMPORARY if kind not in FAULTS]
HOPELESS = [kind for kind in ErrorKind if is_persistent(kind, last_retry=True)]


def claim(state: State, deadline: date | None = DEADLINE, **columns: Any) -> Claim:
    """A failed claim that a run has assessed."""
    columns = {"number": "XY123456789FR", "fetch_status": "failed"} | columns
    snapshot = Snapshot("failed", "XY123456789FR", "chronopost", state.retries_used, deadline=deadline)
    snapshot = columns.pop("assessed", snapshot)
    return Claim(
        7,
        "CLM-7",
        carrier_name="Chronopost",
        carrier="chronopost",
        deadline=deadline,
        retries_counted=state.retries_used,
        state=state,
        assessed=snapshot,
        **columns,
    )


def ready(used: int, last: datetime = START, **more: Any) -> State:
    """A claim with a due retry."""
    times = {
        "attempts": used + 1,
        "last_retry_at": last if used else None,
        "failed_at": START - 200 * HOUR,
        "next_at": last,
    }
    return State(retries_used=used, **({"stage": Stage.READY} | times | more))


def fail(kind: ErrorKind = ErrorKind.TIMEOUT) -> Failure:
    return Failure(kind, f"an answer of the kind {kind}")


def after(
    at: datetime, used: int = 3, policy: Policy = ON, kind: ErrorKind = ErrorKind.TIMEOUT, **of_claim: Any
) -> Decision:
    """The decision of a retry at that time, with this many used before."""
    return decide(claim(ready(used, at - HOUR), **of_claim), fail(kind), at, policy)


# ---------------------------------------------------------------- when one is set


@pytest.mark.parametrize("kind", TEMPORARY)
def test_the_last_attempt_is_scheduled_once_the_backoff_is_used_up(kind: ErrorKind) -> None:
    decision = after(START, kind=kind)
    assert not decision.gave_up
    assert not decision.events
    assert (decision.state.stage, decision.state.retries_used) == (Stage.WAITING, 4)
    assert decision.state.next_at == decision.state.last_attempt_at == END - 30 * HOUR


@pytest.mark.parametrize("kind", HOPELESS)
@pytest.mark.parametrize("used", [2, 3])
def test_a_claim_with_a_persistent_error_gets_no_last_attempt(kind: ErrorKind, used: int) -> None:
    at = END - 60 * HOUR
    assert after(at, used, kind=kind) == after(at, used, OFF, kind)
    assert after(at, 3, kind=kind).gave_up


@pytest.mark.parametrize(
    ("before_end", "is_set"),
    [(500, True), (36.01, True), (36, True), (35.99, False), (20, False), (-20, False)],
)
def test_the_last_attempt_is_at_least_6_h_away(before_end: float, *, is_set: bool) -> None:
    decision = after(END - before_end * HOUR)
    assert awaits_last_attempt(decision.state) is is_set
    if not is_set:
        assert decision == after(END - before_end * HOUR, policy=OFF)


@pytest.mark.parametrize(("before_end", "is_set"), [(77.99, True), (78, False), (36, True), (100, False)])
def test_a_last_attempt_replaces_only_a_retry_in_the_last_6_hours(before_end: float, *, is_set: bool) -> None:
    decision = after(END - before_end * HOUR, 2)
    assert awaits_last_attempt(decision.state) is is_set
    assert decision.state.retries_used == 3
    assert decision.state.next_at == END - (30 if is_set else before_end - 72) * HOUR


@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30), date(2026, 10, 25)])
@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Pacific/Kiritimati", "UTC"])
def test_the_deadline_ends_in_its_zone_when_clocks_change_too(day: date, zone: str) -> None:
    policy = replace(ON, zone=ZoneInfo(zone))
    at = after(START, policy=policy, deadline=day).state.last_attempt_at
    assert at is not None
    midnight = datetime(day.year, day.month, day.day, tzinfo=policy.zone) + timedelta(days=1)
    assert at + 30 * HOUR == midnight.astimezone(UTC)


@pytest.mark.parametrize("used", [0, 3])
def test_a_deadline_in_the_year_1_schedules_no_last_attempt(used: int) -> None:
    """Some programs write it instead of a missing date; there is no time 30 h before its end."""
    of = claim(ready(used), deadline=date.min)
    decided = decide(of, fail(), START, ON)
    assert (decided.uses_attempt, decided.state.last_attempt_at) == (True, None)


def test_without_retries_the_first_failure_schedules_a_last_attempt() -> None:
    new = claim(State(stage=Stage.NEW), fetch_status="pending")
    state = decide(new, fail(), START, replace(ON, max_retries=0)).state
    assert state.next_at == state.last_attempt_at == END - 30 * HOUR
    assert decide(new, fail(), START, ON).state.next_at == START + HOUR


# ---------------------------------------------------------------- when it is made


def last_decision(
    kind: ErrorKind = ErrorKind.NOT_DELIVERED_YET,
    used: int = 4,
    late: timedelta = timedelta(),
    policy: Policy = ON,
) -> Decision:
    """The decision of the last attempt."""
    at = END - 30 * HOUR
    state = ready(used, at - 50 * HOUR, next_at=at, last_attempt_at=at, kind=ErrorKind.TIMEOUT)
    assert next_action(claim(state), at + late, policy) is Action.CALL
    return decide(claim(state), fail(kind), at + late, policy)


@pytest.mark.parametrize("late", [-3 * timedelta(minutes=1), timedelta(), 5 * HOUR])
def test_the_claim_is_given_up_and_reported_after_the_last_attempt(late: timedelta) -> None:
    decision = last_decision(late=late)
    assert decision.gave_up
    assert decision.state.retries_used == 4  # it is not one of the retries
    assert decision.state.last_retry_at == END - 30 * HOUR + late
    assert decision.state.last_attempt_at == END - 30 * HOUR + min(late, timedelta())
    assert [event.name for event in decision.events] == ["gave_up"]
    assert decision.events[0].facts["last_attempt"] is True
    assert decision.events[0].facts["attempts"] == 5, "the first fetch among them"


@pytest.mark.parametrize("kind", HOPELESS)
def test_an_answer_that_people_can_act_on_is_reported_after_the_last_attempt(kind: ErrorKind) -> None:
    names = [event.name for event in last_decision(kind).events]
    assert names[-1] == "gave_up"
    assert ("pod_failed" in names) is (TRAITS[kind].actor in ("client", "operator"))


@pytest.mark.parametrize("kind", [*ABOUT_PARCELS, ErrorKind.NOT_FOUND])
@pytest.mark.parametrize("late", [-3 * timedelta(minutes=1), timedelta(), 22 * HOUR, 40 * HOUR])
def test_the_retries_continue_unchanged_after_the_last_attempt(kind: ErrorKind, late: timedelta) -> None:
    decision = last_decision(kind, used=3, late=late)
    at = END - 30 * HOUR
    assert not decision.gave_up
    assert (decision.state.stage, decision.state.retries_used) == (Stage.WAITING, 3)
    assert decision.state.next_at == at - 50 * HOUR + 72 * HOUR
    assert decision.state.last_retry_at == at - 50 * HOUR
    assert not awaits_last_attempt(decision.state)
    last = decide(claim(replace(decision.state, stage=Stage.READY)), fail(), at + 60 * HOUR, ON)
    assert last.gave_up


def test_a_successful_last_attempt_is_counted() -> None:
    at = END - 30 * HOUR
    state = ready(4, next_at=at, last_attempt_at=at)
    decision = succeed(claim(state), Retrieved.single(b"%PDF", Delivery(START), "x"), at)
    assert (decision.state.retries_used, decision.state.last_attempt_at) == (5, None)


def test_a_rate_limit_defers_the_last_attempt() -> None:
    at = END - 30 * HOUR
    state = ready(4, next_at=at, last_attempt_at=at, kind=ErrorKind.TIMEOUT)
    until = at + 2 * HOUR
    failure = Failure(ErrorKind.RATE_LIMITED, "later", retry_at=until, claim_only=True)
    decision = decide(claim(state), failure, at, ON)
    assert not decision.uses_attempt
    assert decision.state.next_at == until
    assert next_action(claim(decision.state), until, ON) is Action.CALL
    assert decide(claim(decision.state), fail(ErrorKind.NOT_DELIVERED_YET), until, ON).gave_up


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("used", [3, 4])
def test_after_a_fault_the_last_attempt_is_repeated_hourly_until_the_deadline(
    kind: ErrorKind, used: int
) -> None:
    at = END - 30 * HOUR
    before = ready(used, at - 50 * HOUR, next_at=at, last_attempt_at=at, kind=ErrorKind.NOT_DELIVERED_YET)
    state = before
    for hour in range(29):
        decision = decide(claim(state), fail(kind), at + hour * HOUR, ON)
        assert (decision.uses_attempt, decision.gave_up, decision.events) == (False, False, ())
        assert decision.state.next_at == decision.state.last_attempt_at == at + (hour + 1) * HOUR
        state = replace(decision.state, stage=Stage.READY)
    assert (state.retries_used, state.last_retry_at, state.kind) == (used, at - 50 * HOUR, before.kind)
    last = decide(claim(state), fail(kind), END - HOUR, ON)
    assert last.uses_attempt, "no time is left for another"
    assert last.gave_up is (used == 4)


def test_a_carrier_that_names_a_time_is_not_called_earlier() -> None:
    at = END - 30 * HOUR
    waits = claim(ready(4, next_at=at, last_attempt_at=at, kind=ErrorKind.NOT_DELIVERED_YET))
    out_of_order = replace(fail(ErrorKind.SERVER_ERROR), retry_at=at + 4 * HOUR)
    assert decide(waits, out_of_order, at, ON).state.next_at == at + 4 * HOUR
    too_late = replace(out_of_order, retry_at=END)
    assert decide(waits, too_late, at, ON).gave_up


def test_a_fault_uses_the_retry() -> None:
    assert decide(claim(ready(2)), fail(ErrorKind.SERVER_ERROR), START, ON).uses_attempt


def test_a_claim_is_given_up_without_a_call_after_its_deadline() -> None:
    at = END - 30 * HOUR
    waits = claim(ready(4, next_at=at, last_attempt_at=at, kind=ErrorKind.TIMEOUT))
    assert next_action(waits, END - timedelta(seconds=1), ON) is Action.CALL
    assert next_action(waits, END, ON) is Action.GIVE_UP
    decision = give_up(waits, END, ON)
    assert decision.gave_up
    assert "last_attempt" not in decision.events[0].facts
    assert decision.state.last_attempt_at is None


def test_an_expired_claim_had_no_last_attempt() -> None:
    at = END - 30 * HOUR
    waits = claim(ready(4, next_at=at, last_attempt_at=at, kind=ErrorKind.TIMEOUT))
    decision = expire(waits, END + 900 * HOUR, ON)
    assert decision is not None
    assert decision.state.last_attempt_at is None
    assert "last_attempt" not in decision.events[0].facts


# ---------------------------------------------------------------- edits and options


def waiting(
    used: int = 4, deadline: date | None = DEADLINE, stage: Stage = Stage.WAITING, **columns: Any
) -> Claim:
    """A claim waiting for its last attempt, which was set for DEADLINE; `deadline`: the row's current value."""
    at = END - 30 * HOUR
    state = ready(used, next_at=at, last_attempt_at=at, kind=ErrorKind.TIMEOUT, stage=stage)
    snapshot = Snapshot("failed", "XY123456789FR", "chronopost", used, deadline=DEADLINE)
    return claim(state, deadline, assessed=snapshot, **columns)


@pytest.mark.parametrize("deadline", [None, START.date(), START.date() - timedelta(days=40)])
def test_a_claim_is_given_up_if_the_deadline_leaves_no_time_for_a_last_attempt(deadline: date | None) -> None:
    state = assess(waiting(deadline=deadline), START, ON)
    row = claim(replace(state, stage=Stage.READY), deadline)
    assert next_action(row, END - 30 * HOUR, ON) is Action.GIVE_UP


def test_a_number_has_only_one_last_attempt() -> None:
    gone_on = ready(4, kind=ErrorKind.TIMEOUT, last_attempt_at=START - 9 * HOUR, next_at=START)
    assert decide(claim(gone_on), fail(), START, replace(ON, max_retries=5)).gave_up


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"carrier_name": "Chrono"},
        {"claim_status": "disputed"},
        {"amount": 99.0},
        {"deadline": DEADLINE + timedelta(days=9)},
        {"deadline": DEADLINE - timedelta(days=1)},
    ],
    ids=["none", "another spelling", "its status", "its amount", "a later deadline", "an earlier deadline"],
)
def test_an_edit_does_not_move_the_last_attempt(edit: dict[str, Any]) -> None:
    soon = END - 32 * HOUR  # less than 6 h before it
    state = assess(replace(waiting(), **edit), soon, ON)
    assert awaits_last_attempt(state)
    assert state.next_at == END - 30 * HOUR


@pytest.mark.parametrize("columns", [{"number": "XY000000002FR"}, {"fetch_status": "pending"}])
def test_a_correction_allows_another_last_attempt(columns: dict[str, Any]) -> None:
    state = assess(waiting(**columns), START, ON)
    assert (state.last_attempt_at, state.retries_used) == (None, 0)


def test_a_reset_count_allows_another_last_attempt() -> None:
    state = assess(replace(waiting(), retries_counted=0), START, ON)
    assert (state.last_attempt_at, state.retries_used, state.next_at) == (None, 0, START)


def test_an_attempt_of_another_program_keeps_the_last_attempt() -> None:
    fetching = waiting(fetch_status="fetching", updated_at=START)
    state = assess(fetching, START, ON)
    assert state.next_at == START + HOUR
    snapshot = Snapshot("fetching", "XY123456789FR", "chronopost", 4, deadline=DEADLINE)
    state = assess(claim(state, assessed=snapshot), START + HOUR, ON)
    assert awaits_last_attempt(state)
    # It may also leave the claim to the fetch worker, whose failure starts the backoff.
    abandoned = decide(claim(assess(fetching, START, ON), fetch_status="fetching"), fail(), START + HOUR, ON)
    assert (abandoned.state.retries_used, abandoned.state.last_attempt_at) == (0, None)


@pytest.mark.parametrize("spoilt", [None, END + 999 * HOUR])
def test_a_missing_time_of_the_last_attempt_is_restored(spoilt: datetime | None) -> None:
    waits = waiting()
    lost = replace(waits, state=replace(waits.state, next_at=spoilt))
    assert reschedule(lost.state, START, ON) == waits.state
    if spoilt is None:
        assert assess(lost, START, ON).next_at == END - 30 * HOUR


@pytest.mark.parametrize("most", [0, 1, 3, 6])
@pytest.mark.parametrize("policy", [ON, OFF])
def test_a_scheduled_last_attempt_is_made_regardless_of_later_settings(most: int, policy: Policy) -> None:
    policy = replace(policy, max_retries=most)
    assert state_for_next_run(waiting(), START, policy) == waiting().state
    assert next_action(waiting(stage=Stage.READY), END - 30 * HOUR, policy) is Action.CALL
    assert last_decision(policy=policy).gave_up is (most < 6)


def test_under_a_lowered_limit_a_waiting_claim_is_given_up_without_a_call() -> None:
    waits_for_retry, policy = claim(ready(3, kind=ErrorKind.TIMEOUT)), replace(ON, max_retries=1)
    assert next_action(waits_for_retry, START, policy) is Action.GIVE_UP
    assert give_up(waits_for_retry, START, policy).gave_up


def test_enabling_last_attempts_affects_only_later_answers() -> None:
    over = claim(replace(ready(4, kind=ErrorKind.TIMEOUT), stage=Stage.GIVEN_UP, next_at=None))
    assert state_for_next_run(over, START, ON) == over.state
    waits = claim(replace(ready(3, kind=ErrorKind.TIMEOUT), stage=Stage.WAITING))
    assert state_for_next_run(waits, START, ON) == waits.state
    assert awaits_last_attempt(decide(waits, fail(), START, ON).state)


def test_a_raised_retry_limit_gives_no_second_last_attempt() -> None:
    over = claim(last_decision().state)
    policy = replace(ON, max_retries=6, last_attempt=12 * HOUR)
    at = END - 28 * HOUR
    state = revive(over, at, policy)
    assert not awaits_last_attempt(state)
    state = decide(claim(replace(state, stage=Stage.READY)), fail(), at, policy).state
    assert not awaits_last_attempt(state)
    assert state.next_at == at + 72 * HOUR


# ---------------------------------------------------------------- days of runs, against a model of the rule


@dataclass
class Days:
    """Hourly runs over one claim, using only the rules."""

    policy: Policy
    deadline: date | None
    answers: Sequence[ErrorKind]
    calls: list[datetime] = field(default_factory=list)
    gave_up_at: datetime | None = None
    counted: int = 0

    def live(self, runs: Sequence[datetime]) -> None:
        first = claim(State(stage=Stage.NEW), self.deadline, fetch_status="pending")
        now = claim(decide(first, self._answer(runs[0]), runs[0], self.policy).state, self.deadline)
        for at in runs[1:]:
            if now.state.stage is Stage.GIVEN_UP:
                break
            if now.state.next_at is None or now.state.next_at > self.policy.due_until(at):
                continue
            now = claim(self._turn(now, at).state, self.deadline)
        self.counted = now.state.retries_used

    def _turn(self, row: Claim, at: datetime) -> Decision:
        action = next_action(row, at, self.policy)
        if action is Action.PASS:
            decision = pass_retry(row, at, self.policy)
        elif action is Action.GIVE_UP:
            decision = give_up(row, at, self.policy)
        else:
            decision = decide(row, self._answer(at), at, self.policy)
        self.gave_up_at = at if decision.gave_up else None
        return decision

    def _answer(self, at: datetime) -> Failure:
        self.calls.append(at)
        return fail(self.answers[min(len(self.calls), len(self.answers)) - 1])


@dataclass
class Model:
    """The guide and the rule of the last attempt, implemented again independently of the code."""

    policy: Policy
    deadline: date | None
    answers: Sequence[ErrorKind]
    calls: list[datetime] = field(default_factory=list)
    gave_up_at: datetime | None = None
    counted: int = 0
    is_settled = waits_for_last = was_made = False

    def live(self, runs: Sequence[datetime]) -> None:
        self.end = deadline_end(self.deadline, self.policy.zone) if self.deadline else None
        self.last = self.end - self.policy.last_attempt if self.end and self.policy.last_attempt else None
        self.retry_at = runs[0] + self.policy.waits[0]
        self._call(runs[0])
        self.waits_for_last = self._is_set(runs[0])
        for at in runs[1:]:
            due = self.last if self.waits_for_last and self.last else self.retry_at
            if self.gave_up_at is None and due <= at + DUE_SLACK:
                self._last_attempt(at) if self.waits_for_last else self._retry(at)

    @property
    def is_used_up(self) -> bool:
        return self.counted >= self.policy.max_retries

    def _call(self, at: datetime) -> None:
        self.kind = self.answers[min(len(self.calls), len(self.answers) - 1)]
        self.calls.append(at)

    def _last_attempt(self, at: datetime) -> None:
        before = self.kind
        self.waits_for_last = False
        self.was_made = True
        if self.is_used_up:
            self.gave_up_at = at
        if self.end and (at < self.end or not self.is_used_up):
            self._call(at)
            if self.kind in FAULTS and at + HOUR < self.end:
                self.waits_for_last, self.was_made, self.gave_up_at, self.last = True, False, None, at + HOUR
                self.kind = before
                return
            self.is_settled = is_persistent(self.kind)

    def _retry(self, at: datetime) -> None:
        if self.is_used_up:  # not available
            self.gave_up_at = at
            return
        if not self.is_settled:
            self._call(at)
            self.is_settled = is_persistent(self.kind)
        self.counted += 1
        waits = self.policy.waits
        self.retry_at = at + waits[min(self.counted, len(waits) - 1)]
        self.waits_for_last = self._is_set(at)
        if self.is_used_up and not self.waits_for_last:
            self.gave_up_at = at

    def _is_set(self, at: datetime) -> bool:
        if self.last is None or self.end is None or self.was_made or self.kind in HOPELESS:
            return False
        is_too_late = self.is_used_up or self.retry_at > self.end - 6 * HOUR
        return is_too_late and self.last - at >= 6 * HOUR


USING = st.sampled_from([kind for kind in ErrorKind if TRAITS[kind].uses_attempt])
LIKELY = st.lists(st.one_of(st.sampled_from(TEMPORARY), USING), min_size=1, max_size=9)
DEADLINES = st.integers(-3, 40).map(lambda days: START.date() + timedelta(days=days))


LATE = st.lists(st.integers(0, 280), min_size=1, max_size=7)
OUTAGES = st.lists(st.tuples(st.integers(1, 1100), st.integers(1, 90)), max_size=3)


def runs(late: list[int], outages: list[tuple[int, int]]) -> list[datetime]:
    """The runs of 50 days: hourly, a few seconds late; the machine is off at times."""
    hours = [hour for hour in range(1200) if not any(a <= hour < a + long for a, long in outages)]
    return [START + hour * HOUR + timedelta(seconds=late[hour % len(late)]) for hour in hours]


def lived(days: Days | Model, at: list[datetime]) -> tuple[list[datetime], datetime | None, int]:
    days.live(at)
    return days.calls, days.gave_up_at, days.counted


@MODEST
@given(LATE, OUTAGES, LIKELY, st.one_of(st.none(), DEADLINES), st.integers(1, 6))
def test_without_the_setting_or_a_deadline_the_guides_backoff_applies(
    late: list[int],
    outages: list[tuple[int, int]],
    answers: list[ErrorKind],
    deadline: date | None,
    most: int,
) -> None:
    at, guide = runs(late, outages), replace(OFF, max_retries=most)
    plain = lived(Model(guide, None, answers), at)
    for policy, day in ((OFF, deadline), (ON, None), (OFF, None)):
        assert lived(Days(replace(policy, max_retries=most), day, answers), at) == plain


@MODEST
@given(LATE, OUTAGES, LIKELY, DEADLINES, st.integers(0, 6), st.sampled_from([6, 12, 30, 72, 200]))
def test_last_attempts_follow_a_model_of_the_rule(
    late: list[int],
    outages: list[tuple[int, int]],
    answers: list[ErrorKind],
    deadline: date,
    most: int,
    hours: int,
) -> None:
    policy, at = replace(ON, max_retries=most, last_attempt=hours * HOUR), runs(late, outages)
    assert lived(Days(policy, deadline, answers), at) == lived(Model(policy, deadline, answers), at)
