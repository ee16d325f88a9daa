"""A claim is erased in any kind of schema, and stays erased."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from recours.carriers.registry import CATALOG
from recours.database.erasing import ClaimErasure, Erased
from recours.database.tables import ERASED, claims
from tests.contract.test_border import NUMBER, prepare
from tests.contract.test_claims import POLICY
from tests.contract.test_decisions import NOW
from tests.fakes.intake import take_in
from tests.fakes.schemas import Application


def erase(service: Application) -> set[object]:
    erasure = ClaimErasure(service.database, "ann")
    return erasure.erase(list(erasure.known_as(["CLM-1"])), lambda *_: None, lambda: NOW, Erased())


@pytest.mark.sample(
    "other kinds of schema: tests/contract/test_border.py reads and writes each of them", every=3
)
def test_a_claim_is_erased_and_stays_so(application: Application) -> None:
    prepare(application.database)
    application.add(1, tracking_number=NUMBER)
    application.change(1, pod_delivery_person="Planted Person")
    take_in(application.database, CATALOG, NOW, POLICY)
    with application.holding(1):  # not possible on SQLite
        assert len(erase(application)) == int(application.database.is_sqlite)
    assert len(erase(application)) == 1
    assert "Planted Person" not in str(application.row(1))
    application.change(1, pod_fetch_status="pending")
    for hours in (1, 48):
        take_in(application.database, CATALOG, NOW + timedelta(hours=hours), POLICY)
    assert application.database.scalars(select(claims.c.stage)) == [ERASED]
    assert ClaimErasure(application.database).count_left() == (0, 0)
