"""What tests ask of a queue: about one claim, and how many units of quota a run has."""

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
    """Of every limit of an account, the longest window last, once the run has given back what it did not send."""
    quota = queue._quota
    quota.settle()
    limits = [
        (use, {reserved: n for reserved, n in quota._reserved.items() if reserved.limit == use.limit})
        for use in queue.usages([key])[key]
    ]
    return [(use.calls - sum(held.values()), sum(held.values())) for use, held in limits]
