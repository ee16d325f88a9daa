"""The money in dispute of the claims that a problem is about; see `recours.operations.stakes`."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, literal_column, select, union_all

from recours.core.text import clean
from recours.database.engine import Database
from recours.database.claim_reader import Reader
from recours.database.reports.claim_search import parts_of_accounts
from recours.database.tables import MONEY_COLUMNS, claims
from recours.operations.records import COUNTED_UP_TO
from recours.operations.stakes import Concerned, Stake, stake_of

_c = claims.c
_IDS_AT_ONCE = 1000


@dataclass(frozen=True)
class DatabaseStakes:
    """One database whose schema is current."""

    database: Database
    columns: frozenset[str]  # those that `claims` has

    def of(self, concerned: Concerned, most: int = COUNTED_UP_TO) -> Stake:
        """What these claims are about, of the first `most` of them. Raises DatabaseError."""
        if "amount_requested" not in self.columns:
            return Stake()
        ids = concerned.ids[:most]
        queries: list[Select[Any] | CompoundSelect[Any]] = [
            self._amounts().where(_c.id.in_(ids[at : at + _IDS_AT_ONCE]))
            for at in range(0, len(ids), _IDS_AT_ONCE)
        ]
        if concerned.accounts:
            parts = [
                self._amounts().where(part).limit(most + 1).subquery()
                for part in parts_of_accounts(concerned)
            ]
            queries.append(union_all(*(select(part) for part in parts)).limit(most + 1))
        with self.database.read() as connection:
            amounts = [amount for query in queries for amount in _read(connection, query)]
        is_more = len(concerned.ids) > most or len(amounts) > most
        return stake_of(amounts[:most], is_more=is_more)

    def _amounts(self) -> Select[Any]:
        names = [name for name in MONEY_COLUMNS if name in self.columns]
        columns: list[ColumnElement[Any]] = [literal_column(f"claims.{name}").label(name) for name in names]
        return select(*columns).select_from(claims)


def _read(connection: Connection, query: Select[Any] | CompoundSelect[Any]) -> list[tuple[str, float]]:
    rows = map(Reader, connection.execute(query).mappings())
    return [(clean(row.text("currency") or "", 8), row.amount("amount_requested")) for row in rows]
