"""Values that other software wrote, read one by one: what cannot be read is unknown, and never an exception."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Result

from recours.core.accounts import AccountKey, carrier_of
from recours.core.carrier import Catalog
from recours.core.claim import Claim, Delivery, Snapshot, Stage, State, tidy_number
from recours.core.errors import ErrorKind
from recours.core.sentences import Said, said_in, stored
from recours.core.text import clean

MOST_RETRIES = 10_000
# More is no amount in dispute: sums of it must stay finite, and readable.
_MOST_MONEY = 1e9


# A row by the names of its columns: a dict, or what SQLAlchemy gives.
Row = Mapping[Any, Any]


class Reader:
    """Reads the values of one row and remembers which of them could not be read."""

    def __init__(self, row: Row) -> None:
        """Read from this row; a column that is not in it is NULL."""
        self._row = row
        self.unreadable: list[str] = []

    def text(self, column: str) -> str | None:
        """Text, or whatever else as text; bytes are unreadable."""
        value = self._row.get(column)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bytes):
            self.unreadable.append(column)
            return None
        return str(value)

    def whole(self, column: str) -> int:
        """A count; NULL, negative and unreadable are 0."""
        value = self._row.get(column)
        if value is None:
            return 0
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            self.unreadable.append(column)
            return 0
        return min(max(number, 0), MOST_RETRIES)

    def account(self, column: str) -> int | None:
        """The number of an account; None: none, or one that cannot be read."""
        value = self._row.get(column)
        return value if isinstance(value, int) and value >= 0 else None

    def amount(self, column: str) -> float:
        """An amount of money; NULL, negative and unreadable are 0."""
        value = self._row.get(column)
        if value is None:
            return 0.0
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return min(max(number, 0.0), _MOST_MONEY)
        self.unreadable.append(column)
        return 0.0

    def moment(self, column: str) -> datetime | None:
        """A timestamp, aware UTC; without an offset it is UTC."""
        value = self._row.get(column)
        if value is None:
            return None
        if at := as_moment(value):
            return at
        self.unreadable.append(column)
        return None

    def day(self, column: str) -> date | None:
        """A date; the time of a timestamp is dropped."""
        value = self._row.get(column)
        if value is None or value == "":
            return None
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        parsed = _parsed(value)
        if parsed is None:
            self.unreadable.append(column)
            return None
        return parsed.date()


def facts_in(stored: Any) -> Mapping[str, Any]:
    """What stands in a column of JSON, which a server's driver has read already; nothing if it is no object."""
    try:
        found = json.loads(stored) if isinstance(stored, str) else stored
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def as_moment(value: Any) -> datetime | None:
    """A timestamp, aware UTC; without an offset it is UTC. None: it cannot be read."""
    parsed = value if isinstance(value, datetime) else _parsed(value)
    try:
        return parsed and (parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC))
    except OverflowError:
        return None


def _parsed(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None


def read_claims(found: Result[Any], catalog: Catalog, redact: Callable[[str], str] = str) -> list[Claim]:
    """All rows of a query of `claims`."""
    names = tuple(found.keys())
    # As dicts: a row of SQLAlchemy's is slow to be asked for a column by its name.
    return [read_claim(dict(zip(names, row, strict=True)), catalog, redact) for row in found]


def read_claim(row: Row, catalog: Catalog, redact: Callable[[str], str] = str) -> Claim:
    """A row of `claims` as the rules see it; `redact` takes secrets out of the error it holds. Never raises."""
    read = Reader(row)
    error = read.text("pod_fetch_error")
    error = redact(error) if error else None
    carrier_name, number = read.text("carrier") or "", tidy_number(read.text("tracking_number"))
    # Whose account serves the claim: found anew if it was corrected.
    seen = read.text("pod_seen_carrier"), tidy_number(read.text("pod_seen_number"))
    key = _account_key(read) if seen == (carrier_name, number) else ""
    client_id, state = row.get("client_id"), _read_state(read)
    carrier = catalog.resolve_again(carrier_of(key) or None, carrier_name, number, client_id)
    if state.account is not None and carrier_of(key) != carrier:
        state = replace(state, account=None)
    assessed = key if state.rank_at else ""  # else it waits for being assessed
    return Claim(
        id=row["id"],
        reference=clean(read.text("claim_reference") or f"#{row['id']}", 100),
        client_id=client_id,
        carrier_name=clean(carrier_name, 60),
        carrier=carrier,
        account=catalog.account_for(client_id, carrier, state.account, assessed),
        number=number,
        fetch_status=read.text("pod_fetch_status"),
        claim_status=read.text("status"),
        deadline=read.day("response_deadline"),
        created_at=read.moment("created_at"),
        updated_at=read.moment("updated_at"),
        error_text=error,
        said=_read_said(read, error, catalog.name_of(carrier, clean(carrier_name, 60)), redact),
        amount=read.amount("amount_requested"),
        retries_counted=read.whole("pod_retry_count"),
        state=state,
        assessed=_read_snapshot(read, catalog, client_id, state.account),
        unreadable=tuple(dict.fromkeys(read.unreadable)),
    )


def _account_key(read: Reader) -> str:
    """The key of the account that the claim was assessed for; of what is none, all that can be its carrier."""
    text = read.text("pod_carrier_key") or ""
    try:
        return str(AccountKey.parse(text))
    except ValueError:
        return carrier_of(text)


def _read_said(read: Reader, error: str | None, carrier: str, redact: Callable[[str], str]) -> Said | None:
    key = read.text("pod_error_key")
    if error is None or key is None:
        return None
    words = read.text("pod_error_words")
    return said_in(error, stored(key, carrier, redact(words) if words else None))


def _read_state(read: Reader) -> State:
    return State(
        stage=_member(Stage, read.text("pod_stage")),
        retries_used=read.whole("pod_retry_count"),
        attempts=read.whole("pod_attempts"),
        last_retry_at=read.moment("pod_last_retry_at"),
        next_at=read.moment("pod_next_retry_at"),
        failed_at=read.moment("pod_failed_at"),
        kind=_member(ErrorKind, read.text("pod_error_kind")),
        delivery=_read_delivery(read.text("pod_known_delivery")),
        rank_at=read.moment("pod_rank_at"),
        rank_is_deadline=read.whole("pod_rank_is_deadline") == 1,
        interruptions=read.whole("pod_interruptions"),
        since=read.moment("pod_since"),
        expire_from=read.moment("pod_expire_from"),
        expired_at=read.moment("pod_expired_at"),
        last_attempt_at=read.moment("pod_last_attempt_at"),
        account=read.account("pod_account_id"),
    )


def _read_snapshot(read: Reader, catalog: Catalog, client_id: Any, remembered: int | None) -> Snapshot | None:
    status = read.text("pod_seen_status")
    if status is None:
        return None
    number, key = tidy_number(read.text("pod_seen_number")), read.text("pod_carrier_key")
    if (
        key != "" and carrier_of(key or "") not in catalog.specs
    ):  # it was lost: whose account would serve it today
        carrier = catalog.resolve(read.text("pod_seen_carrier") or "", number, client_id)
        account = catalog.account_for(client_id, carrier, remembered)
        key = str(AccountKey(carrier, account)) if carrier else None
    return Snapshot(
        fetch_status=status,
        number=number,
        account=key or "",
        retries_used=read.whole("pod_seen_count"),
        deadline=read.day("pod_seen_deadline"),
        carrier_name=clean(read.text("pod_seen_carrier") or "", 60),
    )


def _member(kind: Any, value: str | None) -> Any:
    try:
        return None if value is None else kind(value)
    except ValueError:
        return None


def _read_delivery(text: str | None) -> Delivery | None:
    """The inverse of `delivery_text`; what cannot be read is asked again."""
    if text is None:
        return None
    try:
        return Delivery.from_json(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def delivery_text(delivery: Delivery | None) -> str | None:
    """What is known of a delivery, for the column `pod_known_delivery`."""
    return None if delivery is None else json.dumps(delivery.as_json())


def delivery_columns(delivery: Delivery | None) -> dict[str, Any]:
    """The same for the columns of attempts and of evidence."""
    known = delivery or Delivery()
    day = known.day.isoformat() if known.day else None
    return {"delivered_at": known.at, "delivered_day": day, "signatory": known.signatory}
