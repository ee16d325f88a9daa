"""Selects the tests that only `make test-full` runs, and lists them at the end of a run.

`@pytest.mark.full("why")` on a test, a module or a parameter means that `make test` covers the same with another test
or on another database. `@pytest.mark.sample("why", every=3)` on a test or a module means that `make test` runs every
third case of each test, or only the first case without `every`. Skipped tests are listed by their reason.
"""

from collections import Counter

import pytest

_FROM_WORKER = "recours_left_out"  # the key under which a pytest-xdist worker reports to the main process


class Selection:
    """Counts the skipped tests by reason."""

    def __init__(self, *, short: bool) -> None:
        self._short = short
        self.left_out: Counter[str] = Counter()

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        if self._short:
            self.left_out.update(reason for item in items if (reason := why_full(item)))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_FROM_WORKER] = dict(self.left_out)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        # Every worker collects all tests, so their counts are equal.
        self.left_out |= Counter(getattr(node, "workeroutput", {}).get(_FROM_WORKER, {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        skipped = Counter(why_skipped(report) for report in terminalreporter.stats.get("skipped", []))
        if not self.left_out and not skipped:
            return
        terminalreporter.section("not run")
        for title, reasons in (("left to make test-full", self.left_out), ("skipped", skipped)):
            for reason, count in reasons.most_common():
                terminalreporter.line(f"{count:6} {title}: {reason}")


def why_full(item: pytest.Item) -> str | None:
    """The reason why `make test` can skip this test, or None if it cannot."""
    mark = item.get_closest_marker("full")
    return str(mark.args[0]) if mark else None


def why_skipped(report: pytest.TestReport) -> str:
    found = report.longrepr
    return found[2].removeprefix("Skipped: ") if isinstance(found, tuple) else str(found)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full(why): run by `make test-full` only")
    config.addinivalue_line("markers", "sample(why, every=None): cases that `make test` takes some of")
    config.pluginmanager.register(Selection(short=config.getoption("markexpr") == "not full"))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Check that each mark has a reason."""
    for mark in item.iter_markers():
        if mark.name in ("full", "sample") and not (len(mark.args) == 1 and isinstance(mark.args[0], str)):
            raise pytest.UsageError(f"{item.nodeid}: mark.{mark.name} needs a reason")


@pytest.hookimpl(tryfirst=True)  # before the tests marked full are deselected
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cases that are not in the sample of `make test` as full."""
    cases: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker("sample")
        if not mark or item.get_closest_marker("full"):
            continue
        test, every = item.nodeid.partition("[")[0], mark.kwargs.get("every")
        if cases[test] % every if every else cases[test]:
            item.add_marker(pytest.mark.full(*mark.args))
        cases[test] += 1
