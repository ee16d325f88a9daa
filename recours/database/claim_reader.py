"""Values that other software wrote, read one by one: what cannot be read is unknown, and never an exception."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from recours.core.accounts import AccountKey, carrier_of
from recours.core.carrier import Catalog
from recours.core.claim import Claim, Delivery, Snapshot, Stage, State, tidy_number
from recours.core.errors import ErrorKind
from recours.core.sentences import Said, said_in, stored
from recours.core.text import clean
from recours.database.border import SEEN

MOST_RETRIES = 10_000
# More is no amount in dispute: sums of it must stay finite, and readable.
_MOST_MONEY = 1e9

# What of `State` our columns of the same names hold.
STATE_COLUMNS = (
    "retries_used", "attempts", "last_retry_at", "next_at", "failed_at", "rank_at", "interruptions", "since", "expire_from",
    "expired_at", "last_attempt_at",
)  # fmt: skip
_TEXTS = {"client_id": "client_text"}  # a key is read as a text, too

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
        """A count, which a database writes as 3.0 if its column says so; NULL, negative and unreadable are 0."""
        return int(min(self._number(column), MOST_RETRIES))

    def amount(self, column: str) -> float:
        """An amount of money; NULL, negative and unreadable are 0."""
        return min(self._number(column), _MOST_MONEY)

    def _number(self, column: str) -> float:
        value = self._row.get(column)
        if value is None:
            return 0.0
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return max(number, 0.0)
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


def read_claim(row: Row, catalog: Catalog, redact: Callable[[str], str] = str) -> Claim:
    """A row of `claim_rows.claim_columns` as the rules see it: the service's values as texts, ours in their types.

    `redact` takes secrets out of the error that it holds. Never raises.
    """
    read = Reader(row)
    error = read.text("pod_fetch_error")
    error = redact(error) if error else None
    carrier_name, number = read.text("carrier") or "", tidy_number(read.text("tracking_number"))
    is_known = _is_of_it(row)
    # Whose account serves the claim: found anew if it was corrected.
    seen = (row["seen_carrier"] or "", tidy_number(row["seen_number"])) if is_known else None
    key = _account_key(row["lane"]) if seen == (carrier_name, number) else ""
    client_id, state = row["client_id"], _read_state(row) if is_known else State()
    carrier = catalog.resolve_again(carrier_of(key) or None, carrier_name, number, client_id)
    if state.account is not None and carrier_of(key) != carrier:
        state = replace(state, account=None)
    assessed = _read_snapshot(row, catalog, state.account) if is_known else None
    if assessed is None and state.last_retry_at is None:  # other software may have retried it
        state = replace(state, last_retry_at=read.moment("pod_last_retry_at"))
    return Claim(
        id=row["id"],
        reference=clean(read.text("claim_reference") or f"#{row['id']}", 100),
        client_id=client_id,
        client_text=row["client_text"],
        carrier_name=clean(carrier_name, 60),
        carrier=carrier,
        # One that waits for being assessed may be another account's by now.
        account=catalog.account_for(client_id, carrier, state.account, "" if row["to_assess"] else key),
        number=number,
        fetch_status=read.text("pod_fetch_status"),
        claim_status=read.text("status"),
        deadline=read.day("response_deadline"),
        ordered_at=read.moment("order_date"),
        created_at=read.moment("created_at"),
        updated_at=read.moment("updated_at"),
        error_text=error,
        said=_read_said(row, error, catalog.name_of(carrier, clean(carrier_name, 60)), redact),
        amount=read.amount("amount_requested"),
        retries_counted=read.whole("pod_retry_count"),
        state=state,
        assessed=assessed,
        unreadable=tuple(dict.fromkeys(read.unreadable)),
        texts=seen_texts(row),
        version=row["version"] or 0,
    )


def seen_texts(row: Row) -> tuple[str | None, ...]:
    """What a claim is assessed on, in the order of `SEEN`."""
    return tuple(row[_TEXTS.get(name, name)] for name in SEEN.values())


def _is_of_it(row: Row) -> bool:
    """Tell whether we have a row of this very claim: a database may give a deleted claim's key to another one."""
    return row["claim_id"] is not None and row["seen_reference"] == row["claim_reference"]


def _account_key(lane: str | None) -> str:
    """The key of the account that the claim was assessed for; of what is none, all that can be its carrier."""
    try:
        return str(AccountKey.parse(lane or ""))
    except ValueError:
        return carrier_of(lane or "")


def _read_said(row: Row, error: str | None, carrier: str, redact: Callable[[str], str]) -> Said | None:
    key, words = row["error_key"], row["error_words"]
    if error is None or key is None:
        return None
    return said_in(error, stored(key, carrier, redact(words) if words else None))


def _read_state(row: Row) -> State:
    return State(
        **{name: row[name] for name in STATE_COLUMNS},
        stage=_member(Stage, row["stage"]),
        kind=_member(ErrorKind, row["kind"]),
        delivery=_read_delivery(row["known_delivery"]),
        rank_is_deadline=row["rank_is_deadline"] == 1,
        goes_alone=row["goes_alone"] == 1,
        account=row["account_id"],
    )


def _read_snapshot(row: Row, catalog: Catalog, remembered: int | None) -> Snapshot | None:
    """What the claim was assessed on; None: it never was, since nobody had it worked on."""
    if not row["seen_fetch_status"]:
        return None
    read = Reader(row)
    number, key = tidy_number(row["seen_number"]), row["lane"] or ""
    if key and carrier_of(key) not in catalog.specs:  # it is gone: whose account would serve the claim today
        carrier = catalog.resolve(row["seen_carrier"] or "", number, row["client_id"])
        account = catalog.account_for(row["client_id"], carrier, remembered)
        key = str(AccountKey(carrier, account)) if carrier else ""
    return Snapshot(
        fetch_status=row["seen_fetch_status"],
        number=number,
        account=key,
        retries_used=read.whole("seen_count"),
        client=row["seen_client"],
        deadline=read.day("seen_deadline"),
        carrier_name=clean(row["seen_carrier"] or "", 60),
    )


def _member(kind: Any, value: str | None) -> Any:
    try:
        return None if value is None else kind(value)
    except ValueError:
        return None


def _read_delivery(text: str | None) -> Delivery | None:
    """The inverse of `delivery_text`."""
    return None if text is None else Delivery.from_json(json.loads(text))


def delivery_text(delivery: Delivery | None) -> str | None:
    """What is known of a delivery."""
    return None if delivery is None else json.dumps(delivery.as_json())


def delivery_columns(delivery: Delivery | None) -> dict[str, Any]:
    """The same for the columns of attempts and of evidence."""
    known = delivery or Delivery()
    day = known.day.isoformat() if known.day else None
    return {"delivered_at": known.at, "delivered_day": day, "signatory": known.signatory}
