"""The mails as they were written, for people who look at them before they are sent, and after."""

from sqlalchemy import RowMapping, select

from recours.core.mail import OPEN_STATES, MailState
from recours.core.text import clean
from recours.database.claim_rows import const
from recours.database.engine import Database
from recours.database.tables import mails
from recours.operations.records import ListedMail, WrittenMail

_m = mails.c
_LISTED = (_m.id, _m.kind, _m.recipient, _m.subject, _m.state, _m.created_at, _m.ended_at, _m.tries, _m.error)
_LONGEST_TEXT, _LONGEST_ERROR = 200, 300


def waiting_mails(database: Database, most: int) -> list[ListedMail]:
    """Those that are not ended, the oldest first; by the index of those. Raises DatabaseError, as the others do."""
    states = [const(state) for state in OPEN_STATES]
    query = select(*_LISTED).where(_m.state.in_(states)).order_by(_m.id).limit(most)
    return [_listed(row) for row in database.mappings(query)]


def latest_mails(database: Database, most: int) -> list[ListedMail]:
    """Those that were written last, the newest first."""
    query = select(*_LISTED).order_by(_m.id.desc()).limit(most)
    return [_listed(row) for row in database.mappings(query)]


def find_mail(database: Database, number: int) -> WrittenMail | None:
    query = select(*_LISTED, _m.language, _m.plain, _m.html).where(_m.id == number)
    for row in database.mappings(query):
        return WrittenMail(_listed(row), row["language"], row["plain"], row["html"])
    return None


def _listed(row: RowMapping) -> ListedMail:
    """A state that a later version wrote is shown as it stands."""
    return ListedMail(
        row["id"],
        row["kind"],
        clean(row["recipient"], _LONGEST_TEXT),
        clean(row["subject"], _LONGEST_TEXT),
        MailState(row["state"]) if row["state"] in set(MailState) else clean(row["state"], 40),
        row["created_at"],
        row["ended_at"],
        row["tries"],
        clean(row["error"], _LONGEST_ERROR) if row["error"] else None,
    )
