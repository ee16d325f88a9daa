"""The money in dispute of the claims that a problem is about; see `recours.operations.stakes`."""

from sqlalchemy import select

from recours.core.text import clean
from recours.database.claim_rows import Reader
from recours.database.engine import Database
from recours.database.tables import at_stage, claims
from recours.operations.records import COUNTED_UP_TO
from recours.operations.stakes import Concerned, Stake, stake_of

_c = claims.c
_AT_ONCE = 1000  # ids: of more, a database may read the whole table


def stake_in(database: Database, concerned: Concerned, most: int = COUNTED_UP_TO) -> Stake:
    """What these claims are about, of the first `most` of them; the schema is current. Raises DatabaseError."""
    border = database.border
    columns = [border.text(name).label(name) for name in ("amount_requested", "currency")]
    query = select(*columns)
    ids = concerned.ids[:most]
    parts = (border.key.in_(ids[first : first + _AT_ONCE]) for first in range(0, len(ids), _AT_ONCE))
    queries = [query.select_from(border.claims).where(part) for part in parts]
    if concerned.accounts:
        of_accounts = _c.lane.in_(sorted(concerned.accounts)), at_stage(*concerned.stages)
        queries.append(query.select_from(border.joined()).where(*of_accounts).limit(most + 1))
    rows = [Reader(row) for query in queries for row in database.mappings(query)]
    amounts = [(clean(row.text("currency") or "", 8), row.amount("amount_requested")) for row in rows]
    is_more = len(concerned.ids) > most or len(amounts) > most
    return stake_of(amounts[:most], is_more=is_more)
