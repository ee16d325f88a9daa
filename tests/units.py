"""Helpers for tests of a queue: fetch one claim, and count units of quota."""

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
    """Fetch one claim, and return its answer."""
    (fetched,) = queue.fetch_bundle([reservation], key, [ParcelQuery(number, known, claim)])
    return fetched


def sent_and_held(queue: APIRequestQueue, key: str) -> list[tuple[int, int]]:
    """Return unsent units, and then count the sent and reserved units of each limit, with the longest window last."""
    quota = queue._quota
    quota.settle()
    limits = [
        (use, {reserved: n for reserved, n in quota._reserved.items() if reserved.limit == use.limit})
        for use in queue.usages([key])[key]
    ]
    return [(use.calls - sum(held.values()), sum(held.values())) for use, held in limits]
