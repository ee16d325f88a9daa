"""Updates claims without calling carriers: reassesses claims, updates retries and gives up after deadlines."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    Update,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    true,
    update,
)

from recours.core.accounts import AccountKey
from recours.core.carrier import Catalog
from recours.core.claim import DUE, EARLIEST, Claim, Stage, State
from recours.core.decision import Decision
from recours.database.claim_rows import (
    CHUNK,
    Redact,
    claim_columns,
    count_projection,
    error_values,
    free,
    in_batches,
    is_failed,
    owed_values,
    projection_of,
    read_claims,
    state_values,
    unchanged,
    write_states,
)
from recours.database.claims import (
    is_current,
    is_served_by,
    values_at_stage,
)
from recours.database.client_accounts import is_in_use
from recours.database.dialect import put
from recours.database.engine import Database
from recours.database.journal import add_events, note_put_aside
from recours.database.tables import (
    DONE,
    ERASED,
    NOT_ENROLLED,
    accounts,
    awaits_retry,
    claims,
    client_accounts,
    has_deadline,
    is_at_stage,
)

_a, _c = client_accounts.c, claims.c
# The stages of claims that wait for a retry.
_TIMED = (Stage.WAITING, Stage.SETTLED)


@dataclass(eq=False)
class ClaimMaintenance:
    database: Database
    catalog: Catalog
    run_id: str
    redact: Redact = str  # removes secrets from texts that other software wrote
    language: str = "en"  # of pod_fetch_error

    # ---------------------------------------------------------------- the order of ready claims

    def rank_overdue(
        self, stage: Stage, carriers: Collection[str], rank: Callable[[Claim], State], now: datetime
    ) -> int:
        """Rank ready claims of these carriers again if their assumed 14-day deadlines have passed. Return the count.

        Makes one lookup per lane in the index of ready claims.
        """
        dialect = self.database.dialect
        lanes = dialect.lanes()
        first = self._keys(now, *self._overdue(stage, lanes.c.carrier_key, now))
        has_some = first.order_by(_c.rank_at).limit(1).correlate(lanes).scalar_subquery().is_not(None)
        named = dialect.lanes_named(sorted(self.catalog.accounts_of(carriers)))
        overdue = self.database.scalars(select(lanes.c.carrier_key).where(has_some), named)
        of_lanes = (and_(*self._overdue(stage, literal(lane), now)) for lane in overdue)
        return sum(1 for of_lane in of_lanes for _ in self._reassess(of_lane, _c.rank_at, rank, now))

    def _overdue(self, stage: Stage, lane: ColumnElement[Any], now: datetime) -> list[ColumnElement[bool]]:
        # Claims without a plausible creation time are skipped, because nobody knows when their evidence expires.
        was_created = self.database.border.text("created_at") >= EARLIEST.date().isoformat()
        is_dated = or_(_c.known_delivery.is_not(None), was_created)
        is_overdue = is_at_stage(stage), _c.lane == lane, _c.rank_is_deadline == 0, _c.rank_at < now
        return [*is_overdue, is_dated]

    # ---------------------------------------------------------------- claims to assess again

    def repair_keys(self) -> list[str]:
        """Mark claims for assessment if no run would find them, or if another account must serve them now.

        Returns the keys of carriers that are new, or whose credentials or client accounts changed since the last run.
        """
        with self.database.read() as connection:
            lanes = {
                lane for stage in DUE for lane in connection.scalars(values_at_stage(_c.lane, stage)) if lane
            }
            without_account = _lanes_of_no_account(connection, self.catalog, lanes)
            last_configured, has_changed_accounts = _last_run(connection)
        for lane in sorted(without_account):
            self._have_assessed(is_at_stage(*DUE), _c.lane == lane)
        self._repair_closed(lanes)
        configured = {key: key in self.catalog.configured for key in self.catalog.specs}
        if not has_changed_accounts and last_configured == configured:
            return []
        with self._exclusive() as connection:
            last_configured, has_changed_accounts = _last_run(connection)
            changed = {key for key, has in configured.items() if last_configured.get(key) is not has}
            if changed:
                is_new = not changed <= last_configured.keys()
                affected = _affected(self.catalog, changed, is_new=is_new)
                connection.execute(_assess_again(_c.lane.in_(self.catalog.accounts_of(affected))))
            for key in changed:
                values: dict[str, Any] = {"configured": configured[key]}
                put(connection, accounts, values | {"carrier": key}, values)
            of_clients = self._apply_changes(connection) if has_changed_accounts else set()
        return sorted(of_clients | (changed if last_configured else set()))

    def _repair_closed(self, lanes: Collection[str]) -> None:
        """Mark claims in lanes without credentials for assessment if their client has an account.

        A run that did not know the account yet may have put claims into these lanes.
        """
        of_clients = self.catalog.client_accounts.values()
        for lane in sorted(set(lanes).intersection(self.catalog.specs) - self.catalog.configured):
            numbers = [own[lane] for own in of_clients if lane in own]
            for batch in in_batches(numbers):
                has_account = exists().where(_a.id.in_(batch), _is_of_client())
                self._have_assessed(is_at_stage(*DUE), _c.lane == lane, _c.account_id.is_(None), has_account)

    def _apply_changes(self, connection: Connection) -> set[str]:
        """Apply changes of clients' accounts to the clients' claims, and return the keys of the affected carriers.

        Changes that this run does not know yet are left to the next run. Concurrent account changes wait for the locks.
        """
        changed = select(_a.id, _a.client_id, _a.carrier, is_in_use().label("is_used"))
        rows = connection.execute(changed.where(_a.is_applied.is_(False)).with_for_update()).all()
        of_clients = self.catalog.client_accounts
        applicable = [
            row
            for row in rows
            if of_clients.get(row.client_id, {}).get(row.carrier) == (row.id if row.is_used else None)
        ]
        for batch in in_batches(applicable):
            accounts_ = _a.id.in_([row.id for row in batch])
            connection.execute(_assess_again(_concerned(self.catalog, accounts_)).values(account_id=None))
            connection.execute(update(client_accounts).where(accounts_).values(is_applied=True))
        return {row.carrier for row in applicable}

    @contextmanager
    def _exclusive(self) -> Iterator[Connection]:
        """Begin an exclusive transaction, because transactions that change rows in different orders could deadlock."""
        with self.database.long(), self.database.write() as connection:
            if not self.database.dialect.has_one_writer:
                connection.execute(text(f"LOCK TABLE {accounts.name} IN SHARE ROW EXCLUSIVE MODE"))
            yield connection

    def unshelve(self, skip: Collection[str]) -> None:
        """Mark shelved claims for assessment if their status is no longer in `skip` (lower case)."""
        statuses = self.database.scalars(values_at_stage(_c.seen_claim_status, Stage.SHELVED))
        of_interest = [status for status in statuses if status and status.strip().lower() not in skip]
        if of_interest:
            self._have_assessed(is_at_stage(Stage.SHELVED), _c.seen_claim_status.in_(of_interest))

    def _have_assessed(self, *where: ColumnElement[bool]) -> None:
        self._change(and_(*where, _c.to_assess == 0), to_assess=1)

    # ---------------------------------------------------------------- retries

    def revive_exhausted(
        self,
        max_retries: int,
        assess: Callable[[Claim], State],
        now: datetime,
        carriers: Collection[str] = (),
    ) -> Iterator[Claim]:
        """Give more retries to claims of these carriers (empty: all) that were given up under a lower limit."""
        gave_up = is_at_stage(Stage.GIVEN_UP), _c.retries_used < max_retries, _c.expired_at.is_(None)
        return self._reassess(and_(*gave_up, self._serves(carriers)), _c.retries_used, assess, now)

    def repair_times(
        self, horizon: datetime, retime: Callable[[Claim], State], now: datetime
    ) -> Iterator[Claim]:
        """Reschedule retries after `horizon`, the latest time that the backoff allows. Last attempts stay unchanged."""
        for stage in _TIMED:
            of_backoff = awaits_retry() if stage is Stage.WAITING else is_at_stage(stage)
            yield from self._reassess(and_(of_backoff, _c.next_at > horizon), _c.next_at, retime, now)

    def _reassess(
        self, condition: ColumnElement[bool], key: Any, assess: Callable[[Claim], State], now: datetime
    ) -> Iterator[Claim]:
        """Reassess the matching claims in the order of `key`, the indexed column of the condition.

        Without this order, both databases might read the whole table.
        """
        query = self._keys(now, condition).order_by(key).limit(CHUNK)
        is_more = self._has_some(query)
        ids: set[Any] = set()  # claims already assessed, which may still match
        while is_more:
            with self.database.write() as connection:
                read = [claim for claim in self._read(connection, query) if claim.id not in ids]
                states = [(claim, assess(claim)) for claim in read]
                changed = [(claim, state) for claim, state in states if state != claim.state]
                write_states(connection, [(claim.id, _values(claim, state, now)) for claim, state in changed])
                note_put_aside(connection, states, now)
            ids.update(claim.id for claim in read)
            yield from (claim for claim, _ in changed)
            is_more = bool(read)

    def stage_due(self, due_until: datetime) -> None:
        """Move due claims to the stage READY or NEW. Claims of unknown carriers are also marked for assessment."""
        is_due = and_(is_at_stage(Stage.WAITING), _c.next_at <= due_until)
        stage = case((is_failed(), Stage.READY), else_=Stage.NEW)
        needs_assessment = case((is_served_by(["", *self.catalog.specs]), _c.to_assess), else_=1)
        self._change(is_due, stage=stage, to_assess=needs_assessment)

    def pass_retries(
        self,
        due_until: datetime,
        pass_retry: Callable[[Claim], Decision | None],
        now: datetime,
        carriers: Collection[str] = (),
    ) -> Iterator[tuple[Claim, Decision]]:
        """Use up due retries of claims that need correction, without any call, and write their events.

        `carriers`: all if empty. If `pass_retry` returns None, shelve the claim. `ClaimIntake.write_owed` updates rows.
        """
        is_due = is_at_stage(Stage.SETTLED), _c.next_at <= due_until, self._serves(carriers)
        query = self._keys(now, *is_due).order_by(_c.next_at).limit(CHUNK)
        return self._decide(query, pass_retry, now, gives_up=False)

    def expire(
        self,
        stage: Stage,
        cutoff: datetime,
        expire: Callable[[Claim], Decision | None],
        now: datetime,
        carriers: Collection[str] = (),
    ) -> Iterator[tuple[Claim, Decision]]:
        """Give up on claims at this stage whose deadlines passed long ago (see `is_expired`), and write their events.

        `cutoff`: only claims with `expire_from` up to this time. The other parameters are those of `pass_retries`.
        """
        is_over = is_at_stage(stage), has_deadline(), _c.expire_from <= cutoff, _c.interruptions == 0
        query = self._keys(now, *is_over, self._serves(carriers)).order_by(_c.expire_from).limit(CHUNK)
        return self._decide(query, expire, now, gives_up=True)

    def _decide(
        self, query: Select[Any], decide: Callable[[Claim], Decision | None], now: datetime, *, gives_up: bool
    ) -> Iterator[tuple[Claim, Decision]]:
        """Store decisions on the claims of a query, in batches. `gives_up`: the service's rows get the reason too."""
        is_more = self._has_some(query)
        while is_more:
            with self.database.write() as connection:
                read = self._read(connection, query)
                results = [(claim, decide(claim)) for claim in read]
                decided = [(claim, decision) for claim, decision in results if decision]
                rows = [
                    (claim.id, self._decided(claim, decision, now, gives_up=gives_up))
                    for claim, decision in decided
                ]
                write_states(connection, rows)
                events = [(claim.id, event) for claim, decision in decided for event in decision.events]
                add_events(connection, events, self.run_id, now)
                shelved = [
                    (claim, replace(claim.state, stage=Stage.SHELVED))
                    for claim, decision in results
                    if decision is None
                ]
                write_states(connection, [(claim.id, _values(claim, state, now)) for claim, state in shelved])
                note_put_aside(connection, shelved, now)
            yield from decided
            is_more = len(read) == CHUNK

    def _decided(self, claim: Claim, decision: Decision, now: datetime, *, gives_up: bool) -> dict[str, Any]:
        values = _values(claim, decision.state, now)
        if not gives_up:
            return values | owed_values(count_projection(claim, decision.state), now)
        owed = projection_of(claim, decision, None, self.language, now)
        return values | error_values(decision.explanation) | owed_values(owed, now)

    def _serves(self, carriers: Collection[str]) -> ColumnElement[bool]:
        """Claims that accounts of these carriers serve; all claims if there are no carriers."""
        return _c.lane.in_(sorted(self.catalog.accounts_of(carriers))) if carriers else true()

    def _keys(self, now: datetime, *where: ColumnElement[bool]) -> Select[Any]:
        """The keys of matching claims that exist, are not leased or edited, and need neither assessment nor writing."""
        border = self.database.border
        keys = select(_c.claim_id).select_from(border.joined())
        return keys.where(*where, is_current(), free(now), ~border.is_edited)

    def _has_some(self, query: Select[Any]) -> bool:
        """Return whether the query finds a claim. Usually it finds none, and the larger query need not be built."""
        return self.database.scalar(query.limit(1)) is not None

    def _read(self, connection: Connection, query: Select[Any]) -> list[Claim]:
        """Lock and read the claims whose keys the query selects."""
        rows = connection.execute(query.with_only_columns(*claim_columns(self.database.border)))
        return unchanged(connection, read_claims(rows, self.catalog, self.redact))

    def _change(self, condition: ColumnElement[bool], **values: Any) -> None:
        """Change the matching rows. Rows that another run has locked are left to a later run."""
        statement = update(claims).where(condition).values(values | {"version": _c.version + 1})
        if not self.database.dialect.has_one_writer:
            free_rows = select(_c.claim_id).where(condition).with_for_update(skip_locked=True)
            statement = statement.where(_c.claim_id.in_(free_rows))
        with self.database.long(), self.database.write() as connection:
            connection.execute(statement)


def _values(claim: Claim, state: State, now: datetime) -> dict[str, Any]:
    return state_values(claim, state) | {"written_at": now}


def _assess_again(condition: ColumnElement[bool]) -> Update:
    """Mark these claims for assessment by the next intake, if recours works on them."""
    is_handled = _c.stage.not_in([DONE, NOT_ENROLLED, ERASED])
    return update(claims).where(condition, is_handled).values(to_assess=1, version=_c.version + 1)


def _last_run(connection: Connection) -> tuple[dict[str, bool], bool]:
    """Return which carriers had credentials at the last run, and whether clients' accounts have changed since."""
    to_apply = select(literal("", Text), true()).where(exists().where(_a.is_applied.is_(False)))
    query = select(accounts.c.carrier, accounts.c.configured).union_all(to_apply)
    configured: dict[str, bool] = dict(tuple(row) for row in connection.execute(query))
    has_changed_accounts = configured.pop("", False)
    return configured, has_changed_accounts


def _affected(catalog: Catalog, changed: Collection[str], *, is_new: bool) -> list[str]:
    """The keys of carriers whose claims may now be served by another carrier's account; "": unknown carriers."""
    shared = {
        key
        for substitute in catalog.substitutes
        if {substitute.claimed, substitute.served_by} & set(changed)
        for key in (substitute.claimed, substitute.served_by)
    }
    return sorted(shared | ({""} if is_new else set()))


def _lanes_of_no_account(connection: Connection, catalog: Catalog, lanes: Collection[str]) -> set[str]:
    """The lanes without an account. The database is searched too, because it may contain newer accounts."""
    unknown = set(lanes) - set(catalog.accounts_of(catalog.specs))
    if not unknown:
        return unknown
    query = select(_a.carrier, _a.id).where(is_in_use(), _a.carrier.in_(catalog.specs))
    return unknown - {str(AccountKey(carrier, number)) for carrier, number in connection.execute(query)}


def _is_of_client() -> ColumnElement[bool]:
    """Claims of an account's client. The database compares the ids as text, because they can have any type."""
    return _c.seen_client == cast(_a.client_id, Text)


def _concerned(catalog: Catalog, accounts_: ColumnElement[bool]) -> ColumnElement[bool]:
    """Claims of these accounts' clients that another account must serve now, or that have an account stored."""
    key = _c.lane
    of_carrier = _a.carrier
    serves = or_(key == of_carrier, func.substr(key, 1, func.length(of_carrier) + 1) == of_carrier + "#")
    partners = [
        and_(of_carrier == carrier, is_served_by([partner]))
        for substitute in catalog.substitutes
        for carrier, partner in (
            (substitute.served_by, substitute.claimed),
            (substitute.claimed, substitute.served_by),
        )
    ]
    expected = case((is_in_use(), of_carrier + "#" + cast(_a.id, Text)), else_=of_carrier)
    moves = or_(and_(serves, or_(_c.account_id.is_not(None), key != expected)), *partners)
    return exists().where(accounts_, _is_of_client(), moves)
