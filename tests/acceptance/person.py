"""A person at the keyboard: each command runs in its own process, with or without a terminal."""

import json
import os
import pty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from recours.cli.main import recours as program
from tests.acceptance.simulation import Service
from tests.processes.commands import Done, recours

_KEPT = ("PATH", "SYSTEMROOT", "TZ", "HOME")


@contextmanager
def terminal(answers: str | None) -> Iterator[str]:
    """The standard input of a command: a terminal with this input, or nothing."""
    if answers is None:
        yield os.devnull
        return
    hand, keyboard = pty.openpty()
    try:
        os.write(hand, answers.encode())
        yield os.ttyname(keyboard)
    finally:
        os.close(keyboard)
        os.close(hand)


@dataclass
class Person:
    """A person who types commands for one service's database."""

    folder: Path
    url: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, service: Service, url: str) -> "Person":
        """The person who operates this service."""
        return cls(service.folder, url, service.environment)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {
            **kept,
            "PYTHONIOENCODING": "utf-8",
            "RECOURS_LOG_DIR": str(self.folder / "logs"),
            "RECOURS_POD_DIR": str(self.folder / "data" / "pods"),
            **self.settings,
            "DATABASE_URL": self.url,
        }

    def types(self, *arguments: str, answers: str | None = None, **settings: str) -> Done:
        """Run a command. `answers`: the input at its prompts on a terminal; None: no terminal."""
        with terminal(answers) as keyboard:
            done = recours(*arguments, environment=self.environment | settings, keyboard=keyboard)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def does(self, *arguments: str, answers: str | None = None, **settings: str) -> str:
        """The output of a command that has to succeed."""
        done = self.types(*arguments, answers=answers, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *arguments: str, **settings: str) -> dict[str, Any]:
        """The object that `--json` prints."""
        found: dict[str, Any] = json.loads(self.does(*arguments, "--json", **settings))
        return found


class QuickPerson(Person):
    """A person whose commands run in this process without a terminal, for tests of results, not of start and exit."""

    def types(self, *arguments: str, answers: str | None = None, **settings: str) -> Done:
        assert answers is None
        result = CliRunner(env=self.environment | settings).invoke(program, arguments, prog_name="recours")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done([*arguments], result.exit_code, result.stdout, result.stderr)
