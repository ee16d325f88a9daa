"""Proofs whose documents were asked for before their parcels were tracked: who signed, and when, is asked afterwards.

Only with calls that are left over: of a day's quota in its last hours, when few claims come that may need them, and of a
carrier for which no claim is due. No attempt is used, whatever the answer.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta

from recours.core.carrier import Catalog
from recours.core.claim import Delivery
from recours.core.outcome import Failure
from recours.core.quota import Capability
from recours.core.text import plural
from recours.runs.log import log
from recours.runs.ports import Dependencies, Lease, Proofs, UntrackedProof
from recours.runs.spare_calls import has_spare_calls

LEASE = timedelta(minutes=10)
# Later the parcel's tracking may be gone, and the proof has been used.
_MOST_AGE = timedelta(days=3)
_MOST = 20  # of a carrier in one run


def complete_proofs(
    deps: Dependencies,
    proofs: Proofs,
    catalog: Catalog,
    token: str,
    go_on: Callable[[], bool],
    carriers: Collection[str] = (),
) -> None:
    """Track the parcels of proofs of these carriers (none named: of all) that came without a delivery. Raises RunError."""
    for key in sorted(deps.policy.document_first.intersection(carriers or deps.policy.document_first)):
        now = deps.clock.now()
        if go_on() and has_spare_calls(deps, catalog.specs[key], now):
            lease = Lease(token, now + LEASE)
            waiting = proofs.lease_untracked(key, now - _MOST_AGE, _MOST, lease, now)
            if found := sum(_completed(deps, proofs, waiting, lease, go_on)):
                log.info(f"{catalog.name_of(key)}: {plural(found, 'proof')} completed by tracking")


def _completed(
    deps: Dependencies,
    proofs: Proofs,
    waiting: Sequence[UntrackedProof],
    lease: Lease,
    go_on: Callable[[], bool],
) -> Iterator[bool]:
    """Of each that was tracked, whether its delivery is known now. What is not asked about is free when the lease ends."""
    for proof in waiting:
        reservations, _ = deps.queue.reserve(proof.carrier, [{Capability.TRACKING: 1}], go_on=go_on)
        if not (reservations and go_on()):
            return
        begun_at, begun = deps.clock.now(), deps.clock.monotonic()
        tracked = deps.queue.track(reservations[0], proof.carrier, proof.number, proof.claim_id)
        proofs.record_tracking(proof, tracked, begun_at, deps.clock.monotonic() - begun, lease)
        yield isinstance(tracked.found, Delivery)
        if isinstance(tracked.found, Failure) and tracked.found.closes_carrier:
            return
