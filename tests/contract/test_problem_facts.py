"""Problems that need a person, read from a real database of either kind: series of failures, stuck emails."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from recours.carriers.chronopost import SPEC
from recours.carriers.registry import CATALOG
from recours.core.carrier import Catalog
from recours.core.mail import MailState
from recours.database.engine import Database
from recours.database.tables import actions, attempts, evidence, mails
from recours.reporting.system import Pile
from recours.reporting.system_reader import SystemReader
from tests.conftest import SERVICE_CLIENTS, add_claims
from tests.contract.test_claims import POLICY, Run

NOW = datetime(2026, 2, 20, 8, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def system(database: Database) -> SystemReader:
    return SystemReader(database, CATALOG)


def attempt(days_ago: float, kind: str | None, carrier: str = "ups", calls: int = 1) -> dict[str, Any]:
    return {
        "claim_id": 1, "run_id": "r", "worker": "w", "carrier": carrier, "tracking_number": "1Z", "turn": 1,
        "started_at": NOW - days_ago * DAY, "duration_s": 1.0, "calls": calls,
        "outcome": "failed" if kind else "success", "used": True, "error_kind": kind,
    }  # fmt: skip


# Since when UPS is unavailable by its answers: (days ago, kind), each about another parcel; "-": no connection.
HOURS = 1 / 24
OF_FIVE = [(days * HOURS, "timeout") for days in (2, 3, 4, 5, 6)]


@pytest.mark.parametrize(
    ("answers", "check", "days"),
    [
        ([], None, None),
        (OF_FIVE, None, 6 * HOURS),
        (OF_FIVE[1:], None, None),  # four parcels may be the cause
        ([(HOURS, None), *OF_FIVE], None, None),
        ([(HOURS, "not_found"), *OF_FIVE], None, None),
        ([*OF_FIVE, (7 * HOURS, None), (8 * HOURS, "timeout")], None, 6 * HOURS),
        ([(HOURS / 2, "server_error"), *OF_FIVE[:4]], None, 5 * HOURS),
        ([(n / 60 * HOURS, "timeout") for n in range(50)], None, None),  # the next runs try again
        ([(days + 2, "timeout") for days, _ in OF_FIVE], None, None),  # nobody has called since
        ([(2 * HOURS, "-")], None, 2 * HOURS),  # which is not a parcel's fault
        ([(2 * HOURS, "-"), (3 * HOURS, "timeout")], None, 2 * HOURS),
        ([(2 * HOURS, "timeout"), (3 * HOURS, "-")], None, None),
        (OF_FIVE, (HOURS, None), None),
        (OF_FIVE, (9 * HOURS, None), 6 * HOURS),
        (OF_FIVE[:1], (HOURS, "timeout"), 2 * HOURS),
        ([], (2 * HOURS, "network"), 2 * HOURS),
        ([(HOURS, "not_delivered_yet")], (2 * HOURS, "network"), None),
    ],
)  # fmt: skip
def test_since_when_a_carrier_is_unavailable(
    system: SystemReader,
    answers: list[tuple[float, str | None]],
    check: tuple[float, str | None] | None,
    days: float | None,
) -> None:
    with system.database.write() as connection:
        for place, (ago, kind) in enumerate(answers):
            row = attempt(ago, "network" if kind == "-" else kind, calls=int(kind != "-"))
            connection.execute(insert(attempts).values(row | {"claim_id": place}))
        # Without a call the carrier was not involved; nor was another carrier.
        for row in (attempt(0.01, "invalid_tracking", calls=0), attempt(0.01, None, carrier="dhl")):
            connection.execute(insert(attempts).values(row))
        if check:
            details = {"verdict": "accepted", "kind": check[1]}
            at = NOW - check[0] * DAY
            connection.execute(
                insert(actions).values(at=at, by="a", what="checked", subject="ups", details=details)
            )
    assert system.unavailable(NOW) == ({"ups": NOW - days * DAY} if days else {})


def test_since_when_the_default_account_is_rejected(system: SystemReader) -> None:
    with system.database.write() as connection:
        for row in (
            attempt(12, None),
            attempt(9, "auth_failed"),
            attempt(6, None) | {"account_id": 4},
            attempt(5, "account_denied"),
        ):
            connection.execute(insert(attempts).values({"account_id": None} | row))
    assert system.default_refused_since(["ups", "dhl"], NOW - 30 * DAY) == {"ups": NOW - 9 * DAY}


def test_since_when_client_accounts_are_rejected(system: SystemReader) -> None:
    rows = [
        (4, attempt(9, "auth_failed")),
        (4, attempt(8, "timeout", calls=0)),  # the carrier was not involved
        (4, attempt(2, "account_denied")),
        (5, attempt(9, "auth_failed")),
        (5, attempt(3, "not_found")),
        (5, attempt(1, "auth_failed")),
        (6, attempt(1, None)),
        (7, attempt(6, "auth_failed")),
        (None, attempt(1, None)),
    ]
    with system.database.write() as connection:
        for account, row in rows:
            connection.execute(insert(attempts).values(row | {"account_id": account}))
    assert system.refused_since([4, 5, 6], NOW - 30 * DAY) == {4: NOW - 9 * DAY, 5: NOW - DAY}
    assert system.refused_since([4], NOW - 5 * DAY) == {4: NOW - 2 * DAY}


def test_the_clients_whose_claims_wait_under_an_account(system: SystemReader) -> None:
    with system.database.write() as connection:
        for number in (1, 2, 3, 4):
            connection.execute(insert(SERVICE_CLIENTS).values(id=number, email=f"c{number}@shop.example"))
    add_claims(
        system.database,
        [
            *({"client_id": client} for client in (1, 2, 2, None)),
            {"client_id": 3, "pod_fetch_status": "success"},
            {"client_id": 4, "carrier": "Pigeon Post"},
        ],
    )
    assert system.clients_of(["chronopost"])["chronopost"] == []  # because no run has assessed them
    Run(system.database).keep(NOW, POLICY)
    assert system.clients_of(["chronopost"])["chronopost"] == [2, 1]
    assert system.clients_of(["chronopost#4"])["chronopost#4"] == []


def test_emails_that_are_stuck(system: SystemReader) -> None:
    texts = dict.fromkeys(("subject", "plain", "html", "kind", "recipient"), "x")
    with system.database.write() as connection:
        for n, (state, hours) in enumerate(
            [("ready", 30), ("ready", 4), ("ready", 2), ("held", 1), ("undecided", 5), ("undecided", 24 * 8), ("sent", 9)]
        ):  # fmt: skip
            at = NOW - hours * HOUR
            row = {
                "message_id": f"<{n}>", "language": "en", "state": state, "run_id": "r", "created_at": at, "tries": 0,
                "ended_at": at if state in ("sent", "undecided") else None,
            }  # fmt: skip
            connection.execute(insert(mails).values(texts | row))
    assert system.mails(NOW) == {
        MailState.READY: Pile(3, NOW - 30 * HOUR, overdue=2),
        MailState.HELD: Pile(1, NOW - HOUR),
        MailState.UNDECIDED: Pile(1, NOW - 5 * HOUR),
    }


def test_claims_near_their_deadline_and_no_more(system: SystemReader) -> None:
    """Unassessed claims are not at a stage yet: the next run assesses them."""
    add_claims(system.database, [{"response_deadline": (NOW + DAY).date()}])
    assert list(system.near_deadline(NOW, NOW + 7 * DAY, ["chronopost"])) == []


@pytest.mark.parametrize("with_deadlines", [True, False])
def test_claims_whose_evidence_ends_soon_are_found_by_rank(
    database: Database, *, with_deadlines: bool
) -> None:
    """Closed, waiting or without a number; by their deadline, including claims whose evidence has expired."""
    catalog = Catalog(
        [replace(SPEC, evidence_days=120), replace(SPEC, key="other", name="Other", spellings=())]
    )
    policy = replace(POLICY, evidence_days={"chronopost": 120})
    soon, fresh = NOW - 117 * DAY, {"pod_fetch_status": "pending"}
    add_claims(
        database,
        [
            {"claim_reference": "ready", "created_at": soon},
            fresh | {"claim_reference": "new", "created_at": soon},
            fresh | {"claim_reference": "unnumbered", "created_at": soon, "tracking_number": None},
            {"claim_reference": "waiting", "created_at": soon, "updated_at": NOW},
            {"claim_reference": "far", "created_at": NOW - 60 * DAY},
            {"claim_reference": "over", "created_at": NOW - 130 * DAY},
            {"claim_reference": "of another", "created_at": soon, "carrier": "Other"},
            {"claim_reference": "over, and due", "created_at": NOW - 130 * DAY, "response_deadline": (NOW + DAY).date()},
        ],
    )  # fmt: skip
    Run(database).keep(NOW, policy)
    if not with_deadlines:
        with database.write() as connection:
            connection.execute(text("ALTER TABLE claims DROP COLUMN response_deadline"))
        database.reinspect()
    found = SystemReader(database, catalog).near_deadline(NOW, NOW + 7 * DAY, ["chronopost", "other"])
    expected = {"ready", "new", "unnumbered", "waiting"} | ({"over, and due"} if with_deadlines else set())
    assert sorted(claim.reference for claim in found) == sorted(expected)


def piece(claim_id: int, days_ago: float = 0.5, carrier: str = "ups", **columns: Any) -> dict[str, Any]:
    digest = f"{claim_id}{columns.get('kind', '')}{columns.get('refused', 'x')}"
    return {
        "claim_id": claim_id, "carrier": carrier, "tracking_number": "1Z", "kind": "letter", "source": "s", "run_id": "r",
        "obtained_at": NOW - days_ago * DAY, "path": f"/pods/{claim_id}.pdf", "sha256": digest, "size": 1,
        "media_type": "application/pdf", "refused": "it is blank", "shown": {},
    } | columns  # fmt: skip


def test_recently_rejected_documents_of_parcels_without_a_proof(system: SystemReader) -> None:
    pieces = [
        piece(1),
        piece(2, carrier="dhl"),
        piece(3, days_ago=1.5),
        piece(4, by="Anna"),
        *(piece(5), piece(5, refused=None)),
        *(piece(6, days_ago=0.2), piece(6, refused=None, kind="record")),
    ]
    with system.database.write() as connection:
        for row in pieces:
            connection.execute(insert(evidence).values(row))
    found = system.refused_documents(NOW - DAY)
    assert {carrier: [one.claim_id for one in some] for carrier, some in found.items()} == {
        "ups": [6, 1],
        "dhl": [2],
    }
