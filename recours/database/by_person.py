"""Writes the changes that people request to the service's claims, except locked ones, and assesses these claims."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    select,
    true,
    update,
)

from recours.core.actions import ChangeKind, ClaimChange
from recours.core.carrier import Catalog
from recours.core.claim import MANUAL, Claim, FetchStatus, Stage, tidy_number
from recours.core.evidence import DocumentFlaw
from recours.core.mail import LAPSED, EventName
from recours.core.policy import Adoption, EnrollNew, Policy
from recours.database.border import Border
from recours.database.claim_rows import (
    CHUNK,
    as_moment,
    claim_columns,
    free,
    in_batches,
    is_erased,
    is_failed,
    read_claim,
    read_claims,
    read_in_batches,
    reading_all,
)
from recours.database.claims import attempt_row, is_served_by
from recours.database.engine import Database
from recours.database.intake import Assessor, is_of_interest, read_adoption
from recours.database.journal import note
from recours.database.tables import NOT_ENROLLED, attempts, claims, events, evidence, intake, is_at_stage
from recours.runs.ports import Attempt
from recours.runs.refusals import ClaimRefusal, ClaimsRefusedError
from recours.runs.source import is_unchanged

if TYPE_CHECKING:
    from recours.core.outcome import RecordedEvidence
    from recours.runs.eligibility import Candidate, Correction, EnrollCriteria, ReopenCriteria


_a, _c, _v, _e = attempts.c, claims.c, evidence.c, events.c
# The values to write to the service's row when a claim starts over.
STARTED_OVER = {"pod_retry_count": 0, "pod_last_retry_at": None}


def require_room(border: Border, values: Mapping[str, str]) -> None:
    """Raise ClaimsRefusedError if a column of the service is too short for this text."""
    for name, value in values.items():
        if not border.takes(name, value):
            facts = {"column": border.column(name).name, "type": border.type_of(name), "text": value}
            raise ClaimsRefusedError(ClaimRefusal("no_room", facts=facts))


def locked(
    assessor: Assessor, connection: Connection, ids: Sequence[Any], now: datetime
) -> list[tuple[Claim, bool]]:
    """Lock these claims, and return each claim with a flag: True if a run has leased the claim.

    Claims that others have locked, and erased claims, are skipped. Until the transaction ends, no other process can
    write, lease or release the returned claims.
    """
    border = assessor.database.border
    locked_ids = list(connection.scalars(border.lock(ids)))
    query = select(_c.claim_id, case((free(now), 0), else_=1)).where(_c.claim_id.in_(locked_ids))
    in_order = query.order_by(_c.claim_id).with_for_update()
    leased = {claim_id for claim_id, is_leased in connection.execute(in_order) if is_leased}
    return [
        (claim, claim.id in leased) for claim in _read(assessor, connection, locked_ids) if not claim.erased
    ]


def _read(assessor: Assessor, connection: Connection, ids: Sequence[Any]) -> list[Claim]:
    border = assessor.database.border
    rows = connection.execute(reading_all(border, border.key.in_(ids)))
    return read_claims(rows, assessor.catalog, assessor.redact)


def write_claims(
    assessor: Assessor,
    connection: Connection,
    writes: Sequence[tuple[Claim, Mapping[str, Any]]],
    now: datetime,
) -> list[Claim]:
    """Write values to claims read by `locked`, assess the claims, and return their new state.

    Edits that the service made before are recorded as edits by the service; these values are not.
    """
    border = assessor.database.border
    originals = {claim.id: claim for claim, _ in writes}
    by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for claim, values in writes:
        by_columns[tuple(values)].append(border.parameters(claim.id, values))
    for columns, rows in by_columns.items():
        connection.execute(border.update(columns, if_unedited=False), rows)
    if not originals:
        return []
    assessor.reassess(connection, list(originals), now, originals=originals)
    return _read(assessor, connection, list(originals))


def correct(
    assessor: Assessor, corrections: Sequence[tuple[Claim, "Correction"]], by: str, now: datetime
) -> list[Claim]:
    """Correct the numbers or carriers of claims in one transaction, and assess them.

    Returns the new state of the corrected claims. Claims that a run has leased, or that were changed since they were
    read, are skipped. Corrections are not recorded as edits by the service. Raises DatabaseError, or
    ClaimsRefusedError if the service's columns are too short.
    """
    for _, correction in corrections:
        require_room(assessor.database.border, correction.values)
    originals = {claim.id: claim for claim, _ in corrections}
    of_claims = {claim.id: correction for claim, correction in corrections}
    with assessor.database.write() as connection:
        current = [
            claim
            for claim, is_leased in locked(assessor, connection, list(originals), now)
            if not is_leased and is_unchanged(claim, originals[claim.id])
        ]
        writes = [
            (claim, of_claims[claim.id].values | (STARTED_OVER if originals[claim.id].is_ours else {}))
            for claim in current
        ]
        corrected = write_claims(assessor, connection, writes, now)
        # For claims that are not enrolled, the stored account and delivery belong to the old number.
        idle = _c.claim_id.in_([claim.id for claim in corrected if not claim.is_ours])
        connection.execute(update(claims).where(idle).values(account_id=None, known_delivery=None))
        changes = [
            (claim.id, ClaimChange(ChangeKind.CORRECTED, of_claims[claim.id].details(claim)))
            for claim in current
        ]
        note(connection, changes, by, now)
    return corrected


DETACH = "detach"  # recorded in place of a worker's name and a run's id


def detach(
    assessor: Assessor,
    claim: Claim,
    piece: "RecordedEvidence",
    path: str,
    now: datetime,
    *,
    by: str,
    why: str,
    is_pod: bool,
    following: "RecordedEvidence | None",
) -> bool:
    """Record the withdrawal of a piece of evidence; False if its claim is leased or was changed. Raises DatabaseError.

    `path`: the new location of the file. `is_pod`: the piece is the claim's POD. `following`: the piece that replaces
    the POD, if any.
    """
    of_piece = _v.claim_id == claim.id, _v.sha256 == piece.sha256, _v.refused.is_(None)
    refused = DocumentFlaw.TAKEN_BACK.text(by=by)
    refuse = update(evidence).where(*of_piece).values(path=path, refused=refused, manifest_id=None)
    of_attempts = _a.claim_id == claim.id, _a.document_sha256 == piece.sha256
    facts = {"kind": piece.kind, "sha256": piece.sha256[:16], "why": why or None}
    with assessor.database.write() as connection:
        current = locked(assessor, connection, [claim.id], now)
        if not current or current[0][1] or current[0][0].fetch_status != claim.fetch_status:
            return False
        if connection.execute(refuse).rowcount == 0:
            return False
        connection.execute(update(attempts).where(*of_attempts).values(document_path=None))
        note(connection, [(claim.id, ClaimChange(ChangeKind.DETACHED, facts))], by, now)
        if is_pod:
            values = _projection(connection, claim, following, now)
            write_claims(assessor, connection, [(current[0][0], values)], now)
    return True


def _projection(
    connection: Connection, claim: Claim, following: "RecordedEvidence | None", now: datetime
) -> dict[str, Any]:
    """Cancel a pending email about a withdrawn proof, record its replacement, and return the service's new values."""
    # The claim has this event only if its fetches had failed before the proof was retrieved.
    retrieved = _e.claim_id == claim.id, _e.event == EventName.POD_RETRIEVED
    connection.execute(update(events).where(*retrieved, _e.told.is_(None)).values(told=LAPSED))
    if following:
        attempt = Attempt.by_person(claim, following, now)
        connection.execute(insert(attempts), attempt_row(attempt, DETACH, DETACH))
        return {
            "pod_fetch_status": FetchStatus.SUCCESS,
            "pod_url": following.path,
            "pod_delivery_person": following.delivery.signatory,
            "pod_fetched_at": following.obtained_at.replace(microsecond=0),
        }
    had_failed = connection.scalar(select(exists().where(*retrieved)))
    no_document = dict.fromkeys(("pod_url", "pod_delivery_person", "pod_fetched_at"))
    return {"pod_fetch_status": FetchStatus.FAILED if had_failed else FetchStatus.PENDING, **no_document}


_AT_ONCE = 2000
_A_DAY = timedelta(days=1)


@dataclass(eq=False)
class ClaimEnrollment:
    """Enrolls and excludes claims of one database. `skip`: the statuses (lower case) of claims not to enroll."""

    assessor: Assessor
    skip: Collection[str] = ()
    setting: EnrollNew = EnrollNew.AUTO

    @property
    def database(self) -> Database:
        return self.assessor.database

    def adoption(self) -> Adoption | None:
        with self.database.read() as connection:
            return read_adoption(connection)

    def note_decision(self) -> None:
        """Record that a person has decided about the claims that are not enrolled."""
        with self.database.write() as connection:
            connection.execute(update(intake).where(intake.c.id == 1).values(decided=True))

    def enroll_all(
        self, criteria: "EnrollCriteria", policy: Policy, catalog: Catalog, clock: Callable[[], datetime]
    ) -> int:
        """Enroll all candidates that meet the criteria, in batches so that others can write in between.

        Returns the number of claims. Also records the decision about all other claims, unless the criteria match none.
        """
        keys = (
            (candidate, catalog.resolve(candidate.carrier_name, candidate.number) or "")
            for candidate in self.candidates()
        )
        ids = (candidate.id for candidate, key in keys if criteria.why_not(candidate, key, policy) is None)
        count = 0
        while part := list(islice(ids, CHUNK)):
            count += len(self.enroll(part, clock()))
        if count or not (criteria.carriers or criteria.statuses or criteria.since):
            self.note_decision()
        return count

    def undecided(self, limit: int, now: datetime) -> int:
        """The number of open claims with a tracking number that wait for a decision about enrollment, up to `limit`."""
        return len(self.undecided_ids(limit, now))

    def undecided_ids(self, limit: int, now: datetime, adopted: Adoption | None = None) -> list[Any]:
        """The ids of up to `limit` undecided claims, without claims that the next run of the fetch worker will enroll.

        `adopted`: the adoption; None: read it from the database.
        """
        with self.database.read() as connection:
            adopted = adopted or read_adoption(connection)
            if adopted is not None and not adopted.is_undecided(self.setting):
                return []
            enrolls_new = adopted is not None and adopted.enrolls_new(self.setting)
            new = set(self._new(connection, adopted, now)) if adopted and enrolls_new else set()
            ids = connection.scalars(self._open().limit(limit + len(new)))
            return [claim_id for claim_id in ids if claim_id not in new][:limit]

    def count_later_undecided(self, limit: int) -> int:
        """For a database that no run has worked on: how many claims (up to `limit`) its first run leaves undecided."""
        border = self.database.border
        if self.setting is EnrollNew.FALSE or border.has("pod_fetch_status"):
            return 0  # the service has its own status column, and decides which claims to enroll
        are_open = border.is_not_enrolled, is_of_interest(border.text("status"), self.skip)
        open_claims = select(literal(1)).select_from(border.claims).where(*are_open)
        count = select(func.count()).select_from(open_claims.limit(limit).subquery())
        return int(self.database.scalar(count))

    def _open(self) -> Select[Any]:
        is_open = is_at_stage(NOT_ENROLLED), is_of_interest(_c.seen_claim_status, self.skip)
        return select(_c.claim_id).where(*is_open)

    def enroll_new(self, now: datetime) -> int:
        """Set claims that are new since the adoption to `pending`, and return their number. Raises DatabaseError."""
        with self.database.read() as connection:
            adopted = self._enrolling(connection)
            ids = self._new(connection, adopted, now) if adopted else []
        return sum(len(self.enroll(batch, now)) for batch in in_batches(ids))

    def enroll_if_new(self, claim: Claim, now: datetime) -> bool:
        """Enroll this claim if it is new since the adoption, and return whether it was enrolled. Raises DatabaseError.

        The claim need not have been assessed yet.
        """
        with self.database.read() as connection:
            adopted = self._enrolling(connection)
        if adopted is None or (claim.claim_status or "").strip().lower() in self.skip:
            return False
        return self._is_new(adopted, claim.id, claim.created_at, now) and bool(self.enroll([claim.id], now))

    def count_new(self, now: datetime) -> int:
        """The number of claims that the next run of the fetch worker sets to `pending`. Raises DatabaseError."""
        border = self.database.border
        unseen = select(border.key.label("id"), border.text("created_at").label("created_at"))
        unseen = unseen.select_from(border.not_joined()).where(
            _c.claim_id.is_(None), border.is_not_enrolled, is_of_interest(border.text("status"), self.skip)
        )
        with self.database.read() as connection:
            adopted = self._enrolling(connection)
            if adopted is None:
                return 0
            rows = connection.execute(unseen).mappings()
            new = [self._is_new(adopted, row["id"], as_moment(row["created_at"]), now) for row in rows]
            return len(self._new(connection, adopted, now)) + sum(new)

    def _enrolling(self, connection: Connection) -> Adoption | None:
        """The adoption; None: new claims are not enrolled automatically."""
        adopted = read_adoption(connection)
        return adopted if adopted and adopted.enrolls_new(self.setting) else None

    def _new(self, connection: Connection, adopted: Adoption, now: datetime) -> list[Any]:
        """The ids of unenrolled claims that are new since the adoption.

        Until a claim is enrolled, its column `since` contains its creation time; NULL: unknown.
        """
        # The range begins a day earlier, because the service's times may be in any time zone.
        ranges = [_c.since >= adopted.at - _A_DAY]
        if self.database.border.key_is_number:
            highest = adopted.highest_claim_id
            higher = [] if highest is None else [_c.claim_id > highest]
            ranges.append(and_(_c.since.is_(None), *higher))
        ids: list[Any] = []
        for condition in ranges:
            rows = connection.execute(self._open().add_columns(_c.since).where(condition))
            ids += [row.claim_id for row in rows if self._is_new(adopted, row.claim_id, row.since, now)]
        return ids

    def _is_new(self, adopted: Adoption, claim_id: Any, created_at: datetime | None, now: datetime) -> bool:
        key = claim_id if self.database.border.key_is_number else None
        return adopted.is_new(key, created_at, now)

    def candidates(self) -> "Iterator[Candidate]":
        """All unenrolled claims with a tracking number, of any status, read in batches."""
        from recours.runs.eligibility import Candidate  # noqa: PLC0415 (runs do not need it)

        border = self.database.border
        names = ("carrier", "tracking_number", "status", "created_at")
        texts = [border.text(name).label(name) for name in names]
        # The CASE makes the database read claims in the order of their ids, instead of sorting them for every batch.
        is_candidate = case((is_erased(border), false()), (border.is_not_enrolled, true()), else_=false())
        query = select(border.key.label("id"), *texts).select_from(border.not_joined()).where(is_candidate)
        for rows in read_in_batches(self.database, query, border.key, _AT_ONCE):
            for row in rows:
                yield Candidate(
                    id=row["id"],
                    carrier_name=row["carrier"] or "",
                    number=tidy_number(row["tracking_number"]),
                    status=(row["status"] or "").strip().lower(),
                    created_at=as_moment(row["created_at"]),
                )

    def enroll(self, ids: Sequence[Any], now: datetime) -> set[Any]:
        """Set claims to `pending`, except enrolled, leased and locked claims. Return the ids of the changed claims."""
        with self.database.write() as connection:
            unenrolled = [
                claim
                for claim, is_leased in locked(self.assessor, connection, ids, now)
                if claim.number and not claim.fetch_status and not is_leased
            ]
            self._set_pending(connection, unenrolled, now)
        return {claim.id for claim in unenrolled}

    def enroll_named(self, originals: Sequence[Claim], who: str, now: datetime) -> set[Any]:
        """Enroll all these claims, or none if one of them is leased or was changed. Return the enrolled ids."""
        with self.database.write() as connection:
            current = locked(self.assessor, connection, [claim.id for claim in originals], now)
            if any(is_leased for _, is_leased in current) or not _are_as_read(current, originals):
                return set()
            self._set_pending(connection, [claim for claim, _ in current], now)
            note(connection, [(claim.id, ClaimChange(ChangeKind.ENROLLED)) for claim in originals], who, now)
        return {claim.id for claim in originals}

    def _set_pending(self, connection: Connection, claims_: Sequence[Claim], now: datetime) -> None:
        pending = {"pod_fetch_status": FetchStatus.PENDING}
        write_claims(self.assessor, connection, [(claim, pending) for claim in claims_], now)
        enrolled = _c.claim_id.in_([claim.id for claim in claims_])
        connection.execute(update(claims).where(enrolled).values(since=now))

    def exclude(self, originals: Sequence[Claim], who: str, now: datetime, why: str) -> set[Any]:
        """Exclude all these claims, or none if one of them was changed. Return the ids of the excluded claims.

        Also ends the leases of these claims. Raises ClaimsRefusedError if the service's column cannot store the status.
        """
        require_room(self.database.border, {"pod_fetch_status": MANUAL})
        with self.database.write() as connection:
            current = locked(self.assessor, connection, [claim.id for claim in originals], now)
            if not _are_as_read(current, originals):
                return set()
            leased = _c.claim_id.in_([claim.id for claim, is_leased in current if is_leased])
            connection.execute(update(claims).where(leased).values(lease_token=None, lease_until=None))
            excluded = {"pod_fetch_status": MANUAL}
            write_claims(self.assessor, connection, [(claim, excluded) for claim, _ in current], now)
            change = ClaimChange(ChangeKind.EXCLUDED, {"why": why})
            note(connection, [(claim.id, change) for claim in originals], who, now)
        return {claim.id for claim in originals}


def _are_as_read(current: Sequence[tuple[Claim, bool]], originals: Sequence[Claim]) -> bool:
    """Return whether all original claims still exist with the same fetch status."""
    statuses = {claim.id: claim.fetch_status for claim in originals}
    return {claim.id: claim.fetch_status for claim, _ in current} == statuses


@dataclass(eq=False)
class GivenUpClaims:
    """The claims in a database that were given up or need correction: see `recours.runs.eligibility`."""

    assessor: Assessor

    def given_up(self, criteria: "ReopenCriteria", now: datetime) -> Iterator[list[tuple[Claim, bool]]]:
        assessor = self.assessor
        border = assessor.database.border
        conditions = [is_at_stage(Stage.GIVEN_UP)]
        if criteria.error is not None:
            conditions = [_is_over(), _c.kind == criteria.error]
        if criteria.carriers:
            conditions.append(is_served_by(criteria.carriers))
        if criteria.since is not None:
            conditions.append(func.coalesce(_c.expired_at, _c.last_retry_at) >= criteria.since)
        is_leased = case((free(now), 0), else_=1).label("is_leased")
        query = select(*claim_columns(border), is_leased).select_from(border.joined())
        query = query.where(*conditions, *_reopenable(border))
        for rows in read_in_batches(assessor.database, query, _c.claim_id, CHUNK):
            claims_ = [read_claim(row, assessor.catalog, assessor.redact) for row in rows]
            yield [(claim, bool(row["is_leased"])) for claim, row in zip(claims_, rows, strict=True)]

    def start_over(self, claims_: Sequence[Claim], who: str, now: datetime) -> set[Any]:
        """Restart claims that are not locked, leased or changed, make them due now, and return their ids."""
        assessor = self.assessor
        border = assessor.database.border
        with assessor.database.write() as connection:
            free_claims = {
                claim.id: claim
                for claim, is_leased in locked(assessor, connection, [claim.id for claim in claims_], now)
                if not is_leased
            }
            are_reopenable = _c.claim_id.in_(list(free_claims)), _is_over(), *_reopenable(border)
            query = select(_c.claim_id).select_from(border.joined()).where(*are_reopenable)
            ids = set(connection.scalars(query))
            reopened = [claim for claim_id, claim in free_claims.items() if claim_id in ids]
            # The assessment restarts claims whose retry count has decreased. A count of zero cannot decrease, so
            # pretend that the last assessment read 1.
            uncounted = [claim.id for claim in reopened if not claim.retries_counted]
            connection.execute(update(claims).where(_c.claim_id.in_(uncounted)).values(seen_count="1"))
            write_claims(assessor, connection, [(claim, STARTED_OVER) for claim in reopened], now)
            note(connection, [(claim.id, ClaimChange(ChangeKind.REOPENED)) for claim in reopened], who, now)
        return ids


def _is_over() -> ColumnElement[bool]:
    """Claims at the stages given up and settled, which are no longer fetched."""
    return is_at_stage(Stage.GIVEN_UP, Stage.SETTLED)


def _reopenable(border: Border) -> tuple[ColumnElement[bool], ...]:
    """Failed claims that were not edited since their failure, and whose failure is written to the service's row."""
    return is_failed(), ~border.is_edited, _c.to_assess == 0, _c.owed_since.is_(None)
