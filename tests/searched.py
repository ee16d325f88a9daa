"""Fails the tests if their output contains one of their secrets: logs, databases, dumps, emails, metrics."""

from collections.abc import Iterator

import pytest

from recours.sandbox import server
from tests import planted


@pytest.fixture(scope="session", autouse=True)
def _searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each test process searches its output when it ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "DEFAULT_PASSWORD", planted.PASSWORD)
        yield
    leaks = [*planted.found, *planted.leaks_in(tmp_path_factory.getbasetemp())]
    assert not leaks, "Secrets of the tests were written to:\n" + "\n".join(leaks)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    printed = (text.encode(errors="replace") for text in (report.capstdout, report.capstderr))
    planted.check_output(report.nodeid, *printed)
