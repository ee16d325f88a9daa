"""Backups of a PostgreSQL that falls silent: they end with a sentence, and one that is only slow goes on."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from recours.backup.folder import BackupError, Copied
from recours.backup.postgres import Deadlines, DumpWatch, copy, restore_into
from recours.database.engine import Database
from tests.conftest import Kind
from tests.fakes.proxy import Proxy

# Quiet for longer than the programs take to start: what asks the server then must not be caught by the freeze itself.
SOON = Deadlines(quiet=1.5, stuck=3.0)


@pytest.fixture
def postgres(kinds: Callable[[str], Kind]) -> Kind:
    return kinds("postgresql")


@pytest.fixture
def server_url(postgres: Kind, tmp_path: Path, add_claims: Callable[..., None]) -> Iterator[URL]:
    url = postgres.ready(tmp_path)
    database = Database(url)
    add_claims(database, [{}] * 30)
    database.close()
    yield url
    postgres.drop(url)


@pytest.fixture
def opened() -> Iterator[Callable[[URL], Database]]:
    made: list[Database] = []

    def at(url: URL) -> Database:
        made.append(Database(url))
        return made[-1]

    yield at
    for database in made:
        database.close()


@pytest.fixture
def dump(server_url: URL, tmp_path: Path, opened: Callable[[URL], Database]) -> Path:
    path = tmp_path / "whole.dump"
    copy(opened(server_url), path)
    return path


def frozen_at(word: bytes, *, new_ones_too: bool) -> Callable[[URL], tuple[Proxy, URL]]:
    """A proxy that freezes when the program is about to send this; or only the connections that it has by then."""

    def before(url: URL) -> tuple[Proxy, URL]:
        def freezes(sent: bytes) -> bool:
            if word in sent:
                proxy.freeze(new_ones_too=new_ones_too)
            return False

        proxy = Proxy(url.port or 0, freezes)
        return proxy, url.set(port=proxy.port)

    return before


SILENT = pytest.mark.parametrize(
    ("new_ones_too", "says"),
    [(True, "the server does not answer any more"), (False, "though it answers others")],
    ids=["the server", "the connection"],
)


@pytest.mark.sample("more cases of the same test, each around processes")
@SILENT
def test_a_dump_ends_when_the_server_falls_silent(
    server_url: URL, tmp_path: Path, opened: Callable[[URL], Database], new_ones_too: bool, says: str
) -> None:
    proxy, url = frozen_at(b"COPY public.claims", new_ones_too=new_ones_too)(server_url)
    with proxy, pytest.raises(BackupError, match=f"{says}.*No backup was made"):
        copy(opened(url), tmp_path / "dump", SOON)


@pytest.mark.sample("more cases of the same test, each around processes")
@SILENT
def test_a_restore_ends_when_the_server_falls_silent(
    postgres: Kind,
    dump: Path,
    tmp_path: Path,
    opened: Callable[[URL], Database],
    new_ones_too: bool,
    says: str,
) -> None:
    empty = postgres.empty(tmp_path)
    proxy, url = frozen_at(b"COPY public.claims", new_ones_too=new_ones_too)(empty)
    with proxy, pytest.raises(BackupError, match=f"{says}.*Most likely the database is still empty"):
        restore_into(opened(url), dump, SOON)
    postgres.drop(empty)


def test_a_dump_that_the_server_works_for_is_waited_for(
    server_url: URL, tmp_path: Path, opened: Callable[[URL], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for another program's lock, for longer than one that is stuck is waited for.

    And is of the moment at which it began: what that program writes meanwhile is neither in it nor counted.
    """
    holder = opened(server_url)
    looked = threading.Semaphore(0)
    look = DumpWatch._look

    def counted(watch: DumpWatch) -> object:
        found = look(watch)
        looked.release()
        return found

    monkeypatch.setattr(DumpWatch, "_look", counted)
    copied: list[Copied] = []
    with holder.write() as connection:
        connection.execute(text("LOCK TABLE claims IN ACCESS EXCLUSIVE MODE"))
        source, deadlines = opened(server_url), Deadlines(quiet=0.1, stuck=0.2)
        thread = threading.Thread(target=lambda: copied.append(copy(source, tmp_path / "dump", deadlines)))
        thread.start()
        for _ in range(5):
            assert looked.acquire(timeout=30)
        connection.execute(text("DELETE FROM claims WHERE id = (SELECT min(id) FROM claims)"))
    thread.join(60)
    assert [dump.facts.claims for dump in copied] == [30]
