"""The budget of seconds for each file of tests."""

import pytest

from tests.budget import Budget

pytestmark = pytest.mark.full("our own tools: a fault of theirs shows when they are used")


def report(file: str, seconds: float) -> pytest.TestReport:
    return pytest.TestReport(
        f"{file}::test_it", (file, 1, "test_it"), {}, "passed", None, "call", duration=seconds
    )


def test_a_file_whose_tests_take_longer_than_its_budget_is_listed() -> None:
    budget = Budget({"default": 10, "slow.py": 100})
    for file, seconds in (
        ("slow.py", 60),
        ("slow.py", 39),
        ("quick.py", 6),
        ("quick.py", 5),
        ("other.py", 9),
    ):
        budget.pytest_runtest_logreport(report(file, seconds))
    assert budget.exceeded() == ["quick.py: 11 s, may take 10 s"]
