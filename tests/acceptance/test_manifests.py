"""Manifests, written by runs and verified by `recours verify`: every later change is reported."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL

from recours.database.engine import Database
from recours.database.evidence import DatabaseCustody
from recours.database.schema.inspection import inspect_schema
from recours.evidence.verification import Verification
from recours.mail.service import MailService
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person, QuickPerson
from tests.acceptance.simulation import Service
from tests.conftest import START, Kind
from tests.rows import row


def store(service: Service) -> None:
    """Two runs that store three and two documents."""
    for count in (3, 2):
        for _ in range(count):
            service.add(Scenario.DELIVERED)
        assert service.run(concurrency=1).stats.success == count


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Kind], tuple[Path, URL]]]:
    """The folder and database of a service after its two runs; `original` beside it is a copy of the folder."""
    copies: dict[Kind, tuple[Path, URL]] = {}

    def original(kind: Kind) -> tuple[Path, URL]:
        if kind not in copies:
            folder = tmp_path_factory.mktemp("custody") / "service"
            folder.mkdir()
            url = kind.ready(folder.parent)
            clock = SimulatedClock(START)
            with (
                Sandbox(now=clock.now) as box,
                closing(
                    Service(folder, box, clock, url=url.render_as_string(hide_password=False))
                ) as service,
            ):
                store(service)
            folder.rename(folder.with_name("original"))
            copies[kind] = (folder, url)
        return copies[kind]

    yield original
    for kind, (_, url) in copies.items():
        kind.drop(url)


@pytest.fixture
def copied(
    kind: Kind,
    originals: Callable[[Kind], tuple[Path, URL]],
    sandbox: Sandbox,
    clock: SimulatedClock,
) -> Iterator[Service]:
    """A copy of the originals in the same folder, because rows and manifests name its paths."""
    folder, original = originals(kind)
    shutil.copytree(folder.with_name("original"), folder)
    url = kind.copy(original, folder)
    service = Service(folder, sandbox, clock, url=url.render_as_string(hide_password=False))
    service.count = 5
    yield service
    service.close()
    kind.drop(url)
    shutil.rmtree(folder)


@pytest.fixture
def person(copied: Service) -> Person:
    return QuickPerson.of(copied, copied.environment["DATABASE_URL"])


def pods(service: Service) -> Path:
    return service.settings.pod_dir


def files(service: Service) -> list[Path]:
    return [Path(path) for (path,) in service.sql("SELECT path FROM recours_evidence ORDER BY id")]


def manifests(service: Service) -> list[Path]:
    return [pods(service) / path for (path,) in service.sql("SELECT path FROM recours_manifests ORDER BY id")]


def problems_of(service: Service, *claim_ids: int) -> list[str]:
    problems: list[str] = []
    with closing(Database(service.settings.database_url)) as database:
        Verification(DatabaseCustody(database, pods(service)), problems.append, claim_ids=claim_ids).run()
    return problems


def assert_problems_contain(problems: list[str], *texts: str) -> None:
    assert len(problems) == len(texts), problems
    for problem, text in zip(problems, texts, strict=True):
        assert text in problem


def test_a_run_lists_its_files_in_a_manifest(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    store(service)
    first, second = manifests(service)
    ((run,), _) = service.sql("SELECT run_id FROM recours_manifests ORDER BY id")
    assert first.name == f"000001-{run}.txt"
    assert first.parent == pods(service) / "manifests" / "2026" / "02"
    head, lines = first.read_text().splitlines()[:4], first.read_text().splitlines()[4:]
    assert head[:3] == ["# recours manifest 1", f"# run {run}", f"# previous {'0' * 64}"]
    assert lines[::2] == [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(pods(service)).as_posix()}"
        for path in files(service)[:3]
    ]
    names = [line.partition("  ")[2] for line in lines]
    assert names[::2] == names[1::2], "each is followed by the digest of its row"
    assert all(line.startswith("# record ") for line in lines[1::2])
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    assert second.read_text().splitlines()[2] == f"# previous {digest}"
    assert f"Manifest 000001 of 3 files: sha256 {digest}" in caplog.messages


def test_a_run_without_a_document_writes_no_manifest(service: Service) -> None:
    service.add(Scenario.UNKNOWN)
    service.run()
    assert manifests(service) == []


def test_all_is_well(copied: Service, person: Person) -> None:
    printed = person.does("verify")
    last = manifests(copied)[-1]
    digest = hashlib.sha256(last.read_bytes()).hexdigest()
    assert f"The SHA-256 of manifest 2, the last one, is {digest}" in printed
    assert "5 files read" in printed
    assert "No evidence was changed, deleted or added." in printed
    facts = person.json("verify", "CLM-0002")
    assert (facts["files"], facts["manifests"], facts["problems"]) == (1, 2, [])
    path = files(copied)[2]
    path.unlink()
    done = person.types("verify")
    assert done.returncode == 1
    assert f"! CLM-0003: the file {path} is missing. Restore it from a backup" in done.stdout
    assert "1 problem." in done.stdout


COPY_OF_1 = (
    "INSERT INTO recours_evidence (claim_id, carrier, tracking_number, kind, source, obtained_at, path, sha256, size,"
    ' media_type, shown, run_id, "by", manifest_id) SELECT 9, carrier, tracking_number, kind, source, obtained_at, path, {},'
    " size, media_type, shown, {}, {}, {} FROM recours_evidence WHERE claim_id = 1"
)
ERASURE_OF_4 = (
    'INSERT INTO recours_erasures (sha256, path, erased_at, "by", manifest_id)'
    " SELECT sha256, path, '2026-02-02 10:00:00', 'Anna', {} FROM recours_evidence WHERE claim_id = 4"
)
NO_4 = "DELETE FROM recours_evidence WHERE claim_id = 4"
OTHER = f"'{'a' * 64}'"
FORGED = "/chronopost/aa/aa/forged_aaaaaaaaaaaaaaaa.pdf"
NOT_NAMED, NO_ROW, ROW = (
    "no manifest matches the row",
    "No row exists for 1 file listed in manifests",
    "differs from its manifest",
)
DIFFERENT, NO_ORIGIN, STRAY = (
    "name different proofs",
    "no recorded run or person",
    "No row exists for the file",
)
# Changes of the database ({pods}: the folder), and the expected reports.
TOUCHED = {
    "a row deleted": (NO_4, [NO_ROW]),
    "a row added": (COPY_OF_1.format(OTHER, "run_id", "NULL", 1), ["id 9: no manifest matches", "id 9: the file"]),
    "a row of no manifest": (COPY_OF_1.format(OTHER, "run_id", "NULL", 7), [NOT_NAMED, "was changed"]),
    "a row of a made-up run": (COPY_OF_1.format("sha256", "'f00'", "NULL", "NULL"), [NO_ORIGIN]),
    "a row of a made-up person": (COPY_OF_1.format("sha256", "NULL", "'Anna'", "NULL"), [NO_ORIGIN]),
    "a run deleted": ("DELETE FROM recours_runs WHERE started_at = (SELECT min(started_at) FROM recours_runs)", [NO_ORIGIN]),
    "all runs deleted": ("DELETE FROM recours_runs", [NO_ORIGIN]),
    "a hash changed": (f"UPDATE recours_evidence SET sha256 = {OTHER} WHERE claim_id = 4", [NOT_NAMED, "CLM-0004: the file", NO_ROW, DIFFERENT]),
    "a path changed": ("UPDATE recours_evidence SET path = '/etc/passwd' WHERE claim_id = 4", [NOT_NAMED, "it is outside", NO_ROW]),
    "a row that no manifest lists yet": (
        f"UPDATE recours_evidence SET sha256 = {OTHER}, manifest_id = NULL WHERE claim_id = 4", ["was changed", NO_ROW],
    ),
    "a row deleted, with an erasure of another manifest": (f"{ERASURE_OF_4.format(9)};{NO_4}", ["Erased file: no manifest matches", DIFFERENT]),
    "a row deleted, with an erasure": (f"{ERASURE_OF_4.format('NULL')};{NO_4}", [DIFFERENT]),
    "a row and its attempt deleted, with an erasure": (
        f"{ERASURE_OF_4.format('NULL')};{NO_4};DELETE FROM recours_attempts WHERE claim_id = 4", [STRAY, "no proof is recorded"],
    ),
    "an erasure": (ERASURE_OF_4.format("NULL"), ["is recorded as erased but still has a row"]),
    "an erasure of a manifest": (ERASURE_OF_4.format(2), ["Erased file: no manifest matches"]),
    "a signatory": ("UPDATE recours_evidence SET signatory = 'X' WHERE claim_id = 4", [ROW, DIFFERENT]),
    "a signatory everywhere": (
        "UPDATE recours_evidence SET signatory = 'X' WHERE claim_id = 4;UPDATE claims SET pod_delivery_person = 'X' WHERE id = 4;"
        "UPDATE recours_attempts SET signatory = 'X' WHERE claim_id = 4", [ROW],
    ),
    "what is shown": ("UPDATE recours_evidence SET shown = '{{\"is_readable\": true, \"signatory\": \"X\"}}' WHERE claim_id = 4", [ROW]),
    "when it was delivered": ("UPDATE recours_evidence SET delivered_at = '2026-01-01 10:00:00' WHERE claim_id = 4", [ROW, DIFFERENT]),
    "the day of delivery": ("UPDATE recours_evidence SET delivered_day = '2026-01-01' WHERE claim_id = 4", [ROW, DIFFERENT]),
    "who attached it": ("UPDATE recours_evidence SET \"by\" = 'X' WHERE claim_id = 4", [ROW, NO_ORIGIN]),
    "where it is from": ("UPDATE recours_evidence SET source = 'X' WHERE claim_id = 4", [ROW]),
    "whose it is": ("UPDATE recours_evidence SET claim_id = 9 WHERE claim_id = 4", [ROW, DIFFERENT]),
    "that it is refused": ("UPDATE recours_evidence SET refused = 'it is blank' WHERE claim_id = 4", [ROW]),
    "a signatory of an attempt": ("UPDATE recours_attempts SET signatory = 'X' WHERE claim_id = 4", [DIFFERENT]),
    "a time of an attempt": ("UPDATE recours_attempts SET delivered_at = '2026-01-01 10:00:00' WHERE claim_id = 4", [DIFFERENT]),
    "no document of an attempt": (
        "UPDATE recours_attempts SET document_path = NULL, document_sha256 = NULL WHERE claim_id = 4", ["names no proof", "no proof is recorded"],
    ),
    "another document of an attempt": (f"UPDATE recours_attempts SET document_sha256 = {OTHER} WHERE claim_id = 4", [DIFFERENT]),
    "a forged proof": ("UPDATE claims SET pod_url = '{pods}" + FORGED + "' WHERE id = 4", ["CLM-0004: pod_url is"]),
    "a proof that is elsewhere": ("UPDATE claims SET pod_url = '/tmp/forged.pdf' WHERE id = 4", ["CLM-0004: pod_url is"]),
    "another claim's proof": (
        "UPDATE claims SET pod_url = (SELECT path FROM recours_evidence WHERE claim_id = 1) WHERE id = 4", ["CLM-0004: pod_url is"],
    ),
    "no proof": ("UPDATE claims SET pod_url = NULL WHERE id = 4", ["CLM-0004: pod_url is empty"]),
    "who signed": ("UPDATE claims SET pod_delivery_person = 'X' WHERE id = 4", ["CLM-0004: pod_delivery_person"]),
    "a manifest's hash": (f"UPDATE recours_manifests SET sha256 = {OTHER} WHERE id = 1",
                          ["Manifest 1 was changed", "Manifest 2 does not follow manifest 1"]),
    "a manifest's row": ("DELETE FROM recours_manifests WHERE id = 1", ["Manifest 2 does not follow manifest 0", NOT_NAMED]),
    "a manifest's number": ("UPDATE recours_manifests SET id = 0 WHERE id = 1", ["Manifest 2 does not follow manifest 0", NOT_NAMED]),
    "a manifest's path": ("UPDATE recours_manifests SET path = '../x' WHERE id = 2", ["Manifest 2 cannot be read (it is outside"]),
    "a manifest's long path": (f"UPDATE recours_manifests SET path = '{'x' * 5000}' WHERE id = 2", ["Manifest 2 cannot be read", "The timestamp of manifest 2"]),
}  # fmt: skip


TABLES = (
    "claims",
    "recours_evidence",
    "recours_attempts",
    "recours_erasures",
    "recours_manifests",
    "recours_runs",
)


def problems_after(service: Service, statements: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """The reports after each of these changes to the current database."""
    for table in TABLES:
        service.sql(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
    with closing(Database(service.settings.database_url)) as database:
        custody = DatabaseCustody(database, pods(service))
        for what, statement in statements.items():
            for part in statement.split(";"):
                service.sql(part)
            problems: list[str] = []
            Verification(custody, problems.append).run()
            yield what, problems
            for table in TABLES:
                service.sql(f"DELETE FROM {table}")
                service.sql(f"INSERT INTO {table} SELECT * FROM kept_{table}")
    assert problems_of(service) == []


def test_every_change_to_the_database_is_reported(copied: Service) -> None:
    statements = {
        what: statement.replace("{{", "{").replace("}}", "}").replace("{pods}", str(pods(copied)))
        for what, (statement, _) in TOUCHED.items()
    }
    for what, problems in problems_after(copied, statements):
        with row(what):
            for text in TOUCHED[what][1]:
                assert any(text in problem for problem in problems), problems


def add_stray(path: Path) -> None:
    """Add a file beside it, with a name that recours could have chosen."""
    content = b"%PDF-1.4 forged"
    digest = hashlib.sha256(content).hexdigest()
    place = path.parents[2] / digest[:2] / digest[2:4] / f"CLM-0003_3_XY000000003FR_{digest[:16]}.pdf"
    place.parent.mkdir(parents=True)
    place.write_bytes(content)


def put_link(path: Path) -> None:
    """Replace it with a link to an unchanged copy."""
    copy = path.with_name("copy.pdf")
    path.rename(copy)
    path.symlink_to(copy)


@pytest.mark.parametrize(
    ("touch", "expected"),
    [(add_stray, STRAY), (put_link, "CLM-0003: the file {path} cannot be read (its path contains a link)")],
)
def test_a_replaced_file_is_reported(copied: Service, touch: Callable[[Path], None], expected: str) -> None:
    path = files(copied)[2]
    touch(path)
    assert any(expected.format(path=path) in problem for problem in problems_of(copied))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def make_pipe(path: Path) -> None:
    """Replace it with a pipe; opening the pipe for reading would block."""
    path.unlink()
    os.mkfifo(path)


TOUCHES: list[tuple[Callable[[Path], object], str]] = [
    (flip, "was changed"),
    (Path.unlink, "is missing"),
    (lambda path: path.write_bytes(path.read_bytes() + b"\n"), "was changed"),
    (make_pipe, "cannot be read"),
]


@pytest.mark.parametrize(("touch", "expected"), TOUCHES)
def test_every_change_to_a_file_is_reported(
    copied: Service, touch: Callable[[Path], object], expected: str
) -> None:
    touch(files(copied)[2])
    path = files(copied)[2]
    assert_problems_contain(problems_of(copied), f"CLM-0003: the file {path} {expected}")
    assert problems_of(copied, 3) == [one for one in problems_of(copied) if STRAY not in one]
    assert problems_of(copied, 1) == []
    touch(manifests(copied)[1])
    assert f"Manifest 2 {expected}" in problems_of(copied)[-1]


def test_a_manifest_replaced_together_with_its_row_does_not_match_the_next(copied: Service) -> None:
    first = manifests(copied)[0]
    first.write_text(first.read_text().replace("# written 2026", "# written 2025"))
    copied.sql(
        "UPDATE recours_manifests SET sha256 = ? WHERE id = 1", hashlib.sha256(first.read_bytes()).hexdigest()
    )
    assert_problems_contain(problems_of(copied), "Manifest 2 does not follow manifest 1")


def test_the_next_manifest_lists_erased_files(copied: Service, person: Person) -> None:
    lines = manifests(copied)[0].read_text().splitlines()[4::2]
    copied.clock.advance(timedelta(days=100))
    copied.add(Scenario.DELIVERED)
    copied.run()
    day = (copied.clock.now() - timedelta(days=1)).isoformat()
    person.does("prune", "--older-than", day, "--yes")
    last = manifests(copied)[-1]
    assert last.name == "000004-prune.txt"
    erased = last.read_text().splitlines()[4:]
    assert erased[:6:2] == [f"# erased {line}" for line in lines]
    assert len(erased) == 10
    assert {by for (by,) in copied.sql('SELECT "by" FROM recours_erasures')}.isdisjoint({"", "recours prune"})
    facts = person.json("verify")
    assert (facts["manifests"], facts["files"]) == (4, 1)


def test_files_erased_by_a_killed_prune_are_not_reported_as_missing(copied: Service) -> None:
    """The killed prune could not write a manifest."""
    files(copied)[3].unlink()
    copied.sql(ERASURE_OF_4.format("NULL"))
    for table in ("evidence", "attempts"):
        copied.sql(f"DELETE FROM recours_{table} WHERE claim_id = 4")
    copied.sql("UPDATE claims SET pod_url = NULL, pod_delivery_person = NULL WHERE id = 4")
    assert problems_of(copied) == []


def test_a_claim_restarted_by_the_service_is_not_a_problem(copied: Service) -> None:
    copied.sql(
        "UPDATE claims SET pod_fetch_status = 'pending', pod_url = NULL, pod_delivery_person = NULL WHERE id = 4"
    )
    assert problems_of(copied) == []


def test_a_manifest_that_cannot_be_written_fails_no_run_and_the_next_run_writes_it(
    service: Service, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    service.add(Scenario.DELIVERED)
    obstacle = pods(service) / "manifests"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_text("a file where the folder should be")
    assert service.run().exit_status == 0
    assert any(message.startswith("No manifest could be written in ") for message in caplog.messages)
    assert manifests(service) == []
    assert "1 of them will be added to the next run's manifest" in QuickPerson.of(service, url).does("verify")
    obstacle.unlink()
    service.run()
    assert len(manifests(service)[0].read_text().splitlines()) == 6


def test_the_weekly_report_has_the_last_hash(copied: Service) -> None:
    digest = hashlib.sha256(manifests(copied)[-1].read_bytes()).hexdigest()
    with closing(Database(copied.settings.database_url)) as database:
        mails = MailService(copied.settings, database, inspect_schema(database), copied.clock, "a test")
        report = mails.report(date(2026, 1, 26))
        for language in ("fr", "en"):
            with row(language):
                mail = mails.rendered(report, language)
                assert digest in mail.plain
                assert digest in mail.html


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_backup_contains_the_manifests_and_a_restored_copy_is_verified(
    copied: Service, person: Person, tmp_path: Path
) -> None:
    person.does("backup", str(tmp_path / "backups"))
    (copies,) = (tmp_path / "backups").iterdir()
    first, *others = files(copied)
    flip(first)
    for path in (*others, *manifests(copied)):
        path.unlink()
    copied.sql("DELETE FROM recours_manifests")
    assert len(problems_of(copied)) > 5
    person.does("restore", str(copies))
    assert_problems_contain(problems_of(copied), "CLM-0001: the file")  # no existing file is overwritten
    first.unlink()
    person.does("restore", str(copies))
    assert problems_of(copied) == []
    assert person.json("verify")["manifests"] == 2


# ---------------------------------------------------------------- by the present rules


def test_proofs_that_this_version_would_refuse_are_listed_and_not_changed(
    copied: Service, person: Person
) -> None:
    assert "5 proofs examined; the current rules would refuse 0." in person.does("verify", "--appraise")
    # Accepted by earlier rules, although it belongs to another parcel.
    path = files(copied)[2]
    path.write_bytes(files(copied)[0].read_bytes())
    before = copied.sql("SELECT * FROM recours_evidence")
    done = person.types("verify", "--appraise")
    assert (done.returncode, f"! CLM-0003: {path} would be refused today: " in done.stdout) == (1, True)
    assert "another parcel's number" in done.stdout
    assert "5 proofs examined; the current rules would refuse 1." in done.stdout
    assert person.json("verify", "--appraise", "CLM-0001") == {"files": 1, "problems": []}
    assert copied.sql("SELECT * FROM recours_evidence") == before
