"""The time limit of each test file in `make test`: a file that exceeds its limit is listed, and fails in CI.

A file's time is that of its tests and fixtures, with four processes on two processors. The limits are in
`tests/budget.toml`. If all tests together exceed their total limit, each limit grows in proportion, because then the
machine is slower or busier.
"""

import os
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

BUDGET = Path(__file__).with_suffix(".toml")
_SHORT = "not full"


class Budget:
    """Adds up the seconds that the tests of each file take."""

    def __init__(self, seconds: dict[str, float]) -> None:
        """`seconds`: limits by file, with "default" for all other files and "total" for all files together."""
        self._budget = seconds
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid.partition("::")[0]] += report.duration

    def exceeded(self) -> list[str]:
        """One line for each file over its limit, the worst first."""
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
