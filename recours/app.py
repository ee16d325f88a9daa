"""An opened installation: its settings, its database and the services that use them."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from random import random

from recours.accounts.opened import make_catalog, make_queue
from recours.carriers.queue import APIRequestQueue
from recours.core.accounts import ClientAccount, ServiceClient
from recours.core.assessment import assess
from recours.core.carrier import Catalog
from recours.core.claim import Claim
from recours.core.pauses import Refusal
from recours.core.policy import Policy
from recours.database.by_person import ClaimEnrollment, GivenUpClaims
from recours.database.claims import ClaimRepository
from recours.database.client_accounts import ClientAccounts, numbers_in_use
from recours.database.dialect import USUAL, Waits
from recours.database.engine import Database, DatabaseError, SystemClock, clock_offset
from recours.database.intake import Assessor, read_adoption
from recours.database.schema.creation import NOT_DONE, bring_up_to_date, create_file
from recours.database.schema.inspection import (
    Schema,
    dropped_columns,
    inspect_schema,
    require_claims,
    require_rights,
    rights_remarks,
)
from recours.database.schema.rights import MISSING
from recours.host.logs import LogFile, run_log
from recours.runs.ports import Clock
from recours.settings.model import Settings, redactor

# Timeouts for commands, which may read every row. Runs have shorter timeouts, so that they do not hang.
INTERACTIVE_WAITS = Waits(statement=Waits.long_statement)

CREATED = "created with its whole schema"
# Synchronized clocks differ by less than this.
CLOCKS_AGREE = timedelta(seconds=5)
_CLOCKS_DIFFER = "The clock of this machine is"
# The prefixes of remarks that are logged as warnings.
_WARNINGS = (*NOT_DONE, _CLOCKS_DIFFER, MISSING)


def open_database(settings: Settings, *, connections: int | None = None) -> "App":
    """Open the database for a run: create a missing embedded database, and update the schema. Raises DatabaseError.

    `connections`: the maximum number of connections to a server; None: as many as threads need.
    """
    remarks = []
    if settings.database_is_embedded and create_embedded(settings):
        remarks.append(f"{settings.database_url.database} was {CREATED}")
    database = connect(settings, USUAL, connections)
    try:
        schema = inspect_schema(database)
        require_claims(database, schema)
        offset = clock_offset(database)
        clock = SystemClock(offset)
        schema, notes = bring_up_to_date(database, schema, clock)
        require_rights(database, [right for right in schema.missing_rights if not right.need.optional])
        notes += rights_remarks(database, schema)
        return App(settings, database, schema, clock, (*remarks, *notes, *clock_remarks(offset)))
    except DatabaseError:
        database.close()
        raise


def clock_remarks(offset: timedelta) -> list[str]:
    """Return remarks if the clocks differ. `offset`: how far the database's clock is ahead of this machine's."""
    if abs(offset) <= CLOCKS_AGREE:
        return []
    apart = f"{abs(offset).total_seconds():.0f} s {'behind' if offset > timedelta(0) else 'ahead of'}"
    return [
        f"{_CLOCKS_DIFFER} {apart} the database's, which this run uses. Check the time synchronization (NTP) of both. "
        "Only the log shows this machine's time"
    ]


def read_policy(settings: Settings, database: Database) -> Policy:
    """Return the policy for a database with the current schema. Raises DatabaseError."""
    with database.read() as connection:
        adopted = read_adoption(connection)
    return replace(settings.policy, adopted_at=adopted.at if adopted else None)


def make_assessor(settings: Settings, database: Database, catalog: Catalog, policy: Policy) -> Assessor:
    """Return an assessor that applies this policy to the claims of a database."""
    return Assessor(database, catalog, lambda claim, now: assess(claim, now, policy), redactor(settings))


def make_enrollment(settings: Settings, assessor: Assessor) -> ClaimEnrollment:
    return ClaimEnrollment(assessor, settings.policy.skip_claim_statuses, settings.enroll_new)


def read_clock(database: Database) -> SystemClock:
    """Return a clock that follows the database's clock. Raises DatabaseError."""
    return SystemClock(clock_offset(database))


def needs_creation(settings: Settings) -> bool:
    """Return whether the embedded database is used and does not exist yet. Raises DatabaseError."""
    return settings.database_is_embedded and not named(settings).is_there()


def create_embedded(settings: Settings) -> bool:
    """Create the embedded database; False if it exists. Raises DatabaseError."""
    database = named(settings)
    return (
        database.path is not None and not database.is_there() and create_file(database.path, settings.access)
    )


def named(settings: Settings, waits: Waits = INTERACTIVE_WAITS, connections: int | None = None) -> Database:
    """Return the configured database, which may not exist. Raises DatabaseError if its driver is missing."""
    try:
        return Database(
            settings.database_url, waits=waits, connections=connections, names=settings.table_names
        )
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"PostgreSQL needs the package {error.name}, which is not installed for this Python: "
            f'{sys.executable} -m pip install "psycopg[binary]"'
        ) from error


def connect(settings: Settings, waits: Waits = INTERACTIVE_WAITS, connections: int | None = None) -> Database:
    """Return the configured database. Raises DatabaseError if its file or its driver is missing."""
    database = named(settings, waits, connections)
    if not database.is_there():
        raise DatabaseError(
            f"There is no database file {database.path}. Correct DATABASE_PATH or DATABASE_URL, "
            "or create the database with 'recours init-db'."
        )
    return database


def log_file(settings: Settings, name: str) -> LogFile:
    """Return the log file with this name, as configured."""
    return LogFile(
        settings.log_dir / f"{name}.log",
        settings.log_max_bytes,
        redact=redactor(settings),
        access=settings.access,
    )


@dataclass(frozen=True)
class App:
    """The services that runs, commands and the dashboard use. Reports are in `recours.reporting`.

    Values from the database are read on first use and cached; to read them again, create a new instance.
    """

    settings: Settings
    database: Database
    schema: Schema
    clock: Clock
    remarks: tuple[str, ...] = ()  # for the log: changes to the database when it was opened

    @cached_property
    def policy(self) -> Policy:
        """The rules set by the settings and the database. Raises DatabaseError."""
        return read_policy(self.settings, self.database)

    @cached_property
    def client_accounts(self) -> Sequence[ClientAccount]:
        """Read all accounts of clients. Raises DatabaseError."""
        return ClientAccounts(self.database).all()

    @cached_property
    def catalog(self) -> Catalog:
        """The carriers and accounts. Raises DatabaseError."""
        return make_catalog(self.settings, numbers_in_use(self.client_accounts))

    @cached_property
    def claims(self) -> ClaimRepository:
        """The repository of claims, for actions outside runs. Raises DatabaseError."""
        return ClaimRepository(self.database, self.catalog, "", "operations", redactor(self.settings))

    def log_remarks(self) -> None:
        """Log the remarks. Important remarks are logged as WARNING."""
        for remark in self.remarks:
            run_log().log(logging.WARNING if remark.startswith(_WARNINGS) else logging.INFO, remark)

    def queue(self) -> APIRequestQueue:
        """The queue that makes calls to carriers and knows their state."""
        return make_queue(self.settings, self.database, self.clock, random)

    @property
    def due_until(self) -> datetime:
        """Retries scheduled up to this time are due."""
        return self.settings.policy.due_until(self.clock.now())

    @property
    def given_up(self) -> GivenUpClaims:
        return GivenUpClaims(self.assessor)

    @property
    def assessor(self) -> Assessor:
        """The assessor for claims that people change."""
        return make_assessor(self.settings, self.database, self.catalog, self.policy)

    @property
    def enrollment(self) -> ClaimEnrollment:
        return make_enrollment(self.settings, self.assessor)

    @property
    def clients(self) -> ClientAccounts:
        return ClientAccounts(self.database)

    def client_named(self, claim: Claim) -> str:
        """Return the display name of a claim's client. Raises DatabaseError."""
        emails = self.clients.emails([claim.client_id]) if claim.client_id is not None else {}
        return ServiceClient(claim.client_id, emails.get(claim.client_id, "")).display_name

    def refusal_of(self, claim: Claim) -> Refusal | None:
        """Return why the claim's account cannot be used now; None if it can. Raises DatabaseError."""
        if not claim.carrier:
            return None
        return self.queue().status(claim.account_key).refusal_for(document=claim.state.delivery is not None)


def open_app(settings: Settings) -> App:
    """Open a database with the current schema, without changes. Raises DatabaseError."""
    database = connect(settings)
    try:
        return App(settings, database, _current_schema(database), read_clock(database))
    except DatabaseError:
        database.close()
        raise


def _current_schema(database: Database) -> Schema:
    schema = inspect_schema(database)
    require_claims(database, schema)
    if schema.has_dropped_columns:
        raise dropped_columns(database, schema)
    if not schema.is_current:
        raise DatabaseError(
            f"The schema of {database.safe_url} is not up to date. A run of either worker upgrades the schema, and so does "
            "'recours init-db'."
        )
    return schema
