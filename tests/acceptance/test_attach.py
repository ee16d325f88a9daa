"""`recours attach` and `recours.attach`: a person adds a proof, with real commands on real databases."""

import io
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from PIL import Image, ImageDraw

import recours
from recours.database.tables import DONE
from recours.sandbox import Scenario
from recours.sandbox.documents import proof_pdf, signature_png
from tests.acceptance.person import Person, QuickPerson
from tests.acceptance.simulation import Service
from tests.processes.forks import ROOT
from tests.rows import row

NUMBER = "24681357"
SOON = "try again in a minute"
BLANK = b"<!doctype html><html><body>Connexion<form><input type=password></form></body></html>" + b" " * 64


def ago(days: int) -> datetime:
    return datetime.now(UTC).replace(hour=9, minute=31, second=0, microsecond=0) - timedelta(days=days)


def proof(number: str = NUMBER, signatory: str = "DUPONT") -> bytes:
    return proof_pdf("Mondial Relay", number, signatory, ago(5))


@pytest.fixture
def person(service: Service, url: str) -> Person:
    return QuickPerson.of(service, url)


def claim(service: Service, **columns: Any) -> str:
    """A failed claim at a carrier without proofs; its reference."""
    values: dict[str, Any] = {"carrier": "Mondial Relay", "number": NUMBER, "failed_at": ago(3)} | columns
    return f"CLM-{service.add(**values):04}"


def file(service: Service, content: bytes, name: str = "proof.pdf") -> str:
    """A file with this content; its path."""
    path = service.folder / "from the portal" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return str(path)


def facts(service: Service, reference: str) -> dict[str, Any]:
    names = ("pod_fetch_status", "pod_url", "pod_delivery_person", "stage", "pod_retry_count", "lease_token")
    joined = "claims LEFT JOIN recours_claims ON claim_id = id"
    query = f"SELECT {', '.join(names)} FROM {joined} WHERE claim_reference = ?"
    return dict(zip(names, service.sql(query, reference)[0], strict=True))


def count(service: Service, table: str) -> int:
    return int(service.sql(f"SELECT count(*) FROM {table}")[0][0])


def test_an_attached_proof_counts_like_a_fetched_one(person: Person, service: Service) -> None:
    reference = claim(service)
    printed = person.does("attach", reference, file(service, proof()))
    assert "It shows: signed by DUPONT on " in printed
    assert "; shows the tracking number." in printed
    assert "These documents prove delivery in a dispute about a lost parcel." in printed
    now = facts(service, reference)
    stored = Path(now["pod_url"])
    assert stored.read_bytes() == proof()
    assert stored.is_relative_to(service.folder / "data" / "pods")
    assert now["pod_delivery_person"] == "DUPONT"
    assert (now["pod_fetch_status"], now["stage"], now["pod_retry_count"]) == ("success", DONE, 0)
    assert now["lease_token"] is None
    ((source, who, kind),) = service.sql('SELECT source, "by", kind FROM recours_evidence')
    assert (source, kind) == ("by hand", "letter")
    assert who
    assert service.sql('SELECT what, "by" FROM recours_changes') == [("attached", who)]
    assert service.sql("SELECT run_id FROM recours_manifests") == [("attach",)]
    assert service.sql("SELECT event, audience, told FROM recours_events") == [
        ("pod_retrieved", "client", None)
    ]
    assert service.sql("SELECT path FROM recours_documents") == [(str(stored),)]
    assert person.types("verify").returncode == 0
    service.wait_until_today()
    assert service.run_hourly(3, both=True)[-1].stats.total == 0, "nobody asks for it any more"
    found = person.json("why", reference)
    assert found["support"] == "proves"
    assert [piece["by"] for piece in found["evidence"]] == [who]
    assert f"by hand, {who}" in person.does("why", reference)
    # The success rate is the carriers'; this proof is not theirs.
    assert person.json("status")["success"]["all"] == {
        "success": 0,
        "given_up": 0,
        "failed": 0,
        "left": 0,
        "success_rate": None,
        "attempt_success_rate": None,
    }


def parcel_at_a_door() -> Image.Image:
    photo = Image.radial_gradient("L")
    ImageDraw.Draw(photo).rectangle((60, 120, 180, 220), fill=30)
    return photo


def test_delivery_facts_given_by_a_person_are_recorded(person: Person, service: Service) -> None:
    reference = claim(service)
    photo = io.BytesIO()
    parcel_at_a_door().save(photo, "JPEG")
    day = ago(6).date().isoformat()
    done = person.json(
        "attach",
        reference,
        file(service, photo.getvalue(), "door.jpg"),
        "--kind",
        "photo",
        "--signed-by",
        "Anne",
        "--at",
        f"{day}T08:15",
    )
    assert (done["kind"], done["signatory"], done["is_pod"]) == ("photo", "Anne", True)
    at = datetime.fromisoformat(done["delivered_at"])
    assert f"{at.astimezone(service.settings.policy.zone):%Y-%m-%dT%H:%M}" == f"{day}T08:15"
    assert "no readable text" in (shown := person.does("why", reference))
    assert "entered by " in shown
    assert ": Anne, " in shown
    assert "tracking says" not in shown


def _zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"\x00" * 50_000_000)
    return made.getvalue()


OF_CHRONOPOST = (
    b"<html><body><h1>Chronopost: proof of delivery</h1><p>Delivered on: 05/01/2026 10:31</p>"
    b"<p>Signed by: DUPONT</p></body></html>"
)


def test_files_that_prove_nothing_are_refused_and_leave_nothing_behind(
    person: Person, service: Service, tmp_path: Path
) -> None:
    reference = claim(service)
    large = tmp_path / "large.pdf"
    with large.open("wb") as made:
        made.write(b"%PDF-1.4\n")
        made.truncate(100_000_000)
    pipe, link = tmp_path / "pipe", tmp_path / "link.pdf"
    os.mkfifo(pipe)
    link.symlink_to(file(service, proof()))
    files: dict[str, tuple[str, str]] = {
        "a zip bomb that is called a PDF": (file(service, _zip(), "bomb.pdf"), "it is not an HTML, PDF,"),
        "100 MB": (str(large), "it is larger than 20 MB"),
        "empty": (file(service, b"", "empty.pdf"), "it has only 0 bytes"),
        "cut off": (file(service, signature_png("x")[:400], "cut.png"), "the image is incomplete"),
        "a login page": (file(service, BLANK, "l.html"), "it is not accepted as a proof"),
        "another parcel": (file(service, proof("13572468"), "o.pdf"), "another parcel"),
        "another carrier without a number": (
            file(service, OF_CHRONOPOST, "c.html"),
            "it is from another carrier (CHRONOPOST), and the tracking number is not on it",
        ),
        "a symbolic link": (str(link), "it is a symbolic link"),
        "a pipe": (str(pipe), "it is not a regular file"),
        "nowhere": (str(tmp_path / "nowhere.pdf"), "No such file"),
        "a name with a control sign": (
            file(service, b"", "a\x1b[31m.pdf"),
            "a\\x1b[31m.pdf cannot be attached",
        ),
    }
    for what, (path, reason) in files.items():
        with row(what):
            done = person.types("attach", reference, path)
            assert done.returncode == 2, done.stdout
            assert done.stderr.count("\n") == 1
            assert reason in done.stderr
    assert facts(service, reference)["pod_fetch_status"] == "failed"
    assert facts(service, reference)["lease_token"] is None
    assert count(service, "recours_evidence") == count(service, "recours_attempts") == 0
    assert [path for path in (service.folder / "data" / "pods").rglob("*") if path.is_file()] == []


def test_an_invalid_attachment_is_rejected_with_advice(person: Person, service: Service) -> None:
    reference, path = claim(service), file(service, proof())
    unnumbered = claim(service, number="x")
    service.sql("UPDATE claims SET tracking_number = NULL WHERE claim_reference = ?", unnumbered)
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    cases: list[tuple[tuple[str, ...], str]] = [
        (("CLM-9999", path), "There is no claim 'CLM-9999'."),
        ((unnumbered, path), "has no tracking number"),
        ((reference, path, "--at", tomorrow), "that date is in the future"),
        ((reference, path, "--at", ago(800).date().isoformat()), "more than a year later"),
        ((reference, path, "--at", "0001-01-01T00:00+23:59"), "that date is before 2000"),
        ((reference, path, "--signed-by", " \t "), "is empty"),
        ((reference, path, "--kind", "record"), "'record' is not one of"),
    ]
    for arguments, reason in cases:
        with row(*arguments):
            done = person.types("attach", *arguments)
            assert done.returncode == 2, done.stdout
            assert reason in done.stderr
    assert count(service, "recours_evidence") == 0
    person.does("attach", reference, path)
    again = person.types("attach", reference, path)
    assert again.returncode == 2
    assert "already has this file (by hand)" in again.stderr
    assert count(service, "recours_evidence") == 1


def test_a_claim_in_progress_is_rejected_and_one_that_is_not_enrolled_is_accepted(
    person: Person, service: Service
) -> None:
    reference, path = claim(service), file(service, proof())
    leased = datetime.now(UTC) + timedelta(minutes=9)
    service.sql(
        "INSERT INTO recours_claims (claim_id, stage, lease_token, lease_until)"
        " SELECT id, 'done', 'other', ? FROM claims WHERE claim_reference = ?",
        f"{leased:%Y-%m-%d %H:%M:%S}",
        reference,
    )
    done = person.types("attach", reference, path)
    assert (done.returncode, SOON in done.stderr) == (2, True)
    assert facts(service, reference)["lease_token"] == "other"
    assert list((service.folder / "data" / "pods").rglob("*.pdf")) == []
    for status in (None, "manual", "pending", "not_available"):
        with row(status):
            other = claim(service, pod_fetch_status=status)
            person.does("attach", other, path)
            assert facts(service, other)["pod_fetch_status"] == "success"
    events = service.sql("SELECT count(*) FROM recours_events")
    assert events == [(0,)], "only a failed claim causes a notification"


@pytest.fixture
def in_process(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own application: recours works in this process with the person's settings."""
    for name, value in person.environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("in_process")
def test_concurrent_attachments_are_each_recorded_once(person: Person, service: Service) -> None:
    reference = claim(service)
    files = [
        file(service, proof(signatory=f"{name} DUPONT"), f"{name}.pdf")
        for name in ("Anne", "Bea", "Carl", "Dora")
    ]

    def attach(path: str) -> bool:
        for _ in range(100):
            try:
                return recours.attach(reference, path, by="Anna").is_pod
            except recours.TryAgainSoonError:
                sleep(0.05)
        return False

    with ThreadPoolExecutor(len(files)) as people:
        assert any(people.map(attach, files))
    paths = service.sql("SELECT path FROM recours_evidence")
    assert len(paths) == len(files)
    assert (facts(service, reference)["pod_url"],) in paths
    assert count(service, "recours_events") == 1
    assert service.sql("SELECT count(*) FROM recours_evidence WHERE manifest_id IS NULL") == [(0,)]
    assert person.types("verify").returncode == 0


KILLED = """
import os, signal, sys
from pathlib import Path
import recours
from recours.database.claims import ClaimRepository
from recours.evidence.store import DocumentStore

def dying(owner, name, when):
    work = getattr(owner, name)
    def watched(*given, **named):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        work(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, watched)

name, when = sys.argv[3:]
dying({"store": DocumentStore, "make_durable": DocumentStore}.get(name, ClaimRepository), name, when)
recours.attach(sys.argv[1], Path(sys.argv[2]), by="Anna")
"""


@pytest.mark.sample("more cases of the same test, each around processes", every=4)
@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("store", "after"),
        ("lease_named", "after"),
        ("make_durable", "after"),
        ("record", "before"),
        ("record", "after"),
    ],
)
def test_a_kill_neither_loses_nor_duplicates_a_file(
    person: Person, service: Service, name: str, when: str
) -> None:
    reference, path = claim(service), file(service, proof())
    person.does("status")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, reference, path, name, when],
        env=person.environment, cwd=ROOT, check=False, capture_output=True,
    )  # fmt: skip
    assert killed.returncode == -9, killed.stderr
    is_recorded = (name, when) == ("record", "after")
    done = person.types("attach", reference, path)
    assert (done.returncode, "already has this file" in done.stderr) == (2, is_recorded)
    if not is_recorded:
        assert SOON in done.stderr, "its lease still holds"
        service.sql("UPDATE recours_claims SET lease_until = ?", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
        person.does("attach", reference, path)
    assert facts(service, reference)["pod_fetch_status"] == "success"
    assert [
        count(service, f"recours_{table}") for table in ("evidence", "attempts", "changes", "events")
    ] == [1] * 4
    assert len(list((service.folder / "data" / "pods").rglob("*.pdf"))) == 1
    assert person.types("verify").returncode == 0


def test_a_run_records_files_stored_by_a_killed_attach(person: Person, service: Service) -> None:
    reference, path = (
        claim(service, carrier="Chronopost", number="XY001234567FR"),
        file(service, proof("XY001234567FR")),
    )
    subprocess.run(
        [sys.executable, "-c", KILLED, reference, path, "store", "after"],
        env=person.environment,
        cwd=ROOT,
        check=False,
    )
    service.sql("UPDATE recours_claims SET lease_until = ?", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
    service.clock.advance(datetime.now(UTC) + timedelta(minutes=1) - service.clock.now())
    service.run_hourly(2)
    assert facts(service, reference)["pod_fetch_status"] == "success"
    assert service.box.calls_for("XY001234567FR") == []
    assert service.sql("SELECT source FROM recours_evidence") == [("by hand",)]


@pytest.mark.usefixtures("in_process")
def test_the_service_s_own_application_attaches_too(service: Service) -> None:
    reference, path = claim(service), file(service, proof())
    with pytest.raises(recours.CorrectReferenceError):
        recours.attach("CLM-9", path, by="Anna")
    with pytest.raises(recours.CorrectFileError, match=r"^Impossible de joindre nowhere\.pdf : "):
        recours.attach(reference, "nowhere.pdf", by="Anna", language="fr")
    with pytest.raises(recours.CorrectFileError, match=r"d'un autre transporteur \(CHRONOPOST\)"):
        recours.attach(reference, file(service, OF_CHRONOPOST, "c.html"), by="Anna", language="fr")
    with pytest.raises(ValueError, match="kind must be one of letter, signature, photo"):
        recours.attach(reference, path, by="Anna", kind="record")
    with pytest.raises(ValueError, match="by must name the person"):
        recours.attach(reference, path, by=" ")
    done = recours.attach(reference, path, by="Anna", at=ago(5).replace(tzinfo=None), language="fr")
    assert done.is_pod
    assert done.pod_path == done.path == facts(service, reference)["pod_url"]
    assert done.shows.startswith("signature de DUPONT le ")
    assert done.sentence.startswith(f"{reference} : preuve de livraison jointe. Elle montre : signature")
    assert done.sentence.endswith("Ces documents prouvent la livraison en cas de litige pour colis perdu.")
    assert (done.support, service.sql('SELECT "by" FROM recours_changes')) == ("proves", [("Anna",)])
    with pytest.raises(recours.CorrectFileError, match="already has this file"):
        recours.attach(reference, path, by="Anna", language="en")
    status = recours.claim_status(reference, language="en")
    assert (status.stage, status.support) == (recours.Standing.FETCHED, "proves")
    assert (status.shows or "").startswith("signed by DUPONT on ")
    assert status.verdict == "These documents prove delivery in a dispute about a lost parcel."


# ---------------------------------------------------------------- a way back


def pod_row(service: Service, reference: str) -> tuple[Any, ...]:
    (found,) = service.sql(
        "SELECT pod_fetch_status, pod_url, pod_delivery_person FROM claims WHERE claim_reference = ?",
        reference,
    )
    return found


def test_a_refused_file_can_be_accepted_by_a_person_and_detached_again(
    person: Person, service: Service
) -> None:
    content = proof("13572468")
    reference, path = claim(service), file(service, content)
    assert person.types("attach", reference, path).returncode == 2
    assert count(service, "recours_events") == 0, "what does not count causes no notification"
    for wrong in (("--anyway",), ("--why", "seen"), ("--anyway", "--why", " ")):
        assert person.types("attach", reference, path, *wrong).returncode == 2
    done = person.json("attach", reference, path, "--anyway", "--why", "the carrier's clerk confirmed it")
    assert (done["refused"], done["is_pod"]) == (None, True)
    assert Path(done["path"]).read_bytes() == content
    assert pod_row(service, reference)[:2] == ("success", done["path"])
    assert "clerk confirmed it" in str(service.sql("SELECT details FROM recours_changes"))
    person.does("verify")
    printed = person.does("detach", reference, "--why", "it was another parcel's")
    assert "the proof was detached" in printed
    assert pod_row(service, reference) == ("failed", None, None)
    ((paths, refused, by),) = service.sql('SELECT path, refused, "by" FROM recours_evidence')
    assert (Path(paths).read_bytes(), refused) == (content, f"{by} took it back")
    assert paths in printed
    assert not Path(done["path"]).exists()
    assert service.sql("SELECT path FROM recours_documents") == []
    assert service.sql("SELECT told FROM recours_events WHERE event = 'pod_retrieved' AND told IS NULL") == []
    assert [
        what for (what,) in service.sql('SELECT what FROM recours_changes WHERE "by" = ? ORDER BY id', by)
    ] == [
        "attached",
        "detached",
    ]
    person.does("verify")
    again = person.types("detach", reference)
    assert (again.returncode, "has no proof to detach" in again.stderr) == (2, True)
    # The stored file is accepted and moved to the folder of proofs.
    accepted = person.json("attach", reference, paths, "--anyway", "--why", "it was ours")
    assert (accepted["path"], accepted["refused"]) == (done["path"], None)
    assert not Path(paths).exists()
    assert pod_row(service, reference)[:2] == ("success", done["path"])
    assert service.sql("SELECT path FROM recours_documents") == [(done["path"],)]
    person.does("verify")
    assert person.types("detach", "CLM-9999").returncode == 2


def test_the_best_of_the_other_proofs_counts_when_one_is_detached(person: Person, service: Service) -> None:
    reference = claim(service)
    letter = person.json("attach", reference, file(service, proof()))
    photo = person.json("attach", reference, file(service, signature_png("door"), "door.png"), "--kind=photo")
    assert photo["is_pod"] is False
    assert "The best of the other proofs replaces it" in person.does("detach", reference)
    assert pod_row(service, reference)[:2] == ("success", photo["path"])
    person.does("verify")
    assert "The next runs look for another proof" in person.does("detach", reference, photo["sha256"])
    assert pod_row(service, reference)[:2] == ("failed", None)
    assert letter["sha256"] in {sha256 for (sha256,) in service.sql("SELECT sha256 FROM recours_evidence")}
    person.does("verify")


def test_a_fetched_proof_is_detached_and_runs_continue(person: Person, service: Service) -> None:
    service.box.parcels.clear()
    service.add(Scenario.DELIVERED, number="XY009999999FR")
    service.wait_until_today()
    service.run_hourly(3)
    reference = "CLM-0001"
    assert pod_row(service, reference)[0] == "success"
    printed = person.does("detach", reference, "--why", "of another parcel")
    assert "The next runs look for another proof" in printed
    assert pod_row(service, reference)[:2] == ("failed", None)
    assert facts(service, reference)["stage"] != DONE
    assert person.json("why", reference)["changes"][-1]["what"] == "detached"
    person.does("verify")
    service.run_hourly(9)
    assert pod_row(service, reference)[0] == "success", "the same document was fetched again"
    person.does("verify")
