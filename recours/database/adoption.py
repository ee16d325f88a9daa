"""When recours was adopted, and what becomes of claims that other software worked on."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    Update,
    and_,
    bindparam,
    func,
    null,
    select,
    text,
    type_coerce,
    update,
)

from recours.core.accounts import AccountKey
from recours.core.carrier import Catalog
from recours.core.claim import Stage, tidy_number
from recours.core.error_text import classify
from recours.core.errors import ErrorKind
from recours.core.policy import Adoption
from recours.database.engine import Database
from recours.database.claim_reader import MOST_RETRIES
from recours.database.predicates import edited
from recours.database.rows import (
    free,
    is_failed,
    seen_values,
)
from recours.database.schema.inspection import Schema
from recours.database.tables import adoption, claims

_c = claims.c
_ROW = adoption.c.id == 1


def adopt(connection: Connection, before: Schema, now: datetime) -> None:
    """Note what there is, once, in the transaction that has just brought the schema up to date.

    `before`: what the database held before that.
    """
    at = bindparam("now", now, type_=adoption.c.adopted_at.type)
    connection.execute(text(sql_of_adoption(before, ":now")).bindparams(at))


def sql_of_adoption(before: Schema, now: str) -> str:
    """The SQL that does so, `now` being SQL too.

    Where the service has the column itself, it says which claims are to be worked on.
    """
    added = "pod_fetch_status" not in before.columns
    decided = "NOT EXISTS (SELECT 1 FROM claims)" if added else "true"
    return (
        "INSERT INTO recours_adoption (id, adopted_at, highest_claim_id, status_column_added, decided)"  # noqa: S608 (constants)
        f" SELECT 1, {now}, (SELECT max(id) FROM claims), {str(added).lower()}, {decided}"
        " WHERE NOT EXISTS (SELECT 1 FROM recours_adoption)"
    )


def read_adoption(connection: Connection) -> Adoption | None:
    """The row; None if somebody has removed it."""
    row = connection.execute(select(adoption).where(_ROW)).first()
    if row is None or row.adopted_at is None:
        return None
    return Adoption(row.adopted_at, row.highest_claim_id, row.status_column_added, row.decided)


# ---------------------------------------------------------------- failures whose retries other software used up

_PORTION = 2000  # few statements write many rows; the service waits for one at most
_OF_EXHAUSTED = (
    _c.id,
    type_coerce(_c.carrier, Text).label("carrier"),
    type_coerce(_c.tracking_number, Text).label("number"),
    type_coerce(_c.pod_fetch_error, Text).label("error"),
)
_OF_CLIENT, _OF_NOBODY = _c.client_id, null().label("client_id")
# Of a table that was just loaded PostgreSQL has no statistics, and would sort all of it for each portion.
_IN_ORDER = text("SET LOCAL enable_sort = off")

# Of a claim to be adopted: its id, the key of its account, the kind of its error.
_Verdict = tuple[Any, str, str]


def exhausted(max_retries: int) -> ColumnElement[bool]:
    """Failures that were never assessed, with all retries used. In SQLite a text is more than any number: hence the most."""
    first_sight = and_(is_failed(), _c.pod_stage.is_(None), _c.pod_seen_status.is_(None))
    return and_(first_sight, _c.pod_retry_count >= max_retries, _c.pod_retry_count <= MOST_RETRIES)


def adopt_exhausted(
    database: Database,
    catalog: Catalog,
    columns: frozenset[str],
    max_retries: int,
    now: datetime,
) -> Iterator[int]:
    """Have such failures count as given up; how many, a portion at a time.

    It is the past, so no event and no mail. What an assessment makes of each is a function of few values, so that few
    statements write a portion.
    """
    has_deadline = "response_deadline" in columns
    conditions = edited(with_deadline=has_deadline), exhausted(max_retries), free(now)
    client_id = _OF_CLIENT if "client_id" in columns else _OF_NOBODY
    query = select(*_OF_EXHAUSTED, client_id).where(*conditions).order_by(_c.id).limit(_PORTION)
    is_sqlite = database.is_sqlite
    statement = _adopt(is_sqlite=is_sqlite, has_deadline=has_deadline)
    further = query
    while True:
        with database.write() as connection:
            if not is_sqlite:
                connection.execute(_IN_ORDER)
            rows = connection.execute(further.with_for_update(skip_locked=True)).all()
            verdicts = [_verdict(catalog, *row) for row in rows]
            for values in _in_groups(verdicts) if is_sqlite else _in_lists(verdicts):
                connection.execute(statement, values | {"to_failed_at": now})
        yield len(rows)
        if len(rows) < _PORTION:
            return
        further = query.where(_c.id > rows[-1].id)


def _verdict(catalog: Catalog, claim_id: Any, *read: Any) -> _Verdict:
    *raw, client_id = read
    carrier, number, error = (
        value if isinstance(value, str) else None if value is None or isinstance(value, bytes) else str(value)
        for value in raw
    )
    tidied = tidy_number(number)
    kind = classify(error) if tidied else ErrorKind.INVALID_TRACKING
    served_by = catalog.resolve(carrier or "", tidied, client_id)
    account = catalog.account_for(client_id, served_by, None)
    return claim_id, str(AccountKey(served_by, account)) if served_by else "", kind.value


def _in_lists(verdicts: list[_Verdict]) -> list[dict[str, Any]]:
    """The parameters of `_adopt` on PostgreSQL."""
    if not verdicts:
        return []
    ids, keys, kinds = map(list, zip(*verdicts, strict=True))
    return [{"ids": ids, "to_keys": keys, "to_kinds": kinds, "lowest": ids[0], "highest": ids[-1]}]


def _in_groups(verdicts: list[_Verdict]) -> list[dict[str, Any]]:
    """The parameters of `_adopt` on SQLite, a set for each key and kind."""
    ids: dict[tuple[str, str], list[Any]] = {}
    for claim_id, key, kind in verdicts:
        ids.setdefault((key, kind), []).append(claim_id)
    return [{"ids": alike, "to_key": key, "to_kind": kind} for (key, kind), alike in ids.items()]


@cache
def _adopt(*, is_sqlite: bool, has_deadline: bool) -> Update:
    """Parameters: `to_failed_at`, and those of `_in_groups` or `_in_lists`.

    PostgreSQL would spend as much on a parameter for each id, or on a statement for each of a hundred groups, as on the
    update itself.
    """
    rows: ColumnElement[bool]
    key: ColumnElement[Any]
    kind: ColumnElement[Any]
    if is_sqlite:
        rows = _c.id.in_(bindparam("ids", expanding=True))
        key, kind = bindparam("to_key"), bindparam("to_kind")
    else:
        lists = (("ids", BigInteger), ("to_keys", Text), ("to_kinds", Text))
        unnested = func.unnest(*(bindparam(name, type_=ARRAY(of)) for name, of in lists))
        found = unnested.table_valued("id", "key", "kind").render_derived(name="found")
        # The bounds are for the planner, which might read the table or an index from its beginning.
        rows = and_(_c.id == found.c.id, _c.id.between(bindparam("lowest"), bindparam("highest")))
        key, kind = found.c.key, found.c.kind
    failed_at = bindparam("to_failed_at", type_=_c.pod_failed_at.type)
    values: dict[str, Any] = {
        "pod_stage": Stage.GIVEN_UP,
        "pod_carrier_key": key,
        "pod_error_kind": kind,
        "pod_failed_at": failed_at,
        "pod_next_retry_at": None,
        "pod_rank_at": failed_at,
        "pod_rank_is_deadline": 0,
        "pod_interruptions": 0,
        "pod_seen_count": _c.pod_retry_count,
        "pod_attempts": _c.pod_retry_count,
    }
    return update(claims).where(rows).values(values | seen_values(has_deadline=has_deadline))
