"""Access to files that recours creates: only its user, or also a group; existing files keep their permissions."""

import grp
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.core.claim import Delivery
from recours.core.errors import RunError
from recours.core.outcome import Label, Retrieved
from recours.database.schema.creation import create_file
from recours.evidence.store import DocumentStore
from recours.host import logs
from recours.host.files import PRIVATE, Access, environment_of_others, exists, open_to_all, read_regular
from recours.sandbox.documents import proof_pdf
from recours.scheduling.systems import run
from recours.settings.model import SETTINGS
from tests.needs import missing

# A group other than this user's primary group; root may use any.
GROUP = "daemon"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True, params=[0o022, 0o000, 0o077])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def shared() -> Access:
    if os.geteuid():
        missing("only root may give files to any group")
    return Access(GROUP)


def everything_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def store_one(folder: Path, access: Access) -> None:
    store = DocumentStore(folder, access)
    store.prepare()
    content = proof_pdf("UPS", "XY1", "Durand", datetime(2026, 2, 2, tzinfo=UTC))
    store.store(Label("ups", 1, "CLM-1", "XY1"), Retrieved.single(content, Delivery(None, None), "test"))


def log_one(folder: Path, access: Access) -> None:
    log = logs.set_up(logs.LogFile(folder / "x.log", 200, 2, access=access), quiet=True)
    for n in range(20):
        logs.run_log().error(f"line {n}")
    log.close()


def make_database(folder: Path, access: Access) -> None:
    create_file(folder / "recours.db", access)
    with closing(sqlite3.connect(folder / "recours.db")) as connection:
        connection.execute("INSERT INTO system_settings VALUES ('a', 'b')")
        connection.commit()
        assert {path.name for path in folder.glob("*-*")} == {"recours.db-wal", "recours.db-shm"}
        check_rights(folder, access)  # the files beside it exist while it is open


MAKERS: list[Callable[[Path, Access], None]] = [store_one, log_one, make_database]


def check_rights(folder: Path, access: Access) -> None:
    for path in [folder, folder.parent, *everything_below(folder)]:
        wanted = (0o2750, 0o640) if access.group else (0o700, 0o600)
        assert mode(path) == wanted[path.is_file()], path
        if access.group:
            assert path.stat().st_gid == grp.getgrnam(GROUP).gr_gid, path


@pytest.mark.parametrize("make", MAKERS)
def test_nobody_else_may_read_new_files(make: Callable[[Path, Access], None], tmp_path: Path) -> None:
    make(tmp_path / "new" / "folder", PRIVATE)
    assert len(everything_below(tmp_path / "new")) > 1
    check_rights(tmp_path / "new" / "folder", PRIVATE)


@pytest.mark.parametrize("make", MAKERS)
def test_a_configured_group_may_read_new_files(
    make: Callable[[Path, Access], None], shared: Access, tmp_path: Path
) -> None:
    make(tmp_path / "new" / "folder", shared)
    check_rights(tmp_path / "new" / "folder", shared)


def test_existing_files_keep_their_permissions(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    folder.chmod(0o755)
    for name in ("x.log", ".__x.lock"):
        (folder / name).touch()
        (folder / name).chmod(0o644)
    log = logs.set_up(logs.LogFile(folder / "x.log"), quiet=True)
    logs.run_log().error("line")
    log.close()
    assert (mode(folder), mode(folder / "x.log"), mode(folder / ".__x.lock")) == (0o755, 0o644, 0o644)


def test_a_missing_group_is_reported_before_a_carrier_is_called(tmp_path: Path) -> None:
    words = r"the group 'no-such-group' does not exist \(RECOURS_SHARED_GROUP\)"
    for folder in (tmp_path / "pods", tmp_path):  # a new one, an existing one
        with pytest.raises(RunError, match=f"Documents cannot be stored in .*: {words}"):
            DocumentStore(folder, Access("no-such-group")).prepare()
    with pytest.raises(RunError, match=f"Cannot write the log in .*: {words}"):
        logs.set_up(logs.LogFile(tmp_path / "logs" / "x.log", access=Access("no-such-group")), quiet=True)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that others may enter, with all its parents."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_the_first_world_readable_file_is_found(public: Path) -> None:
    (public / "kept").mkdir()
    for name, right in (("kept/secret", 0o644), ("own", 0o600), ("open", 0o604)):
        (public / name).write_text("Durand")
        (public / name).chmod(right)
    (public / "empty").touch()
    (public / "empty").chmod(0o644)
    (public / "kept").chmod(0o700)
    (public / "round").symlink_to(public)
    assert open_to_all(public) == public / "open"
    assert open_to_all(public / "open") == public / "open"
    (public / "open").chmod(0o640)
    assert open_to_all(public) is None
    (public / "kept").chmod(0o755)
    assert open_to_all(public) == public / "kept" / "secret"
    public.chmod(0o700)
    assert open_to_all(public) is None
    assert open_to_all(public / "kept") is None
    assert open_to_all(public / "none") is None


def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="it is a pipe or a device; name a regular file"):
            read_regular(path, 9)
    (tmp_path / "file").write_bytes(b"more than that")
    assert read_regular(tmp_path / "file", 4) == b"more"


def test_a_path_that_cannot_be_examined_is_not_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [exists(tmp_path / name) for name in ("file", "none", "file/none", "\0")] == [
        True,
        False,
        False,
        False,
    ]
    with pytest.raises(OSError, match="File name too long"):
        exists(tmp_path / ("a" * 300))


def test_other_programs_see_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secrets from the settings, and no similar names; but the variables that the programs need."""
    of_carriers = (name for spec in CATALOG.specs.values() for name in spec.credential_names)
    secrets = [*(row.name for row in SETTINGS.values() if row.is_secret), *of_carriers, "RECOURS_PAGE_TOKEN"]
    needed = ["PATH", "HOME", "USER", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "PGPASSWORD", "PGSSLKEY", "PGUSER"]
    for name in (*secrets, *needed):
        monkeypatch.setenv(name, "planted")
    environment = environment_of_others()
    assert not environment.keys() & set(secrets)
    assert environment.keys() >= set(needed)


def test_a_program_is_run_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHRONOPOST_PASSWORD", "planted")
    assert b"LC_ALL=C" in (seen := run(["env"]).out)
    assert b"planted" not in seen
