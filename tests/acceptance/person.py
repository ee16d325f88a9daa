"""A person at the keyboard: what they type is run in a process of its own, on a terminal or not."""

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
    """What a command reads from: a terminal where this is typed, or nothing."""
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
    """Types commands about one service's database."""

    folder: Path
    url: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, service: Service, url: str) -> "Person":
        """Who keeps this service."""
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
        """`answers`: on a terminal, what they answer when they are asked; None: there is no terminal."""
        with terminal(answers) as keyboard:
            done = recours(*arguments, environment=self.environment | settings, keyboard=keyboard)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def does(self, *arguments: str, answers: str | None = None, **settings: str) -> str:
        """What is printed; it must have worked."""
        done = self.types(*arguments, answers=answers, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *arguments: str, **settings: str) -> dict[str, Any]:
        """The object that `--json` prints."""
        found: dict[str, Any] = json.loads(self.does(*arguments, "--json", **settings))
        return found


class QuickPerson(Person):
    """Their commands run in this process, and not on a terminal: for what commands do, not how they start and end."""

    def types(self, *arguments: str, answers: str | None = None, **settings: str) -> Done:
        assert answers is None
        result = CliRunner(env=self.environment | settings).invoke(program, arguments, prog_name="recours")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done([*arguments], result.exit_code, result.stdout, result.stderr)
