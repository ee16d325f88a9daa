"""Proofs whose documents were asked for before their parcels were tracked: who signed, and when, is asked afterwards.

Only with calls that are left over: of a day's quota in its last hours, when few claims come that may need them, and of an
account for which no claim is due. No attempt is used, whatever the answer.
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
    of_clients = {key for accounts in catalog.of_clients.values() for key in accounts}
    for key in sorted(deps.policy.document_first.intersection(carriers or deps.policy.document_first)):
        now = deps.clock.now()
        if not go_on():
            return
        has_spare = {key: has_spare_calls(deps, key, catalog.specs[key], now)}
        if has_spare[key] or key in of_clients:
            lease = Lease(token, now + LEASE)
            waiting = proofs.lease_untracked(key, now - _MOST_AGE, _MOST, lease, now)
            for account in {proof.account_key for proof in waiting}.difference(has_spare):
                has_spare[account] = has_spare_calls(deps, account, catalog.specs[key], now)
            if found := sum(_completed(deps, proofs, waiting, has_spare, lease, go_on)):
                log.info(f"{catalog.name_of(key)}: {plural(found, 'proof')} completed by tracking")


def _completed(
    deps: Dependencies,
    proofs: Proofs,
    waiting: Sequence[UntrackedProof],
    has_spare: dict[str, bool],
    lease: Lease,
    go_on: Callable[[], bool],
) -> Iterator[bool]:
    """Of each that was tracked, whether its delivery is known now. What is not asked about is free when the lease ends.

    `has_spare`: whether accounts, by their keys, have calls that are left over; each proof is tracked with its own account.
    """
    for proof in waiting:
        key = proof.account_key
        if not has_spare[key]:
            continue
        reservations, _ = deps.queue.reserve(key, [{Capability.TRACKING: 1}], go_on=go_on)
        if not go_on():
            return
        if not reservations:
            has_spare[key] = False
            continue
        begun_at, begun = deps.clock.now(), deps.clock.monotonic()
        tracked = deps.queue.track(reservations[0], key, proof.number, proof.claim_id)
        proofs.record_tracking(proof, tracked, begun_at, deps.clock.monotonic() - begun, lease)
        yield isinstance(tracked.found, Delivery)
        if isinstance(tracked.found, Failure) and tracked.found.closes_carrier:
            has_spare[key] = False
