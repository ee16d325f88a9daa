"""Invariants of the rules with any answers, edits and options, in any order."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from recours.core.assessment import assess, reschedule, revive
from recours.core.claim import Claim, Delivery, FetchStatus, Snapshot, Stage, State
from recours.core.decision import Action, Decision, decide, give_up, next_action, pass_retry, succeed
from recours.core.errors import TRAITS, ErrorKind, is_persistent
from recours.core.last_attempt import awaits_last_attempt
from recours.core.mail import Event, EventName
from recours.core.outcome import Failure, Outcome, Retrieved
from recours.core.policy import DEFAULT_WAITS, DUE_SLACK, Policy
from tests.fakes.carriers import CATALOG
from tests.fakes.examples import MODEST

START = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SLACK = timedelta(minutes=5)
POLICY = Policy(ZoneInfo("Europe/Paris"))
NUMBERS = ("XY000000001FR", "XY000000002FR", None)
GOT = Retrieved.single(b"%PDF", Delivery(START), "chronopost searchPOD")

KINDS = st.sampled_from(list(ErrorKind))


@dataclass
class Small:
    """One claim, a clock, and minimal runs of both workers."""

    now: datetime = START
    policy: Policy = POLICY
    claim: Claim = field(default_factory=lambda: Claim(1, "CLM-1", carrier_name="Chronopost"))
    retries: list[tuple[str, datetime, int]] = field(default_factory=list)  # event, time, retries used before
    emitted: Counter[tuple[str, str]] = field(default_factory=Counter)  # before the outbox drops repetitions
    events: dict[tuple[str, str, str], Event] = field(default_factory=dict)  # the outbox

    def __post_init__(self) -> None:
        self.state_before = State()  # as the last retry found it

    @property
    def state(self) -> State:
        return self.claim.state

    def edit(self, **columns: Any) -> None:
        """Write into the row like the service's application or a person."""
        self.claim = replace(self.claim, **columns)
        self.claim = replace(self.claim, carrier=CATALOG.resolve(self.claim.carrier_name))

    @property
    def is_unedited(self) -> bool:
        claim, snapshot = self.claim, self.claim.assessed
        return snapshot is not None and not claim.is_edited and snapshot.carrier_name == claim.carrier_name

    @property
    def is_to_assess(self) -> bool:
        claim, state, snapshot = self.claim, self.state, self.claim.assessed
        is_placed = state.stage is not None and state.rank_at is not None
        is_as_seen = self.is_unedited and snapshot is not None and snapshot.deadline == claim.deadline
        return claim.is_ours and not (is_placed and is_as_seen)

    def scheduler(self, answer: Outcome, *, by_name: bool = False) -> None:
        policy, due_until = self.policy, self.policy.due_until(self.now)
        self._maintain()
        state, may_continue = self.state, self.claim.is_ours and self.state.expired_at is None
        if state.stage is Stage.GIVEN_UP and may_continue and state.retries_used < policy.max_retries:
            rule_for = assess if policy.sets_aside(self.claim) else revive
            self._assess(rule_for(self.claim, self.now, policy))
        if self._is_timed(self.now + policy.waits[-1]) and not awaits_last_attempt(self.state):
            self._assess(reschedule(self.state, self.now, policy))
        if self.state.stage is Stage.SETTLED and not self._is_timed(due_until) and self.is_unedited:
            self._pass()
        self._stage_due()
        if by_name or self.state.stage is Stage.READY:
            self._turn(answer, by_name=by_name)

    def fetch_worker(self, answer: Outcome) -> None:
        self._maintain()
        self._stage_due()
        if self.state.stage is Stage.NEW:
            self._turn(answer, by_name=False)

    def _maintain(self) -> None:
        if self.is_to_assess:
            self._assess(assess(self.claim, self.now, self.policy))
        if (
            self.state.stage is Stage.SHELVED
            and self.claim.is_ours
            and not self.policy.sets_aside(self.claim)
        ):
            self._assess(assess(self.claim, self.now, self.policy))

    def _is_timed(self, after: datetime) -> bool:
        """Whether its next retry is after that time."""
        is_waiting = self.state.stage in (Stage.WAITING, Stage.SETTLED) and self.claim.is_ours
        return is_waiting and self.state.next_at is not None and self.state.next_at > after

    def _stage_due(self) -> None:
        is_later = self._is_timed(self.policy.due_until(self.now))
        if self.state.stage is Stage.WAITING and not is_later:
            stage = Stage.NEW if self.claim.is_pending else Stage.READY
            self._write(replace(self.state, stage=stage if self.claim.is_ours else None))
        elif self.state.stage is Stage.SETTLED and not self.claim.is_ours:
            self._write(replace(self.state, stage=None))

    def _pass(self) -> None:
        action = next_action(self.claim, self.now, self.policy)
        if action is Action.SHELVE:
            self._write(replace(self.state, stage=Stage.SHELVED))
            return
        decision = (give_up if action is Action.GIVE_UP else pass_retry)(self.claim, self.now, self.policy)
        self._note("pass" if action is Action.PASS else "end", decision)
        self._write(decision.state)

    def _turn(self, answer: Outcome, *, by_name: bool) -> None:
        claim = self.claim
        self.state_before = claim.state
        action = next_action(claim, self.now, self.policy, by_name=by_name)
        if action is Action.SHELVE:
            self._write(replace(claim.state, stage=Stage.SHELVED))
        elif action is Action.GIVE_UP:
            self._record("end", give_up(claim, self.now, self.policy))
        elif action is Action.CALL and isinstance(answer, Retrieved):
            self._record("call", succeed(claim, answer, self.now))
        elif action is Action.CALL and isinstance(answer, Failure):
            self._record("call", decide(claim, answer, self.now, self.policy, by_name=by_name))

    def _record(self, action: str, decision: Decision) -> None:
        self._note(action, decision)
        if decision.uses_attempt and decision.updates_service:
            self.edit(fetch_status=decision.fetch_status, error_text=decision.error)
            self._assess(decision.state)
        else:
            self._write(decision.state)

    def _note(self, action: str, decision: Decision) -> None:
        self.retries.append((action, self.now, self.state.retries_used))
        self.emitted.update((event.name, event.number) for event in decision.events)
        for event in decision.events:
            self.events.setdefault((event.name, event.carrier, event.number), event)

    def _assess(self, state: State) -> None:
        """Store the state of the claim after an assessment of its current values."""
        claim = self.claim
        snapshot = Snapshot(
            claim.fetch_status,
            claim.number,
            claim.key_with(state),
            0,
            deadline=claim.deadline,
            carrier_name=claim.carrier_name,
        )
        self.claim = replace(claim, assessed=snapshot)
        self._write(state)

    def _write(self, state: State) -> None:
        snapshot = self.claim.assessed and replace(self.claim.assessed, retries_used=state.retries_used)
        self.claim = replace(self.claim, state=state, assessed=snapshot, retries_counted=state.retries_used)

    def calls(self) -> list[float]:
        """The hours since the start at which a carrier was called."""
        return [(at - START) / HOUR for action, at, _ in self.retries if action == "call"]


def failed_claim(**columns: object) -> Small:
    """A claim whose first fetch failed just now."""
    small = Small()
    usual: dict[str, Any] = {"number": NUMBERS[0], "updated_at": START, "error_text": "API timeout"}
    small.edit(fetch_status=FetchStatus.FAILED, **(usual | columns))
    return small


def fail(kind: ErrorKind) -> Failure:
    return Failure(kind, f"an answer of the kind {kind}")


# ---------------------------------------------------------------- hourly runs


@pytest.mark.parametrize(
    ("most", "hours"), [(1, [1]), (2, [1, 7]), (4, [1, 7, 31, 103]), (6, [1, 7, 31, 103, 175, 247])]
)
@pytest.mark.parametrize("late_s", [0, 2, 240])
def test_a_claim_that_fails_at_each_attempt_is_called_as_the_guide_says(
    most: int, hours: list[int], late_s: int
) -> None:
    small = failed_claim()
    small.policy = replace(POLICY, max_retries=most)
    for hour in range(400):
        small.now = START + hour * HOUR + timedelta(seconds=late_s * (hour % 2))
        small.scheduler(fail(ErrorKind.TIMEOUT))
    assert [round(hour, 1) for hour in small.calls()] == [
        round(hour + late_s * (hour % 2) / 3600, 1) for hour in hours
    ]
    assert small.state.stage is Stage.GIVEN_UP
    (event,) = small.events.values()
    assert (event.name, event.audience, event.number) == ("gave_up", "operator", NUMBERS[0])


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if is_persistent(kind)])
@pytest.mark.parametrize(("most", "last"), [(1, 1), (2, 7), (4, 103), (6, 247)])
def test_a_persistent_error_costs_one_confirming_call_and_is_reported_at_the_last_retry(
    kind: ErrorKind, most: int, last: int
) -> None:
    small = failed_claim(error_text="Invalid tracking number")
    small.policy = replace(POLICY, max_retries=most)
    told_at = None
    for hour in range(400):
        small.now = START + hour * HOUR
        small.scheduler(fail(kind))
        if told_at is None and small.events:
            told_at = hour
    assert (small.calls(), told_at) == ([1], last)
    assert len(small.retries) == most
    assert [name for name, _, _ in small.events] == ["pod_failed", "gave_up"]


@MODEST
@given(st.lists(KINDS, min_size=1, max_size=30), st.integers(1, 8), st.lists(st.integers(0, 280), min_size=1))
def test_every_claim_ends_within_its_retries_and_is_never_retried_early(
    answers: list[ErrorKind], most: int, late_s: list[int]
) -> None:
    small = failed_claim()
    small.policy = replace(POLICY, max_retries=most)
    waited = 0
    for hour in range(700 + len(answers)):
        small.now = START + hour * HOUR + timedelta(seconds=late_s[hour % len(late_s)])
        kind = answers[len(small.calls()) % len(answers)]
        if not TRAITS[kind].uses_attempt and waited >= len(answers):
            kind = ErrorKind.TIMEOUT  # a carrier that asks to wait forever does not end the claim
        before = small.state.retries_used
        small.scheduler(fail(kind))
        if small.retries and small.retries[-1][1] == small.now and not TRAITS[kind].uses_attempt:
            waited += small.retries[-1][0] == "call"
            assert small.retries[-1][0] != "call" or small.state.retries_used == before
    assert small.state.stage is Stage.GIVEN_UP
    assert small.state.retries_used == most
    used = [(action, at, retry) for action, at, retry in small.retries]
    assert [retry for _, _, retry in used] == sorted(retry for _, _, retry in used)
    assert set(small.emitted.values()) == {1}
    assert small.emitted[EventName.GAVE_UP, NUMBERS[0]] == 1


@MODEST
@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=6).map(sorted),
    st.lists(st.integers(1, 400), min_size=1, max_size=40),
)
def test_no_retry_is_earlier_than_its_time_minus_the_slack(waits: list[int], minutes: list[int]) -> None:
    """Runs at any times, with any table."""
    small = failed_claim()
    small.policy = replace(POLICY, waits=tuple(timedelta(hours=wait) for wait in waits), max_retries=8)
    since = START
    for wait in minutes * 5:
        small.now += timedelta(minutes=wait)
        before = len(small.retries)
        small.scheduler(fail(ErrorKind.TIMEOUT))
        for _, at, used in small.retries[before:]:
            assert at >= since + timedelta(hours=waits[min(used, len(waits) - 1)]) - DUE_SLACK
            since = at


# ---------------------------------------------------------------- anything, in any order


class Anything(RuleBasedStateMachine):
    """One claim, and everything its service, the operator, carriers and time can do to it."""

    def __init__(self) -> None:
        super().__init__()
        self.small = Small()
        self.since = START  # the last retry, or the failure
        self.afresh = False  # corrected, reset or fetched on request since the last retry: due now
        self.is_settled = False  # the carrier gave a persistent answer to a retry
        self.heard_by_hand: ErrorKind | None = None

    @initialize(pending=st.booleans(), number=st.sampled_from(NUMBERS), count=st.integers(0, 6))
    def a_row(self, pending: bool, number: str | None, count: int) -> None:
        # No notification about a claim that others had exhausted before recours saw it, until something is done for
        # it.
        self.left_as_found = None if pending else count
        status = FetchStatus.PENDING if pending else FetchStatus.FAILED
        self.small.edit(
            number=number, fetch_status=status, updated_at=START, retries_counted=0 if pending else count
        )

    @property
    def is_over(self) -> bool:
        return self.small.claim.fetch_status == FetchStatus.SUCCESS

    # what happens

    @rule(hours=st.integers(1, 100), minutes=st.integers(0, 59))
    def time_passes(self, hours: int, minutes: int) -> None:
        self.small.now += timedelta(hours=hours, minutes=minutes)

    @precondition(lambda self: not self.is_over)
    @rule(kind=KINDS)
    def the_scheduler_runs(self, kind: ErrorKind) -> None:
        was_new = self.small.state.stage is None
        retries = self._retries_of(lambda: self.small.scheduler(self._answer(kind)))
        for action, at, used in retries:
            assert action == "end" or used < self.small.policy.max_retries
            assert not (action == "call" and self.is_settled), "the carrier was called about a settled claim"
            if not self.afresh and not was_new:
                wait = DEFAULT_WAITS[min(used, len(DEFAULT_WAITS) - 1)]
                assert at >= self.since + wait - SLACK, "a turn came before its time"
            self._note(action, kind, at)
            self.afresh = self.afresh and action == "call" and not TRAITS[kind].uses_attempt

    @precondition(lambda self: not self.is_over)
    @rule(kind=KINDS)
    def the_fetch_worker_runs(self, kind: ErrorKind) -> None:
        for _, at, _ in self._retries_of(lambda: self.small.fetch_worker(self._answer(kind))):
            if TRAITS[kind].uses_attempt:
                assert self.small.state.retries_used == 0, "the fetch worker's attempt was counted"
                self.since, self.afresh, self.is_settled = at, False, False

    @precondition(lambda self: not self.is_over)
    @rule(kind=KINDS)
    def someone_asks_for_it(self, kind: ErrorKind) -> None:
        retries = self._retries_of(lambda: self.small.scheduler(self._answer(kind), by_name=True))
        for action, at, _ in retries:
            if action == "call":
                before, after = self.small.state_before, self.small.state
                backoff = before.retries_used, before.next_at, before.stage
                assert backoff == (after.retries_used, after.next_at, after.stage), "it changed the backoff"
                self.heard_by_hand = after.kind  # the requester has read it
            else:
                self._note(action, kind, at)

    @precondition(lambda self: not self.is_over and self.small.claim.fetch_status == FetchStatus.FAILED)
    @rule()
    def the_carrier_has_it(self) -> None:
        # A row that no run has assessed may have other software's count, which is adopted.
        before = max(self.small.state.retries_used, self.small.claim.retries_counted)
        self.small.scheduler(GOT)
        if self.is_over:
            assert self.small.claim.retries_counted <= before + 1
            assert self.small.state.stage is None

    @rule(number=st.sampled_from(NUMBERS))
    def the_number_is_corrected(self, number: str | None) -> None:
        self._edited(number != self.small.claim.number, number=number)

    @rule(carrier=st.sampled_from(["chronopost", "Chronopost", "DHL Express", "Heppner"]))
    def the_carrier_is_corrected(self, carrier: str) -> None:
        self._edited(CATALOG.resolve(carrier) != self.small.claim.carrier, carrier_name=carrier)

    @rule(count=st.integers(0, 3))
    def the_count_is_reset(self, count: int) -> None:
        if count < self.small.claim.retries_counted:
            if (
                self.left_as_found is not None and self.small.claim.assessed is None
            ):  # it is still as others left it
                self.left_as_found = count
            self._edited(self.small.claim.fetch_status == FetchStatus.FAILED, retries_counted=count)

    @rule(most=st.integers(1, 8))
    def the_limit_is_changed(self, most: int) -> None:
        self.small.policy = replace(self.small.policy, max_retries=most)

    @rule(days=st.none() | st.integers(-5, 30))
    def the_deadline_is_changed(self, days: int | None) -> None:
        self.small.edit(deadline=None if days is None else START.date() + timedelta(days))

    @rule(status=st.sampled_from([None, "submitted", "paid"]))
    def its_status_is_changed(self, status: str | None) -> None:
        self.small.edit(claim_status=status)
        if self.small.state.retries_used == 0:
            self.is_settled = False  # excluded and restored, it may be confirmed by one more call

    # helpers

    def _answer(self, kind: ErrorKind) -> Outcome:
        return fail(kind)

    def _retries_of(self, run: Callable[[], object]) -> list[tuple[str, datetime, int]]:
        before = len(self.small.retries)
        run()
        return self.small.retries[before:]

    def _note(self, action: str, kind: ErrorKind, at: datetime) -> None:
        if action == "end" or (action == "call" and not TRAITS[kind].uses_attempt):
            return
        self.since = at
        self.is_settled = self.is_settled or (action == "call" and is_persistent(kind))

    def _edited(self, is_correction: bool, **columns: object) -> None:
        self.small.edit(**columns)
        if is_correction:
            self.afresh, self.is_settled = True, False

    # invariants

    @invariant()
    def whoever_gave_up_was_told_of(self) -> None:
        if self.small.is_to_assess:
            return
        claim, state = self.small.claim, self.small.state
        if state.stage is not Stage.GIVEN_UP:
            return
        notified = {
            event.name
            for event in self.small.events.values()
            if (event.carrier, event.number) == (claim.carrier or claim.carrier_name, claim.number or "")
        }
        if state.retries_used == self.left_as_found and not notified:
            return
        assert EventName.GAVE_UP in notified
        if state.kind is not self.heard_by_hand and state.kind and is_persistent(state.kind, last_retry=True):
            assert EventName.POD_FAILED in notified

    @invariant()
    def a_claim_that_waits_knows_until_when(self) -> None:
        if self.small.state.stage in (Stage.WAITING, Stage.SETTLED):
            assert self.small.state.next_at is not None
            assert self.small.state.next_at <= self.small.now + DEFAULT_WAITS[-1]


Anything.TestCase.settings = settings(MODEST, max_examples=80, stateful_step_count=40)
test_anything_in_any_order = Anything.TestCase


class AnythingBeforeADeadline(Anything):
    """The same, with a last attempt that is switched on and off."""

    def __init__(self) -> None:
        super().__init__()
        self.small.policy = replace(POLICY, last_attempt=30 * HOUR)
        self.made: Counter[object] = Counter()

    @initialize(days=st.integers(4, 12))
    def a_row(self, days: int) -> None:
        """A claim whose retries have just been used up."""
        super().a_row(pending=False, number=NUMBERS[0], count=3)
        self.small.edit(deadline=START.date() + timedelta(days))
        self.small.now += 73 * HOUR
        self.small.scheduler(fail(ErrorKind.NOT_DELIVERED_YET))
        self.since = self.small.now

    @precondition(lambda self: awaits_last_attempt(self.small.state))
    @rule(late=st.sampled_from([0, 10, 40]))
    def its_time_comes(self, late: int) -> None:
        self.small.now = max(self.small.now, (self.small.state.next_at or START) + late * HOUR)

    @rule(hours=st.sampled_from([None, 30]))
    def it_is_turned_on_or_off(self, hours: int | None) -> None:
        last_attempt = None if hours is None else hours * HOUR
        self.small.policy = replace(self.small.policy, last_attempt=last_attempt)

    @precondition(lambda self: not self.is_over)
    @rule(kind=KINDS)
    def the_scheduler_runs(self, kind: ErrorKind) -> None:
        most = self.small.policy.max_retries
        for action, at, used in self._retries_of(lambda: self.small.scheduler(self._answer(kind))):
            after = self.small.state.retries_used
            if action != "call" or not awaits_last_attempt(self.small.state_before):
                assert action == "end" or self.small.state_before.retries_used < most
                self._note(action, kind, at)
                continue
            assert used == after == self.small.state_before.retries_used, "it used a retry"
            if not awaits_last_attempt(self.small.state):  # otherwise it is repeated, or was deferred
                number = self.small.claim.number
                self.made[number] += 1
                assert self.made[number] <= 1, "it was made twice"
                self.is_settled = self.is_settled or is_persistent(kind)

    def _edited(self, is_correction: bool, **columns: object) -> None:
        super()._edited(is_correction, **columns)
        if is_correction:
            self.made.clear()

    @invariant()
    def a_claim_that_waits_knows_until_when(self) -> None:
        state = self.small.state
        if state.stage in (Stage.WAITING, Stage.SETTLED):
            assert state.next_at is not None
            assert state.next_at <= self.small.now + DEFAULT_WAITS[-1] or awaits_last_attempt(state)


AnythingBeforeADeadline.TestCase.settings = settings(MODEST, max_examples=120, stateful_step_count=40)
test_anything_before_a_deadline = AnythingBeforeADeadline.TestCase
