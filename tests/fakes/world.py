"""The dependencies of a run with a database in memory, and both workers."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from recours.core.carrier import Catalog
from recours.core.claim import FetchStatus
from recours.core.policy import Policy
from recours.database.maintenance import ClaimMaintenance
from recours.runs.ports import Dependencies
from recours.runs.summary import Report
from recours.runs.worker import Options, PODFetchWorker, PODRetryScheduler, Worker
from recours.sandbox import SimulatedClock
from tests.fakes.carriers import CATALOG
from tests.fakes.database import memory_database
from tests.fakes.documents import FakeDocuments
from tests.fakes.faults import FaultyClaims, FaultyJournal
from tests.fakes.intake import intake_of
from tests.fakes.queue import FakeQueue
from tests.fakes.table import ServiceTable

PARIS = ZoneInfo("Europe/Paris")


def local(moment: datetime) -> datetime:
    """Local time in Paris, as if the tests' machine were there."""
    return moment.astimezone(PARIS)


@dataclass
class World:
    """A database, carriers, documents and a clock, with the workers `scheduler()` and `fetch_worker()`.

    All worlds of a process share one database, so a new world empties the database of the previous one.
    """

    clock: SimulatedClock = field(default_factory=SimulatedClock)
    policy: Policy = field(default_factory=lambda: Policy(PARIS))
    catalog: Catalog = CATALOG

    def __post_init__(self) -> None:
        database = memory_database()
        database.empty()
        self.table = ServiceTable(database, self.catalog)
        self.claims = FaultyClaims(database, self.catalog, "world", "worker")
        self.maintenance = ClaimMaintenance(database, self.catalog, "world")
        self.journal = FaultyJournal(database)
        self.queue = FakeQueue(self.clock, self.catalog)
        self.documents = FakeDocuments()
        self.workers = 0

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def called_numbers(self) -> list[str]:
        """The numbers requested from carriers, in order."""
        return [number for number, _ in self.queue.fetches]

    def deps(self, **policy: Any) -> Dependencies:
        rules = replace(self.policy, **policy)
        return Dependencies(
            clock=self.clock,
            claims=self.claims,
            intake=intake_of(self.claims.database, self.catalog, rules, self.now),
            maintenance=self.maintenance,
            journal=self.journal,
            queue=cast("Any", self.queue),
            documents=cast("Any", self.documents),
            policy=rules,
        )

    # ---------------------------------------------------------------- claims

    def failed(self, reference: str, number: str | None = "XY000000001FR", **columns: Any) -> None:
        """Add a claim whose first fetch failed two hours ago, so that it is due now."""
        usual: dict[str, Any] = {"updated_at": self.now - timedelta(hours=2), "error_text": "API timeout"}
        self.table.add(reference, number=number, fetch_status=FetchStatus.FAILED, **(usual | columns))

    def pending(self, reference: str, number: str | None = "XY000000001FR", **columns: Any) -> None:
        """Add a new claim."""
        columns = {"created_at": self.now - timedelta(minutes=20)} | columns
        self.table.add(reference, number=number, fetch_status=FetchStatus.PENDING, **columns)

    def many_failed(self, count: int, **columns: Any) -> list[str]:
        """Add this many failed claims CLM-01, CLM-02, …, the most urgent first, and return their numbers."""
        numbers = [f"XY{place:09}FR" for place in range(1, count + 1)]
        for place, number in enumerate(numbers, 1):
            failed_at = self.now - timedelta(hours=10) + timedelta(minutes=place)
            self.failed(f"CLM-{place:02}", number, updated_at=failed_at, **columns)
        return numbers

    # ---------------------------------------------------------------- runs

    def scheduler(
        self, batch_size: int = 30, *, policy: dict[str, Any] | None = None, **options: Any
    ) -> Worker:
        return self._worker(PODRetryScheduler, Options(batch_size, **options), policy or {})

    def fetch_worker(self, batch_size: int = 50, **options: Any) -> Worker:
        return self._worker(PODFetchWorker, Options(batch_size, **options), {})

    def _worker(self, kind: type[Worker], options: Options, policy: dict[str, Any]) -> Worker:
        self.workers += 1
        return kind(self.deps(**policy), self.catalog, options, f"run-{self.workers}", local)

    def retry(self, batch_size: int = 30, **options: Any) -> Report:
        """One run of the scheduler."""
        return self.scheduler(batch_size, **options).run()

    def fetch(self, batch_size: int = 50, **options: Any) -> Report:
        """One run of the fetch worker."""
        return self.fetch_worker(batch_size, **options).run()

    def each_hour(self, hours: int, run: Callable[[], object]) -> None:
        """Run now and then at each full hour at which a run would find work."""
        run()
        for _ in range(1, hours):
            self.clock.advance(timedelta(hours=1))
            if self.table.is_due(self.policy.due_until(self.now)):
                run()
