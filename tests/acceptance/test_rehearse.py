"""`recours carriers rehearse`, `reclassify` and `fixture`, started as a person starts them, against simulated carriers."""

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.database.schema.upgrade import create_file
from recours.sandbox import Parcel, Sandbox, Scenario
from recours.sandbox.answers import Answer, HttpRequest
from tests.planted import MARK
from tests.processes.commands import Done, recours

S = Scenario
SECRET = f"{MARK}-of-the-house"


class Distorted(Sandbox):
    """A sandbox whose answers can be changed under way."""

    distort: Callable[[Answer], Answer] = staticmethod(lambda answer: answer)

    def answer(self, request: HttpRequest) -> Answer:
        return self.distort(super().answer(request))


@dataclass
class Desk:
    """Where the person sits: a home with a database, credentials, and carriers on loopback."""

    home: Path
    box: Distorted
    settings: dict[str, str] = field(default_factory=dict)

    def carriers(self, *arguments: str, **settings: str) -> Done:
        return self.types("carriers", *arguments, **settings)

    def types(self, *arguments: str, **settings: str) -> Done:
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TZ") if name in os.environ}
        environment = {
            **kept,
            "PYTHONIOENCODING": "utf-8",
            "RECOURS_HOME": str(self.home),
            "DATABASE_PATH": str(self.home / "claims.db"),
            "RECOURS_LOG_DIR": str(self.home / "logs"),
            **self.box.environment(),
            **settings,
        }
        done = recours(*arguments, environment=environment, folder=self.home)
        assert "Traceback" not in done.stderr
        assert SECRET not in done.stdout + done.stderr
        return done

    def rehearse(self, carrier: str, scenario: Scenario = S.DELIVERED) -> Done:
        number = self.box.example(carrier, "99", len(self.box.parcels))
        self.box.parcels[number] = Parcel((scenario,))
        return self.carriers("rehearse", CATALOG.specs[carrier].name, "--tracking", number)

    @property
    def recordings(self) -> list[Path]:
        return sorted(
            (self.home / "data" / "recordings").glob("*.json"), key=lambda path: path.stat().st_mtime_ns
        )

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.home / "claims.db")) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    create_file(tmp_path / "claims.db")
    with Distorted(now=lambda: datetime.now(UTC)) as box:
        box.accounts = {"10000001": SECRET}
        yield Desk(tmp_path, box)


# ---------------------------------------------------------------- deviations


def body(old: str, new: str) -> Callable[[Answer], Answer]:
    """Changes what fits in a body."""

    def distort(answer: Answer) -> Answer:
        try:
            text = answer.body.decode()
        except UnicodeDecodeError:
            return answer
        return replace(answer, body=re.sub(old, new, text, flags=re.DOTALL).encode())

    return distort


def of_status(status: int) -> Callable[[Answer], Answer]:
    """Changes good answers, but for tokens."""
    return lambda answer: answer if b"access_token" in answer.body else replace(answer, status=status)


def of_type(content_type: str) -> Callable[[Answer], Answer]:
    return lambda answer: (
        answer if b"access_token" in answer.body else replace(answer, content_type=content_type)
    )


# The carrier, what is done to its answers, and how rehearse names it.
DEVIATIONS: list[tuple[str, Callable[[Answer], Answer], str]] = [
    ("chronopost", body("<code>D</code>", "<code>ZZ9</code>"), 'events[].code is "ZZ9", which is in no table'),
    ("chronopost", body("(<eventDate>[^<]{10})[^<]*", r"\1"), 'events[].eventDate is "20'),
    ("chronopost", body("<pod>", "<pod>*"), "return.pod is not strict base64"),
    ("chronopost", body("<statusCode>5<", "<statusCode>7<"), 'return.statusCode is "7", which is in no table'),
    ("colissimo", body(r'"step": ?\[', '"step": 7, "x": ['), "parcel.step is a whole number, documented is a list"),
    ("colissimo", body('"event": ?\\[.*?\\]', '"event": []'), "parcel.event is an empty list"),
    ("colissimo", body("SIGNATURE", "SIGNED_SLIP"), 'documents[].documentType is "SIGNED_SLIP", which is in no table'),
    ("colissimo", body('"path": ?"[^"]*"', '"path": 7'), "documents[].path is a whole number, documented is a text"),
    ("laposte", body(r"^(.*)$", r'{"data": \1}'), 'the answer lies in an extra envelope "data"'),
    ("laposte", body('"DI1"', '"DX1"'), 'shipment.event[].code is "DX1", which is in no table'),
    ("ups", body('"currentStatus"', '"status"'), "package[].currentStatus is missing"),
    ("ups", body('"statusCode": "011"', '"statusCode": "999"'), 'is "999", which is in no table'),
    ("dhl_express", of_status(299), "HTTP 299 is in no table"),
    ("dhl_express", body(r'"content": "[^"]{60}', '"content": "' + "UEsDBBQAAAAI" * 5), "documents[].content is a document of unknown format"),
    ("dhl", body('"statusCode": "delivered"', '"statusCode": "DELIVERED"'), 'status.statusCode is "DELIVERED", which is in no table'),
    ("dhl", of_type("text/plain"), 'Content-Type is "text/plain", documented is application/json'),
    ("fedex", body(r'(T[0-9:]{8})[+-][0-9]{2}:[0-9]{2}"', r'\1"'), 'scanEvents[].date is "20'),
    ("fedex", body('"documents": ?\\[("[^"]*")\\]', r'"documents": \1'), "output.documents is a text, documented is a list"),
    ("dpd", body("<StatusNumber>40<", "<StatusNumber>41<"), 'StatusNumber is "41", which is in no table'),
    ("dpd", body(r"([0-9]{2})\.([0-9]{2})\.([0-9]{4})", r"\3-\2-\1"), 'ScanDate is "20'),
    ("gls", body('"parcels": ?\\[', '"parcels": [], "x": ['), "parcels is an empty list, documented is at least one entry"),
    ("gls", body('"expires_in": "', '"expires_in": "in '), 'expires_in is "in '),
    ("mondial_relay", body("<STAT>82<", "<STAT>85<"), 'STAT is "85", which is in no table'),
    ("mondial_relay", body(r"<Heure>([0-9]{2}):", r"<Heure>\1h"), 'Heure is "'),
]  # fmt: skip


def test_twenty_deviations_and_more_are_spread_over_all_carriers() -> None:
    assert len(DEVIATIONS) >= 20
    assert {carrier for carrier, _, _ in DEVIATIONS} == set(CATALOG.specs)


@pytest.mark.parametrize(
    ("carrier", "distort", "named"), DEVIATIONS, ids=[f"{c}: {n}" for c, _, n in DEVIATIONS]
)
def test_a_deviation_is_named(
    desk: Desk, carrier: str, distort: Callable[[Answer], Answer], named: str
) -> None:
    sound = desk.rehearse(carrier)
    assert "0 deviations from the documented answers." in sound.stdout, sound.stdout + sound.stderr
    desk.box.distort = distort
    done = desk.rehearse(carrier)
    assert done.returncode == 0, done.stderr
    told = done.stdout.partition("from the documented answers:")[2]
    assert named in told, done.stdout
    again = desk.carriers("reclassify", *map(str, desk.recordings))
    assert again.returncode == 0, again.stdout + again.stderr


# ---------------------------------------------------------------- what it does, and what not


def test_what_was_asked_and_came_is_shown_and_nothing_else_is_touched(desk: Desk) -> None:
    number = desk.box.example("fedex", "99", 1)
    desk.box.parcels[number] = Parcel((S.DELIVERED,))
    with closing(sqlite3.connect(desk.home / "claims.db")) as connection:
        connection.execute(
            "INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number,"
            " pod_fetch_status) VALUES ('CLM-1', 'o', 'FedEx', 'lost', 10, ?, 'pending')",
            [number],
        )
        connection.commit()
    claims = desk.rows("SELECT * FROM claims")
    done = desk.carriers("rehearse", "FedEx", "--tracking", number)
    assert done.returncode == 0, done.stderr
    assert "3 calls; no claim was touched and no attempt used." in done.stdout
    assert (
        "- trackingdocuments: POST /track/v1/trackingdocuments: HTTP 200, application/json, " in done.stdout
    )
    assert f"Read as success: {number}: " in done.stdout
    assert "signed by DUPONT" in done.stdout
    assert re.search(
        r"^Evidence: letter, fedex trackingdocuments, \d+ bytes, application/pdf, would be stored\.$",
        done.stdout,
        re.MULTILINE,
    )
    assert desk.rows("SELECT * FROM claims") == claims
    assert desk.rows("SELECT COUNT(*) FROM recours_attempts") == [(0,)]
    shown = desk.carriers().stdout
    assert re.search(r"^FedEx .*token 1/20 per hour.*3/1000 per day", shown, re.MULTILINE), shown
    assert not (desk.home / "data" / "pods").exists()


def test_the_recording_is_private(desk: Desk) -> None:
    assert desk.rehearse("chronopost").returncode == 0
    (recording,) = desk.recordings
    assert re.fullmatch(r"chronopost-\d{8}T\d{6}Z\.json", recording.name)
    if os.name != "nt":
        assert recording.stat().st_mode & 0o777 == 0o600
        assert recording.parent.stat().st_mode & 0o777 == 0o700
    text = recording.read_text(encoding="utf-8")
    for told in (SECRET, "10000001", "DUPONT", "LILLE", str(desk.home)):
        assert told not in text


@pytest.mark.parametrize(
    ("scenario", "evidence"),
    [
        (S.BROKEN_PDF, "would be refused: the PDF cannot be opened"),
        (S.POD_LATE, "Evidence: no document."),
        (S.RESET, "no answer: it broke the connection before its answer was complete"),
    ],
)
def test_an_answer_without_a_proof_is_shown_too(desk: Desk, scenario: Scenario, evidence: str) -> None:
    done = desk.rehearse("chronopost", scenario)
    assert done.returncode == 0, done.stderr
    assert evidence in done.stdout


def test_a_carrier_that_takes_no_call_is_not_asked(desk: Desk) -> None:
    number = desk.box.example("ups", "00")
    missing = desk.carriers("rehearse", "UPS", "--tracking", number, UPS_CLIENT_ID="")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "UPS has no credentials: set UPS_CLIENT_ID" in missing.stderr
    used_up = desk.carriers("rehearse", "UPS", "--tracking", number, QUOTA_UPS="0/hour")
    assert used_up.returncode != 0
    malformed = desk.carriers("rehearse", "UPS", "--tracking", "1")
    assert (malformed.returncode, malformed.stdout) == (2, "")
    unknown = desk.carriers("rehearse", "USPS", "--tracking", number)
    assert unknown.returncode == 2
    assert "there is no carrier 'USPS'" in unknown.stderr
    assert desk.box.calls == []
    assert desk.recordings == []


def test_a_used_up_quota_and_a_pause_are_told(desk: Desk) -> None:
    number = desk.box.example("ups", "00")
    assert desk.carriers("rehearse", "UPS", "--tracking", number, QUOTA_UPS="2/hour").returncode == 0
    done = desk.carriers("rehearse", "UPS", "--tracking", number, QUOTA_UPS="2/hour")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: Not tried: UPS is at its limit (2 per hour)")
    assert len(desk.recordings) == 1
    assert desk.types("pause", "UPS").returncode == 0
    paused = desk.carriers("rehearse", "UPS", "--tracking", number)
    assert (paused.returncode, paused.stdout) == (1, "")
    assert paused.stderr.startswith("Error: Not tried: UPS was paused on ")


# ---------------------------------------------------------------- recordings


def test_recordings_are_read_again_and_differences_end_with_status_1(desk: Desk) -> None:
    for scenario in (S.DELIVERED, S.NOT_OURS):
        assert desk.rehearse("chronopost", scenario).returncode == 0
    files = desk.recordings
    done = desk.carriers("reclassify", *map(str, files))
    assert done.returncode == 0, done.stderr
    assert "Chronopost: success, delivered, application/pdf\n" in done.stdout
    assert "Chronopost: access_denied, delivered\n" in done.stdout
    tree = json.loads(files[0].read_text(encoding="utf-8"))
    tree["classification"]["kind"] = "not_found"
    files[0].write_text(json.dumps(tree), encoding="utf-8")
    done = desk.carriers("reclassify", "--json", *map(str, files))
    assert done.returncode == 1
    first, second = json.loads(done.stdout)["recordings"]
    assert (first["kind"], first["recorded_kind"], first["same"]) == ("success", "not_found", False)
    assert (second["kind"], second["same"]) == ("access_denied", True)


SOUND: dict[str, object] = {
    "recording": 1,
    "carrier": "ups",
    "number": "1Z999AA10123456784",
    "options": {},
    "classification": {"kind": "success", "is_delivered": True, "document": ""},
    "calls": [{"operation": "details", "answer": {"status": 200, "headers": {}, "json": {}}, "request": {}}],
    "recorded_at": "",
}


def answered(**answer: object) -> dict[str, object]:
    return {"calls": [{"operation": "x", "answer": answer, "request": {}}]}


CHANGED: list[dict[str, object]] = [
    {"recording": 2},
    {"carrier": "usps"},
    {"carrier": ["ups"]},
    {"number": 7},
    {"carrier": "gls", "options": None},
    {"carrier": "gls", "options": {"GLS_POD": "perhaps"}},
    {"classification": {"kind": "success"}},
    {"calls": [{}]},
    answered(error="SystemExit"),
    answered(status=99, headers={}, text=""),
    answered(status=200, headers={}, base64="*"),
    answered(status=200, headers=[], text=""),
]
STRANGE = [
    b"",
    b"%PDF-1.4",
    b"\xff\xfe",
    b"[]",
    b"7",
    b'{"recording": 1}',
    json.dumps(SOUND).encode()[:-30],
    b"[" * 100_000,
]


@pytest.mark.parametrize(
    "content", [*STRANGE, *(json.dumps({**SOUND, **changed}).encode() for changed in CHANGED)]
)
def test_a_file_that_is_no_recording_is_a_sentence(desk: Desk, content: bytes) -> None:
    path = desk.home / "strange.json"
    path.write_bytes(content)
    for command in ("reclassify", "fixture"):
        done = desk.carriers(command, str(path))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"Error: {path} is no recording")


def test_a_bad_file_does_not_hide_the_good_ones(desk: Desk) -> None:
    assert desk.rehearse("ups").returncode == 0
    done = desk.carriers("reclassify", str(desk.home / "missing.json"), str(desk.recordings[0]))
    assert done.returncode == 2
    assert "missing.json cannot be read: No such file or directory" in done.stderr
    assert "UPS: success" in done.stdout


def test_a_recording_becomes_a_fixture_without_anything_of_this_machine(desk: Desk) -> None:
    assert desk.rehearse("gls").returncode == 0
    tree = json.loads(desk.recordings[0].read_text(encoding="utf-8"))
    tree["calls"][0]["answer"]["json"]["access_token"] = (
        "Maryvonne-Kerbrat"  # as a hand may have put it there
    )
    desk.recordings[0].write_text(json.dumps(tree), encoding="utf-8")
    folder = desk.home / "fixtures"
    done = desk.carriers("fixture", str(desk.recordings[0]), "--to", str(folder))
    assert done.returncode == 0, done.stderr
    assert desk.carriers("fixture", str(desk.recordings[0]), "--to", str(folder)).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["gls-success-2.json", "gls-success.json"]
    text = (folder / "gls-success.json").read_text(encoding="utf-8")
    for told in ("Maryvonne", "Kerbrat", str(desk.home), SECRET, tree["number"], tree["recorded_at"]):
        assert told not in text
    assert desk.carriers("reclassify", str(folder / "gls-success.json")).returncode == 0
