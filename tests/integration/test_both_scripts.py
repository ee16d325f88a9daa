"""A new claim of every carrier passes through both scripts, as cron starts them: tracked first, then proved.

Every carrier in the registry is included automatically.
"""

from pathlib import Path

from recours.carriers.registry import CATALOG
from recours.core.evidence import EvidenceKind
from recours.database.engine import Database
from recours.sandbox import Parcel, Sandbox, Scenario
from tests.carriers.cases import CASES
from tests.conftest import add_claims
from tests.own_rows import joined_rows, set_own
from tests.processes.commands import worker

_OF_SIGNATURE = (EvidenceKind.SIGNATURE,)


def test_a_new_claim_of_every_carrier_is_tracked_and_then_proved(
    database: Database, url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    claims = []
    for spec in CATALOG.specs.values():
        number = sandbox.example(spec.key, "99", 7)
        sandbox.parcels[number] = Parcel((Scenario.IN_TRANSIT, Scenario.DELIVERED))
        claims.append({"carrier": spec.name, "tracking_number": number, "pod_fetch_status": "pending"})
    add_claims(database, claims)
    environment = {
        "DATABASE_URL": url,
        "RECOURS_POD_DIR": str(tmp_path / "pods"),
        "RECOURS_LOG_DIR": str(tmp_path / "logs"),
        **sandbox.environment(),
    }

    done = worker("pod_fetch_worker", environment=environment, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = joined_rows(database)
    assert {row["lane"]: row["kind"] for row in rows} == dict.fromkeys(CATALOG.specs, "not_delivered_yet")
    for row in rows:
        set_own(database, row["claim_reference"], stage="ready", next_at=None)

    done = worker("pod_retry_scheduler", environment=environment, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for row in joined_rows(database):
        key = row["lane"]
        if not CATALOG.specs[key].issues_documents:
            assert (row["pod_fetch_status"], row["kind"]) == ("failed", "pod_never_available"), key
            continue
        assert (row["pod_fetch_status"], row["pod_fetch_error"]) == ("success", None), key
        content = Path(row["pod_url"]).read_bytes()
        is_signature = CASES[key].pieces == _OF_SIGNATURE
        assert content.startswith(b"GIF8") is is_signature, key
        assert row["pod_delivery_person"] == ("DUPONT" if CASES[key].tells_signatory else None), key
