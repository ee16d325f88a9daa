"""Helpers for tests of a queue: one claim's answer, and a run's units of quota."""

from typing import Any

from recours.carriers.queue import APIRequestQueue
from recours.core.claim import Delivery
from recours.runs.ports import CarrierAnswer, ParcelQuery, Reservation


def fetch_one(
    queue: APIRequestQueue,
    reservation: Reservation,
    key: str,
    number: str,
    known: Delivery | None,
    claim: Any = None,
) -> CarrierAnswer:
    """The answer about one claim."""
    (fetched,) = queue.fetch_bundle([reservation], key, [ParcelQuery(number, known, claim)])
    return fetched


def sent_and_held(queue: APIRequestQueue, key: str) -> list[tuple[int, int]]:
    """Sent and reserved units of every limit of an account, longest window last, after unsent ones were returned."""
    quota = queue._quota
    quota.settle()
    limits = [
        (use, {reserved: n for reserved, n in quota._reserved.items() if reserved.limit == use.limit})
        for use in queue.usages([key])[key]
    ]
    return [(use.calls - sum(held.values()), sum(held.values())) for use, held in limits]
