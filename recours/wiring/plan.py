"""A plan over a database: the coming runs, with claims, quotas and carriers as they are now."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from random import random

from recours.carriers.assumed import AssumedClient, AssumedSession
from recours.carriers.queue import APIRequestQueue
from recours.carriers.reservation import Account
from recours.core.accounts import carrier_of
from recours.database.quota import QuotaTables
from recours.database.reports.survey import DatabaseOutlook
from recours.logs import local
from recours.memory.quota import MemoryQuota
from recours.operations.fleet import is_of_fleet
from recours.operations.forecast.facts import CarrierFacts, Rules
from recours.operations.plan import Plan, PlanScope, make_plan
from recours.runs.ports import Clock
from recours.runs.worker import Options
from recours.runs.workers import BOTH_WORKERS
from recours.wiring.carriers import accounts, make_queue
from recours.wiring.operations import Operations

# To find the schedule by, runs that were started by hand among them.
_RUNS_LOOKED_AT = 50


def plan_for(
    operations: Operations,
    horizon: timedelta,
    *,
    max_retries: int | None = None,
    batch_sizes: Mapping[str, int] | None = None,
    concurrency: int | None = None,
) -> Plan:
    """What the runs of both workers will do up to `horizon` from now. Raises DatabaseError.

    What is None is taken to be as the workers have it by themselves; `batch_sizes` by worker.
    """
    lanes = {backlog.carrier for backlog in operations.records.backlogs(most=1)}
    rules, carriers = rules_for(
        operations,
        lanes,
        max_retries=max_retries,
        batch_sizes=batch_sizes,
        concurrency=concurrency,
    )
    outlook = DatabaseOutlook(operations.database, operations.schema, operations.catalog)
    return make_plan(outlook, carriers, rules, scope_of(operations, horizon))


def scope_of(operations: Operations, horizon: timedelta) -> PlanScope:
    """What is foreseen from now on, with the schedule of the runs so far. Raises DatabaseError."""
    runs = {
        worker.name: operations.records.runs(worker.name, most=_RUNS_LOOKED_AT) for worker in BOTH_WORKERS
    }
    begun = {
        name: [run.started_at for run in of_worker if not is_of_fleet(run)]
        for name, of_worker in runs.items()
    }
    now = operations.clock.now()
    return PlanScope(horizon, now, begun, by_fleet=operations.is_by_fleet)


def rules_for(
    operations: Operations,
    lanes: Collection[str],
    *,
    max_retries: int | None = None,
    batch_sizes: Mapping[str, int] | None = None,
    concurrency: int | None = None,
) -> tuple[Rules, Mapping[str, CarrierFacts]]:
    """The rules of the coming runs, and the carriers as they are now; for what is None see `plan_for`. Raises DatabaseError.

    `lanes`: the keys of the accounts that runs may meet, beside those of the house.
    """
    settings = operations.settings
    policy = settings.policy if max_retries is None else replace(settings.policy, max_retries=max_retries)
    database, clock = operations.database, operations.clock
    # Each of clients' is opened once.
    real = accounts(settings, clock, random, database=database)
    queue = make_queue(settings, database, clock, random, "forecast", real)
    of_clients = sorted({key for key in lanes if key in real and carrier_of(key) != key})
    real.open_all(of_clients)
    keys = [*operations.catalog.specs, *of_clients]
    usages, closings = queue.usages(keys), queue.closings_of(keys)
    carriers = {
        key: CarrierFacts(
            uses=[use for use in usages[key] if not use.limit.window.is_short],
            closing=next(iter(closings[key]), None),
        )
        for key in keys
    }
    rules = Rules(
        policy=policy,
        catalog=operations.catalog,
        queue=_assumed_queue(operations, real, carriers),
        batch_sizes={worker.name: worker.usual_batch for worker in BOTH_WORKERS} | dict(batch_sizes or {}),
        concurrency=concurrency or Options(batch_size=0).concurrency,
        carrier_concurrency=settings.carrier_concurrency,
        clients={key: real[key].whose for key in of_clients},
    )
    return rules, carriers


def _assumed_queue(
    operations: Operations, real: Mapping[str, Account], carriers: Mapping[str, CarrierFacts]
) -> Callable[[Clock], APIRequestQueue]:
    """Makes the queue of one run: with limits, counts and carriers as they are now, and calls that go nowhere."""
    tables = QuotaTables(operations.database, "forecast")
    states = tables.carrier_states(carriers)
    quota = MemoryQuota(
        [use for facts in carriers.values() for use in facts.uses], operations.clock.now(), states
    )

    def queue(clock: Clock) -> APIRequestQueue:
        assumed = _AssumedAccounts(real, lambda account: assumed_account(account, clock))
        return APIRequestQueue(assumed, quota, clock, local=local)

    return queue


class _AssumedAccounts(dict[str, Account]):
    """Those of the house, and of clients each when it is first asked for."""

    def __init__(self, real: Mapping[str, Account], assumed: Callable[[Account], Account]) -> None:
        super().__init__({key: assumed(account) for key, account in real.items()})
        self._real, self._assumed = real, assumed

    def __missing__(self, key: str) -> Account:
        self[key] = account = self._assumed(self._real[key])
        return account


def assumed_account(account: Account, clock: Clock) -> Account:
    """The account, at a carrier that answers at once, with no document."""
    client = account.client and AssumedClient(account.spec, account.client)
    return replace(
        account, client=client, open_session=lambda reservation: AssumedSession(reservation, clock)
    )
