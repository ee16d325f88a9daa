"""The coming runs of both workers, one after the other."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from recours.core.assessment import assess, go_on, goes_on, is_expired, retimed
from recours.core.claim import Claim, FetchStatus, Stage, State
from recours.core.decision import Action, give_up, next_action, pass_retry
from recours.operations.forecast.calls import Book, CallsOnPaper
from recours.operations.forecast.counts import QuotaCounts
from recours.operations.forecast.facts import CarrierFacts, ForeseenRun, Moment, Rules, Sighted
from recours.operations.forecast.pool import Pool
from recours.runs.fetch import PODFetchWorker
from recours.runs.lane import lane_key
from recours.runs.retry import PODRetryScheduler


class Simulation:
    """Claims, quotas and carriers as they will be."""

    def __init__(
        self,
        found: Iterable[Sighted],
        carriers: Mapping[str, CarrierFacts],
        rules: Rules,
        now: datetime,
        last_fetch: datetime | None = None,
    ) -> None:
        """Begin with what there is at `now`. `last_fetch`: when the fetch worker's last run began."""
        self._last_fetch = last_fetch
        self.rules = rules
        self.pool = Pool()
        self.book = Book(self.pool, QuotaCounts(carriers, now), dict(carriers), rules)
        self._held: list[Sighted] = []
        self._to_assess: list[Claim] = []  # by the next run, of whichever worker
        self._given_up: list[
            Claim
        ] = []  # to go on at the scheduler's next run, since the limit is higher now
        self._times_mended = False
        self._texts: dict[str, str] = {}
        self._unassessed = State()
        for sighted in found:
            if sighted.claim.is_ours:
                self._receive(sighted)

    def run(self, moment: Moment) -> ForeseenRun:
        """Let the next run happen."""
        now, due_until = moment.at, self.rules.policy.backoff.due_until(moment.at)
        self._release(now)
        self.pool.stage_due(due_until)
        self._assess(now)
        retries = issubclass(moment.worker, PODRetryScheduler)
        self._last_fetch = self._last_fetch if retries else now
        fetch_worker_runs = PODFetchWorker.has_run_lately(self._last_fetch, now)
        passed, ended = self._keep_own_timetable(now, due_until) if retries else (0, 0)
        self.pool.stage_due(due_until)
        ended += self.pool.drop(
            moment.worker.stage, lambda claim: is_expired(claim.state, now, self.rules.policy)
        )
        calls = CallsOnPaper(
            self.book,
            moment.worker.stage,
            self.rules.batch_sizes[moment.worker.name],
            now,
            share=self.rules.pending_share if retries and fetch_worker_runs else 0.0,
            new_claims_wait=frozenset(self.pool.ready(Stage.NEW)),
        )
        calls.run()
        return ForeseenRun(
            at=now,
            worker=moment.worker.name,
            tries=calls.tries,
            passed=passed,
            gave_up=calls.gave_up + ended,
            left=calls.left(),
            due=self.pool.due(),
        )

    def due(self, now: datetime) -> Counter[str]:
        """How many claims of each lane a run would find due at `now`, the moment at which the simulation begins."""
        policy = self.rules.policy
        due_until = policy.backoff.due_until(now)
        self.pool.stage_due(due_until)
        found = self.pool.due()
        for claim in self._to_assess:
            state = assess(claim, now, policy)
            comes = state.stage is Stage.WAITING and state.next_at is not None and state.next_at <= due_until
            found[lane_key(claim)] += comes or state.stage in (Stage.READY, Stage.NEW)
        return +found

    def left(self) -> Iterator[Claim]:
        """Every claim that is still to be tried."""
        yield from self.pool.left()
        yield from (sighted.claim for sighted in self._held)
        yield from self._to_assess

    # ---------------------------------------------------------------- what is known now

    def _receive(self, sighted: Sighted) -> None:
        claim = sighted.claim
        if sighted.leased_until:
            self._held.append(sighted)
        elif sighted.edited or claim.is_edited or claim.state.stage in (None, Stage.SHELVED):
            self._to_assess.append(self._with_shared_texts(claim))
        else:
            self._put(claim, claim.state)

    def _with_shared_texts(self, claim: Claim) -> Claim:
        """The claim; what it says in the same words as others is in memory once."""
        name, error = claim.carrier_name, claim.error_text
        return replace(
            claim,
            carrier_name=self._texts.setdefault(name, name),
            error_text=self._texts.setdefault(error, error) if error else None,
            state=self._unassessed if claim.state == self._unassessed else claim.state,
        )

    def _put(self, claim: Claim, state: State) -> None:
        claim = _slim(claim, state)
        if goes_on(state, self.rules.policy):
            self._given_up.append(claim)
        else:
            self.pool.put(claim)

    # ---------------------------------------------------------------- before the calls

    def _release(self, now: datetime) -> None:
        held, self._held = self._held, []
        for sighted in held:
            over = sighted.leased_until is None or sighted.leased_until <= now
            self._receive(replace(sighted, leased_until=None) if over else sighted)

    def _assess(self, now: datetime) -> None:
        while self._to_assess:  # one by one, since there may be very many
            claim = self._to_assess.pop()
            self._put(claim, assess(claim, now, self.rules.policy))

    def _keep_own_timetable(self, now: datetime, due_until: datetime) -> tuple[int, int]:
        """What only the scheduler does; how many turns passed, and how many of them were the last."""
        policy = self.rules.policy
        given_up, self._given_up = self._given_up, []
        for claim in given_up:
            take_up = assess if policy.sets_aside(claim) else go_on
            self._put(claim, take_up(claim, now, policy))
        if not self._times_mended:  # those that the forecast sets are right
            self._times_mended = True
            for claim in self.pool.beyond(policy.backoff.horizon(now)):
                self._put(claim, retimed(claim.state, now, policy))
        passed = ended = 0
        for claim in self.pool.settled(due_until):
            what = next_action(claim, now, policy)
            if what is not Action.SHELVE:
                decide = give_up if what is Action.GIVE_UP else pass_retry
                decision = decide(claim, now, policy)
                passed, ended = passed + 1, ended + decision.gave_up
                self._put(claim, decision.state)
        return passed, ended


def _slim(claim: Claim, state: State) -> Claim:
    """The claim in this state, without what nothing asks for any more: there may be very many."""
    return replace(
        claim,
        state=state,
        client_id=None,
        carrier_name="",
        created_at=None,
        updated_at=claim.updated_at if claim.fetch_status == FetchStatus.FETCHING else None,
        error_text=None,
        assessed=None,
        unreadable=(),
    )
