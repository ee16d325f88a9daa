"""Reads claims and emails for commands and the dashboard; see `recours.reporting.records`. Changes nothing."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    RowMapping,
    Select,
    and_,
    case,
    false,
    func,
    or_,
    select,
    true,
)

from recours.core.carrier import Catalog
from recours.core.claim import DUE, Claim, Delivery, Stage
from recours.core.evidence import EvidenceKind, Findings
from recours.core.mail import OPEN_STATES, MailState
from recours.core.outcome import RecordedEvidence
from recours.core.sentences import stored
from recours.core.text import clean
from recours.database.border import CUSTOMER_COLUMNS, ORDER_COLUMNS, Border
from recours.database.claim_rows import (
    as_dicts,
    as_moment,
    claim_columns,
    const,
    free,
    moments,
    read_claim,
    read_claims,
    read_in_batches,
    reading,
    reading_all,
    reading_without_ours,
)
from recours.database.claims import leasable_ids
from recours.database.client_accounts import ClientAccounts, Contact
from recours.database.engine import Database
from recours.database.schema.inspection import Schema
from recours.database.tables import (
    OPEN_STAGES,
    attempts,
    changes,
    claims,
    events,
    evidence,
    is_at_stage,
    mail_events,
    mails,
)
from recours.reporting.claim_search import Search
from recours.reporting.records import (
    ALL_CLAIMS,
    COUNTED_UP_TO,
    ClaimFilter,
    ClaimPage,
    Effort,
    ListedClaim,
    ListedMail,
    Matching,
    Message,
    PastAttempt,
    PastChange,
    Sort,
    WrittenMail,
)
from recours.reporting.system_reader import conditions_without_row, read_mark
from recours.runs.source import can_be_reference

_c = claims.c
_a = attempts.c
_m = mails.c
_v = evidence.c
_AT_ONCE = 1000
_SHOWN_CHANGES = 100
# Fields of `PastAttempt` with the same name as their column.
_OF_ATTEMPT = (
    "id", "claim_id", "run_id", "worker", "carrier", "started_at", "duration_s", "calls", "outcome", "used", "message",
    "http_status", "delivered_at", "delivered_day", "signatory", "document_path", "document_sha256", "document_size",
    "document_type", "document_source",
)  # fmt: skip
# Fields of `RecordedEvidence` with the same name as their column.
_OF_PIECE = (
    "claim_id", "carrier", "obtained_at", "path", "sha256", "size", "media_type", "run_id", "refused", "by",
)  # fmt: skip


@dataclass(frozen=True)
class DatabaseRecords:
    """The records of a database with the current schema."""

    database: Database
    catalog: Catalog
    redact: Callable[[str], str] = str

    def attempts(self, claim_id: Any) -> list[PastAttempt]:
        query = select(attempts).where(_a.claim_id == claim_id).order_by(_a.id)
        return [_attempt(row, self.catalog) for row in self.database.mappings(query)]

    def evidence(self, claim_id: Any) -> list[RecordedEvidence]:
        """All recorded evidence of a claim, including refused pieces, oldest first."""
        return self.evidence_of_each([claim_id]).get(claim_id, [])

    def evidence_of_each(self, claim_ids: Collection[Any]) -> dict[Any, list[RecordedEvidence]]:
        """All recorded evidence of several claims, by claim id."""
        pieces: dict[Any, list[RecordedEvidence]] = {}
        query = select(evidence).where(_v.claim_id.in_(claim_ids)).order_by(_v.obtained_at, _v.id)
        for piece in map(_piece, self.database.mappings(query)):
            pieces.setdefault(piece.claim_id, []).append(piece)
        return pieces

    def efforts(self, claim_ids: Collection[Any]) -> dict[Any, Effort]:
        """The numbers of attempts and calls for these claims, by id. Claims without recorded attempts are omitted."""
        counts = func.sum(case((_a.used, 1), else_=0)), func.sum(_a.calls)
        query = select(_a.claim_id, *counts).where(_a.claim_id.in_(claim_ids)).group_by(_a.claim_id)
        return {claim_id: Effort(*count) for claim_id, *count in self.database.all(query)}

    # ---------------------------------------------------------------- claims

    def find(self, reference: str) -> ListedClaim | None:
        return self.find_all([reference]).get(reference)

    def find_all(self, references: Sequence[str]) -> dict[str, ListedClaim]:
        """The claims with these references, by reference. Invalid references are not queried."""
        references = [reference for reference in references if can_be_reference(reference)]
        by_reference = {}
        with self.database.read() as connection:
            for first in range(0, len(references), _AT_ONCE):
                some = references[first : first + _AT_ONCE]
                query = self._listed().where(self.database.border.text("claim_reference").in_(some))
                for row in connection.execute(query).mappings():
                    by_reference[str(row["claim_reference"])] = self._read(row)
        return by_reference

    def page(
        self,
        criteria: ClaimFilter,
        limit: int,
        *,
        skip: int = 0,
        sort: Sort | None = None,
        descending: bool = False,
    ) -> ClaimPage:
        """Up to `limit` claims after the first `skip`, with the number of all matching claims."""
        with self._search(criteria) as search:
            ids = search.ids(limit, skip, sort, descending=descending)
            count = search.count(COUNTED_UP_TO + 1)
        return ClaimPage(self._read_claims(ids), count)

    def claims(
        self, criteria: ClaimFilter, limit: int, *, sort: Sort | None = None, descending: bool = False
    ) -> list[ListedClaim]:
        """Up to `limit` claims, each with its client. `sort` None: newest first."""
        with self._search(criteria) as search:
            ids = search.ids(limit, 0, sort, descending=descending)
        return self._read_claims(ids)

    def matching(self, criteria: ClaimFilter, limit: int = COUNTED_UP_TO) -> Matching:
        """The references of up to `limit` claims, newest first, and how many more match."""
        with self._search(criteria) as search:
            ids = search.ids(limit, 0, None, descending=False)
            count_beyond = search.count_exactly() - limit if len(ids) == limit else 0
        return Matching([listed.claim.reference for listed in self._read_claims(ids)], max(count_beyond, 0))

    def each_claim(self, criteria: ClaimFilter = ALL_CLAIMS) -> Iterator[ListedClaim]:
        """All matching claims in the order of their ids, each with its client, read in batches."""
        with self._search(criteria) as search:
            query = self._listed(search.source).where(*search.conditions())
        for rows in read_in_batches(self.database, query, search.key, _AT_ONCE):
            yield from self._with_clients(map(self._read, rows))

    @contextmanager
    def _search(self, criteria: ClaimFilter) -> Iterator[Search]:
        with self.database.read() as connection, self.database.dialect.scanning(connection):
            yield Search(connection, self.database.border, self.catalog, criteria)

    def _read_claims(self, ids: Sequence[Any]) -> list[ListedClaim]:
        """These claims in this order, each with its client, except claims deleted in the meantime."""
        by_id: dict[Any, ListedClaim] = {}
        with self.database.read() as connection:
            for first in range(0, len(ids), _AT_ONCE):
                query = self._listed().where(self.database.border.key.in_(ids[first : first + _AT_ONCE]))
                by_id |= {row["id"]: self._read(row) for row in connection.execute(query).mappings()}
        return self._with_clients(listed for listed in map(by_id.get, ids) if listed)

    def _with_clients(self, claims_: Iterable[ListedClaim]) -> list[ListedClaim]:
        """The same claims, each with its client's address and name."""
        listed_claims = list(claims_)
        client_ids = {listed.claim.client_id for listed in listed_claims} - {None}
        contacts = ClientAccounts(self.database).contacts(client_ids) if client_ids else {}
        with_clients = []
        for listed in listed_claims:
            contact = contacts.get(listed.claim.client_id, Contact())
            with_clients.append(replace(listed, client=contact.email, client_name=contact.name))
        return with_clients

    def _listed(self, source: FromClause | None = None) -> Select[Any]:
        """Select the columns of listed claims. `source`: the tables to select from; by default, claims."""
        border = self.database.border
        names = {
            "dispute": "dispute_type",
            "currency": "currency",
            "order": border.first_column(ORDER_COLUMNS),
            "customer": border.first_column(CUSTOMER_COLUMNS),
        }
        texts = (border.text(name or "").label(label) for label, name in names.items())
        query = select(*claim_columns(border), *texts)
        return query.select_from(border.not_joined() if source is None else source)

    def _read(self, row: RowMapping) -> ListedClaim:
        return ListedClaim(
            read_claim(row, self.catalog, self.redact),
            row["pod_url"],
            as_moment(row["pod_fetched_at"]),
            row["pod_delivery_person"],
            row["lease_until"],
            dispute=clean(row["dispute"] or "", 40).strip().lower(),
            currency=clean(row["currency"] or "", 8),
            order=clean(row["order"] or "", 100),
            customer=clean(row["customer"] or "", 200),
        )

    def changes(self, claim_id: Any) -> list[PastChange]:
        """The last changes to a claim, oldest first."""
        query = select(changes).where(changes.c.claim_id == claim_id)
        query = query.order_by(changes.c.id.desc()).limit(_SHOWN_CHANGES)
        return [_change(row) for row in self.database.mappings(query)][::-1]

    # ---------------------------------------------------------------- emails about a claim

    def messages(self, claim_id: Any) -> list[Message]:
        query = (
            select(events.c.event, events.c.audience, events.c.created_at, events.c.told)
            .add_columns(_m.state, _m.recipient, _m.ended_at)
            .join(mail_events, mail_events.c.event_id == events.c.id, isouter=True)
            .join(mails, _m.id == mail_events.c.mail_id, isouter=True)
            .where(events.c.claim_id == claim_id)
            .order_by(events.c.id)
        )
        return [Message(*row) for row in self.database.all(query)]


# ---------------------------------------------------------------- rows of recours's tables


def _attempt(row: RowMapping, catalog: Catalog) -> PastAttempt:
    key = row["carrier"]
    alike = {name: row[name] for name in _OF_ATTEMPT}
    return PastAttempt(
        **alike,
        number=row["tracking_number"],
        retry=row["turn"],
        kind=row["error_kind"],
        explanation=stored(row["error_key"], catalog.name_of(key, clean(key, 60)), row["error_words"]),
        is_last=bool(row["is_last"]),
        account=row["account_id"],
    )


def _piece(row: RowMapping) -> RecordedEvidence:
    day = date.fromisoformat(row["delivered_day"]) if row["delivered_day"] else None
    return RecordedEvidence(
        **{name: row[name] for name in _OF_PIECE},
        number=row["tracking_number"],
        kind=EvidenceKind(row["kind"]),
        source=clean(row["source"], 100),
        findings=Findings(**row["shown"]),
        delivery=Delivery(row["delivered_at"], row["signatory"], day, place=row["place"]),
    )


def _change(row: RowMapping) -> PastChange:
    return PastChange(row["at"], clean(row["what"], 40), clean(row["by"], 100), row["details"])


_LISTED = (_m.id, _m.kind, _m.recipient, _m.subject, _m.state, _m.created_at, _m.ended_at, _m.tries, _m.error)
_LONGEST_TEXT = 200
_LONGEST_ERROR = 300


def waiting_mails(database: Database, limit: int) -> list[ListedMail]:
    """The emails not yet sent or refused, oldest first. Like the functions below, raises DatabaseError."""
    states = [const(state) for state in OPEN_STATES]
    query = select(*_LISTED).where(_m.state.in_(states)).order_by(_m.id).limit(limit)
    return [_listed(row) for row in database.mappings(query)]


def latest_mails(database: Database, limit: int) -> list[ListedMail]:
    """The latest emails, newest first."""
    query = select(*_LISTED).order_by(_m.id.desc()).limit(limit)
    return [_listed(row) for row in database.mappings(query)]


def find_mail(database: Database, number: int) -> WrittenMail | None:
    query = select(*_LISTED, _m.language, _m.plain, _m.html).where(_m.id == number)
    for row in database.mappings(query):
        return WrittenMail(_listed(row), row["language"], row["plain"], row["html"])
    return None


def claims_of_mail(database: Database, number: int, limit: int) -> list[str]:
    """The references of up to `limit` claims that an email is about."""
    border = database.border
    reference = border.text("claim_reference")
    source = border.claims.join(events, events.c.claim_id == border.key)
    source = source.join(mail_events, mail_events.c.event_id == events.c.id)
    query = select(reference).distinct().select_from(source).where(mail_events.c.mail_id == number)
    return [str(row[0]) for row in database.all(query.order_by(reference).limit(limit))]


def _listed(row: RowMapping) -> ListedMail:
    """Convert a row to a ListedMail. A state from a later version stays a string."""
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


# ---------------------------------------------------------------- all claims that runs work on


@dataclass(frozen=True)
class SurveyedClaim:
    """A claim as stored. `edited`: it was edited, so the next run assesses it first. `leased`: a run is fetching it."""

    claim: Claim
    edited: bool
    leased: bool


def survey(
    database: Database, schema: Schema, catalog: Catalog, due_until: datetime, max_retries: int, now: datetime
) -> Iterator[SurveyedClaim]:
    """Read all claims that runs work on, one at a time, except retries due after `due_until`. Works with any schema."""
    border = database.border
    with database.read() as connection:
        if schema.is_current:
            is_edited = or_(_c.to_assess == 1, border.differs)
            is_leased = ~free(now)
            queries = [reading(border, where) for where in _conditions_of_run(border, due_until, max_retries)]
            queries = [
                query.add_columns(is_edited.label("edited"), is_leased.label("leased")) for query in queries
            ]
            conditions = conditions_without_row(border, read_mark(connection))
            queries += [_mark_new(reading_all(border, *where)) for where in conditions]
        elif border.has("pod_fetch_status"):
            queries = [_mark_new(reading_without_ours(border, border.is_worked_on))]
        else:
            queries = []
        for query in queries:
            for row in as_dicts(connection.execution_options(yield_per=_AT_ONCE).execute(query)):
                yield SurveyedClaim(read_claim(row, catalog), bool(row["edited"]), bool(row["leased"]))


def _mark_new(query: Select[Any]) -> Select[Any]:
    return query.add_columns(true().label("edited"), false().label("leased"))


def _conditions_of_run(border: Border, due_until: datetime, max_retries: int) -> list[ColumnElement[bool]]:
    """Conditions for the claims that have a row in recours's table. Each condition can use an index."""
    is_due_retry = and_(is_at_stage(Stage.WAITING, Stage.SETTLED), _c.next_at <= due_until)
    is_ready = is_at_stage(Stage.READY, Stage.NEW, Stage.UNNUMBERED)
    is_edited = or_(_c.to_assess == 1, border.differs)
    has_retries_left = and_(_c.retries_used < max_retries, _c.expired_at.is_(None))
    return [
        and_(is_at_stage(*OPEN_STAGES), or_(is_ready, is_due_retry, is_edited)),
        is_at_stage(Stage.SHELVED),
        and_(is_at_stage(Stage.GIVEN_UP), or_(has_retries_left, is_edited)),
    ]


def most_urgent_claims(
    database: Database, catalog: Catalog, lane: str, limit: int, now: datetime
) -> list[Claim]:
    """The most urgent due claims of an account, up to `limit` per worker, found with an index."""
    parameters = {"limit": limit, **moments(now, ""), **database.dialect.lanes_named([lane])}
    with database.read() as connection:
        ids = [
            claim_id
            for stage in DUE
            for claim_id in connection.scalars(leasable_ids(stage, database.dialect, locks=False), parameters)
        ]
        return read_claims(connection.execute(reading(database.border, _c.claim_id.in_(ids))), catalog)
