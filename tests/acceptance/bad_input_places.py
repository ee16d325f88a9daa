"""Cases: the database, the log folder and the document folder, each missing, broken, closed or full."""

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from tests.acceptance.bad_input_case import Case, case
from tests.acceptance.bad_input_world import FETCHER, FORGED, Ran, World, a_number
from tests.fakes.disk import Disk

# ---------------------------------------------------------------- the database's file


def _folder_instead(world: World) -> None:
    world.database.unlink()
    world.database.mkdir()


def _content(content: bytes) -> object:
    return lambda world: world.database.write_bytes(content)


def _cut(world: World) -> None:
    content = world.database.read_bytes()
    world.database.write_bytes(content[: len(content) // 3])


def _scribbled(world: World) -> None:
    """Keep the header, spoil every page after the first."""
    content = world.database.read_bytes()
    world.database.write_bytes(content[:4096] + b"\x5a" * (len(content) - 4096))


def _read_only_url(world: World) -> None:
    world.env["DATABASE_URL"] = f"sqlite:///{world.database}?mode=ro"
    del world.env["DATABASE_PATH"]


def _other_mode(world: World) -> None:
    world.env["DATABASE_URL"] = f"sqlite:///{world.database}?mode=frob"
    del world.env["DATABASE_PATH"]


def _foreign(*statements: str) -> object:
    """A database of the service alone, with what the statements do to it."""

    def prepare(world: World) -> None:
        world.database.unlink()
        for statement in statements:
            world.sql(statement)

    return prepare


def _modes(file_mode: int, folder_mode: int, journal: str = "DELETE") -> object:
    """A folder and a file with these modes."""

    def prepare(world: World) -> None:
        world.sql(f"PRAGMA journal_mode={journal}")
        _move(world, "place")
        _with_mode(world, world.database, file_mode)
        _with_mode(world, world.database.parent, folder_mode)

    return prepare


def _move(world: World, folder: str) -> None:
    (world.folder / folder).mkdir(exist_ok=True)
    world.database = Path(shutil.move(world.database, world.folder / folder / "claims.db"))
    world.env["DATABASE_PATH"] = str(world.database)


def _with_mode(world: World, path: Path, mode: int) -> None:
    before = path.stat().st_mode
    path.chmod(mode)
    world.undo.append(lambda: path.chmod(before))


# ---------------------------------------------------------------- what is in it

_THREE = (
    "CREATE TABLE claims (id INTEGER PRIMARY KEY, claim_reference TEXT, carrier TEXT, tracking_number TEXT)"
)


def _rebuilt_without(*columns: str) -> object:
    """The service rebuilt its table, as Alembic and Django do, and knew nothing of some columns of ours."""

    def prepare(world: World) -> None:
        with closing(sqlite3.connect(world.database)) as connection:
            names = [
                row[1] for row in connection.execute("PRAGMA table_info(claims)") if row[1] not in columns
            ]
            kept = ", ".join(names)
            connection.executescript(
                f"CREATE TABLE fresh AS SELECT {kept} FROM claims; DROP VIEW IF EXISTS recours_documents;"
                "DROP TABLE claims; ALTER TABLE fresh RENAME TO claims;"
            )

    return prepare


def _sql(*statements: str) -> object:
    def prepare(world: World) -> None:
        for statement in statements:
            world.sql(statement)

    return prepare


def _trigger(words: str) -> object:
    return _sql(f"CREATE TRIGGER t BEFORE UPDATE ON claims BEGIN SELECT RAISE(ABORT, '{words}'); END")


def _locked(world: World) -> None:
    """Another program holds the database for two minutes."""
    world.sql("PRAGMA journal_mode=DELETE")
    connection = sqlite3.connect(world.database, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(120, connection.close)
    timer.start()
    world.undo += [timer.join, timer.cancel, connection.close]


def _waited(_world: World, ran: Ran) -> None:
    assert 29 < ran.seconds < 45


def _fetched(world: World, _ran: Ran) -> None:
    assert world.one("CLM-1")["pod_fetch_status"] == "success"


def _copied_before(world: World, _ran: Ran) -> None:
    assert list(world.folder.glob("claims.db.before-recours-*"))


# ---------------------------------------------------------------- full disks


def _small_disk(folder: Path, kilobytes: int, world: World) -> Disk:
    disk = Disk(folder, kilobytes)
    world.undo.append(disk.close)
    return disk


def _full_log(world: World) -> None:
    _small_disk(world.log_dir, 64, world).fill()


def _full_pods(world: World) -> None:
    _small_disk(world.pod_dir, 64, world).fill()


def _full_database(world: World) -> None:
    disk = _small_disk(world.folder / "disk", 512, world)
    _move(world, "disk")
    disk.fill()


def _full_database_without_log(world: World) -> None:
    world.sql("PRAGMA journal_mode=DELETE")
    _full_database(world)


def _is_waiting_again(world: World, _ran: Ran) -> None:
    """Ended by the full disk, the claim is held no longer."""
    assert world.one("CLM-1")["pod_fetch_status"] == "failed"


# ---------------------------------------------------------------- folders


def _file_at(name: str) -> object:
    return lambda world: (world.folder / name).write_text("in the way")


def _folder_at(*parts: str) -> object:
    return lambda world: world.folder.joinpath(*parts).mkdir(parents=True)


def _closed(name: str) -> object:
    def prepare(world: World) -> None:
        (world.folder / name).mkdir()
        _with_mode(world, world.folder / name, 0o555)

    return prepare


DATABASE = [
    case("the database is a folder", 1, "cannot be opened; check that the file exists", prepare=_folder_instead),
    case("the database is a letter", 1, "is not a SQLite database; check DATABASE_PATH",
         prepare=_content(b"Dear Sir or Madam, " * 200)),
    case("the database is empty", 1, "has no table 'claims'", "recours init-db", prepare=_content(b"")),
    case("the database is cut off", 1, "is damaged; restore it from a back-up", prepare=_cut),
    case("the database's pages are spoilt", 1, "is damaged; restore it from a back-up", prepare=_scribbled),
    case("the database is read-only", 1, "is read-only; give the user of this job the right", prepare=_read_only_url),
    case("a mode that is none", 1, "cannot be used: no such access mode: frob", prepare=_other_mode),
    case("the database's file is read-only", 1, "is read-only; give the user of this job the right",
         prepare=_modes(0o444, 0o755), modes_bind=True),
    case("the database's folder is read-only", 1, "is read-only; give the user of this job the right", prepare=_modes(0o644, 0o555),
         modes_bind=True),
    case("the database's file is closed", 1, "cannot be opened; check that the file exists and that this user may read",
         prepare=_modes(0o000, 0o755), modes_bind=True),
    case("the database's folder is closed", 1, "The database", "this user may read", prepare=_modes(0o644, 0o000),
         modes_bind=True),
    case("the database is locked", 1, "is locked by another program; waited 30 s", prepare=_locked, check=_waited,
         seconds=60, full=True),
    case("the database's disk is full", 1, "cannot be written: the disk is full",
         prepare=_full_database_without_log),
    case("the database's disk is full, write-ahead log", 1, "cannot be read or written: the disk reports an error",
         prepare=_full_database),
    case("no table of claims", 1, "has no table 'claims'", "recours init-db", prepare=_foreign("CREATE TABLE x (y)")),
    case("claims without the needed columns", 1, "has no column(s) claim_reference, carrier, tracking_number",
         prepare=_foreign("CREATE TABLE claims (id INTEGER PRIMARY KEY, amount REAL)")),
    case("claims without an id", 1, "has no column(s) id",
         prepare=_foreign("CREATE TABLE claims (claim_reference, carrier, tracking_number)")),
    case("claims is a view", 1, "claims", prepare=_foreign(_THREE.replace("claims", "rows"),
                                                           "CREATE VIEW claims AS SELECT * FROM rows")),
    case("claims without the optional columns", 0, "No failed PODs eligible for retry", prepare=_foreign(_THREE)),
    case("no database is named, and data is a file", 1, "cannot be created", copied=True, env={"DATABASE_PATH": None},
         prepare=lambda w: ((w.root / "data").write_text("x"), w.undo.append((w.root / "data").unlink))),
    case("no database is named", 0, "No DATABASE_URL or DATABASE_PATH is set: the embedded database", copied=True,
         env={"DATABASE_PATH": None}, prepare=lambda w: w.undo.append(lambda: shutil.rmtree(w.root / "data"))),
    case("a trigger that refuses", 1, "cannot be used: claims are frozen today", prepare=_trigger("claims are frozen today")),
    case("a trigger that forges a line", 1, "cannot be used: ", prepare=_trigger(f"no\n{FORGED}\x1b[2J")),
    case("a trigger that refuses, in the first run", 1, "cannot be used: frozen", prepare=_foreign(
        _THREE, "ALTER TABLE claims ADD COLUMN pod_fetch_status TEXT",
        "INSERT INTO claims VALUES (1, 'CLM-1', 'Chronopost', 'x', 'failed')",
        "CREATE TRIGGER t BEFORE UPDATE ON claims BEGIN SELECT RAISE(ABORT, 'frozen'); END")),
    case("a view that is broken", 0, "SUCCESS", calls=True, check=_fetched,
         prepare=_sql("CREATE VIEW broken AS SELECT x FROM nowhere")),
    case("a schema of another version", 2, "has the schema 0099 of another version of recours", prepare=_sql(
        "UPDATE recours_schema_version SET version_num = '0099'")),
    case("a version table of another shape", 1, "cannot be used: ", prepare=_sql(
        "DROP TABLE recours_schema_version", "CREATE TABLE recours_schema_version (x)")),
    case("our record of versions is lost", 0, "SUCCESS", prepare=_sql("DROP TABLE recours_schema_version"), calls=True,
         check=_fetched),
    case("a table of ours is lost", 1, "cannot be used: no such table: recours_runs",
         prepare=_sql("DROP TABLE recours_runs")),
    case("columns of ours are lost", 1, "claims has no pod_stage, pod_seen_count: someone removed them",
         prepare=_rebuilt_without("pod_stage", "pod_seen_count")),
    case("a column of the service is lost", 1, "claims has no pod_url: someone removed them",
         prepare=_sql("ALTER TABLE claims DROP COLUMN pod_url")),
    case("a pause that cannot be read", 0, "SUCCESS", prepare=_sql(
        "INSERT INTO recours_carriers (carrier, paused_until) VALUES ('chronopost', 'tomorrow')"),
        calls=True, check=_fetched),
    case("a pause of our account that cannot be read", 0, "SUCCESS", prepare=_sql(
        "INSERT INTO recours_account_state (carrier, account_id, paused_until, refusals)"
        " VALUES ('chronopost', 0, 'tomorrow', 0)"),
        calls=True, check=_fetched),
    case("a run whose beginning cannot be read", 0, "SUCCESS", prepare=_sql(
        "INSERT INTO recours_runs (id, worker, started_at) VALUES ('x', 'pod_retry_scheduler', 'yesterday')"),
        calls=True, check=_fetched),
    case("the fetch worker's database is a letter", 1, "is not a SQLite database", worker=FETCHER,
         prepare=_content(b"Dear Sir or Madam, " * 200)),
    case("a dry run on a letter", 1, "is not a SQLite database", options=("--dry-run",),
         prepare=_content(b"Dear Sir or Madam, " * 200)),
]  # fmt: skip

FOLDERS = [
    case("a file in place of the log folder", 1, "The log cannot be written in", "set RECOURS_LOG_DIR", logged=False,
         prepare=_file_at("logs")),
    case("a folder in place of the log", 1, "The log cannot be written in", logged=False,
         prepare=_folder_at("logs", "pod_retry_scheduler.log")),
    case("the log folder is closed", 1, "The log cannot be written in", "Permission denied", logged=False,
         prepare=_closed("logs"), modes_bind=True),
    case("the log's disk is full", 1, "could not be written: No space left on device", logged=False, calls=True,
         prepare=_full_log, check=_fetched),
    case("the log folder is closed, and an option is bad", 2, "'--batch-size'", logged=False, prepare=_file_at("logs"),
         options=("--batch-size", "0")),
    case("a log folder of 5,000 signs", 1, "The log cannot be written in", logged=False,
         env={"RECOURS_LOG_DIR": "/" + "x" * 5000}),
    case("a log folder in the home of nobody", 2, "RECOURS_LOG_DIR", logged=False,
         env={"RECOURS_LOG_DIR": "~nobody-of-that-name/logs"}),
    case("a file in place of the document folder", 1, "Documents cannot be stored in", "File exists",
         "No carrier is called before that is mended", prepare=_file_at("pods")),
    case("the document folder is closed", 1, "Documents cannot be stored in", "Permission denied",
         prepare=_closed("pods"), modes_bind=True),
    case("the documents' disk is full", 1, "Documents cannot be stored in", "No space left on device",
         prepare=_full_pods),
    case("a file in place of the carrier's folder", 1, "Documents cannot be stored in", calls=True,
         prepare=lambda w: (w.pod_dir.mkdir(), (w.pod_dir / "chronopost").write_text("x"))),
    case("a document folder of 5,000 signs", 1, "Documents cannot be stored in",
         env={"RECOURS_POD_DIR": "/" + "x" * 5000}),
]  # fmt: skip


def first_claim(world: World) -> None:
    """A failed claim that is due, whose parcel is delivered."""
    world.claim("CLM-1", a_number())


CASES: list[Case] = [*DATABASE, *FOLDERS]
