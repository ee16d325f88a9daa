"""What commands and the page read of claims, runs, attempts and mails: see `recours.reporting.records`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    FromClause,
    RowMapping,
    Select,
    case,
    func,
    literal,
    literal_column,
    select,
    true,
    union_all,
)

from recours.core.accounts import carrier_of
from recours.core.appraisal import EvidenceKind, Findings
from recours.core.carrier import Catalog
from recours.core.claim import Delivery, Stage
from recours.core.mail import OPEN_STATES, MailState
from recours.core.outcome import KeptEvidence
from recours.core.pauses import CLOCKS_DIFFER
from recours.core.policy import Adoption
from recours.core.sentences import stored
from recours.core.text import clean
from recours.database.border import CUSTOMER_COLUMNS, ORDER_COLUMNS
from recours.database.claim_rows import Reader, claim_columns, const, in_parts, read_claim
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.intake import adoption_of
from recours.database.tables import (
    at_stage,
    attempts,
    changes,
    claims,
    events,
    evidence,
    intake,
    mail_events,
    mails,
    runs,
)
from recours.reporting.claim_search import Search, backlogs_of
from recours.reporting.figures import Concerned, Stake, stake_of
from recours.reporting.records import (
    COUNTED_UP_TO,
    GAVE_UP,
    OWED_LONG,
    Backlog,
    ClaimFilter,
    ClaimPage,
    Differences,
    ListedClaim,
    ListedMail,
    Matching,
    Message,
    PastAttempt,
    PastChange,
    Run,
    Sort,
    Tally,
    WrittenMail,
)
from recours.reporting.survey import Mark, read_mark, unassessed, united
from recours.reporting.system import MAIL_WAITS, MOST_RECORDS, UNDECIDED_FOR, Pile

_c = claims.c
_a = attempts.c
_m = mails.c
_v = evidence.c
_AT_ONCE = 1000
_SHOWN_CHANGES = 100
_NEWEST_MAILS = 5_000  # that are looked through for those that were left undecided
# What `PastAttempt` calls as the table does.
_OF_ATTEMPT = (
    "id", "claim_id", "run_id", "worker", "carrier", "started_at", "duration_s", "calls", "outcome", "used", "message",
    "http_status", "delivered_at", "delivered_day", "signatory", "document_path", "document_sha256", "document_size",
    "document_type", "document_source",
)  # fmt: skip
# The same of `KeptEvidence`.
_OF_PIECE = (
    "claim_id", "carrier", "obtained_at", "path", "sha256", "size", "media_type", "run_id", "refused", "by",
)  # fmt: skip


class IntakeRecord(NamedTuple):
    adoption: Adoption | None
    mark: Mark
    differences: Differences


@dataclass(frozen=True)
class DatabaseRecords:
    """Records of one database whose schema is current."""

    database: Database
    catalog: Catalog
    redact: Callable[[str], str] = str

    # ---------------------------------------------------------------- runs and attempts

    def runs(
        self,
        worker: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
        until: datetime | None = None,
    ) -> list[Run]:
        """The latest runs, the newest first; of those that began up to `until` if it is given."""
        query = select(runs).order_by(runs.c.started_at.desc()).limit(limit)
        if worker is not None:
            query = query.where(runs.c.worker == worker)
        if since is not None:
            query = query.where(runs.c.started_at >= since)
        if until is not None:
            query = query.where(runs.c.started_at <= until)
        return [_run(row) for row in self.database.mappings(query)]

    def latest_runs(
        self, workers: Sequence[str], limit: int, now: datetime, since: datetime | None = None
    ) -> list[Run]:
        """The latest runs, up to `limit` of each worker and of all, the newest first; all that began `since` then, up to MOST_RECORDS.

        Those that a wrong clock dated into the future, of which there may be many, hide no other.
        """
        began_at = runs.c.started_at
        has_begun = began_at <= now + CLOCKS_DIFFER
        latest = select(runs.c.id).order_by(began_at.desc())
        queries = [latest.where(runs.c.worker == name).limit(limit) for name in workers]
        queries += [query.where(has_begun) for query in queries]
        queries.append(latest.limit(limit))
        if since is not None:
            queries.append(latest.where(began_at >= since, has_begun).limit(MOST_RECORDS))
        ids = union_all(*(select(query.subquery()) for query in queries))
        rows = self.database.mappings(select(runs).where(runs.c.id.in_(ids)).order_by(began_at.desc()))
        return [_run(row) for row in rows]

    def last_success(self, worker: str, until: datetime) -> Run | None:
        query = select(runs).where(runs.c.worker == worker, runs.c.started_at <= until)
        query = query.where(runs.c.exit_status == 0, runs.c.ended_at.is_not(None))
        query = query.order_by(runs.c.started_at.desc()).limit(1)
        return next(map(_run, self.database.mappings(query)), None)

    def tallies(self, days: Sequence[date], zone: ZoneInfo) -> list[Tally]:
        """Attempts of these days (as they fall in `zone`), and claims that were given up then, counted."""
        if not days:
            return []
        alike = (_a.carrier, _a.turn, _a.outcome, _a.error_kind)
        queries = []  # two of each day, which read that part of an index alone
        for place, day in enumerate(days):
            start, end = (datetime.combine(d, time(), zone) for d in (day, day + timedelta(days=1)))
            of_day: ColumnElement[int] = literal_column(str(place))
            attempted = select(of_day, *alike, func.count()).group_by(*alike)
            queries.append(attempted.where(_a.started_at >= start, _a.started_at < end))
            no_retry: ColumnElement[int] = literal_column("0")
            closed = (_c.lane, no_retry, const(GAVE_UP), _c.kind)
            given_up = select(of_day, *closed, func.count()).group_by(_c.lane, _c.kind)
            in_day = _c.written_at >= start, _c.written_at < end
            queries.append(given_up.where(at_stage(Stage.GIVEN_UP), *in_day))
        rows = self.database.all(union_all(*queries))
        return [
            Tally(days[place], carrier_of(key or "") if outcome == GAVE_UP else key, retry, outcome, *more)
            for place, key, retry, outcome, *more in rows
        ]

    def secured(self, since: datetime, until: datetime) -> Mapping[str, float]:
        """The money in dispute of claims whose proofs were fetched in that time, by currency."""
        in_time = _a.started_at >= since, _a.started_at < until, _a.outcome == "success"
        fetched = select(_a.claim_id).distinct().where(*in_time).limit(COUNTED_UP_TO)
        return stake_in(self.database, Concerned(ids=self.database.scalars(fetched))).amounts

    def attempts(self, claim_id: Any) -> list[PastAttempt]:
        query = select(attempts).where(_a.claim_id == claim_id).order_by(_a.id)
        return [_attempt(row, self.catalog) for row in self.database.mappings(query)]

    def evidence(self, claim_id: Any) -> list[KeptEvidence]:
        """All pieces of a claim's evidence that are on record, refused ones too, the oldest first."""
        pieces = select(evidence).where(_v.claim_id == claim_id).order_by(_v.obtained_at, _v.id)
        return [_piece(row) for row in self.database.mappings(pieces)]

    # ---------------------------------------------------------------- backlogs

    def backlogs(
        self, due_until: datetime | None = None, limit: int = COUNTED_UP_TO, mark: Mark | None = None
    ) -> list[Backlog]:
        """What is not done, by account; each stage counted up to `limit`. `mark`: None reads it.

        Waiting claims whose retry comes by `due_until`, which no run has made ready yet, are counted as ready.
        """
        with self.database.read() as connection:
            backlogs = {backlog.carrier: backlog for backlog in backlogs_of(connection, due_until, limit)}
            mark = mark or read_mark(connection)
            count_unassessed = unassessed(connection, self.database.border, mark, limit)
        if count_unassessed:
            of_none = backlogs.get("", Backlog("", {}, counted_up_to=limit))
            backlogs = {"": of_none} | backlogs | {"": replace(of_none, unassessed=count_unassessed)}
        return [backlog for backlog in backlogs.values() if backlog.stages or backlog.unassessed]

    # ---------------------------------------------------------------- claims

    def find(self, reference: str) -> ListedClaim | None:
        return self.find_all([reference]).get(reference)

    def find_all(self, references: Sequence[str]) -> dict[str, ListedClaim]:
        """The claims of these references that there are, by their references."""
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
        """What `claims` gives, and how many there are; `skip`: after so many."""
        with self._search(criteria) as search:
            ids = search.ids(limit, skip, sort, descending=descending)
            count = search.count(COUNTED_UP_TO + 1)
        return ClaimPage(self._in_order(ids), count)

    def claims(
        self, criteria: ClaimFilter, limit: int, *, sort: Sort | None = None, descending: bool = False
    ) -> list[ListedClaim]:
        """Up to `limit` claims, each with its client. `sort` None: the newest first."""
        with self._search(criteria) as search:
            ids = search.ids(limit, 0, sort, descending=descending)
        return self._in_order(ids)

    def matching(self, criteria: ClaimFilter, limit: int = COUNTED_UP_TO) -> Matching:
        """The references of up to `limit` claims, the newest first, and how many more match."""
        with self._search(criteria) as search:
            ids = search.ids(limit, 0, None, descending=False)
            count_beyond = search.count_exactly() - limit if len(ids) == limit else 0
        return Matching([listed.claim.reference for listed in self._in_order(ids)], max(count_beyond, 0))

    def each_claim(
        self, since: datetime | None = None, criteria: ClaimFilter | None = None
    ) -> Iterator[ListedClaim]:
        """All that match, by their ids, a part at a time in memory."""
        with self._search(criteria or ClaimFilter()) as search:
            query = self._listed(search.source).where(*search.conditions())
        for rows in in_parts(self.database, query, search.key, _AT_ONCE):
            for listed in map(self._read, rows):
                created_at = listed.claim.created_at
                if since is None or created_at is None or created_at >= since:
                    yield listed

    @contextmanager
    def _search(self, criteria: ClaimFilter) -> Iterator[Search]:
        with self.database.read() as connection, self.database.dialect.passes(connection):
            yield Search(connection, self.database.border, self.catalog, criteria)

    def _in_order(self, ids: Sequence[Any]) -> list[ListedClaim]:
        """These claims in this order, each with its client; without those that are gone by now."""
        by_id: dict[Any, ListedClaim] = {}
        with self.database.read() as connection:
            for first in range(0, len(ids), _AT_ONCE):
                query = self._listed().where(self.database.border.key.in_(ids[first : first + _AT_ONCE]))
                by_id |= {row["id"]: self._read(row) for row in connection.execute(query).mappings()}
        client_ids = {listed.claim.client_id for listed in by_id.values()} - {None}
        emails = ClientAccounts(self.database).emails(client_ids) if client_ids else {}
        return [
            replace(listed, client=emails.get(listed.claim.client_id, ""))
            for listed in map(by_id.get, ids)
            if listed
        ]

    def _listed(self, source: FromClause | None = None) -> Select[Any]:
        """All that a list shows of claims; `source`: the service's rows and ours, if not all of the service's."""
        border = self.database.border
        names = {
            "dispute": "dispute_type",
            "currency": "currency",
            "order": border.first_of(ORDER_COLUMNS),
            "customer": border.first_of(CUSTOMER_COLUMNS),
        }
        texts = (border.text(name or "").label(label) for label, name in names.items())
        query = select(*claim_columns(border), *texts)
        return query.select_from(border.not_joined() if source is None else source)

    def _read(self, row: RowMapping) -> ListedClaim:
        read = Reader(row)
        return ListedClaim(
            read_claim(row, self.catalog, self.redact),
            read.text("pod_url"),
            read.moment("pod_fetched_at"),
            read.text("pod_delivery_person"),
            read.moment("lease_until"),
            dispute=clean(read.text("dispute") or "", 40).strip().lower(),
            currency=clean(read.text("currency") or "", 8),
            order=clean(read.text("order") or "", 100),
            customer=clean(read.text("customer") or "", 200),
        )

    def changes(self, claim_id: Any) -> list[PastChange]:
        """The last changes to a claim, the oldest first."""
        query = select(changes).where(changes.c.claim_id == claim_id)
        query = query.order_by(changes.c.id.desc()).limit(_SHOWN_CHANGES)
        return [_change(row) for row in self.database.mappings(query)][::-1]

    # ---------------------------------------------------------------- telling people

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

    def intake(self, now: datetime) -> IntakeRecord:
        """How far the claims have been taken in; owed claims are counted up to COUNTED_UP_TO."""
        long_owed = select(literal(1)).where(_c.owed_since <= now - OWED_LONG).limit(COUNTED_UP_TO)
        owed = select(func.count()).select_from(long_owed.subquery()).subquery()
        query = select(owed.c[0].label("owed"), *intake.c).select_from(
            owed.join(intake, true(), isouter=True)
        )
        (row,) = self.database.mappings(query)
        return IntakeRecord(
            adoption_of(row),
            Mark(row["mark"], row["swept_at"] is not None),
            Differences(row["repaired"] or 0, row["owed"]),
        )

    def mails(self, now: datetime) -> dict[MailState, Pile]:
        """Mails that are not ended (ready, held, or being sent), and those that were left undecided lately."""
        overdue = func.count(case((_m.created_at < now - MAIL_WAITS, 1)))
        of_open = select(_m.state, func.count(), func.min(_m.created_at), overdue).group_by(_m.state)
        of_open = of_open.where(_m.state.in_([const(state) for state in OPEN_STATES]))
        newest = select(_m.state, _m.ended_at).order_by(_m.id.desc()).limit(_NEWEST_MAILS).subquery().c
        undecided = const(MailState.UNDECIDED)
        of_undecided = select(undecided, func.count(), func.min(newest.ended_at), literal_column("0")).where(
            newest.state == undecided, newest.ended_at >= now - UNDECIDED_FOR
        )
        rows = self.database.all(union_all(of_open, of_undecided))
        return {MailState(state): Pile(*pile) for state, *pile in rows if pile[0]}


# ---------------------------------------------------------------- rows of recours's tables


def _run(row: RowMapping) -> Run:
    return Run(**{**row, "worker": clean(row["worker"], 60), "stats": row["stats"] or {}})


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


def _piece(row: RowMapping) -> KeptEvidence:
    day = date.fromisoformat(row["delivered_day"]) if row["delivered_day"] else None
    return KeptEvidence(
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
    """Those that are not ended, the oldest first; by the index of those. Raises DatabaseError, as the others do."""
    states = [const(state) for state in OPEN_STATES]
    query = select(*_LISTED).where(_m.state.in_(states)).order_by(_m.id).limit(limit)
    return [_listed(row) for row in database.mappings(query)]


def latest_mails(database: Database, limit: int) -> list[ListedMail]:
    """Those that were written last, the newest first."""
    query = select(*_LISTED).order_by(_m.id.desc()).limit(limit)
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


def stake_in(database: Database, concerned: Concerned, limit: int = COUNTED_UP_TO) -> Stake:
    """What these claims are about, of the first `limit` of them; the schema is current. Raises DatabaseError."""
    return stakes_in(database, [concerned], limit)[0]


def stakes_in(database: Database, several: Sequence[Concerned], limit: int = COUNTED_UP_TO) -> list[Stake]:
    """The same of the claims of several problems, by few statements."""
    queries = [
        query for place, claims in enumerate(several) for query in _amounts(database, claims, place, limit)
    ]
    rows = [Reader(row) for statement in united(queries) for row in database.mappings(statement)]
    amounts: list[list[tuple[str, float]]] = [[] for _ in several]
    for row in rows:
        amount = clean(row.text("currency") or "", 8), row.amount("amount_requested")
        amounts[int(row.text("place") or 0)].append(amount)
    return [
        stake_of(of_one[:limit], is_more=len(claims.ids) > limit or len(of_one) > limit)
        for claims, of_one in zip(several, amounts, strict=True)
    ]


def _amounts(
    database: Database, concerned: Concerned, place: int, limit: int
) -> Iterator[Select[*tuple[Any, ...]]]:
    border = database.border
    columns: list[ColumnElement[Any]] = [
        border.text("amount_requested").label("amount_requested"),
        border.text("currency").label("currency"),
        literal_column(str(place)).label("place"),
    ]
    query = select(*columns)
    ids = concerned.ids[:limit]
    for first in range(0, len(ids), _AT_ONCE):  # of more, a database may read the whole table
        yield query.select_from(border.claims).where(border.key.in_(ids[first : first + _AT_ONCE]))
    if concerned.accounts:
        of_accounts = _c.lane.in_(sorted(concerned.accounts)), at_stage(*concerned.stages)
        yield query.select_from(border.joined()).where(*of_accounts).limit(limit + 1)
