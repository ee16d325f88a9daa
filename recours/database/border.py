"""The service's own tables. Only this module contains the names and types of their columns.

All values except keys are read in the database's text form, regardless of their types. This module does not depend on
stages, leases or the backoff.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CHAR,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Enum,
    FetchedValue,
    FromClause,
    Integer,
    MetaData,
    Numeric,
    Select,
    String,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    insert,
    inspect,
    literal_column,
    null,
    or_,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.types import NullType

from recours.database.dialect import Dialect, dialect_of
from recours.database.tables import CLAIM_KEY, CLIENT_KEY, claims

NEEDED = ("id", "claim_reference", "carrier", "tracking_number")
OPTIONAL = (
    "client_id",
    "status",
    "response_deadline",
    "order_date",
    "created_at",
    "updated_at",
    "amount_requested",
)
# Further columns that are only displayed. For orders and recipients, the first column that the table has is used.
SHOWN = ("currency", "dispute_type")
ORDER_COLUMNS = ("order_number", "order_reference", "order_id")
CUSTOMER_COLUMNS = ("customer_name", "recipient_name", "customer_email", "recipient_email")
# The columns in which the service finds recours's results, with the types to use if the columns have to be added.
POD_COLUMNS = {
    "pod_fetch_status": "TEXT",
    "pod_url": "TEXT",
    "pod_fetched_at": "TIMESTAMP",
    "pod_fetch_error": "TEXT",
    "pod_delivery_person": "TEXT",
    "pod_signature_url": "TEXT",
    "pod_retry_count": "INTEGER DEFAULT 0",
    "pod_last_retry_at": "TIMESTAMP",
}
# The columns that may have other names in the service's table.
COLUMNS = (*NEEDED, *OPTIONAL, *SHOWN, *ORDER_COLUMNS, *CUSTOMER_COLUMNS, *POD_COLUMNS)
_OTHER_TABLES = ("clients", "notifications", "system_settings")
# The columns that a person may correct through recours.
CORRECTED = ("tracking_number", "carrier")
# The service's other tables are used if they have these columns.
NOTIFICATION_COLUMNS = (
    "client_id",
    "notification_type",
    "subject",
    "sent_to",
    "sent_at",
    "status",
    "error_message",
    "related_claim_id",
)
SETTING_COLUMNS = ("key", "value")
# The columns of `recours_claims` that store values of the last assessment, and the service's columns that they copy.
SEEN = {
    "seen_fetch_status": "pod_fetch_status",
    "seen_number": "tracking_number",
    "seen_carrier": "carrier",
    "seen_count": "pod_retry_count",
    "seen_client": "client_id",
    "seen_reference": "claim_reference",
    "seen_claim_status": "status",
    "seen_deadline": "response_deadline",
}
# Changes to these columns do not invalidate a carrier's answer.
_UNRELATED_TO_ANSWER = ("seen_claim_status", "seen_deadline")
_NEEDED_STATUSES = ("pending", "failed", "success")
_WORKED_ON = ("pending", "fetching", "failed")
INDEX = "ix_recours_pending"
_DIGITS = 18  # every numeric column can store numbers of this length


@dataclass(frozen=True)
class TableNames:
    """The name of the service's table of claims (`claims`, or `schema.claims`), and the names of renamed columns."""

    claims: str = "claims"
    columns: Mapping[str, str] = field(default_factory=dict)  # by recours's names

    def __hash__(self) -> int:
        return hash((self.claims, *sorted(self.columns.items())))


USUAL_NAMES = TableNames()


class Border:
    """The service's tables in one database, as last inspected."""

    def __init__(self, connection: Connection, names: TableNames = USUAL_NAMES) -> None:
        """Inspect the tables. A missing table has no columns."""
        inspector = inspect(connection)
        self.dialect = dialect_of(connection)
        self._preparer = connection.dialect.identifier_preparer
        self._names = names.columns
        schema, _, name = names.claims.rpartition(".")
        table_names = _OTHER_TABLES if schema else (name, *_OTHER_TABLES)
        columns = self.dialect.columns_of(inspector, None, table_names)
        columns_of_claims = self.dialect.columns_of(inspector, schema, [name]) if schema else columns
        self.claims = _table(name, columns_of_claims, schema or None)
        parameters = {"table": self.table, "name": name, "index": INDEX}
        row = connection.execute(self.dialect.inspection, parameters).one()
        self.is_view = bool(row.is_view)
        self.has_index = bool(row.has_index)
        self._keys: str = row.keys or ""  # the columns of its primary key, separated by commas
        # Tables that this user may not read. Claims are processed as if these tables did not exist.
        self.hidden: list[str] = (row.hidden or "").split(",") if row.hidden else []
        readable = {table: columns[table] for table in columns if table not in self.hidden}
        self.clients, self.notifications, self.system_settings = (
            _table(table, readable) for table in _OTHER_TABLES
        )

    @cached_property
    def description(self) -> tuple[object, ...]:
        """The state of the tables when they were inspected, for comparison with a later inspection."""
        tables = (self.claims, self.clients, self.notifications, self.system_settings)
        columns = [
            (table.fullname, column.name, repr(column.type), column.nullable, column.server_default is None)
            for table in tables
            for column in table.c
        ]
        return (*columns, self.is_view, self.has_index, self._keys, *self.hidden)

    @property
    def is_there(self) -> bool:
        return bool(self.claims.c)

    def has(self, name: str) -> bool:
        return self._names.get(name, name) in self.claims.c

    def first_column(self, names: Iterable[str]) -> str | None:
        """The first of these columns that the table of claims has; None: it has none of them."""
        return next((name for name in names if self.has(name)), None)

    def column(self, name: str) -> SqlColumn[Any]:
        """A column of the service's table of claims, with its type."""
        return self.claims.c[self._names.get(name, name)]

    @cached_property
    def key(self) -> SqlColumn[Any]:
        return self.column("id")

    @property
    def has_usual_keys(self) -> bool:
        """Return whether the tables that `init-db` creates can have foreign keys to the existing tables."""
        keys = [table.c.id for table in (self.claims, self.clients) if "id" in table.c]
        return not self.is_view and all(isinstance(key.type, Integer) for key in keys)

    @property
    def key_is_number(self) -> bool:
        """Return whether keys are numbers, so that later claims have higher keys."""
        return isinstance(self.key.type, Integer)

    @cached_property
    def own_types(self) -> dict[str, str]:
        """The SQL types of recours's columns for the service's keys, by placeholder."""
        client = self.column("client_id") if self.has("client_id") else self.clients.c.get("id")
        keys = {CLAIM_KEY.placeholder: self.key if self.has("id") else None, CLIENT_KEY.placeholder: client}
        return {placeholder: self._own_type(key) for placeholder, key in keys.items()}

    def _own_type(self, key: Any) -> str:
        """The SQL type for copies of this key. It accepts every value that the service's column may ever contain."""
        if key is None or isinstance(key.type, Integer):  # the service may later widen an integer type
            return self.dialect.number_type
        if isinstance(key.type, NullType):
            return self.dialect.unknown_type
        if isinstance(key.type, Enum) or type(key.type).__name__ == "DOMAIN":
            return "TEXT"
        if isinstance(key.type, String) and not isinstance(key.type, CHAR):
            return "TEXT"
        return str(key.type.compile(self._preparer.dialect))

    # ---------------------------------------------------------------- reading

    def text(self, name: str) -> ColumnElement[str]:
        """A column as the database's text, regardless of its type; NULL if the column does not exist."""
        return cast(self.column(name) if self.has(name) else null(), Text)

    @cached_property
    def columns(self) -> list[ColumnElement[Any]]:
        """All columns of a claim, by recours's names. The two keys keep their types; other columns are cast to text."""
        client_id = self.column("client_id") if self.has("client_id") else null()
        names = [name for name in (*NEEDED, *OPTIONAL, *POD_COLUMNS) if name not in ("id", "client_id")]
        return [
            self.key.label("id"),
            client_id.label("client_id"),
            self.text("client_id").label("client_text"),
            *(self.text(name).label(name) for name in names),
        ]

    def joined(self) -> FromClause:
        """Rows of `recours_claims`, each joined with its claim."""
        return claims.join(self.claims, self.key == claims.c.claim_id)

    def not_joined(self) -> FromClause:
        """The service's claims, each joined with its row in `recours_claims`, if any."""
        return self.claims.outerjoin(claims, self.key == claims.c.claim_id)

    @cached_property
    def is_edited(self) -> ColumnElement[bool]:
        """Claims that were edited since the last assessment, so that a carrier's earlier answer does not apply to them.

        The condition is a CASE, because PostgreSQL would otherwise expect equal values in only 1 of 200 rows.
        """
        names = [name for name in SEEN if name not in _UNRELATED_TO_ANSWER]
        return case((self._differ(names), true()), else_=false())

    @cached_property
    def differs(self) -> ColumnElement[bool]:
        """Claims that must be assessed again, because their values have changed since the last assessment."""
        return self._differ(SEEN)

    def _differ(self, names: Iterable[str]) -> ColumnElement[bool]:
        """Claims for which one of these columns differs. The database compares the texts, so no values are read."""
        return or_(*(claims.c[name].is_distinct_from(self.text(SEEN[name])) for name in names))

    @cached_property
    def seen_now(self) -> dict[str, ColumnElement[Any]]:
        """Subqueries for an UPDATE of our row: the fetch status and retry count that the service's row has now."""
        joined_row = select().select_from(self.claims).where(self.key == claims.c.claim_id).correlate(claims)
        return {
            name: joined_row.add_columns(self.text(SEEN[name])).scalar_subquery()
            for name in ("seen_fetch_status", "seen_count")
        }

    @cached_property
    def is_worked_on(self) -> ColumnElement[bool]:
        """Claims whose fetch status is one that workers process."""
        return self.text("pod_fetch_status").in_([literal_column(f"'{word}'") for word in _WORKED_ON])

    @cached_property
    def is_pending(self) -> ColumnElement[bool]:
        """Pending claims. The condition contains no cast, so that the optional index is used."""
        return self.column("pod_fetch_status") == literal_column("'pending'")

    @cached_property
    def is_not_enrolled(self) -> ColumnElement[bool]:
        """Claims that have a tracking number and are not enrolled."""
        has_no_status = func.coalesce(self.text("pod_fetch_status"), "") == ""
        return and_(has_no_status, func.trim(self.text("tracking_number")) != "")

    # ---------------------------------------------------------------- writing

    def update(self, names: Iterable[str], *, if_unedited: bool = True) -> Update:
        """An UPDATE that sets these columns of one claim. Columns that do not exist are left out.

        `if_unedited`: update the row only if it is unchanged since the last assessment. Parameters: see `parameters`.
        """
        statement = update(self.claims).where(self.key == bindparam("of_claim", type_=self.key.type))
        if if_unedited:
            joined_row = select(claims.c.claim_id).where(claims.c.claim_id == self.key, ~self.is_edited)
            statement = statement.where(joined_row.correlate(self.claims).exists())
        return statement.values(
            {
                self.column(name): bindparam(f"to_{name}", type_=self.column(name).type)
                for name in names
                if self.has(name)
            }
        )

    def lock(self, ids: Collection[Any]) -> Select[Any]:
        """A query that locks these claims until the transaction ends, and skips claims that are already locked."""
        query = select(self.key).where(self.key.in_(ids))
        return query.order_by(self.key).with_for_update(skip_locked=True)

    def parameters(self, claim_id: Any, values: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of `update`. Values are converted to the service's types, and long texts are truncated."""
        fitted = {
            f"to_{name}": _fit(self.column(name), value) for name, value in values.items() if self.has(name)
        }
        return {"of_claim": claim_id, **fitted}

    @cached_property
    def empty_values(self) -> dict[str, Any]:
        """The values that clear `POD_COLUMNS`. NOT NULL columns that cannot store an empty text are left out."""
        return {
            name: 0 if name == "pod_retry_count" else None
            for name in POD_COLUMNS
            if self.has(name) and (name == "pod_retry_count" or _can_be_empty(self.column(name)))
        }

    # ---------------------------------------------------------------- clients, mails, settings

    @property
    def has_clients(self) -> bool:
        return "id" in self.clients.c

    def has_client_column(self, name: str) -> bool:
        return self.has_clients and name in self.clients.c

    def client_text(self, name: str) -> ColumnElement[str]:
        """A column of `clients` as text; NULL if the column or the client does not exist."""
        return cast(self.clients.c[name] if self.has_client_column(name) else null(), Text)

    @property
    def naming_clients(self) -> Table | None:
        """The table with the clients' ids: `clients`, or else the table of claims; None: neither contains them."""
        return self.clients if self.has_clients else self.claims if self.has("client_id") else None

    @property
    def client_key_is_number(self) -> bool:
        return isinstance(self._client_key.type, Integer)

    @property
    def _client_key(self) -> ColumnElement[Any]:
        key: ColumnElement[Any] = self.clients.c.id if self.has_clients else self.column("client_id")
        return key

    @cached_property
    def client_id(self) -> ColumnElement[Any]:
        """The client's id in the table `naming_clients`, in the type of the column `client_id` of claims."""
        key = self._client_key
        if not self.has("client_id"):
            return type_coerce(key, CLIENT_KEY)
        kind = self.column("client_id").type
        is_alike = type(kind) is type(key.type) or (
            isinstance(kind, Integer) and isinstance(key.type, Integer)
        )
        return type_coerce(key if is_alike else cast(key, kind), CLIENT_KEY)

    def join_clients(self, table: Table, client_id: ColumnElement[Any]) -> FromClause:
        """The rows of one of recours's tables, each joined with its client, if the service has this client."""
        if not self.has_clients:
            return table
        return table.outerjoin(self.clients, self.client_id == client_id)

    @cached_property
    def has_notifications(self) -> bool:
        """Return whether the service has a table of emails whose required columns recours can fill."""
        columns = self.notifications.c
        names = {*NOTIFICATION_COLUMNS}
        if not names <= {*columns.keys()}:
            return False
        if "id" in columns and isinstance(columns.id.type, Integer):
            names.add("id")  # the database numbers new rows
        return all(column.nullable or column.server_default for column in columns if column.name not in names)

    def copies_mails_to(self, client_id: Any) -> bool:
        """Return whether the table `notifications` accepts emails to this client (None: emails without a client)."""
        return self.has_notifications and (
            client_id is not None or bool(self.notifications.c.client_id.nullable)
        )

    def copy_mails(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows into the service's table of emails, without RETURNING, which would require read access."""
        columns = self.notifications.c
        fitted = [{name: _fit(columns[name], value) for name, value in row.items()} for row in rows]
        connection.execute(insert(self.notifications).inline(), fitted)

    @property
    def has_settings(self) -> bool:
        """Return whether the service has a table of settings with the expected columns."""
        return {*SETTING_COLUMNS} <= {*self.system_settings.c.keys()}

    @property
    def smtp_settings(self) -> Select[str, str]:
        """The keys and values of `system_settings` that begin with `smtp_`, as texts."""
        key = cast(self.system_settings.c.key, Text)
        value = cast(self.system_settings.c.value, Text)
        return select(key, value).where(key.like("smtp\\_%", escape="\\"), value.is_not(None))

    # ---------------------------------------------------------------- existing and missing columns

    def type_of(self, name: str) -> str:
        return str(self.column(name).type.compile(self._preparer.dialect))

    def values_of(self, name: str) -> Sequence[str]:
        """The values of an enum column; empty for other columns."""
        kind = self.column(name).type
        return kind.enums if isinstance(kind, Enum) else ()

    def takes(self, name: str, value: str) -> bool:
        """Return whether a column can store exactly this text."""
        if values := self.values_of(name):
            return value in values
        kind = self.column(name).type
        if isinstance(kind, String):
            return kind.length is None or len(value) <= kind.length
        is_number = isinstance(kind, Numeric | Integer) and value.isascii() and value.isdigit()
        return is_number and value == str(int(value)) and len(value) <= _DIGITS

    @property
    def faults(self) -> list[str]:
        """The reasons why recours cannot work on this table of claims; usually none."""
        if not self.is_there:
            return [f"there is no table '{self.claims.name}'"]
        faults = [
            f"'{self.claims.name}' has no column '{self._names.get(name, name)}'"
            for name in NEEDED
            if not self.has(name)
        ]
        if not faults and not self.is_view and self._keys != self.key.name:
            faults.append(
                f"'{self.claims.name}' has no primary key that is the column '{self.key.name}' alone"
            )
        if self.is_view and (missing := self.missing):
            faults.append(
                f"'{self.claims.name}' is a view, to which recours adds nothing, without {', '.join(missing)}"
            )
        if self.has("pod_fetch_status"):
            kind = self.column("pod_fetch_status").type
            if isinstance(kind, Enum):
                missing_value = f"pod_fetch_status has the type {kind.name} without the value"
                missing_statuses = [status for status in _NEEDED_STATUSES if status not in kind.enums]
                faults += [f"{missing_value} '{status}'" for status in missing_statuses]
        return faults

    @property
    def missing(self) -> list[str]:
        """The `POD_COLUMNS` that the table of claims does not have."""
        return [name for name in POD_COLUMNS if not self.has(name)]

    def additions(self) -> list[str]:
        return [
            f"ALTER TABLE {self.table} ADD COLUMN {self.quoted(name)} {POD_COLUMNS[name]}"
            for name in self.missing
        ]

    def removals(self, names: Iterable[str]) -> list[str]:
        return [
            f"ALTER TABLE {self.table} DROP COLUMN {self.quoted(name)}" for name in names if self.has(name)
        ]

    @property
    def index(self) -> str | None:
        """The SQL that creates the optional index for finding pending claims; None for a view, which has no indexes."""
        if self.is_view:
            return None
        where = f"{self.quoted('pod_fetch_status')} = 'pending'"
        return f"{self.dialect.create_index} IF NOT EXISTS {INDEX} ON {self.table} ({self.quoted('id')}) WHERE {where}"

    @property
    def table(self) -> str:
        """The name of the table of claims, quoted for SQL."""
        return self._preparer.format_table(self.claims)

    def quoted(self, name: str) -> str:
        """The service's name of a column, quoted for SQL."""
        return self._preparer.quote(self._names.get(name, name))


def _can_be_empty(column: SqlColumn[Any]) -> bool:
    return bool(column.nullable) or (isinstance(column.type, String) and not isinstance(column.type, Enum))


def _fit(column: SqlColumn[Any], value: Any) -> Any:
    """Convert a value to a form that the service's column accepts."""
    kind = column.type
    if value is None:
        return "" if isinstance(kind, String) and not column.nullable else None
    if isinstance(value, datetime):
        at = value.astimezone(UTC)
        if isinstance(kind, DateTime):
            return at if kind.timezone else at.replace(tzinfo=None)
        return at.date() if isinstance(kind, Date) else f"{at:%Y-%m-%d %H:%M:%S}"
    if isinstance(kind, Enum) or not isinstance(kind, String):
        return value
    return str(value)[: kind.length]


def _table(name: str, columns: Mapping[str, Sequence[ReflectedColumn]], schema: str | None = None) -> Table:
    """A table with the columns listed under its name; a missing table has no columns."""
    table_columns = (
        SqlColumn(
            column["name"],
            column["type"],
            nullable=column["nullable"],
            server_default=FetchedValue() if column["default"] is not None or "identity" in column else None,
        )
        for column in columns.get(name, ())
    )
    return Table(name, MetaData(), *table_columns, schema=schema)


# The SQL with which `recours init-db` creates missing tables of the service.
_SERVICE_TABLES = {
    "clients": """CREATE TABLE IF NOT EXISTS clients (
        id {id},
        email TEXT UNIQUE NOT NULL,
        full_name TEXT,
        company_name TEXT,
        is_active BOOLEAN DEFAULT {true},
        notification_preferences TEXT,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
    )""",
    "claims": """CREATE TABLE IF NOT EXISTS claims (
        id {id},
        claim_reference TEXT UNIQUE NOT NULL,
        client_id INTEGER REFERENCES clients (id),
        order_id TEXT NOT NULL,
        carrier TEXT NOT NULL,
        dispute_type TEXT NOT NULL,
        amount_requested REAL NOT NULL,
        currency TEXT DEFAULT 'EUR',
        status TEXT DEFAULT 'pending',
        response_deadline DATE,
        order_date DATE,
        tracking_number TEXT,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
    )""",
    "notifications": """CREATE TABLE IF NOT EXISTS notifications (
        id {id},
        client_id INTEGER REFERENCES clients (id),
        notification_type TEXT NOT NULL,
        subject TEXT,
        sent_to TEXT,
        sent_at TIMESTAMP,
        status TEXT,
        error_message TEXT,
        related_claim_id INTEGER REFERENCES claims (id)
    )""",
    "system_settings": """CREATE TABLE IF NOT EXISTS system_settings (
        key TEXT PRIMARY KEY,
        value TEXT
    )""",
}


def service_tables(dialect: Dialect) -> dict[str, str]:
    """The SQL to create each table of the service, by name."""
    return {
        name: sql.format(id=dialect.new_key, true=dialect.is_true) for name, sql in _SERVICE_TABLES.items()
    }
