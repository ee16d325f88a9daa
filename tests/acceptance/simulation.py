"""A claims service, a simulated carrier and a simulated clock around real runs with their usual wiring."""

from collections.abc import Callable, Container, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recours.app import App, create_embedded, open_database
from recours.bootstrap import make_worker
from recours.carriers.registry import CATALOG
from recours.database.engine import Database
from recours.runs.summary import Report
from recours.runs.worker import Options, PODFetchWorker, PODRetryScheduler, Worker
from recours.sandbox import Parcel, Sandbox, SimulatedClock
from recours.settings.loading import load
from recours.settings.model import HttpLimits, Settings
from tests.fakes.hostile import AnyStep

TURNS = (1, 7, 31, 103)  # hours between a claim's failure and each of its four attempts
# Claims with their rows in recours's tables, for a SELECT.
JOINED = "claims LEFT JOIN recours_claims ON claim_id = id"
FAILED_AT = datetime(2026, 2, 2, 6, 0, 20, tzinfo=UTC)


class Service:
    """A database with claims. Its workers run when a test calls them."""

    def __init__(
        self, folder: Path, box: Sandbox, clock: SimulatedClock, *, url: str | None = None, **settings: str
    ) -> None:
        """Open a service. `url`: a database with the whole schema; None: the embedded database."""
        self.folder = folder
        self.box = box
        self.http = HttpLimits()
        self.clock = clock
        ample = {f"QUOTA_{spec.prefix}": "100000/day" for spec in CATALOG.specs.values()}
        self.environment = {**box.environment(), **ample, **settings}
        self._read_from: dict[str, str] = {}
        if url:
            self.environment["DATABASE_URL"] = url
        else:
            create_embedded(self.settings)
        self._database = Database(
            self.settings.database_url
        )  # the connection of the service's own application
        self.count = 0  # of the service's claims
        self._app: App | None = None

    @property
    def settings(self) -> Settings:
        """The settings of the current environment; read again only after a change."""
        if self._read_from != self.environment:
            self._settings = load(self.folder, self.environment, CATALOG)
            self._read_from = dict(self.environment)
        return replace(self._settings, http=self.http)

    def wait_until_today(self) -> None:
        """Advance to the real time, which commands in other processes use; later runs use it too."""
        self.clock.advance(datetime.now(UTC) - self.clock.now())

    def add(
        self, *steps: AnyStep, carrier: str = "Chronopost", number: str | None = None, **columns: Any
    ) -> int:
        """Add a failed claim whose parcel has this scenario; return its id."""
        self.count += 1
        number = number or self._number(carrier)
        if steps:
            self.box.parcels[number] = Parcel(steps)
        at = f"{columns.pop('failed_at', FAILED_AT):%Y-%m-%d %H:%M:%S}"
        row = {
            "claim_reference": f"CLM-{self.count:04d}",
            "order_id": "o",
            "carrier": carrier,
            "dispute_type": "lost",
            "amount_requested": 10,
            "tracking_number": number,
            "created_at": at,
            "updated_at": at,
            "pod_fetch_status": "failed",
            "pod_fetch_error": "API timeout",
        } | columns
        marks = ", ".join("?" * len(row))
        self.sql(f"INSERT INTO claims ({', '.join(row)}) VALUES ({marks})", *row.values())
        return self.count

    def _number(self, carrier: str) -> str:
        key = CATALOG.resolve(carrier)
        if key in (None, "chronopost"):
            return f"XY{self.count:09d}FR"
        return self.box.example(key, "99", self.count)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as the service's own application, or as someone who looks into the database."""
        if not self._database.is_sqlite:
            statement = statement.replace("%", "%%").replace("?", "%s")
        with self._database.write() as connection:
            found = connection.exec_driver_sql(statement, values or None)
            return [tuple(row) for row in found.all()] if found.returns_rows else []

    def close(self) -> None:
        """Close the database."""
        for database in (self._database, *([self._app.database] if self._app else [])):
            database.close()

    def run(self, kind: type[Worker] = PODRetryScheduler, *, max_retries: int = 4, **options: Any) -> Report:
        """One run at the current simulated time."""
        self._app = self._app or open_database(self.settings)
        app = replace(self._app, settings=self.settings, clock=self.clock)
        return make_worker(
            kind, app, replace(Options(batch_size=30), **options), max_retries=max_retries
        ).run()

    def run_hourly(
        self, hours: int, *, both: bool = False, only: Container[int] | None = None, **options: Any
    ) -> list[Report]:
        """Run at each full hour. `both`: with the fetch worker every 30 minutes; `only`: in these hours."""
        reports = []
        start = self.clock.now().replace(minute=0, second=0, microsecond=0)
        for half in range(2, 2 * hours + 2):
            if (half % 2 and not both) or (only is not None and half // 2 not in only):
                continue
            self.clock.advance(max(start + timedelta(minutes=30 * half) - self.clock.now(), timedelta()))
            if both:
                reports.append(self.run(PODFetchWorker, batch_size=50))
            if half % 2 == 0:
                reports.append(self.run(PODRetryScheduler, **options))
        return reports

    def run_at_retries(self, hours: int, **options: Any) -> list[Report]:
        """Like `run_hourly` for claims that fail now: only at their retries, one hour before each, and at the end."""
        only = {turn - early for turn in TURNS for early in (0, 1)} | {hours}
        return self.run_hourly(hours, only=only, **options)

    def run_twice_a_day(self, days: int) -> None:
        """Run the scheduler every twelve hours, for tests over days where hourly runs would change nothing."""
        for _ in range(2 * days):
            self.clock.advance(timedelta(hours=11))
            self.run_hourly(1)

    def hours_of_calls(self, claim: int) -> list[int]:
        """When each attempt at a claim first called the carrier, in whole hours after the failure."""
        number = self.sql("SELECT tracking_number FROM claims WHERE id = ?", claim)[0][0]
        moments = [call.at - FAILED_AT for call in self.box.calls_for(number)]
        return sorted({round(moment / timedelta(hours=1)) for moment in moments})


@contextmanager
def services(
    folder: Path, box: Sandbox, clock: SimulatedClock, **usual: str
) -> Iterator[Callable[..., Service]]:
    """Factory of services with these and their own settings; closes them at the end."""
    with ExitStack() as opened:
        yield lambda **settings: opened.enter_context(
            closing(Service(folder, box, clock, **usual, **settings))
        )
