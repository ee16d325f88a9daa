"""The record of changes (`recours_changes`): written with what it records, in the same transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from recours.core.actions import SERVICE
from recours.core.changes import ChangeKind, ClaimChange, edits, put_aside
from recours.core.claim import Claim, FetchStatus, State
from recours.database.tables import changes
from recours.operations.enroll import MANUAL

# What a person's command leaves in the row. The next assessment meets it, and is not to take it for an edit of the service's.
_LEFT_BY: dict[ChangeKind, tuple[str, Any]] = {
    ChangeKind.REOPENED: ("count", 0),
    ChangeKind.ENROLLED: ("status", FetchStatus.PENDING),
    ChangeKind.EXCLUDED: ("status", MANUAL),
}

_h = changes.c
_INSERT = insert(changes)


def note(connection: Connection, noted: Sequence[tuple[Any, ClaimChange]], by: str, now: datetime) -> None:
    """Write changes, each with the id of its claim. `by`: a person's name, or SERVICE."""
    if noted:
        rows = [
            {"claim_id": claim_id, "at": now, "what": change.what, "by": by, "details": dict(change.details)}
            for claim_id, change in noted
        ]
        connection.execute(_INSERT, rows)


def note_assessed(connection: Connection, states: Sequence[tuple[Claim, State]], now: datetime) -> None:
    """Write what the service did to these claims since they were last assessed. They have these states from now on."""
    edited = {claim.id: found for claim, _ in states if (found := edits(claim))}
    if edited:
        _leave_out_own(connection, {claim.id: claim.state for claim, _ in states}, edited)
    noted = [(claim_id, ClaimChange(ChangeKind.EDITED, found)) for claim_id, found in edited.items() if found]
    note(connection, [*noted, *_put_aside(states)], SERVICE, now)


def note_put_aside(connection: Connection, states: Sequence[tuple[Claim, State]], now: datetime) -> None:
    """Write which of these claims, not assessed anew, are set aside from now on."""
    note(connection, _put_aside(states), SERVICE, now)


def _put_aside(states: Sequence[tuple[Claim, State]]) -> list[tuple[Any, ClaimChange]]:
    return [(claim.id, change) for claim, state in states if (change := put_aside(claim, state))]


def _leave_out_own(
    connection: Connection, states: Mapping[Any, State], edited: Mapping[Any, dict[str, list[Any]]]
) -> None:
    """Take out what a command of recours left there since the claim was assessed: that is noted already."""
    likely = {
        (claim_id, what): name
        for claim_id, found in edited.items()
        for what, (name, value) in _LEFT_BY.items()
        if name in found and found[name][1] == value
    }
    if not likely:
        return
    query = (
        select(_h.claim_id, _h.what, func.max(_h.at))
        .where(_h.claim_id.in_({claim_id for claim_id, _ in likely}), _h.what.in_(list(_LEFT_BY)))
        .group_by(_h.claim_id, _h.what)
    )
    for claim_id, what, at in connection.execute(query):
        name, begun = likely.get((claim_id, what)), _begun(states[claim_id])
        if name and (begun is None or (at and at >= begun)):
            edited[claim_id].pop(name, None)


def _begun(state: State) -> datetime | None:
    """The latest time at which the claim certainly was in this state: what was done before has been met.

    Enrolling sets `since` itself; that a run has met it shows in the failure after it.
    """
    return max(filter(None, (state.since, state.failed_at, state.last_retry_at)), default=None)
