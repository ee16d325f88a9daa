"""Claims that gave up, asked about once more with calls that nobody needs: see `recours.core.samples`.

With the house's accounts only: what is left of a client's calls is the client's.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from recours.core.accounts import HOUSE
from recours.core.carrier import Catalog
from recours.core.claim import Claim, Delivery
from recours.core.decision import delivery_to_assume
from recours.core.errors import OUTAGE_KINDS, ErrorKind, RunError
from recours.core.outcome import Failure
from recours.core.quota import Window
from recours.core.samples import LONGEST_AGO, may_be_sampled
from recours.runs.attempt import Ended, attempt, ended_by_mistake, malformed
from recours.runs.log import log
from recours.runs.ports import Asked, Dependencies, Lease, Reservation, Samples
from recours.runs.recorder import Recorder
from recours.runs.spare_calls import has_spare_calls
from recours.runs.summary import UnknownCodes

LEASE = timedelta(minutes=10)
# None is begun unless its calls are certain to end before the lease does.
_LONGEST_SAMPLE = timedelta(minutes=5)
# After one of these the next answer would be the same, as a rule.
_ENDING_KINDS = OUTAGE_KINDS | {ErrorKind.INTERNAL_ERROR}


@dataclass(frozen=True)
class Sampling:
    """The samples of one run."""

    deps: Dependencies
    samples: Samples
    catalog: Catalog
    recorder: Recorder
    unknown: UnknownCodes
    go_on: Callable[[], bool]

    def run(self, carriers: Collection[str] = ()) -> Iterator[tuple[str, int]]:
        """Make the day's samples of these carriers (none named: of all), as far as they may be made now.

        Yields the keys of those that were asked, and about how many claims. Raises RunError.
        """
        for key, a_day in sorted(self.deps.policy.samples.items()):
            now = self.deps.clock.now()
            is_wanted = not carriers or key in carriers
            if not (
                is_wanted and self.go_on() and has_spare_calls(self.deps, key, self.catalog.specs[key], now)
            ):
                continue
            lease = Lease(self.recorder.token, now + LEASE)
            if not self.samples.lease_carrier(key, lease, now):
                continue
            try:
                left = a_day - self.samples.made(key, self._start_of_day(key, now))
                if left > 0 and (made := self._sample_carrier(key, left, lease)):
                    yield key, made
            finally:
                self.samples.release_carrier(key, lease)

    def _start_of_day(self, key: str, now: datetime) -> datetime:
        """Of the day of the carrier's quota; where it has none, of the day in which deadlines are counted."""
        windows = [use.limit.window for use in self.deps.queue.usage(key)]
        days = [window for window in windows if window.seconds == 0]
        return min(day.around(now)[0] for day in days or [Window(zone=self.deps.policy.zone.key)])

    def _sample_carrier(self, key: str, most: int, lease: Lease) -> int:
        """Make up to `most` samples of a carrier, one after the other; how many that were."""
        now = self.deps.clock.now()
        fits = partial(self._fits, now=now)
        claims = self.samples.choose(key, most, fits, now - LONGEST_AGO, now)
        if claims:
            self.deps.documents.make_sure()
        made = 0
        for claim in claims:
            if not self._may_begin(key, lease):
                break
            leased = self._leased(claim, lease)
            if leased is None:
                continue
            ended = self._sample(leased, key, lease)
            made += ended is not None
            if ended is None or _ends_carrier(ended):
                break
        return made

    def _fits(self, claim: Claim, now: datetime) -> bool:
        spec = self.catalog.specs[claim.carrier or ""]
        is_of_house = claim.account == HOUSE
        return (
            is_of_house
            and may_be_sampled(claim, now, self.deps.policy)
            and not malformed(claim.number or "", spec)
        )

    def _may_begin(self, key: str, lease: Lease) -> bool:
        """Tell whether nothing speaks against another sample; claims may have become due since the last one."""
        now = self.deps.clock.now()
        return (
            lease.until - now > _LONGEST_SAMPLE
            and self.go_on()
            and has_spare_calls(self.deps, key, self.catalog.specs[key], now)
        )

    def _leased(self, claim: Claim, lease: Lease) -> Claim | None:
        """The claim, leased; None if others work on it by now, or it may not be sampled any more."""
        now = self.deps.clock.now()
        leased = self.samples.lease(claim, lease, now)
        if leased and not self._fits(leased, now):
            self.deps.claims.release([(leased, leased.state)], lease)
            return None
        return leased

    def _sample(self, claim: Claim, key: str, lease: Lease) -> Ended | None:
        """Ask about one claim and record the answer; None if there are no calls for it. Raises RunError."""
        known = delivery_to_assume(claim, self.catalog.specs[key], self.deps.policy)
        ended: Ended | None = None
        try:
            calls = self.catalog.specs[key].calls_for_bundle([known])
            reservations, _ = self.deps.queue.reserve(key, calls, go_on=self.go_on)
            if reservations and self.go_on():
                log.info(f"Sample of {claim.reference} ({self.catalog.name_of(key)})")
                ended = self._ask(claim, key, known, reservations[0])
        finally:
            if ended is None:
                self.deps.claims.release([(claim, claim.state)], lease)
        if ended is None:
            return None
        if ended.evidence:  # if it cannot be secured, the lease runs out, and a later sample finds it
            self.deps.documents.secure(ended.evidence)
        self.unknown.note(key, self.catalog.name_of(key), ended.outcome)
        self.recorder.conclude_sample(claim, ended)
        return ended

    def _ask(self, claim: Claim, key: str, known: Delivery | None, reservation: Reservation) -> Ended | None:
        deps, asked = self.deps, Asked(claim.number or "", known, claim.id)
        with closing(deps.queue.fetch_bundle([reservation], key, [asked], self.go_on)) as answers:
            try:
                return attempt(claim, known, reservation, answers, deps)
            except RunError:
                raise
            except Exception as error:
                log.exception(f"{claim.reference}: an internal error")
                return ended_by_mistake(error, deps.clock)


def _ends_carrier(ended: Ended) -> bool:
    """Tell whether the carrier is not asked any more in this run."""
    return ended.closes_carrier or (
        isinstance(ended.outcome, Failure) and ended.outcome.kind in _ENDING_KINDS
    )
