"""Runs the real workers over a population, with a database, carriers and a clock in memory, for `bench_yield`."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from recours.accounts.opened import make_catalog, open_accounts
from recours.carriers.client import Client
from recours.carriers.message import CarrierSession, Request
from recours.carriers.queue import APIRequestQueue
from recours.carriers.registry import CATALOG
from recours.carriers.reservation import Account
from recours.core.claim import Delivery, FetchStatus
from recours.core.decision import Decision
from recours.core.errors import ErrorKind
from recours.core.mail import Event
from recours.core.outcome import CallError, Failure, Outcome, Retrieved
from recours.core.quota import Capability
from recours.database.claims import ClaimRepository
from recours.database.journal import RunJournal
from recours.database.maintenance import ClaimMaintenance
from recours.database.quota import QuotaTables
from recours.runs.ports import Attempt, Dependencies, Lease
from recours.runs.worker import Options, PODFetchWorker, PODRetryScheduler, Worker
from recours.sandbox import Sandbox, SimulatedClock
from recours.settings.loading import load
from recours.settings.model import Settings, SettingsError
from tests.benchmarks.population import QUOTAS, START, Case, Population
from tests.benchmarks.references import Harvest, run_times
from tests.fakes.assumed import AssumedSession
from tests.fakes.database import memory_database
from tests.fakes.documents import PDF, FakeDocuments
from tests.fakes.intake import intake_of
from tests.fakes.table import ServiceTable

_ANY = Request("GET", "/")


def environment(box: Sandbox, changed: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service with accounts at the population's carriers, with these changes."""
    quotas = {
        f"QUOTA_{CATALOG.specs[key].prefix}": f"{quota}/day@Europe/Paris" for key, quota in QUOTAS.items()
    }
    return {**box.environment(*QUOTAS), **quotas, **changed}


def settings_of(changed: Mapping[str, str]) -> Settings:
    """The settings that a run reads from `environment`."""
    with TemporaryDirectory(prefix="recours-yield-") as folder:
        return load(Path(folder), environment(Sandbox(port=9), changed), CATALOG)


def missing_settings(names: Mapping[str, str]) -> list[str]:
    """The settings that this version does not have and would ignore."""
    found = []
    for name in names:
        with suppress(SettingsError):
            settings_of({name: "no such value"})
            found.append(name)
    return found


class RunsInMemory:
    """Reproducible runs on cron's schedule, with one call at a time. Runs without work are skipped."""

    def __init__(self, population: Population, settings: Settings) -> None:
        self._population = population
        self._arriving = list(reversed(population.cases))
        self._settings = settings
        self._catalog = make_catalog(settings)
        self._clock = SimulatedClock(START)
        self._journal = Journal(memory_database())
        self._accounts = {
            key: _account(account, population, self._clock)
            for key, account in open_accounts(settings, self._clock, lambda: 0.0).items()
        }
        self.harvest = Harvest()

    def run(self) -> Harvest:
        """Run over the population in this process's database, which is emptied before."""
        database = memory_database()
        database.empty()
        self._table = ServiceTable(database, self._catalog)
        self._claims = NotedClaims(database, self._catalog, "runs", "worker")
        self._claims.harvest = self.harvest
        logging.disable()
        for at, is_full_hour in run_times(self._population):
            self._clock.advance(max(at - self._clock.now(), timedelta()))
            self._arrive(at)
            self._run(PODFetchWorker)
            if is_full_hour:
                self._run(PODRetryScheduler)
        return self.harvest

    def _arrive(self, at: datetime) -> None:
        rows = []
        while self._arriving and self._arriving[-1].created_at <= at:
            rows.append(_row(self._arriving.pop()))
        if rows:
            self._table.add_all(rows)

    def _run(self, kind: type[Worker]) -> None:
        self._journal.begin(kind.name, kind.name, self._clock.now())
        due_until = self._settings.policy.due_until(self._clock.now())
        status = FetchStatus.FAILED if kind is PODRetryScheduler else FetchStatus.PENDING
        if not self._table.is_due(due_until, [status]):
            return
        database, policy = self._claims.database, self._settings.policy
        deps = Dependencies(
            clock=self._clock,
            claims=self._claims,
            intake=intake_of(database, self._catalog, policy, self._clock.now()),
            maintenance=ClaimMaintenance(database, self._catalog, "runs"),
            journal=self._journal,
            queue=APIRequestQueue(self._accounts, QuotaTables(database), self._clock),
            documents=cast("Any", FakeDocuments()),
            policy=policy,
        )
        options = Options(kind.usual_batch, 1, carrier_concurrency=self._settings.carrier_concurrency)
        worker = kind(deps, self._catalog, options, kind.name, lambda at: at)
        worker.open()
        worker.maintain()
        worker.slice()


@dataclass(eq=False)
class Journal(RunJournal):
    """Keeps the last start of each worker, and records no runs."""

    starts: dict[str, datetime] = field(default_factory=dict)

    def last_run(self, worker: str, until: datetime) -> datetime | None:
        del until
        return self.starts.get(worker)

    def begin(self, run_id: str, worker: str, at: datetime) -> None:
        del run_id
        self.starts[worker] = at

    def end(self, run_id: str, at: datetime, exit_status: int, stats: dict[str, Any]) -> None:
        """Do nothing."""

    def emit(self, event: Event, run_id: str, at: datetime) -> None:
        """Do nothing."""


class NotedClaims(ClaimRepository):
    """Claims that add their attempts to a harvest."""

    harvest: Harvest

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def record(self, ended: Sequence[tuple[Attempt, Decision]], lease: Lease, now: datetime) -> list[bool]:
        for attempt, _ in ended:
            proof = attempt.document is not None
            self.harvest.note(attempt.claim.id, attempt.started_at, attempt.calls, proof=proof)
        return super().record(ended, lease, now)


def _row(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "reference": case.reference,
        "client_id": case.client,
        "carrier": case.carrier_name,
        "number": case.number,
        "fetch_status": FetchStatus.FAILED if case.has_failed else FetchStatus.PENDING,
        "error_text": "API timeout" if case.has_failed else None,
        "deadline": case.deadline,
        "created_at": case.created_at,
        "updated_at": case.created_at,
    }


def _account(account: Account, population: Population, clock: SimulatedClock) -> Account:
    if account.client is None:
        return account
    client = _client(account, population, tracking_shows_account=account.client.tracking_shows_account)
    return replace(
        account,
        make_client=lambda: client,
        open_session=lambda reserved, _: cast("Any", AssumedSession(reserved, clock)),
    )


def _client(account: Account, population: Population, *, tracking_shows_account: bool) -> Client:
    """A carrier's client that knows the future of each parcel."""
    by_number = {case.number: case for case in population.cases}
    first_request: dict[str, datetime] = {}  # time of the first document call by number
    shows_account = tracking_shows_account

    class Knowing(Client):
        spec = account.spec
        tracking_shows_account = shows_account

        def track(self, number: str, session: CarrierSession) -> Delivery | Failure:
            case = self._call(Capability.TRACKING, number, session)
            kind = case.tracked(session.now())
            return _failure(kind) if kind else Delivery(case.delivered_at)

        def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
            case = self._call(Capability.POD, number, session)
            at = session.now()
            kind = case.proved(at, first_request.setdefault(number, at))
            return _failure(kind) if kind else Retrieved.single(PDF, delivery, "the population")

        def _call(self, what: Capability, number: str, session: CarrierSession) -> Case:
            session.call(what, _ANY)
            if population.is_down(self.spec.key, session.now()):
                raise CallError(_failure(ErrorKind.SERVER_ERROR))
            return by_number[number]

    return Knowing({})


def _failure(kind: ErrorKind) -> Failure:
    return Failure(kind, f"as the population has it: {kind}", http_status=200)
