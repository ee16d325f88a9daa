"""A person at the keyboard: `recours …` started as they start it, on a terminal or not."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.simulation import Service

ROOT = Path(__file__).resolve().parents[2]
_KEPT = ("PATH", "SYSTEMROOT", "TZ", "HOME")


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

    def types(
        self, *arguments: str, answers: str | None = None, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """`answers`: on a terminal, what they answer when they are asked; None: there is no terminal."""
        command = [sys.executable, "-m", "recours", *arguments]
        environment = self.environment | settings
        keyboard = None
        if answers is not None:
            hand, keyboard = pty.openpty()
            os.write(hand, answers.encode())
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL if keyboard is None else keyboard,
                capture_output=True,
                encoding="utf-8",
                check=False,
                timeout=120,
            )
        finally:
            if keyboard is not None:
                os.close(keyboard)
                os.close(hand)
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
