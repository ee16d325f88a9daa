"""What a person decides on claims: enrolled, excluded, reopened; and new ones, which are enrolled by themselves."""

from collections.abc import Callable, Collection, Iterator, Sequence
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
    false,
    func,
    literal,
    select,
    true,
    update,
)

from recours.core.carrier import Catalog
from recours.core.changes import ChangeKind, ClaimChange
from recours.core.claim import Claim, FetchStatus, Stage, tidy_number
from recours.core.policy import Adoption, EnrollNew, Policy
from recours.database.border import Border
from recours.database.by_person import STARTED_OVER, locked, require_room, write_claims
from recours.database.changes import note
from recours.database.claim_reader import Reader, read_claim
from recours.database.claim_rows import CHUNK, claim_columns, free, in_parts, is_failed
from recours.database.engine import Database
from recours.database.intake import Assessor, is_of_interest, read_adoption
from recours.database.ready_claims import of_carriers
from recours.database.tables import NOT_ENROLLED, at_stage, claims, intake
from recours.operations.enroll import MANUAL, Candidate, EnrollCriteria

if TYPE_CHECKING:
    from recours.operations.reopen import ReopenCriteria

_c = claims.c
_AT_ONCE = 2000
_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class ClaimEnrolment:
    """The claims of one database. `skip`: claim statuses (lower case) of no interest."""

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
        """A person has said what becomes of the claims that are not enrolled."""
        with self.database.write() as connection:
            connection.execute(update(intake).where(intake.c.id == 1).values(decided=True))

    def enroll_all(
        self, criteria: EnrollCriteria, policy: Policy, catalog: Catalog, clock: Callable[[], datetime]
    ) -> int:
        """Enrol these of the candidates, a part at a time, so that runs and the service go on meanwhile; how many.

        From then on it is decided what becomes of the others: unless what was asked for is not there.
        """
        keys = ((each, catalog.resolve(each.carrier_name, each.number) or "") for each in self.candidates())
        ids = (each.id for each, key in keys if criteria.why_not(each, key, policy) is None)
        count = 0
        while part := list(islice(ids, CHUNK)):
            count += len(self.enroll(part, clock()))
        if count or not (criteria.carriers or criteria.statuses or criteria.since):
            self.note_decision()
        return count

    # ---------------------------------------------------------------- how many

    def undecided(self, most: int, now: datetime) -> int:
        """How many open claims with a number are not enrolled, counted up to `most`; 0 once somebody has decided."""
        return len(self.undecided_ids(most, now))

    def undecided_ids(self, most: int, now: datetime) -> list[Any]:
        """The ids of up to `most` of these, without those that the next run of the fetch worker enrols."""
        with self.database.read() as connection:
            adopted = read_adoption(connection)
            if adopted is not None and not adopted.is_undecided(self.setting):
                return []
            enrolling = self._enrolling(connection)
            new = set(self._new(connection, enrolling, now)) if enrolling else set()
            ids = connection.scalars(self._open(_c.claim_id).limit(most + len(new)))
            return [claim_id for claim_id in ids if claim_id not in new][:most]

    def to_be_undecided(self, most: int) -> int:
        """The same of a database that no run has worked on: what would be said then."""
        border = self.database.border
        if self.setting is EnrollNew.FALSE or border.has("pod_fetch_status"):
            return 0  # where the column is the service's, the service decides
        some = (
            select(literal(1))
            .select_from(border.claims)
            .where(border.is_not_enrolled, is_of_interest(border.text("status"), self.skip))
        )
        return int(self.database.scalar(select(func.count()).select_from(some.limit(most).subquery())))

    def _open(self, column: ColumnElement[Any]) -> Select[Any]:
        return select(column).where(at_stage(NOT_ENROLLED), is_of_interest(_c.seen_claim_status, self.skip))

    # ---------------------------------------------------------------- new ones

    def enroll_new(self, now: datetime) -> int:
        """Set the claims to `pending` that are new since the adoption; how many. Raises DatabaseError."""
        with self.database.read() as connection:
            adopted = self._enrolling(connection)
            ids = self._new(connection, adopted, now) if adopted else []
        parts = (ids[at : at + CHUNK] for at in range(0, len(ids), CHUNK))
        return sum(len(self.enroll(part, now)) for part in parts)

    def enroll_if_new(self, claim: Claim, now: datetime) -> bool:
        """The same with one claim, which no run may have taken in yet; tell whether it was. Raises DatabaseError."""
        with self.database.read() as connection:
            adopted = self._enrolling(connection)
        if adopted is None or (claim.claim_status or "").strip().lower() in self.skip:
            return False
        return self._is_new(adopted, claim.id, claim.created_at, now) and bool(self.enroll([claim.id], now))

    def count_new(self, now: datetime) -> int:
        """How many the next run of the fetch worker sets to `pending`. Raises DatabaseError."""
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
            new = [self._is_new(adopted, row["id"], Reader(row).moment("created_at"), now) for row in rows]
            return len(self._new(connection, adopted, now)) + sum(new)

    def _enrolling(self, connection: Connection) -> Adoption | None:
        """The adoption, if new claims are enrolled by themselves."""
        adopted = read_adoption(connection)
        return adopted if adopted and adopted.enrolls_new(self.setting) else None

    def _new(self, connection: Connection, adopted: Adoption, now: datetime) -> list[Any]:
        """Until a claim is enrolled, `since` holds its creation; NULL: it is not known."""
        # A day before, since a time may be of any zone.
        stretches = [_c.since >= adopted.at - _A_DAY]
        if self.database.border.key_is_number:
            highest = adopted.highest_claim_id
            higher = [] if highest is None else [_c.claim_id > highest]
            stretches.append(and_(_c.since.is_(None), *higher))
        ids: list[Any] = []
        for stretch in stretches:
            rows = connection.execute(self._open(_c.claim_id).add_columns(_c.since).where(stretch))
            ids += [row.claim_id for row in rows if self._is_new(adopted, row.claim_id, row.since, now)]
        return ids

    def _is_new(self, adopted: Adoption, claim_id: Any, created_at: datetime | None, now: datetime) -> bool:
        key = claim_id if self.database.border.key_is_number else None
        return adopted.is_new(key, created_at, now)

    # ---------------------------------------------------------------- those that a person chooses

    def candidates(self) -> Iterator[Candidate]:
        """Every claim with a number that is not enrolled, whatever its status; a part at a time in memory."""
        border = self.database.border
        names = ("carrier", "tracking_number", "status", "created_at")
        texts = [border.text(name).label(name) for name in names]
        # As a CASE, so that they are read in the order of their ids, not sorted for every part.
        query = select(border.key.label("id"), *texts).where(
            case((border.is_not_enrolled, true()), else_=false())
        )
        for rows in in_parts(self.database, query, border.key, _AT_ONCE):
            for row in rows:
                read = Reader(row)
                yield Candidate(
                    id=row["id"],
                    carrier_name=read.text("carrier") or "",
                    number=tidy_number(read.text("tracking_number")),
                    status=(read.text("status") or "").strip().lower(),
                    created_at=read.moment("created_at"),
                )

    def enroll(self, ids: Sequence[Any], now: datetime) -> set[Any]:
        """Set these to `pending`; returns those that nobody has taken in between, or locks now."""
        with self.database.write() as connection:
            unenrolled = [
                claim
                for claim, is_leased in locked(self.assessor, connection, ids, now)
                if claim.number and not claim.fetch_status and not is_leased
            ]
            self._set_pending(connection, unenrolled, now)
        return {claim.id for claim in unenrolled}

    def enroll_named(self, originals: Sequence[Claim], who: str, now: datetime) -> set[Any]:
        """The ids of all of these, or none if a run has leased one of them, or it was changed."""
        with self.database.write() as connection:
            before = locked(self.assessor, connection, [claim.id for claim in originals], now)
            if any(is_leased for _, is_leased in before) or not _are_as_read(before, originals):
                return set()
            self._set_pending(connection, [claim for claim, _ in before], now)
            note(connection, [(claim.id, ClaimChange(ChangeKind.ENROLLED)) for claim in originals], who, now)
        return {claim.id for claim in originals}

    def _set_pending(self, connection: Connection, before: Sequence[Claim], now: datetime) -> None:
        write_claims(self.assessor, connection, before, {"pod_fetch_status": FetchStatus.PENDING}, now)
        enrolled = _c.claim_id.in_([claim.id for claim in before])
        connection.execute(update(claims).where(enrolled).values(since=now))

    def exclude(self, originals: Sequence[Claim], who: str, now: datetime, why: str) -> set[Any]:
        """The ids of all of these, or none if one was changed. A run that has leased one of them is to lose it.

        Raises ClaimsRefusedError if the service's column cannot say so.
        """
        require_room(self.database.border, {"pod_fetch_status": MANUAL})
        with self.database.write() as connection:
            before = locked(self.assessor, connection, [claim.id for claim in originals], now)
            if not _are_as_read(before, originals):
                return set()
            leased = _c.claim_id.in_([claim.id for claim, is_leased in before if is_leased])
            connection.execute(update(claims).where(leased).values(lease_token=None, lease_until=None))
            excluded = [claim for claim, _ in before]
            write_claims(self.assessor, connection, excluded, {"pod_fetch_status": MANUAL}, now)
            change = ClaimChange(ChangeKind.EXCLUDED, {"why": why})
            note(connection, [(claim.id, change) for claim in originals], who, now)
        return {claim.id for claim in originals}


def _are_as_read(before: Sequence[tuple[Claim, bool]], originals: Sequence[Claim]) -> bool:
    """Tell whether all are there, each with the status that was read."""
    statuses = {claim.id: claim.fetch_status for claim in originals}
    return {claim.id: claim.fetch_status for claim, _ in before} == statuses


# ---------------------------------------------------------------- claims that were given up


@dataclass(frozen=True)
class GivenUpClaims:
    """The claims of one database that were given up or settled: see `recours.operations.reopen`."""

    assessor: Assessor

    def given_up(self, criteria: "ReopenCriteria", now: datetime) -> Iterator[list[tuple[Claim, bool]]]:
        of, border = self.assessor, self.assessor.database.border
        such = [at_stage(Stage.GIVEN_UP)]
        if criteria.error is not None:
            such = [_is_over(), _c.kind == criteria.error]
        if criteria.carriers:
            such.append(of_carriers(criteria.carriers))
        if criteria.since is not None:
            such.append(func.coalesce(_c.expired_at, _c.last_retry_at) >= criteria.since)
        is_leased = case((free(now), 0), else_=1).label("is_leased")
        query = select(*claim_columns(border), is_leased).select_from(border.joined())
        query = query.where(*such, *_reopenable(border))
        for rows in in_parts(of.database, query, _c.claim_id, CHUNK):
            yield [(read_claim(row, of.catalog, of.redact), bool(row["is_leased"])) for row in rows]

    def start_over(self, claims_: Sequence[Claim], who: str, now: datetime) -> set[Any]:
        """Have these claims start over, due now; returns the ids of those that could be, as nobody has them or changed them."""
        of, border = self.assessor, self.assessor.database.border
        with of.database.write() as connection:
            before = {
                claim.id: claim
                for claim, is_leased in locked(of, connection, [claim.id for claim in claims_], now)
                if not is_leased
            }
            still = select(_c.claim_id).select_from(border.joined())
            still = still.where(_c.claim_id.in_(list(before)), _is_over(), *_reopenable(border))
            ids = set(connection.scalars(still))
            reopened = [claim for claim_id, claim in before.items() if claim_id in ids]
            # A claim whose count went down starts over. One that used no retry is to look as if it did.
            uncounted = [claim.id for claim in reopened if not claim.retries_counted]
            connection.execute(update(claims).where(_c.claim_id.in_(uncounted)).values(seen_count="1"))
            write_claims(of, connection, reopened, STARTED_OVER, now)
            note(connection, [(claim.id, ClaimChange(ChangeKind.REOPENED)) for claim in reopened], who, now)
        return ids


def _is_over() -> ColumnElement[bool]:
    """Those that are not asked about any more."""
    return at_stage(Stage.GIVEN_UP, Stage.SETTLED)


def _reopenable(border: Border) -> tuple[ColumnElement[bool], ...]:
    """Failed ones that nobody has set back or corrected yet, and whose failure the service knows."""
    return is_failed(), ~border.is_edited, _c.to_assess == 0, _c.owed_since.is_(None)
