"""The claims table, used like the service's own application or a person would use it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, false, func, insert, or_, select

from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage, State
from recours.core.errors import Actor
from recours.core.mail import Event, EventName
from recours.database.claim_rows import assessed_values, read_claims, reading_all
from recours.database.engine import Database
from recours.database.tables import claims, events, is_at_stage
from recours.runs.ports import Lease
from tests.conftest import SERVICE_CLAIMS, START
from tests.own_rows import joined_rows, set_own, set_service

_COLUMNS = {
    "number": "tracking_number",
    "fetch_status": "pod_fetch_status",
    "claim_status": "status",
    "deadline": "response_deadline",
    "error_text": "pod_fetch_error",
    "retries_counted": "pod_retry_count",
}
_AS_SERVICE = {"order_id": "O-1", "dispute_type": "lost", "amount_requested": 10.0}
_NULL = dict.fromkeys((*_COLUMNS.values(), "created_at", "updated_at"))

_c, _s = claims.c, SERVICE_CLAIMS.c
_OURS = (FetchStatus.PENDING, FetchStatus.FETCHING, FetchStatus.FAILED)
_PLACED = is_at_stage(Stage.WAITING, Stage.SETTLED, Stage.GIVEN_UP, Stage.SHELVED)
_LATER = or_(_c.next_at.is_(None), _c.next_at > bindparam("until"))
_RESTS = func.coalesce(_PLACED & _LATER, false())
_IS_OF = _s.pod_fetch_status.in_(bindparam("statuses", expanding=True))
_JOINED = SERVICE_CLAIMS.outerjoin(claims, _c.claim_id == _s.id)
_DUE = select(_s.id).select_from(_JOINED).where(_IS_OF, ~_RESTS).limit(1)


class ServiceTable:
    """Rows by reference. Column names are those of `Claim`, or of the table."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        """Use the carriers of this catalog."""
        self._database = database
        self._catalog = catalog

    def add(self, reference: str, carrier: str = "Chronopost", **columns: Any) -> None:
        """Add a row as the service does."""
        self.add_all([{"reference": reference, "carrier": carrier} | columns])

    def add_all(self, rows: list[dict[str, Any]]) -> None:
        """Add several rows with the same columns."""
        values = [_NULL | _AS_SERVICE | _by_column(row) for row in rows]
        with self._database.write() as connection:
            connection.execute(insert(SERVICE_CLAIMS), values)

    def edit(self, reference: str, **columns: Any) -> None:
        """Change a row as the service's application or a person does."""
        set_service(self._database, reference, **_by_column(columns))

    def set_own(self, reference: str, **columns: Any) -> None:
        """Write columns of recours's own row of a claim."""
        set_own(self._database, reference, **columns)

    def spoil(self, reference: str, *columns: str) -> None:
        """Write values of the wrong type to these columns."""
        names = ", ".join(f"{name} = 'soon'" for name in columns)
        with self._database.write() as connection:
            connection.exec_driver_sql(
                f"UPDATE claims SET {names} WHERE claim_reference = ?",
                (reference,),
            )

    def assess(self, reference: str, state: State) -> None:
        """Set a claim's state as if a run had assessed its current values and updated the service's columns."""
        self.edit(reference, pod_retry_count=state.retries_used, pod_last_retry_at=state.last_retry_at)
        self.set_own(reference, **assessed_values(self[reference], state, START))

    def lease(self, reference: str, until: datetime, token: str = "another run") -> None:
        """Lease a claim on behalf of another run."""
        self.set_own(reference, lease_token=token, lease_until=until)

    def leases(self) -> dict[str, Lease]:
        """The leases of all leased claims."""
        return {
            row["claim_reference"]: Lease(row["lease_token"], row["lease_until"])
            for row in joined_rows(self._database, _c.lease_token.is_not(None))
        }

    def claims(self, *conditions: ColumnElement[bool]) -> list[Claim]:
        """The claims in the order in which they were added."""
        border = self._database.border
        query = reading_all(border, *conditions).order_by(border.key)
        with self._database.read() as connection:
            return read_claims(connection.execute(query), self._catalog)

    def __getitem__(self, reference: str) -> Claim:
        (claim,) = self.claims(self._database.border.text("claim_reference") == reference)
        return claim

    def is_due(self, until: datetime, statuses: Collection[FetchStatus] = _OURS) -> bool:
        """Whether a run would find due claims with these statuses. Edits since the last run are not considered."""
        bounds = {"until": until, "statuses": list(statuses)}
        with self._database.read() as connection:
            return connection.execute(_DUE, bounds).first() is not None

    @property
    def events(self) -> list[Event]:
        """The events of claims."""
        return events_of(self._database, of_claims=True)

    @property
    def notices(self) -> list[tuple[str, str, str]]:
        """The events of claims as (name, audience, number)."""
        return [(event.name.value, event.audience.value, event.number) for event in self.events]


def events_of(database: Database, *, of_claims: bool) -> list[Event]:
    """The events of claims, or those without a claim, in the order of writing."""
    c = events.c
    query = select(c.event, c.audience, c.carrier, c.tracking_number, c.facts)
    query = query.where(c.claim_id.is_not(None) if of_claims else c.claim_id.is_(None)).order_by(c.id)
    with database.read() as connection:
        rows = connection.execute(query).all()
    return [
        Event(EventName(name), Actor(audience), carrier, number, facts)
        for name, audience, carrier, number, facts in rows
    ]


def _by_column(columns: dict[str, Any]) -> dict[str, Any]:
    names = _COLUMNS | {"reference": "claim_reference"}
    return {names.get(name, name): value for name, value in columns.items()}
