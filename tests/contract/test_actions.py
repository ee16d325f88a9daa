"""Actions of people, on real databases: done and recorded together, or not at all."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from recours.core.actions import MAILS, ActionKind, OperatorAction
from recours.core.pauses import Stop
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.journal import ActionLog
from recours.database.mail_outbox import MailOutbox
from recours.database.quota import QuotaTables
from tests.contract.test_claims import CATALOG, NOW, edit, rows
from tests.own_rows import actions_of, put_account

LATER = NOW + timedelta(hours=1)
HELD_MAIL = """INSERT INTO recours_mails
    (message_id, kind, recipient, language, subject, plain, html, state, run_id, created_at, tries)
    VALUES (:id, 'pod_failed', 'a@example.com', 'en', 's', 'p', 'h', 'held', 'r', '2026-02-02 08:00:00', 0)"""


class _KilledError(Exception):
    """The process is killed here."""


@contextmanager
def dying(database: Database) -> Iterator[None]:
    """Kill the process before it writes an action, so that its transaction is never committed."""

    def die(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "INTO recours_actions" in statement:
            raise _KilledError

    event.listen(database.engine, "before_cursor_execute", die)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", die)


def recorded(database: Database) -> list[tuple[str, str, str, Any]]:
    """The recorded actions, oldest first: action, object (without account ids), person and details."""
    return [
        (one.kind, re.sub(r"#\d+", "#N", one.subject), one.by, dict(one.details))
        for one in actions_of(database)
    ]


def pause(database: Database) -> None:
    QuotaTables(database).stop("ups", Stop(NOW, "by anna: strike"), "anna", "strike")


def resume(database: Database) -> None:
    QuotaTables(database).resume("ups", "bob", LATER)


def release(database: Database) -> None:
    MailOutbox(database, CATALOG, "run").release("anna", NOW)


def add_account(database: Database) -> None:
    put_account(ClientAccounts(database), 1, "ups", "sealed", "anna", NOW)


def pause_account(database: Database) -> None:
    (account,) = ClientAccounts(database).all()
    QuotaTables(database).stop(account.key, Stop(NOW, "by anna: a dispute"), "anna", "a dispute")


def resume_account(database: Database) -> None:
    (account,) = ClientAccounts(database).all()
    QuotaTables(database).resume(account.key, "bob", LATER)


def remove(database: Database) -> None:
    accounts = ClientAccounts(database)
    accounts.remove(accounts.all()[0], "anna", NOW)


STATE = (
    "SELECT stopped_at, stopped_why FROM recours_carriers",
    "SELECT state FROM recours_mails ORDER BY id",
    "SELECT credentials, removed_at FROM recours_client_accounts",
    "SELECT stopped_at, stopped_why FROM recours_account_state",
)


@pytest.mark.parametrize(
    ("before", "act", "record"),
    [
        ((), pause, ("paused", "ups", "anna", {"why": "strike"})),
        ((pause,), resume, ("resumed", "ups", "bob", {})),
        ((), release, ("released", MAILS, "anna", {"mails": 2})),
        ((), add_account, ("added", "ups#N", "anna", {})),
        ((add_account,), pause_account, ("paused", "ups#N", "anna", {"why": "a dispute"})),
        ((add_account, pause_account), resume_account, ("resumed", "ups#N", "bob", {})),
        ((add_account,), remove, ("removed", "ups#N", "anna", {})),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_an_action_is_done_and_recorded_together_or_not_at_all(
    database: Database,
    before: tuple[Callable[[Database], None], ...],
    act: Callable[[Database], None],
    record: Any,
) -> None:
    for number in "12":
        edit(database, HELD_MAIL, id=f"<{number}@x>")
    for each in before:
        each(database)
    known, on_record = [rows(database, query) for query in STATE], recorded(database)
    with dying(database), pytest.raises(_KilledError):
        act(database)
    assert [rows(database, query) for query in STATE] == known
    assert recorded(database) == on_record
    act(database)
    assert [rows(database, query) for query in STATE] != known
    assert recorded(database) == [*on_record, record]


@pytest.mark.parametrize("act", [resume, release])
def test_actions_without_effect_are_not_recorded(database: Database, act: Callable[[Database], None]) -> None:
    act(database)
    assert recorded(database) == []


def test_the_latest_actions_are_read_even_if_others_spoiled_them(database: Database) -> None:
    log = ActionLog(database)
    for minute, subject in enumerate(("ups", "gls", "ups")):
        at = NOW + timedelta(minutes=minute)
        log.note(OperatorAction(ActionKind.CHECKED, subject, "anna", {"verdict": "accepted"}), at)
    found = log.latest_of_each(["ups", "dpd"], 2)
    assert [one.at for one in found["ups"]] == [NOW + timedelta(minutes=2), NOW]
    assert found["dpd"] == []
    assert len(log.latest_of_each(["ups"], 1)["ups"]) == 1
    edit(
        database,
        "UPDATE recours_actions SET what = 'of somebody', details = '[]', \"by\" = :by",
        by="x\x1b[31m",
    )
    [spoiled] = log.latest_of_each(["gls"], 2)["gls"]
    assert (spoiled.kind, spoiled.by, *spoiled.details) == ("of somebody", "x\\x1b[31m")
