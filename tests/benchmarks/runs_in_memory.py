"""The real workers over a population, with claims, quotas, carriers and a clock in memory: for `bench_yield`."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from recours.carriers.assumed import AssumedSession
from recours.carriers.client import Client
from recours.carriers.message import CarrierSession, Request
from recours.carriers.queue import APIRequestQueue
from recours.carriers.registry import CATALOG
from recours.carriers.reservation import Account
from recours.core.claim import Claim, Delivery, FetchStatus
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure, Outcome, Retrieved
from recours.core.quota import Capability
from recours.memory.claims import MemoryClaims
from recours.memory.documents import PDF, MemoryDocuments
from recours.memory.journal import MemoryJournal
from recours.memory.maintenance import MemoryMaintenance
from recours.memory.quota import MemoryQuota
from recours.memory.table import ClaimTable
from recours.runs.fetch import PODFetchWorker
from recours.runs.log import silence
from recours.runs.ports import Dependencies
from recours.runs.retry import PODRetryScheduler
from recours.runs.single_thread import SingleThreadEngine
from recours.runs.worker import Options, Worker
from recours.sandbox import Sandbox, SimulatedClock
from recours.settings.loading import load
from recours.settings.model import Settings, SettingsError
from recours.wiring.carriers import accounts, catalog_of
from tests.benchmarks.population import QUOTAS, START, Case, Population
from tests.benchmarks.references import Harvest, run_times

_ANY = Request("GET", "/")


def environment(box: Sandbox, changed: Mapping[str, str]) -> dict[str, str]:
    """The settings of a service with accounts at the population's carriers, and with these changes."""
    quotas = {
        f"QUOTA_{CATALOG.specs[key].prefix}": f"{quota}/day@Europe/Paris" for key, quota in QUOTAS.items()
    }
    return {**box.environment(*QUOTAS), **quotas, **changed}


def settings_of(changed: Mapping[str, str]) -> Settings:
    """The same, read as a run reads them."""
    with TemporaryDirectory(prefix="recours-yield-") as folder:
        return load(Path(folder), environment(Sandbox(port=9), changed), CATALOG)


def missing_settings(names: Mapping[str, str]) -> list[str]:
    """Those that this version does not have: it does not mind what they say."""
    found = []
    for name in names:
        with suppress(SettingsError):
            settings_of({name: "no such value"})
            found.append(name)
    return found


class RunsInMemory:
    """Runs as cron starts them, in one thread: the same each time."""

    def __init__(self, population: Population, settings: Settings, concurrency: int = 8) -> None:
        self._concurrency = concurrency
        self._population = population
        self._arriving = list(reversed(population.cases))
        self._settings = settings
        self._clock = SimulatedClock(START)
        self._table = ClaimTable()
        self._claims = MemoryClaims(self._table)
        self._journal = MemoryJournal()
        self._quota = MemoryQuota((), START, {})
        self._accounts = {
            key: _account(account, population, self._clock)
            for key, account in accounts(settings, self._clock, lambda: 0.0).items()
        }
        self.harvest = Harvest()

    def run(self) -> Harvest:
        with silence():
            for at, is_full_hour in run_times(self._population):
                self._clock.advance(max(at - self._clock.now(), timedelta()))
                self._arrive(at)
                self._run(PODFetchWorker)
                if is_full_hour:
                    self._run(PODRetryScheduler)
        return self.harvest

    def _arrive(self, at: datetime) -> None:
        while self._arriving and self._arriving[-1].created_at <= at:
            self._table.load(_claim(self._arriving.pop()), edited=True)

    def _run(self, kind: type[Worker]) -> None:
        clock, settings = self._clock, self._settings
        policy = settings.policy
        deps = Dependencies(
            clock=clock,
            claims=self._claims,
            maintenance=MemoryMaintenance(self._table),
            journal=self._journal,
            queue=APIRequestQueue(self._accounts, self._quota, clock),
            documents=MemoryDocuments(),
            policy=policy,
        )
        options = Options(
            kind.usual_batch,
            self._concurrency,
            carrier_concurrency=settings.carrier_concurrency,
        )
        worker = kind(deps, catalog_of(settings), options, kind.name, lambda at: at)
        worker.engine = SingleThreadEngine
        report = worker.run()
        if report.fault:
            raise RuntimeError(report.fault)
        self._note()

    def _note(self) -> None:
        for attempt in self._table.attempts:
            claim_id, at = attempt.claim.id, attempt.started_at
            self.harvest.note(claim_id, at, attempt.calls, proof=attempt.document is not None)
        self._table.attempts.clear()
        self._table.events.clear()


def _claim(case: Case) -> Claim:
    return Claim(
        case.id,
        case.reference,
        client_id=case.client,
        carrier_name=case.carrier_name,
        carrier=case.carrier,
        number=case.number,
        fetch_status=FetchStatus.FAILED if case.has_failed else FetchStatus.PENDING,
        error_text="API timeout" if case.has_failed else None,
        deadline=case.deadline,
        created_at=case.created_at,
        updated_at=case.created_at,
    )


def _account(account: Account, population: Population, clock: SimulatedClock) -> Account:
    if account.client is None:
        return account
    client = _client(account, population, tracking_shows_account=account.client.tracking_shows_account)
    return replace(account, client=client, open_session=lambda reserved: AssumedSession(reserved, clock))


def _client(account: Account, population: Population, *, tracking_shows_account: bool) -> Client:
    """A carrier's client that knows what becomes of each parcel."""
    by_number = {case.number: case for case in population.cases}
    first_asked: dict[str, datetime] = {}  # for the document
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
            kind = case.proved(at, first_asked.setdefault(number, at))
            return _failure(kind) if kind else Retrieved.single(PDF, delivery, "the population")

        def _call(self, what: Capability, number: str, session: CarrierSession) -> Case:
            session.call(what, _ANY)
            if population.is_down(self.spec.key, session.now()):
                raise CallError(_failure(ErrorKind.SERVER_ERROR))
            return by_number[number]

    return Knowing({})


def _failure(kind: ErrorKind) -> Failure:
    return Failure(kind, f"as the population has it: {kind}", http_status=200)
