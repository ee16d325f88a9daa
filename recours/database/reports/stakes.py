"""The money in dispute of the claims that a problem is about; see `recours.operations.stakes`."""

from dataclasses import dataclass

from sqlalchemy import Connection, Select, select

from recours.core.text import clean
from recours.database.claim_reader import Reader
from recours.database.engine import Database
from recours.database.tables import at_stage, claims
from recours.operations.records import COUNTED_UP_TO
from recours.operations.stakes import Concerned, Stake, stake_of

_c = claims.c
_IDS_AT_ONCE = 1000


@dataclass(frozen=True)
class DatabaseStakes:
    """One database whose schema is current."""

    database: Database

    def of(self, concerned: Concerned, most: int = COUNTED_UP_TO) -> Stake:
        """What these claims are about, of the first `most` of them. Raises DatabaseError."""
        ids = concerned.ids[:most]
        queries = [
            self._amounts().where(_c.claim_id.in_(ids[at : at + _IDS_AT_ONCE]))
            for at in range(0, len(ids), _IDS_AT_ONCE)
        ]
        if concerned.accounts:
            of_accounts = _c.lane.in_(sorted(concerned.accounts)), at_stage(*concerned.stages)
            queries.append(self._amounts().where(*of_accounts).limit(most + 1))
        with self.database.read() as connection:
            amounts = [amount for query in queries for amount in _read(connection, query)]
        is_more = len(concerned.ids) > most or len(amounts) > most
        return stake_of(amounts[:most], is_more=is_more)

    def _amounts(self) -> Select[str, str]:
        border = self.database.border
        amount, currency = (border.text(name).label(name) for name in ("amount_requested", "currency"))
        return select(amount, currency).select_from(border.joined())


def _read(connection: Connection, query: Select[str, str]) -> list[tuple[str, float]]:
    rows = map(Reader, connection.execute(query).mappings())
    return [(clean(row.text("currency") or "", 8), row.amount("amount_requested")) for row in rows]
