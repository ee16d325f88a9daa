"""The same runs with real processes, an SQLite file, HTTP and the simulated carriers, for `bench_yield`.

Only time is simulated. Each process gets a clock, and runs take no time. Runs without work are skipped. `run` is the
job for the fork server.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import recours.app
import recours.cli.workers
import tests.processes.child
from recours.core.errors import ErrorKind
from recours.runs.worker import PODFetchWorker, PODRetryScheduler
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import Service
from tests.benchmarks.population import START, Case, Population
from tests.benchmarks.references import SLACK, Harvest, run_times
from tests.benchmarks.runs_in_memory import environment
from tests.processes.forks import Forks, forking

IMPORTS_EVERYTHING = tests.processes.child

_SCENARIOS = {
    None: Scenario.DELIVERED,
    ErrorKind.NOT_DELIVERED_YET: Scenario.IN_TRANSIT,
    ErrorKind.POD_NOT_AVAILABLE_YET: Scenario.POD_LATE,
    ErrorKind.POD_NEVER_AVAILABLE: Scenario.POD_NEVER,
    ErrorKind.NOT_FOUND: Scenario.UNKNOWN,
    ErrorKind.RETURNED_TO_SENDER: Scenario.RETURNED_TO_SENDER,
    ErrorKind.SERVER_ERROR: Scenario.SYSTEM_ERROR,
}
# Queries for claims that a run would find: new, ready or due claims, and claims that no run has assessed yet.
_NEW = "SELECT 1 FROM claims WHERE pod_fetch_status = 'pending' LIMIT 1"
_DUE = """
    SELECT 1 FROM claims LEFT JOIN recours_claims ours ON ours.claim_id = claims.id
    WHERE pod_fetch_status = 'failed' AND (stage IS NULL OR stage = 'ready' OR next_at <= ?) LIMIT 1
"""


def run(job: dict[str, Any]) -> int:
    """One run of a worker at a given time. Returns the exit status."""
    os.environ.clear()
    os.environ.update(job["environment"])
    clock = SimulatedClock(datetime.fromisoformat(job["at"]))
    vars(recours.app)["SystemClock"] = lambda _offset: clock  # the name under which the run imports it
    return recours.cli.workers.main(job["worker"], job["arguments"])


class Parcels(dict[str, Parcel]):
    """The scripts of the simulated parcels at the time of a call."""

    def __init__(self, population: Population, clock: SimulatedClock) -> None:
        super().__init__()
        self._population = population
        self._clock = clock
        self._cases = {case.number: case for case in population.cases}
        self._scripts: dict[tuple[str, Scenario], Parcel] = {}

    def get(self, number: str, default: Any = None) -> Any:
        case, at = self._cases.get(number), self._clock.now()
        if case is None:
            return default
        is_down = self._population.is_down(case.carrier, at)
        kind = ErrorKind.SERVER_ERROR if is_down else case.tracked(at) or case.proved(at, at)
        return self._script(case, _SCENARIOS[kind], at)

    def _script(self, case: Case, scenario: Scenario, at: datetime) -> Parcel:
        """The same object each time, because with a new object the sandbox would start the parcel over."""
        if (case.number, scenario) not in self._scripts:
            since = (case.delivered_at or at) - at
            self._scripts[case.number, scenario] = Parcel((scenario,), delivered_after=since)
        return self._scripts[case.number, scenario]


class RunsInProcesses:
    """The runs that cron would start, one after another."""

    def __init__(self, population: Population, changed: Mapping[str, str], concurrency: int = 8) -> None:
        self._arguments = ["--concurrency", str(concurrency)]
        self._population = population
        self._arriving = list(reversed(population.cases))
        self._changed = changed
        self._clock = SimulatedClock(START)

    def run(self) -> Harvest:
        with (
            TemporaryDirectory(prefix="recours-yield-") as name,
            Sandbox(now=self._clock.now) as box,
            forking(__name__) as forks,
        ):
            box.parcels = Parcels(self._population, self._clock)
            service = Service(Path(name), box, self._clock, **environment(box, self._changed))
            try:
                self._insert_clients(service)
                self._run_all(service, forks)
                return _harvest(service)
            finally:
                service.close()

    def _insert_clients(self, service: Service) -> None:
        for client in {case.client for case in self._population.cases}:
            service.sql(
                "INSERT INTO clients (id, email, company_name) VALUES (?, ?, ?)",
                client,
                f"shop{client}@example.com",
                f"Boutique {client}",
            )

    def _run_all(self, service: Service, forks: Forks) -> None:
        for at, is_full_hour in run_times(self._population):
            self._clock.advance(at - self._clock.now())
            self._arrive(service, at)
            if service.sql(_NEW):
                self._start(PODFetchWorker.name, service, forks)
            if is_full_hour and service.sql(_DUE, f"{at + SLACK:%Y-%m-%d %H:%M:%S.%f}"):
                self._start(PODRetryScheduler.name, service, forks)

    def _start(self, worker: str, service: Service, forks: Forks) -> None:
        """One complete run, while nothing else happens."""
        output = service.folder / "output"
        job = {
            "worker": worker,
            "arguments": self._arguments,
            "at": self._clock.now().isoformat(),
            "environment": {**service.environment, "RECOURS_HOME": str(service.folder)},
            "stdout": str(output),
            "stderr": str(output),
        }
        output.write_bytes(b"")
        if status := forks.wait(forks.fork(job)):
            raise RuntimeError(f"{worker} ended with {status}: {output.read_text(encoding='utf-8')[-2000:]}")

    def _arrive(self, service: Service, at: datetime) -> None:
        while self._arriving and self._arriving[-1].created_at <= at:
            case = self._arriving.pop()
            created = f"{case.created_at:%Y-%m-%d %H:%M:%S}"
            service.add(
                carrier=case.carrier_name,
                number=case.number,
                claim_reference=case.reference,
                client_id=case.client,
                amount_requested=case.amount,
                created_at=created,
                updated_at=created,
                response_deadline=case.deadline.isoformat() if case.deadline else None,
                pod_fetch_status="pending",
                pod_fetch_error=None,
            )


def _harvest(service: Service) -> Harvest:
    """The recorded attempts. Claims have the ids of the population, because the service has no other claims."""
    harvest = Harvest()
    rows = service.sql("SELECT claim_id, started_at, calls, outcome FROM recours_attempts ORDER BY id")
    for claim_id, started_at, calls, outcome in rows:
        at = datetime.fromisoformat(started_at).replace(tzinfo=START.tzinfo)
        harvest.note(claim_id, at, calls, proof=outcome == "success")
    return harvest
