"""What a person asks of the system, over a database."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from random import random
from typing import Any

from recours.carriers.queue import APIRequestQueue
from recours.core.accounts import ClientAccount, ServiceClient
from recours.core.actions import PastAction
from recours.core.carrier import Catalog
from recours.core.claim import Claim
from recours.core.pauses import Refusal
from recours.core.position import Position, position
from recours.database.by_person import ClaimEnrolment, GivenUpClaims
from recours.database.claims import ClaimRepository
from recours.database.client_accounts import ClientAccounts, numbers_in_use
from recours.database.engine import Database, DatabaseError
from recours.database.intake import Assessor
from recours.database.journal import ActionLog
from recours.database.schema.inspection import Schema
from recours.operations.accounts import ListedAccount
from recours.reporting.problems import Problem, ProblemKind, problems
from recours.reporting.reader import DatabaseRecords
from recours.reporting.records import ListedClaim
from recours.reporting.snapshot import SnapshotReader, latest_runs
from recours.reporting.survey import DatabaseTroubles
from recours.reporting.system import (
    CarrierNow,
    Overview,
    is_by_fleet,
    of_last_day,
)
from recours.runs.ports import Clock
from recours.settings.model import Settings
from recours.wiring.carriers import catalog_of, make_queue, redactor
from recours.wiring.databases import assessor_of, clock_of, connect, current_schema, enrolment_of, policy_of

_ACTIONS_SHOWN = 10  # of each carrier

# Claims between two reads of the carriers' states.
_POSITIONS_AT_ONCE = 1000


@dataclass(frozen=True)
class Operations:
    """What the operator's commands and the page work with."""

    settings: Settings
    database: Database
    schema: Schema
    clock: Clock
    catalog: Catalog
    records: DatabaseRecords
    claims: ClaimRepository
    client_accounts: Sequence[ClientAccount]  # as they were when the database was opened

    def queue(self) -> APIRequestQueue:
        """The queue: to be looked at, or to call with."""
        return make_queue(self.settings, self.database, self.clock, random)

    @property
    def due_until(self) -> datetime:
        """Claims whose retries come by then are due."""
        return self.settings.policy.backoff.due_until(self.clock.now())

    @property
    def given_up(self) -> GivenUpClaims:
        return GivenUpClaims(self.assessor)

    @property
    def assessor(self) -> Assessor:
        """What assesses claims that a person's command changes."""
        return assessor_of(self.settings, self.database, self.catalog, self.settings.policy)

    @property
    def is_by_fleet(self) -> bool:
        """Tell whether long-lived workers do the work. Raises DatabaseError."""
        now = self.clock.now()
        return is_by_fleet(of_last_day(latest_runs(self.records, now), now), now)

    @property
    def enrolment(self) -> ClaimEnrolment:
        """The claims that nobody has enrolled."""
        return enrolment_of(self.settings, self.assessor)

    def carriers_now(self) -> list[CarrierNow]:
        """What the queue knows of each carrier at this moment. Calls nobody."""
        statuses, credentials = self.queue().statuses(self.catalog.specs), self.settings.credentials
        unavailable = self.troubles.unavailable(self.clock.now())
        return [
            CarrierNow(
                key=key,
                name=spec.name,
                configured=key in self.catalog.configured,
                uses=statuses[key].uses,
                refusal=statuses[key].refusal,
                rejected=statuses[key].rejected,
                documents=statuses[key].documents,
                stopped=statuses[key].stopped,
                unavailable_since=unavailable.get(key),
                source=credentials[key].source,
                missing=credentials[key].missing,
            )
            for key, spec in self.catalog.specs.items()
        ]

    def actions_now(self) -> dict[str, list[PastAction]]:
        """What people did to each carrier last, by its key, the latest first. Raises DatabaseError."""
        return ActionLog(self.database).latest_of_each(self.catalog.specs, _ACTIONS_SHOWN)

    @property
    def clients(self) -> ClientAccounts:
        return ClientAccounts(self.database)

    def accounts_now(self) -> list[ListedAccount]:
        """The accounts of clients, with their health at this moment. Calls nobody. Raises DatabaseError."""
        from recours.wiring.account_operations import AccountOperations  # noqa: PLC0415 (which works with operations)

        return AccountOperations(self).listed(self.client_accounts)

    def client_named(self, claim: Claim) -> str:
        """The client of a claim, for people. Raises DatabaseError."""
        emails = self.clients.emails([claim.client_id]) if claim.client_id is not None else {}
        return ServiceClient(claim.client_id, emails.get(claim.client_id, "")).named

    def overview(self, days: int = 7) -> Overview:
        """The state of the system, with what became of the attempts of so many days. Raises DatabaseError."""
        reader = SnapshotReader(
            self.records, self.troubles, self.clients, self.enrolment, self.settings.policy
        )
        return reader.overview(self.carriers_now(), self.accounts_now(), self.clock.now(), days)

    def problems_of(self, *kinds: ProblemKind) -> list[Problem]:
        """The problems of these kinds that there are now, with the claims and the money of each. Raises DatabaseError."""
        return [problem for problem in problems(self.overview(days=1)) if problem.kind in kinds]

    @property
    def troubles(self) -> DatabaseTroubles:
        return DatabaseTroubles(self.database, self.catalog, redactor(self.settings))

    def refusal_of(self, claim: Claim) -> Refusal | None:
        """Why the claim's account takes no call for it now. Raises DatabaseError."""
        key, is_last = _asked_for(claim)
        return self.queue().status(key).refusal_for(document=is_last) if claim.carrier else None

    def positions(self, found: Sequence[ListedClaim]) -> dict[Any, Position]:
        """Where these claims stand, by their ids; each account is looked at once. Raises DatabaseError."""
        now, policy = self.clock.now(), self.settings.policy
        asked = {listed.claim.id: _asked_for(listed.claim) for listed in found}
        statuses = self.queue().statuses({key for key, _ in asked.values() if key})
        refusals = {
            claim_id: statuses[key].refusal_for(document=is_last)
            for claim_id, (key, is_last) in asked.items()
            if key
        }
        return {
            listed.claim.id: position(
                listed.claim,
                now,
                policy,
                refusal=refusals.get(listed.claim.id),
                leased=listed.leased_until(now) is not None,
            )
            for listed in found
        }

    def with_positions(self, found: Iterable[ListedClaim]) -> Iterator[tuple[ListedClaim, Position]]:
        """Claims with where they stand, a part at a time in memory. Raises DatabaseError."""
        rest = iter(found)
        while part := list(islice(rest, _POSITIONS_AT_ONCE)):
            positions = self.positions(part)
            yield from ((listed, positions[listed.claim.id]) for listed in part)


def open_operations(settings: Settings) -> Operations:
    """The operations over a database whose schema is current. Changes nothing. Raises DatabaseError."""
    database = connect(settings)
    try:
        schema = current_schema(database)
        clock = clock_of(database)
    except DatabaseError:
        database.close()
        raise
    return operations_over(settings, database, schema, clock)


def operations_over(settings: Settings, database: Database, schema: Schema, clock: Clock) -> Operations:
    """The operations over a database that is open already. Raises DatabaseError."""
    client_accounts = ClientAccounts(database).all()
    catalog = catalog_of(settings, numbers_in_use(client_accounts))
    redact = redactor(settings)
    return Operations(
        settings=replace(settings, policy=policy_of(settings, database)),
        database=database,
        schema=schema,
        clock=clock,
        catalog=catalog,
        records=DatabaseRecords(database, catalog, redact),
        claims=ClaimRepository(database, catalog, "", "operations", redact),
        client_accounts=client_accounts,
    )


def _asked_for(claim: Claim) -> tuple[str, bool]:
    """The key of the account that a claim is asked with, and whether only the document is missing."""
    return claim.account_key, claim.state.delivery is not None
