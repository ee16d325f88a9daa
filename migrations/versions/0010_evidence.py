"""The end of the evidence counts in the order of claims: those of carriers that forget parcels are ranked again, once.

The next run does it, part by part (`recours.database.ranks`): here it is only noted. Version 0009 may go on working on a
database of this one: the claims that it ranks have its order until their next answer.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

RANK_AGAIN = "UPDATE recours_adoption SET ranked_up_to = 0"


def upgrade() -> None:
    """Note that there are claims to be ranked again."""
    op.execute(RANK_AGAIN)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL, whatever columns the claims table has."""
    del columns, dialect
    return [RANK_AGAIN]
