"""A process of `recording`: some clients that record claims, on the code of the version that PYTHONPATH names.

It leases claims and says so. At a line on stdin it records them all, and prints when that began and ended.
"""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import make_url

from recours.carriers.registry import CATALOG
from recours.core.claim import Claim, Delivery
from recours.core.decision import Decision, succeed
from recours.core.outcome import Retrieved, StoredDocument
from recours.database.claims import ClaimRepository
from recours.database.engine import Database
from recours.database.schema.inspection import look
from recours.runs.ports import Attempt, Lease

NOW = datetime.now(UTC)
DELIVERY = Delivery(at=NOW - timedelta(days=3), signatory="DUPONT")


def attempt(claim: Claim) -> tuple[Attempt, Decision]:
    """One that brought a document."""
    digest = sha256(claim.reference.encode()).hexdigest()
    document = StoredDocument(
        path=f"/var/lib/recours/pods/chronopost/{digest[:2]}/{digest[2:4]}/{claim.reference}_{digest[:16]}.pdf",
        sha256=digest,
        size=40_000,
        media_type="application/pdf",
        delivery=DELIVERY,
        source="the document call",
    )
    retrieved = Retrieved.single(b"", DELIVERY, document.source)
    result = Attempt(claim, 1, NOW, 0.5, 2, "success", used=True, evidence=(document,))
    return result, succeed(claim, retrieved, NOW)


def main(url: str, first: int, clients: int, claims_a_client: int) -> None:
    """The claims from the number `first` on, as many for each client."""
    database = Database(make_url(url))
    run_id = f"run-{first}"
    # An earlier version is told which columns `claims` has.
    columns: list[Any] = [] if hasattr(database, "border") else [look(database).__dict__["columns"]]
    arguments: list[Any] = [database, CATALOG, *columns, run_id, "pod_retry_scheduler"]
    claims = ClaimRepository(*arguments)
    lease = Lease(run_id, NOW + timedelta(minutes=30))
    start = threading.Event()

    def take(client: int) -> list[tuple[Attempt, Decision]]:
        numbers = range(first + client * claims_a_client, first + (client + 1) * claims_a_client)
        attempts = []
        for number in numbers:
            claim = claims.find(f"CLM-{number:07d}")
            assert claim
            leased = claims.lease_named(claim, lease, NOW)
            assert leased
            attempts.append(attempt(leased))
        return attempts

    def record(attempts: list[tuple[Attempt, Decision]]) -> tuple[float, float]:
        start.wait()
        begun = time.time()
        for one in attempts:
            assert claims.record([one], lease, NOW) == [True]
        return begun, time.time()

    with ThreadPoolExecutor(clients) as pool:
        taken = list(pool.map(take, range(clients)))
        recording = [pool.submit(record, attempts) for attempts in taken]
        print("ready", flush=True)
        sys.stdin.readline()
        start.set()
        begun, ended = zip(*(client.result() for client in recording), strict=True)
    database.close()
    print(json.dumps([min(begun), max(ended)]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
