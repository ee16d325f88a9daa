"""Recours's own tables, all named `recours_…`. The module `border` describes the service's tables."""

from datetime import UTC, datetime
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import (
    JSON,
    TIMESTAMP,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    case,
    func,
    literal_column,
    text,
)
from sqlalchemy.types import TypeDecorator, UserDefinedType

from recours.core.claim import Stage
from recours.database.dialect import KEY

metadata = MetaData()
# The table in which Alembic stores the revision of the schema.
VERSION_TABLE = "recours_schema_version"


class ServiceKey(UserDefinedType[Any]):
    """A key of the service, in the type that the driver returns: a number, a UUID or a text.

    Our columns are created with the type of the service's column; see `Border.own_types`.
    """

    cache_ok = True

    def __init__(self, placeholder: str) -> None:
        """`placeholder`: stands for the column type in the SQL that creates a table."""
        self.placeholder = placeholder

    def get_col_spec(self, **_: Any) -> str:
        return self.placeholder


CLAIM_KEY = ServiceKey("CLAIM_KEY")
CLIENT_KEY = ServiceKey("CLIENT_KEY")


class Utc(TypeDecorator[datetime]):
    """A UTC datetime. It is stored without a time zone, so that the session's time zone does not matter."""

    impl = TIMESTAMP
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


def _partial_index(name: str, columns: list[Column[Any]], where: ColumnElement[bool], **more: Any) -> None:
    """Add a partial index. Its condition is kept in `info`, because dialect options load a dialect at every start."""
    Index(name, *columns, unique=more.pop("unique", False), info={"where": where, **more})


# The state of claims. Claims that recours has never worked on have no row.
# The columns `seen_…` contain the service's values in their text form when the claim was last assessed.
claims = Table(
    "recours_claims",
    metadata,
    Column("claim_id", CLAIM_KEY, primary_key=True, autoincrement=False),
    Column("stage", Text, nullable=False),  # a core.claim.Stage, or DONE, NOT_ENROLLED or ERASED
    # 1: the next intake assesses the claim again
    Column("to_assess", Integer, nullable=False, server_default=text("0")),
    Column("written_at", Utc),  # when a run last wrote the claim's state; NULL: adopted in bulk
    # The key of the account that serves the claim (see core.accounts); "": unknown carrier
    Column("lane", Text),
    # The account whose call succeeded. 0: the default account; NULL: the client's account, or the default account
    Column("account_id", KEY),
    Column("next_at", Utc),
    Column("rank_at", Utc),
    Column("rank_is_deadline", Integer, nullable=False, server_default=text("0")),
    Column("retries_used", Integer, nullable=False, server_default=text("0")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),  # including the first fetch
    Column("last_retry_at", Utc),
    Column("failed_at", Utc),
    Column("since", Utc),
    Column("expire_from", Utc),
    Column("expired_at", Utc),
    Column("last_attempt_at", Utc),
    Column("interruptions", Integer, nullable=False, server_default=text("0")),
    # 1: the claim is fetched alone, because its number made a call for several parcels fail
    Column("goes_alone", Integer, nullable=False, server_default=text("0")),
    Column("kind", Text),
    Column("error_key", Text),  # the key of the sentence in pod_fetch_error
    Column("error_words", Text),  # the carrier's own words in that sentence
    Column("known_delivery", Text),
    Column("lease_token", Text),
    Column("lease_until", Utc),
    # Counts writes, so that an intake does not overwrite newer values
    Column("version", Integer, nullable=False, server_default=text("0")),
    Column("seen_fetch_status", Text),
    Column("seen_number", Text),
    Column("seen_carrier", Text),
    Column("seen_count", Text),
    Column("seen_client", Text),
    Column("seen_reference", Text),
    Column("seen_claim_status", Text),
    Column("seen_deadline", Text),
    Column("erased_by", Text),  # the person who erased the claim, at `written_at`
    # JSON: values not yet written to the service's row, by column; NULL: none
    Column("owed", Text),
    Column("owed_since", Utc),
)
# Stages in addition to `core.claim.Stage`. DONE: no work is left.
DONE, NOT_ENROLLED, ERASED = "done", "not_enrolled", "erased"
# The stages of claims that every run examines.
OPEN_STAGES = (Stage.UNNUMBERED, Stage.NEW, Stage.WAITING, Stage.READY, Stage.SETTLED)

_c = claims.c
_SEEN = [column for column in _c if column.name.startswith("seen_")]
# An index row of PostgreSQL has at most 2,700 bytes, which may be only 675 characters.
_LONG = literal_column("600", Integer)


def is_at_stage(*stages: str) -> ColumnElement[bool]:
    """Claims at one of these stages. Stages are literals, because partial indexes require an identical condition."""
    names = [literal_column(f"'{stage}'", Text) for stage in stages]
    return _c.stage == names[0] if len(names) == 1 else _c.stage.in_(names)


def awaits_retry() -> ColumnElement[bool]:
    """Claims that wait for a retry from the backoff, not for a last attempt before their deadline."""
    return _as_case(and_(is_at_stage(Stage.WAITING), _c.last_attempt_at.is_distinct_from(_c.next_at)))


def has_deadline() -> ColumnElement[bool]:
    """New and ready claims that are ranked by a real deadline."""
    return _as_case(and_(is_at_stage(Stage.NEW, Stage.READY), _c.rank_is_deadline == literal_column("1")))


def is_open(*, is_long: bool) -> ColumnElement[bool]:
    """Open claims whose service values fit in an index row, or do not fit if `is_long`."""
    empty = literal_column("''", Text)
    lengths = [func.length(func.coalesce(column, empty)) for column in _SEEN]
    length: ColumnElement[int] = reduce(add, lengths)
    return _as_case(and_(is_at_stage(*OPEN_STAGES), length >= _LONG if is_long else length < _LONG))


def _as_case(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Write a condition as CASE, so that the database uses no partial index except the one with this condition."""
    true_value = literal_column("1", Integer)
    return case((condition, true_value)) == true_value


# The stage is constant within each index, but is its first column. Without this column, SQLite would choose an index of
# all rows.
for _stage, _columns in (
    (Stage.READY, [_c.lane, _c.rank_is_deadline, _c.rank_at]),
    (Stage.NEW, [_c.lane, _c.rank_is_deadline, _c.rank_at]),
    (Stage.WAITING, [_c.next_at, _c.seen_fetch_status]),
    (Stage.SETTLED, [_c.next_at]),
    (Stage.GIVEN_UP, [_c.retries_used, _c.expired_at]),
    (Stage.SHELVED, [_c.seen_claim_status]),
    (NOT_ENROLLED, [_c.since]),
):
    _partial_index(f"ix_recours_claims_{_stage}", [_c.stage, *_columns], is_at_stage(_stage))
_partial_index("ix_recours_claims_expiring", [_c.stage, _c.expire_from], has_deadline())
_partial_index("ix_recours_claims_ended", [_c.rank_at], is_at_stage(Stage.SETTLED, Stage.GIVEN_UP))
_partial_index("ix_recours_claims_backoff", [_c.next_at], awaits_retry())
# A covering index of open claims. PostgreSQL can compare the claims without reading their scattered rows.
_compared = [_c.to_assess, _c.lease_until, *_SEEN]
_partial_index("ix_recours_claims_open", [_c.claim_id], is_open(is_long=False), include=_compared)
_partial_index("ix_recours_claims_long", [_c.claim_id], is_open(is_long=True))
_partial_index("ix_recours_claims_to_assess", [_c.claim_id], _c.to_assess == literal_column("1"))
_partial_index("ix_recours_claims_owed", [_c.claim_id], _c.owed_since.is_not(None))
Index("ix_recours_claims_stage", _c.stage, _c.claim_id)
Index("ix_recours_claims_written", _c.stage, _c.written_at)
Index("ix_recours_claims_lane", _c.lane, _c.stage, _c.failed_at)

# The progress of the intake, in a single row with the id 1.
intake = Table(
    "recours_intake",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("adopted_at", Utc, nullable=False),  # when recours first worked on this database
    Column("highest_claim_id", CLAIM_KEY),  # at `adopted_at`; NULL: no claims, or keys that are not numbers
    Column("status_column_added", Boolean, nullable=False),  # whether recours added pod_fetch_status
    Column("decided", Boolean, nullable=False),  # whether a person has decided about older claims
    Column("columns_added", JSON, nullable=False),  # the columns that recours added to the service's table
    Column("mark", CLAIM_KEY),  # the highest key read so far
    Column("swept_to", CLAIM_KEY),  # where the sweep continues; NULL: from the beginning
    Column("swept_at", Utc),  # when the sweep last finished; NULL: never, claims are still being adopted
    Column("exhausted_at", Utc),  # when failed claims without retries left were adopted; NULL: not yet
    # How many differing rows only the sweep has found
    Column("repaired", Integer, nullable=False, server_default=text("0")),
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


# The document of a successful attempt is in the attempt's row; recours_documents is a view of these rows.
attempts = Table(
    "recours_attempts",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("claim_id", CLAIM_KEY, nullable=False),
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
    Column("delivered_day", Text),  # an ISO date, if the carrier gave no time
    Column("signatory", Text),
    Column("document_path", Text),
    Column("document_sha256", String(64)),
    Column("document_size", Integer),
    Column("document_type", Text),
    Column("document_source", Text),
    Column("is_last", Boolean),  # the last attempt before the claim's deadline, which is not a retry
    Column("account_id", KEY),  # the account used last; NULL: the default account
    Index("ix_recours_attempts_claim", "claim_id", "id"),
    Index("ix_recours_attempts_day", "started_at", "carrier", "turn", "outcome", "error_kind"),
)

# All evidence, including rejected documents and tracking records.
evidence = Table(
    "recours_evidence",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("claim_id", CLAIM_KEY, nullable=False),
    Column("carrier", Text, nullable=False),
    Column("tracking_number", Text, nullable=False),
    Column("kind", Text, nullable=False),  # see recours.core.evidence.EvidenceKind
    Column("source", Text, nullable=False),
    Column("obtained_at", Utc, nullable=False),
    Column("run_id", String(32)),  # NULL: attached by a person
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("refused", Text),  # why the document proves nothing; NULL: it was not rejected
    Column("shown", JSON, nullable=False),  # see recours.core.evidence.Findings
    # Facts of the delivery that the carrier gave in addition to the document
    Column("signatory", Text),
    Column("delivered_at", Utc),
    Column("delivered_day", Text),
    Column("place", Text),
    Column("by", Text),  # the person who attached the document; NULL: recours fetched it
    Column("manifest_id", KEY),  # the manifest that lists the file; NULL: the next one will
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
    Column("stopped_at", Utc),  # when a person paused the carrier; NULL: not paused
    Column("stopped_until", Utc),  # when the pause ends; NULL: when the carrier is resumed
    Column("stopped_why", Text),
)

# Whether each carrier had credentials at the last run. A carrier without a row is new.
accounts = Table(
    "recours_accounts",
    metadata,
    Column("carrier", String(40), primary_key=True),
    Column("configured", Boolean, nullable=False),
)

# Clients' accounts at carriers. A removed account keeps only its number, which attempts refer to.
client_accounts = Table(
    "recours_client_accounts",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("client_id", CLIENT_KEY, nullable=False),
    # See core.accounts.address_key.
    Column("client_address", Text, nullable=False, server_default=text("''")),
    Column("moved_at", Utc),  # when recours noticed that the client has another address or no longer exists
    Column("carrier", String(40), nullable=False),
    Column("credentials", Text),  # sealed, see recours.accounts.opened; NULL: removed
    # The account's limits by capability ("": all calls), as in QUOTA_…; NULL: the carrier's defaults
    Column("limits", JSON),
    Column("added_at", Utc, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("removed_at", Utc),
    # Whether the account's last change has been applied to the client's claims
    Column("is_applied", Boolean, nullable=False),
    UniqueConstraint("client_id", "carrier", name="uq_recours_client_accounts"),
)

# The state of an account, shared by all processes. The default account is number 0.
account_state = Table(
    "recours_account_state",
    metadata,
    Column("carrier", String(40), primary_key=True),
    Column("account_id", KEY, primary_key=True, autoincrement=False),
    Column("paused_until", Utc),  # the carrier asked this account to wait
    Column("reason", Text),
    Column("refusals", Integer, nullable=False, default=0),  # consecutive
    Column("refused_until", Utc),
    Column("refusal", Text),
    Column("refusal_kind", Text),  # auth_failed or account_denied
    Column("refused_claim", CLAIM_KEY),  # claim whose call was rejected; NULL: the sample number's call
    Column("credentials_salt", String(32)),
    Column("credentials_print", String(64)),
    Column("stopped_at", Utc),  # when a person paused a client's account; NULL: not paused
    Column("stopped_until", Utc),  # when the pause ends; NULL: when the account is resumed
    Column("stopped_why", Text),
    # The account's right to documents
    Column("documents_came_at", Utc),  # the day on which a document was last received
    Column("documents_refused_at", Utc),  # since when the carrier has denied documents to the account
    Column("documents_next_at", Utc),  # when documents may be requested again, while the right is unknown
    Column("documents_refusal", Text),
)

# Changes to claims other than attempts; see `recours.core.actions`.
changes = Table(
    "recours_changes",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("claim_id", CLAIM_KEY, nullable=False),
    Column("at", Utc, nullable=False),  # when recours made or noticed the change
    Column("what", Text, nullable=False),
    Column("by", Text, nullable=False),  # a person's name, or "service"
    Column("details", JSON, nullable=False),
    Index("ix_recours_changes_claim", "claim_id", "id"),
    Index("ix_recours_changes_at", "at"),
)

# People's actions on carriers, accounts and emails; see `recours.core.actions`.
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
    Column("taken", Integer, nullable=False),  # units reserved by all processes
    Index("ix_recours_quota_end", "window_end"),
)

events = Table(
    "recours_events",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("event", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("claim_id", CLAIM_KEY),  # NULL: no claim
    Column("carrier", Text, nullable=False),
    # For events without a claim: another value that makes them unique, such as the day
    Column("tracking_number", Text, nullable=False),
    Column("run_id", String(32), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("told", Text),  # NULL: not reported yet; `mail`; or why the event is not reported
    UniqueConstraint("claim_id", "event", "carrier", "tracking_number", name="uq_recours_events"),
)
_partial_index(
    "uq_recours_events_of_no_claim",
    [events.c.event, events.c.carrier, events.c.tracking_number],
    events.c.claim_id.is_(None),
    unique=True,
)
_partial_index("ix_recours_events_untold", [events.c.audience, events.c.claim_id], events.c.told.is_(None))

mails = Table(
    "recours_mails",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("message_id", String(120), nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("client_id", CLIENT_KEY),  # NULL: an email to the operator
    Column("recipient", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("subject", Text, nullable=False),
    Column("plain", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("run_id", String(32), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("holder", String(40)),  # the run that is sending the email, until `held_until`
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

# Leases of tasks that only one process may perform at a time, such as building indexes.
leases = Table(
    "recours_leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(40), nullable=False),
    Column("held_until", Utc, nullable=False),
)

# Each manifest lists stored and erased files of evidence, and the previous manifest; see `recours.core.evidence`.
manifests = Table(
    "recours_manifests",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=False),  # 1, 2, 3, …
    Column("run_id", String(32), nullable=False),  # the run that wrote it; or the command: `attach`, `prune`
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
    Column("manifest_id", KEY),  # the manifest that lists the erasure; NULL: the next one will
    Index("ix_recours_erasures_manifest", "manifest_id", "id"),
)
