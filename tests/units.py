"""Units of quota as a run has them: those that count, less those that it holds and has not sent."""

from recours.carriers.queue import APIRequestQueue


def sent_and_held(queue: APIRequestQueue, key: str) -> list[tuple[int, int]]:
    """Of every limit of an account, the longest window last, once the run has given back what it did not send."""
    quota = queue._quota
    quota.settle()
    limits = [
        (use, {reserved: n for reserved, n in quota._held.items() if reserved.limit == use.limit})
        for use in queue.usages([key])[key]
    ]
    return [(use.used - sum(held.values()), sum(held.values())) for use, held in limits]
