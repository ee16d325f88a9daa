"""Evidence of an installation that the version before custody began, or works on beside this one."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from recours.carriers.registry import CATALOG
from recours.database.engine import Database
from recours.database.reports.records import DatabaseRecords
from recours.database.schema.inspection import look
from recours.sandbox import Scenario
from tests.acceptance.simulation import Service
from tests.acceptance.versions_before import FROM_HISTORY, LAST, ROOT, Life, Predecessor
from tests.processes.commands import Done, recours

pytestmark = FROM_HISTORY


@pytest.mark.parametrize("predecessor", [LAST], indirect=True, ids=lambda commit: commit[:7])
def test_old_proofs_are_still_shown_and_new_ones_are_in_the_chain(
    life: Life, predecessor: Predecessor
) -> None:
    service = life.service
    life.live(predecessor.root, 1)
    old = proofs(service)
    life.live(ROOT, 1)
    new = {reference: path for reference, path in proofs(service).items() if reference not in old}
    assert set(life.statuses) == {0}, life.said[-20:]
    assert old
    assert new

    for reference, path in (old | new).items():
        assert Path(path).is_file()
        assert path in types(life, "why", reference).stdout
    good = service.sql(
        "SELECT c.claim_reference, e.path FROM recours_evidence e JOIN claims c ON c.id = e.claim_id"
        " WHERE e.refused IS NULL"
    )
    assert {reference for reference, _ in good} == new.keys()
    assert set(new.items()) <= set(good)

    verified = verify(life)
    assert (verified["breaches"], verified["not_in_chain"]) == (0, len(old))
    Path(next(iter(new.values()))).write_bytes(b"%PDF-1.4 another one")
    assert verify(life)["breaches"] == 1


def test_the_version_before_works_on_beside_and_what_it_fetches_is_told_as_evidence(
    life: Life, predecessor: Predecessor
) -> None:
    """It knows no table of evidence, and stores one document of an answer."""
    service = life.service
    # Versions before 0006 refuse a newer schema by design, so that there is nothing to work on beside.
    if not predecessor.may_go_on:
        pytest.skip("a version with an older schema refuses this one")
    service.sql("DELETE FROM claims")
    life.live(ROOT, 1)
    service.add(Scenario.DELIVERED, carrier="UPS", failed_at=service.clock.now())
    life.live(predecessor.root, 1)
    service.add(Scenario.DELIVERED, carrier="UPS", failed_at=service.clock.now())
    life.live(ROOT, 1)
    assert set(life.statuses) == {0}, life.said[-20:]
    ids = [claim_id for (claim_id,) in service.sql("SELECT id FROM claims ORDER BY id")]
    with closing(Database(make_url(life.environment["DATABASE_URL"]))) as database:
        records = DatabaseRecords(database, CATALOG, look(database).columns)
        kinds = [[piece.kind for piece in records.evidence(claim_id)] for claim_id in ids]
        files = [Path(piece.path) for claim_id in ids for piece in records.evidence(claim_id)]
    assert kinds == [[None], ["letter", "signature"]]
    assert all(path.exists() for path in files)


def proofs(service: Service) -> dict[str, str]:
    return dict(
        service.sql(
            "SELECT claim_reference, pod_url FROM claims WHERE pod_fetch_status = 'success' ORDER BY claim_reference"
        )
    )


def types(life: Life, *arguments: str) -> Done:
    return recours(*arguments, environment=life.environment, folder=life.service.folder)


def verify(life: Life) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(types(life, "verify", "--json").stdout)
    return found
