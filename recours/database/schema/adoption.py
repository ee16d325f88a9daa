"""The one row that says when recours first worked on a database, and what there was then."""

from datetime import datetime

from sqlalchemy import Connection, func, select, update

from recours.core.policy import Adoption
from recours.database.event_outbox import insert_into
from recours.database.schema.inspection import Schema
from recours.database.tables import adoption, claims

_ROW = 1
_STATUS = "pod_fetch_status"


def adopt(connection: Connection, before: Schema, now: datetime) -> None:
    """Note what there is, once, in the transaction that has just brought the schema up to date.

    `before`: what the database held before that. One that an older version worked on is undecided: nobody knows any more
    who added the column.
    """
    added = _STATUS not in before.columns
    highest = connection.scalar(select(func.max(claims.c.id)))
    values = {
        "id": _ROW,
        "adopted_at": now,
        "highest_claim_id": highest,
        "status_column_added": added,
        "decided": _has_nothing_to_decide(before, has_claims=highest is not None),
        "ranked_up_to": None if before.version is None else 0,
    }
    connection.execute(insert_into(adoption, connection.dialect.name).values(values).on_conflict_do_nothing())


def _has_nothing_to_decide(before: Schema, *, has_claims: bool) -> bool:
    """Where the service has the column itself, it says which claims are to be worked on."""
    return before.version is None and (_STATUS in before.columns or not has_claims)


def sql_of_adoption(before: Schema, dialect: str) -> str:
    """The same for someone who brings the schema up to date by hand."""
    added = _STATUS not in before.columns
    decided = "false" if before.version else ("NOT EXISTS (SELECT 1 FROM claims)" if added else "true")
    ranked = "0" if before.version else "NULL"
    now = "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'" if dialect == "postgresql" else "CURRENT_TIMESTAMP"
    return (
        "INSERT INTO recours_adoption (id, adopted_at, highest_claim_id, status_column_added, decided, ranked_up_to)"  # noqa: S608 (constants)
        f" SELECT {_ROW}, {now}, (SELECT max(id) FROM claims), {str(added).lower()}, {decided}, {ranked}"
        " WHERE NOT EXISTS (SELECT 1 FROM recours_adoption)"
    )


def read_adoption(connection: Connection) -> Adoption | None:
    """The row; None if somebody has removed it."""
    row = connection.execute(select(adoption).where(adoption.c.id == _ROW)).first()
    if row is None or row.adopted_at is None:
        return None
    return Adoption(row.adopted_at, row.highest_claim_id, row.status_column_added, row.decided)


def note_decision(connection: Connection) -> None:
    """A person has said what becomes of the claims that are not enrolled."""
    connection.execute(update(adoption).where(adoption.c.id == _ROW).values(decided=True))


def ranked_up_to(connection: Connection) -> int | None:
    """Up to which id claims of an older version were ranked again; None: all were."""
    return connection.scalar(select(adoption.c.ranked_up_to).where(adoption.c.id == _ROW))


def note_ranked(connection: Connection, up_to: int | None) -> None:
    """Claims up to this id have been ranked again; None: all."""
    connection.execute(update(adoption).where(adoption.c.id == _ROW).values(ranked_up_to=up_to))
