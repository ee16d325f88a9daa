"""The record of changes (`recours_changes`): written with what it records, in the same transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from recours.core.actions import SERVICE
from recours.core.changes import ChangeKind, ClaimChange, edits, put_aside
from recours.core.claim import Claim, State
from recours.database.tables import changes

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
    noted = [
        (claim.id, ClaimChange(ChangeKind.EDITED, values)) for claim, _ in states if (values := edits(claim))
    ]
    note(connection, [*noted, *_put_aside(states)], SERVICE, now)


def note_put_aside(connection: Connection, states: Sequence[tuple[Claim, State]], now: datetime) -> None:
    """Write which of these claims, not assessed anew, are set aside from now on."""
    note(connection, _put_aside(states), SERVICE, now)


def _put_aside(states: Sequence[tuple[Claim, State]]) -> list[tuple[Any, ClaimChange]]:
    return [(claim.id, change) for claim, state in states if (change := put_aside(claim, state))]
