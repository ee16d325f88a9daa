"""The token of an account at a carrier, sealed, for all processes and machines that have the key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import and_, select, update

from recours.core.accounts import AccountKey
from recours.core.errors import ErrorKind, RunError
from recours.core.outcome import Failure
from recours.core.sentences import facts_of, said_by
from recours.core.tokens import AccessToken, SharedToken
from recours.database.engine import Database
from recours.database.event_outbox import insert_into
from recours.database.tables import account_state

_c = account_state.c


class TokenSeals(Protocol):
    """What seals texts with a key that is not in the database."""

    def seal(self, values: Mapping[str, str], owner: str) -> str:
        """The values as one text that tells nothing without the key."""

    def open(self, text: str, owner: str) -> Mapping[str, str]:
        """The values again. Raises RunError if they were sealed with another key, or for another owner."""


@dataclass(frozen=True)
class DatabaseTokens:
    """See `TokenStore`. What cannot be unsealed, or was given to other credentials, is as none."""

    database: Database
    account: AccountKey
    seals: TokenSeals = field(repr=False)
    credentials_print: str = field(repr=False)  # tells the account's credentials from those it had before

    def load(self) -> SharedToken:
        query = select(_c.token, _c.token_until, _c.token_holder, _c.token_held_until).where(*self._row)
        with self.database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return SharedToken()
        stored, until = self._opened(row["token"]), row["token_until"]
        token = AccessToken(stored["token"], until) if until and "token" in stored else None
        holder, held_until = row["token_holder"], row["token_held_until"]
        return SharedToken(token, holder, held_until, _failure_in(stored), row["token"])

    def begin(self, holder: str, until: datetime, seen: SharedToken) -> bool:
        values = {"token": None, "token_until": None, "token_holder": holder, "token_held_until": until}
        # No one has the right twice, and no text is sealed twice to the same.
        unchanged = (
            _c.token_holder.is_not_distinct_from(seen.holder),
            _c.token.is_not_distinct_from(seen.sealed),
        )
        with self.database.write() as connection:
            key = {"carrier": self.account.carrier, "account_id": self.account.account}
            row = insert_into(account_state, connection.dialect.name).values(key | values | {"refusals": 0})
            row = row.on_conflict_do_update(
                index_elements=[_c.carrier, _c.account_id], set_=values, where=and_(*unchanged)
            )
            return connection.scalar(row.returning(_c.carrier)) is not None

    def put(self, holder: str, token: AccessToken) -> None:
        self._end(holder, {"token": token.text}, token.until)

    def end(self, holder: str, failure: Failure | None) -> None:
        self._end(holder, _stored(failure) if failure else {}, None)

    def _end(self, holder: str, result: Mapping[str, str], until: datetime | None) -> None:
        sealed = self.seals.seal(result, self._owner) if result else None
        with self.database.write_one() as connection:
            connection.execute(
                update(account_state)
                .where(*self._row, _c.token_holder == holder)
                .values(token=sealed, token_until=until, token_held_until=None)
            )

    @property
    def _row(self) -> Any:
        return _c.carrier == self.account.carrier, _c.account_id == self.account.account

    def _opened(self, sealed: str | None) -> Mapping[str, str]:
        if sealed is None:
            return {}
        try:
            return self.seals.open(sealed, self._owner)
        except RunError:
            return {}

    @property
    def _owner(self) -> str:
        return f"token {self.account} {self.credentials_print}"


def _stored(failure: Failure) -> dict[str, str]:
    """What other processes go by that waited for the same call."""
    status, until = failure.http_status, failure.retry_at
    return {
        "kind": failure.kind,
        "message": failure.message,
        "http_status": "" if status is None else str(status),
        "retry_at": until.isoformat() if until else "",
        "alone": "yes" if failure.alone else "",
        "connected": "yes" if failure.connected else "",
        "carrier": failure.said.carrier if failure.said else "",
        **facts_of(failure.said),
    }


def _failure_in(stored: Mapping[str, str]) -> Failure | None:
    """The inverse of `_stored`; None if there is none, or one that only a newer version knows."""
    try:
        return Failure(
            ErrorKind(stored["kind"]),
            stored["message"],
            int(stored["http_status"]) if stored["http_status"] else None,
            datetime.fromisoformat(stored["retry_at"]) if stored["retry_at"] else None,
            alone=bool(stored["alone"]),
            connected=bool(stored["connected"]),
            said=said_by(stored, stored["carrier"]),
        )
    except (KeyError, ValueError):
        return None
