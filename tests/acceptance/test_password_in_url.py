"""Each command that accepts a URL warns about a password in it, which every user of the machine can read."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from recours.cli.main import recours as top
from recours.settings.loading import has_password
from tests.acceptance.person import Person
from tests.planted import MARK
from tests.processes.commands import worker

URL = f"postgresql://recours:{MARK}@127.0.0.1:1/claims?connect_timeout=1"
WARNING = "WARNING: Every user of this machine can see the password in --database-url (with ps). Set DATABASE_URL in .env instead.\n"


def commands(group: click.Group, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command
        yield (*before, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)


TAKE_ONE = {
    words: next(parameter for parameter in command.params if "--database-url" in parameter.opts)
    for words, command in commands(top)
    if any("--database-url" in parameter.opts for parameter in command.params)
}


@pytest.mark.parametrize("words", TAKE_ONE, ids=" ".join)
def test_every_command_with_a_url_warns_about_a_password(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    option = TAKE_ONE[words]
    context = click.Context(click.Command("x"))
    assert option.process_value(context, URL) == URL
    assert capsys.readouterr().err == WARNING
    for harmless in ("postgresql://recours@127.0.0.1/claims", "sqlite:////tmp/claims.db", None):
        assert option.process_value(context, harmless) == harmless
    assert capsys.readouterr().err == ""


def test_commands_that_accept_a_url_are_found() -> None:
    assert len(TAKE_ONE) > 12
    assert {("carriers",), ("mail",), ("init-db",), ("status",), ("backup",)} <= set(TAKE_ONE)


def test_the_warning_precedes_the_error_about_the_database(tmp_path: Path) -> None:
    done = Person(tmp_path, "sqlite:///claims.db").types("status", "--database-url", URL)
    assert done.returncode == 1
    assert done.stderr.startswith(WARNING)
    assert MARK not in done.stdout + done.stderr


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("name", ["pod_retry_scheduler", "pod_fetch_worker"])
def test_a_run_warns_in_its_log(tmp_path: Path, name: str) -> None:
    environment = Person(tmp_path, "sqlite:///claims.db").environment
    done = worker(name, "--database-url", URL, environment=environment, folder=tmp_path)
    log = (tmp_path / "logs" / f"{name}.log").read_text(encoding="utf-8")
    assert done.returncode == 1
    assert done.stderr == log
    assert (
        log.count("[WARNING] - __main__ - Every user of this machine can see the password in --database-url")
        == 1
    )
    assert MARK not in log
    done = worker(name, "--database-url", "sqlite:///none.db", environment=environment, folder=tmp_path)
    assert "the password in" not in done.stderr


@pytest.mark.parametrize(
    ("url", "holds_one"),
    [
        ("postgresql://u:p@h/d", True),
        ("postgresql://:p@h/d", True),
        ("postgresql://u:p/q@h:x/d", True),  # no port: it was refused, but was visible nevertheless
        ("postgresql://h/d?user=u&password=p", True),
        ("postgresql://h/d?sslpassword=p", True),
        ("postgresql://u@h:5432/d", False),
        ("postgresql://u:@h/d", False),
        ("postgresql:///d?host=/run&passfile=/etc/p", False),
        ("sqlite:////srv/a:b@c.db", False),
        ("nonsense", False),
    ],
)
def test_passwords_in_urls_are_detected(url: str, holds_one: bool) -> None:
    assert has_password(url) is holds_one
