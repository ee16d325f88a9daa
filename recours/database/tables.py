"""The tables, as far as this system reads and writes them.

`claims` and `clients` belong to the service's own application: their values are read raw and parsed row by row,
since one that cannot be read must not hide the others. The `recours_` tables and the `pod_` columns named in
`OWN_CLAIM_COLUMNS` are recours's.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    TIMESTAMP,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData()
# Where Alembic keeps what was done to the schema.
VERSION_TABLE = "recours_schema_version"

# Keys: those that the service gives may be 64 bits wide. SQLite's INTEGER is; its BIGINT would not be the row's number.
KEY = BigInteger().with_variant(Integer, "sqlite")


class Utc(TypeDecorator[datetime]):
    """An aware UTC datetime, stored naive: never dependent on the session's time zone."""

    impl = DateTime().with_variant(TIMESTAMP(), "sqlite")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """What cannot be read is unknown: a value that others spoilt must not end every run."""
        read = super().result_processor(dialect, coltype)

        def leniently(value: Any) -> datetime | None:
            try:
                return read(value) if read else value
            except (ValueError, TypeError, AttributeError):
                return None

        return leniently

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


def _partial_index(name: str, columns: list[Column[Any]], where: ColumnElement[bool]) -> None:
    """An index, on the table of these columns, of the rows of a condition alone."""
    Index(name, *columns, postgresql_where=where, sqlite_where=where)


# The columns of the service that a run cannot do without, and those that it can.
NEEDED_CLAIM_COLUMNS = ("id", "claim_reference", "carrier", "tracking_number")
OPTIONAL_CLAIM_COLUMNS = (
    "client_id",
    "status",
    "response_deadline",
    "created_at",
    "updated_at",
    "amount_requested",
)

# Those that only figures are made of.
MONEY_COLUMNS = ("amount_requested", "currency")
# By which people find a claim: of each kind, the first that the service's table has.
ORDER_COLUMNS = ("order_number", "order_reference", "order_id")
CUSTOMER_COLUMNS = ("customer_name", "recipient_name", "customer_email", "recipient_email")

claims = Table(
    "claims",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("claim_reference", Text),
    Column("client_id", KEY),
    Column("carrier", Text),
    Column("tracking_number", Text),
    Column("status", Text),
    Column("response_deadline", Date),
    Column("created_at", Utc),
    Column("updated_at", Utc),
    Column("amount_requested", Float),
    # the service's POD columns, which old databases do not have
    Column("pod_fetch_status", Text),
    Column("pod_url", Text),
    Column("pod_fetched_at", Utc),
    Column("pod_fetch_error", Text),
    Column("pod_delivery_person", Text),
    Column("pod_signature_url", Text),
    # the guide's
    Column("pod_retry_count", Integer, server_default=text("0")),
    Column("pod_last_retry_at", Utc),
    # recours's
    Column("pod_stage", Text),
    Column("pod_carrier_key", Text),
    Column("pod_next_retry_at", Utc),
    Column("pod_failed_at", Utc),
    Column("pod_error_kind", Text),
    Column("pod_known_delivery", Text),
    Column("pod_rank_at", Utc),
    Column("pod_rank_is_deadline", Integer),
    Column("pod_interruptions", Integer),
    Column("pod_lease_token", Text),
    Column("pod_lease_until", Utc),
    Column("pod_seen_status", Text),
    Column("pod_seen_number", Text),
    Column("pod_seen_carrier", Text),
    Column("pod_seen_count", Integer),
    Column("pod_seen_deadline", Date),
    Column("pod_since", Utc),
    Column("pod_expire_from", Utc),
    Column("pod_expired_at", Utc),
    Column("pod_error_key", Text),  # which sentence pod_fetch_error is, in whatever language
    Column("pod_error_words", Text),  # the carrier's own words in it
    Column("pod_last_attempt_at", Utc),
    Column("pod_attempts", Integer),  # that were made, the first fetch among them
    # Which account worked, and is asked from now on: 0 is the house's; NULL: the client's, else the house's.
    # pod_carrier_key is the key of the account that serves the claim today, see recours.core.accounts.
    Column("pod_account_id", KEY),
)

SERVICE_POD_COLUMNS = (
    "pod_fetch_status",
    "pod_url",
    "pod_fetched_at",
    "pod_fetch_error",
    "pod_delivery_person",
    "pod_signature_url",
)
GUIDE_COLUMNS = ("pod_retry_count", "pod_last_retry_at")
OWN_CLAIM_COLUMNS = tuple(
    column.name
    for column in claims.columns
    if column.name.startswith("pod_") and column.name not in (*SERVICE_POD_COLUMNS, *GUIDE_COLUMNS)
)

runs = Table(
    "recours_runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("worker", Text, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("exit_status", Integer),
    Column("stats", JSON),
    Index("ix_recours_runs_worker", "worker", "started_at"),
    Index("ix_recours_runs_day", "started_at"),
)


# A document is what a successful attempt brought: it stands in the attempt's row, and recours_documents is a view.
attempts = Table(
    "recours_attempts",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("claim_id", KEY, nullable=False),
    Column("run_id", String(32), nullable=False),
    Column("worker", Text, nullable=False),
    Column("carrier", Text, nullable=False),
    Column("tracking_number", Text, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("used", Boolean, nullable=False),
    Column("error_kind", Text),
    Column("message", Text),  # in English, as in the log
    Column("error_key", Text),
    Column("error_words", Text),
    Column("http_status", Integer),
    Column("delivered_at", Utc),
    Column("delivered_day", Text),  # an ISO date, where the carrier gave no time
    Column("signatory", Text),
    Column("document_path", Text),
    Column("document_sha256", String(64)),
    Column("document_size", Integer),
    Column("document_type", Text),
    Column("document_source", Text),
    Column("is_last", Boolean),  # the claim's last attempt before its deadline, which is no retry
    Column("account_id", KEY),  # of the account that was asked last; NULL: the house's
    Index("ix_recours_attempts_claim", "claim_id", "id"),
    Index("ix_recours_attempts_day", "started_at", "carrier", "turn", "outcome", "error_kind"),
)

# Every piece of evidence, refused ones and records among it.
evidence = Table(
    "recours_evidence",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("claim_id", KEY, nullable=False),
    Column("carrier", Text, nullable=False),
    Column("tracking_number", Text, nullable=False),
    Column("kind", Text, nullable=False),  # see recours.core.appraisal.EvidenceKind
    Column("source", Text, nullable=False),
    Column("obtained_at", Utc, nullable=False),
    Column("run_id", String(32)),  # NULL: by hand
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("refused", Text),  # why it proves nothing; NULL: it may prove something
    Column("shown", JSON, nullable=False),  # see recours.core.appraisal.Shown
    # Of the delivery, as far as it was known beside the piece.
    Column("signatory", Text),
    Column("delivered_at", Utc),
    Column("delivered_day", Text),
    Column("place", Text),
    Column("by", Text),  # who attached it by hand; NULL: recours obtained it
    Column("manifest_id", KEY),  # that names the file; NULL: the next one will
    UniqueConstraint("claim_id", "sha256", name="uq_recours_evidence"),
    Index("ix_recours_evidence_manifest", "manifest_id", "id"),
)
_partial_index("ix_recours_evidence_refused", [evidence.c.obtained_at], evidence.c.refused.is_not(None))

carriers = Table(
    "recours_carriers",
    metadata,
    Column("carrier", String(40), primary_key=True),
    Column("paused_until", Utc),
    Column("reason", Text),
    Column("stopped_at", Utc),  # by a person, until they take it up again
    Column("stopped_why", Text),
)

# Which carriers there were credentials for at the last run. A carrier that is not in it is new to us.
accounts = Table(
    "recours_accounts",
    metadata,
    Column("carrier", String(40), primary_key=True),
    Column("configured", Boolean, nullable=False),
)

# A client's account at a carrier. What was removed keeps its number, which attempts name, and nothing else.
client_accounts = Table(
    "recours_client_accounts",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("client_id", KEY, nullable=False),
    Column("carrier", String(40), nullable=False),
    Column("credentials", Text),  # sealed, see recours.sealing; NULL: removed
    Column(
        "limits", JSON
    ),  # by capability ("": of all calls together), as in QUOTA_…; NULL: the carrier's defaults
    Column("added_at", Utc, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("removed_at", Utc),
    Column("is_applied", Boolean, nullable=False),  # whether the client's claims follow the last change
    UniqueConstraint("client_id", "carrier", name="uq_recours_client_accounts"),
)

# What all processes know of an account. The house's is number 0.
account_state = Table(
    "recours_account_state",
    metadata,
    Column("carrier", String(40), primary_key=True),
    Column("account_id", KEY, primary_key=True, autoincrement=False),
    Column("paused_until", Utc),  # the carrier asked this account to wait
    Column("reason", Text),
    Column("refusals", Integer, nullable=False, default=0),  # in a row
    Column("refused_until", Utc),
    Column("refusal", Text),
    Column("refusal_kind", Text),  # auth_failed or account_denied
    Column("refused_claim", KEY),  # whose call was refused; NULL: the sample number's
    Column("credentials_salt", String(32)),
    Column("credentials_print", String(64)),
    Column("stopped_at", Utc),  # a client's account, by a person, until they take it up again
    Column("stopped_why", Text),
    # The right to documents.
    Column("documents_came_at", Utc),  # when one came, to the day
    Column("documents_refused_at", Utc),  # since when the account is refused them
    Column("documents_next_at", Utc),  # while it is not known whether they are granted
    Column("documents_refusal", Text),
)

# When this database was adopted, and what the service could say then. One row, whose id is 1.
adoption = Table(
    "recours_adoption",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("adopted_at", Utc, nullable=False),
    Column("highest_claim_id", KEY),  # NULL: there was no claim
    Column("status_column_added", Boolean, nullable=False),  # pod_fetch_status was added by recours
    Column("decided", Boolean, nullable=False),  # whether older claims were enrolled or left out by a person
)

# What happened to claims beside their attempts: see `recours.core.changes`.
changes = Table(
    "recours_changes",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("claim_id", KEY, nullable=False),
    Column("at", Utc, nullable=False),  # when recours did it, or saw it
    Column("what", Text, nullable=False),
    Column("by", Text, nullable=False),  # a person's name, or "service"
    Column("details", JSON, nullable=False),
    Index("ix_recours_changes_claim", "claim_id", "id"),
    Index("ix_recours_changes_at", "at"),
)

# What people did to carriers, accounts and mails: see `recours.core.actions`.
actions = Table(
    "recours_actions",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("by", Text, nullable=False),  # a person's name
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False),  # the key of a carrier or an account, or "mails"
    Column("details", JSON, nullable=False),
    Index("ix_recours_actions_subject", "subject", "id"),
    Index("ix_recours_actions_at", "at"),
)

quota = Table(
    "recours_quota",
    metadata,
    Column("limit_key", String(80), primary_key=True),
    Column("window_start", Utc, primary_key=True),
    Column("window_end", Utc, nullable=False),
    Column("taken", Integer, nullable=False),  # used and reserved, by all
    Index("ix_recours_quota_end", "window_end"),
)

quota_shares = Table(
    "recours_quota_shares",
    metadata,
    Column("limit_key", String(80), primary_key=True),
    Column("window_start", Utc, primary_key=True),
    Column("holder", String(40), primary_key=True),
    Column("used", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("expires_at", Utc, nullable=False),  # what is reserved then was certainly not sent
    Index("ix_recours_quota_shares_holder", "holder"),
)

events = Table(
    "recours_events",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("event", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("claim_id", KEY, nullable=False),  # 0: of no claim
    Column("carrier", Text, nullable=False),
    Column(
        "tracking_number", Text, nullable=False
    ),  # of no claim: what tells it from others, such as the day
    Column("run_id", String(32), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("told", Text),  # NULL: not yet; `mail`, or why not
    UniqueConstraint("claim_id", "event", "carrier", "tracking_number", name="uq_recours_events"),
)
_partial_index("ix_recours_events_untold", [events.c.audience, events.c.claim_id], events.c.told.is_(None))

mails = Table(
    "recours_mails",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("message_id", String(120), nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("client_id", KEY),  # NULL: to the operator
    Column("recipient", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("subject", Text, nullable=False),
    Column("plain", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("run_id", String(32), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("holder", String(40)),  # the run that sends it, until
    Column("held_until", Utc),
    Column("error", Text),
    Column("ended_at", Utc),
)
_partial_index("ix_recours_mails_open", [mails.c.id], mails.c.state.in_(["ready", "held", "sending"]))

mail_events = Table(
    "recours_mail_events",
    metadata,
    Column("event_id", KEY, primary_key=True, autoincrement=False),
    Column("mail_id", KEY, primary_key=True, autoincrement=False),
    Index("ix_recours_mail_events_mail", "mail_id"),
)

# Work that one process at a time does, such as building indexes, and until when nobody else does it.
leases = Table(
    "recours_leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(40), nullable=False),
    Column("held_until", Utc, nullable=False),
)

# Each names files of evidence that were stored or erased, and the manifest before: see `recours.core.custody`.
manifests = Table(
    "recours_manifests",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=False),  # 1, 2, 3, …
    Column("run_id", String(32), nullable=False),  # of the run that wrote it, or `attach` or `prune`
    Column("written_at", Utc, nullable=False),
    Column("path", Text, nullable=False),  # below the folder of documents
    Column("sha256", String(64), nullable=False),
)
# Files of evidence that were erased.
erasures = Table(
    "recours_erasures",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("path", Text, nullable=False),
    Column("erased_at", Utc, nullable=False),
    Column("by", Text, nullable=False),
    Column("manifest_id", KEY),  # that says so; NULL: the next one will
    Index("ix_recours_erasures_manifest", "manifest_id", "id"),
)

# The service's own, as far as mails need them.
clients = Table(
    "clients",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("email", Text),
    Column("full_name", Text),
    Column("company_name", Text),
    Column("is_active", Text),  # read as it is: a boolean, a number or a word
    Column("notification_preferences", Text),
)
notifications = Table(
    "notifications",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("client_id", KEY),
    Column("notification_type", Text),
    Column("subject", Text),
    Column("sent_to", Text),
    Column("sent_at", Utc),
    Column("status", Text),
    Column("error_message", Text),
    Column("related_claim_id", KEY),
)
system_settings = Table(
    "system_settings", metadata, Column("key", Text, primary_key=True), Column("value", Text)
)

# How `recours init-db` makes those of the service that are missing.
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


def service_tables(dialect: str) -> dict[str, str]:
    """The SQL that makes each table of the service, by its name."""
    is_postgres = dialect == "postgresql"
    number, true = ("SERIAL", "TRUE") if is_postgres else ("INTEGER", "1")
    return {name: sql.format(id=f"{number} PRIMARY KEY", true=true) for name, sql in _SERVICE_TABLES.items()}
