"""Which claims a run may work on at all, whatever their stage: those that our tables can hold and this version knows."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, true

from recours.database.engine import DatabaseError
from recours.database.predicates import known
from recours.database.schema.inspection import Schema
from recours.database.schema.widening import HIGHEST_NARROW
from recours.database.tables import claims


@dataclass(frozen=True)
class Reach:
    """The rows of `claims` within a run's reach. Without limits on almost every database."""

    only_known: bool = False  # a newer version works on this database too
    highest_id: int | None = None  # our tables hold keys of 32 bits

    def rows(self) -> ColumnElement[bool]:
        """The condition on a row."""
        return _rows(self)

    def require(self, claim_id: Any) -> None:
        """See that a claim that somebody asked for is within reach. Raises DatabaseFault."""
        if self.highest_id is not None and claim_id > self.highest_id:
            raise DatabaseError(
                f"Claim {claim_id} cannot be recorded yet: the recours_ tables hold ids up to {self.highest_id}. Run "
                "'recours init-db' as their owner; nothing was fetched."
            )


@cache
def _rows(reach: Reach) -> ColumnElement[bool]:
    limits = [known()] if reach.only_known else []
    if reach.highest_id is not None:
        limits.append(claims.c.id <= reach.highest_id)
    return and_(true(), *limits)


EVERYTHING = Reach()


def reach_of(schema: Schema) -> Reach:
    """What a run may work on in a database of this schema."""
    return Reach(schema.is_of_newer_version, HIGHEST_NARROW if schema.narrow_keys else None)
