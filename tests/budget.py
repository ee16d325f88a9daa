"""How long each file of tests may take in `make test`: what takes longer is listed, and fails in continuous integration.

The seconds are those of the file's tests, their fixtures included, while four processes share two processors: see
`tests/budget.toml`. Where all tests together take longer than there, each file may, too: a slower or busier machine is no
fault of a file.
"""

import os
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

BUDGET = Path(__file__).with_suffix(".toml")
_SHORT = "not full"


class Budget:
    """Adds up the seconds of each file."""

    def __init__(self, seconds: dict[str, float]) -> None:
        """`seconds`: by file; those of "default" for all others, and of "total" for all of them together."""
        self._budget = seconds
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid.partition("::")[0]] += report.duration

    def exceeded(self) -> list[str]:
        """A line for each file that took too long, the worst first."""
        slowness = max(1.0, sum(self.seconds.values()) / self._budget["total"])
        budget = {file: slowness * self._budget.get(file, self._budget["default"]) for file in self.seconds}
        return [
            f"{file}: {seconds:.0f} s, may take {budget[file]:.0f} s"
            for file, seconds in sorted(self.seconds.items(), key=lambda item: item[1], reverse=True)
            if seconds > budget[file]
        ]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if os.environ.get("CI") and self.exceeded() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if lines := self.exceeded():
            terminalreporter.section("files over their budget (tests/budget.toml)")
            for line in lines:
                terminalreporter.line(line)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("markexpr") == _SHORT and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Budget(tomllib.loads(BUDGET.read_text(encoding="utf-8"))))
