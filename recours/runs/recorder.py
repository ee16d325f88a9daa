"""Decides what the results of attempts change, records the decisions and logs them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from recours.core.accounts import DEFAULT_ACCOUNT
from recours.core.claim import Claim, FetchStatus, Stage, State, attempt_name
from recours.core.decision import Decision, decide, succeed
from recours.core.errors import ErrorKind, is_persistent
from recours.core.last_attempt import attempts_except_last, awaits_last_attempt, last_attempt_text
from recours.core.order import VIRTUAL_DEADLINE
from recours.core.outcome import Failure, Outcome, Retrieved, unknown_of
from recours.core.text import LocalTime, format_minute, plural
from recours.runs.log import log
from recours.runs.ports import Attempt, CarrierAnswer, Dependencies, Lease, NotRecordedError
from recours.runs.summary import Stats

if TYPE_CHECKING:
    from recours.runs.attempt import AttemptResult


class UnknownCodes:
    """Counts the unknown codes that carriers send during a run. Used only by the run's main thread."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()  # by carrier's key and code
        self._texts: dict[tuple[str, str], str] = {}

    def count(self, key: str, carrier: str, outcome: Outcome) -> None:
        """Count the unknown codes of an outcome, without their texts, which may differ from parcel to parcel."""
        for text in unknown_of(outcome):
            code = (key, text.partition(" (")[0])
            self._counts[code] += 1
            self._texts.setdefault(code, f"{carrier} sent {text}")

    def log(self) -> None:
        """Log each code with its number of parcels, so that the maintainers can add the code to the carrier's table."""
        for code, parcels in self._counts.items():
            log.warning(f"{self._texts[code]}, which recours does not know: {plural(parcels, 'parcel')}")
        self._counts.clear()


@dataclass(eq=False)
class Recorder:
    """Decides, records and logs the results of attempts."""

    deps: Dependencies
    stats: Stats
    run_id: str
    local: LocalTime
    by_name: bool  # a person requested the claims by reference
    token: str  # of the leases
    prefix: str = ""  # precedes the claims' numbers in a log that several workers share
    kinds: set[ErrorKind] = field(default_factory=set)  # of the failures so far
    unknown: UnknownCodes = field(default_factory=UnknownCodes)
    _places: Iterator[int] = field(default_factory=partial(count, 1))

    def announce(self, claim: Claim, carrier: str) -> None:
        name = attempt_name(claim, claim.state, is_last=self._is_last(claim))
        log.info(f"[{self.prefix}{next(self._places)}] {name} for {claim.reference} ({carrier})")

    def _is_last(self, claim: Claim) -> bool:
        """Return whether the attempt is the claim's last attempt before its deadline; a manual attempt never is."""
        return not self.by_name and awaits_last_attempt(claim.state)

    def conclude(self, attempts: "Sequence[AttemptResult]") -> int:
        """Decide about attempts, record them in one transaction and log them. Return how many count as attempts.

        The caller has already flushed their documents to disk. Raises RunError.
        """
        now = self.deps.clock.now()
        decided = []
        for result in attempts:
            decided.append((result, self._decide(result, now)))
            if isinstance(result.outcome, Failure):
                self.kinds.add(result.outcome.kind)
        try:
            unchanged = self._record(decided, now)
        except NotRecordedError as fault:
            self._log_all(decided, fault.recorded)
            raise
        self._log_all(decided, unchanged)
        return sum(decision.uses_attempt for _, decision in decided)

    def _decide(self, result: "AttemptResult", now: datetime) -> Decision:
        claim = result.claim
        outcome = result.outcome
        if isinstance(outcome, Retrieved):
            decision = succeed(claim, outcome, now, result.findings)
        else:
            decision = decide(claim, outcome, now, self.deps.policy, by_name=self.by_name)
            if decision.uses_attempt and result.never_connected:
                decision = _unchanged_decision(claim, None)
        return _with_account(decision, result)

    def _is_made(self, claim: Claim, decision: Decision) -> bool:
        """Return whether this was the claim's last attempt. A claim given up without a call had no last attempt."""
        is_over = decision.state.last_attempt_at is not None or decision.fetch_status == FetchStatus.SUCCESS
        return decision.uses_attempt and is_over and self._is_last(claim)

    def defer(self, attempts: "Sequence[AttemptResult]", *, last: bool = False) -> int:
        """Record failures that are not the claims' fault, without using an attempt. `last`: rank these claims last."""
        now = self.deps.clock.now()
        since = now if last else None
        self._record(
            [
                (result, _with_account(_unchanged_decision(result.claim, since), result))
                for result in attempts
            ],
            now,
        )
        return 0

    def give_up(self, claim: Claim, decision: Decision) -> None:
        """Record that recours gives up on a claim. No call is made."""
        from recours.runs.attempt import AttemptResult  # noqa: PLC0415 (many runs find nothing to fetch)

        now = self.deps.clock.now()
        error = claim.last_error or "no answer recorded"
        failure = Failure(decision.kind or ErrorKind.INTERNAL_ERROR, error, explanation=claim.explanation)
        as_it_was = replace(
            decision, error=error if claim.explanation else claim.error_text, explanation=claim.explanation
        )
        if self._record([(AttemptResult(claim, CarrierAnswer(failure), now), as_it_was)], now)[claim.id]:
            self.log_final(claim, decision, error)

    def _record(self, decided: "Sequence[tuple[AttemptResult, Decision]]", now: datetime) -> dict[Any, bool]:
        """Record attempts, and return the results of `ClaimRepository.record` by claim id."""
        rows = []
        for result, decision in decided:
            is_last = self._is_made(result.claim, decision)
            rows.append((replace(_attempt(result, decision), is_last=is_last), decision))
        unchanged = self.deps.claims.record(rows, Lease(self.token, now), now)
        for is_recorded, (result, decision) in zip(unchanged, decided, strict=True):
            # While a claim counts as interrupted, its next attempt looks for these documents again.
            if is_recorded and result.evidence and not decision.state.interruptions:
                self.deps.documents.discard_notes(result.evidence)
        return dict(zip((result.claim.id for result, _ in decided), unchanged, strict=True))

    def _log_all(
        self, decided: "Sequence[tuple[AttemptResult, Decision]]", unchanged: Mapping[Any, bool]
    ) -> None:
        for result, decision in decided:
            if result.claim.id in unchanged:
                self._log(result, decision, is_unchanged=unchanged[result.claim.id])

    def _log(self, result: "AttemptResult", decision: Decision, *, is_unchanged: bool) -> None:
        claim = result.claim
        if not is_unchanged:
            log.info(
                f"{claim.reference} was edited during the fetch: the answer is stored with the claim's attempts, "
                "and the claim is assessed again"
            )
            return
        self.stats.last_attempts += self._is_made(claim, decision)
        if isinstance(result.outcome, Retrieved):
            self.stats.success += 1
            attempts = plural(decision.state.attempts, "attempt")
            note = f" after {attempts}" if decision.state.retries_used else ""
            log.info(f"✅ SUCCESS: POD fetched for {claim.reference}{note}")
        elif decision.uses_attempt:
            self.stats.failed += 1
            self._log_failure(claim, decision)
        else:
            retry_note = ""
            if self._is_last(claim) and decision.state.last_attempt_at != claim.state.last_attempt_at:
                retry_note = (
                    f", its last attempt is repeated at {format_minute(decision.state.next_at, self.local)}"
                )
            log.warning(
                f"⏸️ DEFERRED: {claim.reference} - {result.outcome.message}; no attempt was used{retry_note}"
            )

    def _log_failure(self, claim: Claim, decision: Decision) -> None:
        error = decision.error or ""
        if decision.gave_up:
            self.log_final(claim, decision, error)
        else:
            next_step = self._next_step(claim, decision.state)
            log.warning(f"❌ FAILED: {claim.reference} - {error}; {next_step}")

    def _next_step(self, claim: Claim, state: State) -> str:
        """Describe what happens to a claim after an attempt failed."""
        at = format_minute(state.next_at, self.local)
        if self.by_name and state.stage is Stage.GIVEN_UP:
            return "still given up"
        if self.by_name:
            is_scheduled = state.stage is Stage.WAITING and state.next_at
            return f"next attempt unchanged ({at})" if is_scheduled else "its backoff is unchanged"
        if state.stage is Stage.SETTLED:
            return "no further call until it is corrected"
        if awaits_last_attempt(state):
            return last_attempt_text(claim, state, self.deps.policy, at)
        return f"next try {at}"

    def log_skipped(self, claim: Claim, decision: Decision) -> None:
        self.stats.skipped_persistent += 1
        error = claim.last_error
        if decision.gave_up:
            self.log_final(claim, decision, error)
        else:
            retry = f"retry {decision.state.retries_used} of {self.deps.policy.max_retries}"
            log.info(f"⏭️ SKIPPED: {claim.reference} - {error} (persistent, {retry})")

    def log_final(self, claim: Claim, decision: Decision, error: str) -> None:
        self.stats.max_retries_reached += 1
        times_asked = ""
        if decision.kind and is_persistent(decision.kind, last_retry=True):
            times_asked = f" (the carrier was asked {plural(self.deps.claims.times_asked(claim), 'time')})"
        attempts = plural(attempts_except_last(decision.state), "attempt")
        if decision.state.last_attempt_at:
            attempts += " and a last attempt"
        log.error(f"🛑 FINAL FAILURE: {claim.reference} gave up after {attempts} - {error}{times_asked}")


def _unchanged_decision(claim: Claim, last_since: datetime | None) -> Decision:
    status = FetchStatus.PENDING if claim.is_pending else FetchStatus.FAILED
    state = claim.state
    if last_since:
        state = replace(state, rank_at=last_since + VIRTUAL_DEADLINE, rank_is_deadline=False)
    return Decision(state, status, uses_attempt=False)


def _with_account(decision: Decision, result: "AttemptResult") -> Decision:
    """Add to the state which account later attempts use, and whether the claim must be fetched alone."""
    state = decision.state
    fetched = result.fetched
    if fetched.remember is not None:
        state = replace(state, account=fetched.remember)
    return replace(decision, state=replace(state, goes_alone=state.goes_alone or fetched.fails_bundles))


def _attempt(result: "AttemptResult", decision: Decision) -> Attempt:
    claim = result.claim
    failure = result.outcome if isinstance(result.outcome, Failure) else None
    return Attempt(
        claim,
        retry=0 if claim.is_pending else claim.state.retries_used + 1,
        started_at=result.started_at,
        duration_s=result.duration_s,
        calls=result.fetched.calls,
        outcome="success" if failure is None else ("failed" if decision.uses_attempt else "left"),
        uses_attempt=decision.uses_attempt,
        failure=failure,
        evidence=result.evidence,
        account=result.fetched.account or DEFAULT_ACCOUNT,
    )
