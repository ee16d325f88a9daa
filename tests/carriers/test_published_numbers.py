"""Numbers that carriers and public projects published are accepted."""

from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.core.claim import tidy_number
from recours.runs.attempt import malformed

FILE = Path(__file__).with_name("published_numbers.txt")
LINES = FILE.read_text(encoding="utf-8").splitlines()
# Carrier, source, numbers.
PUBLISHED = [tuple(line.split(" | ")) for line in LINES if not line.startswith("#")]


@pytest.mark.parametrize(("carrier", "source", "numbers"), PUBLISHED)
def test_published_numbers_are_valid(carrier: str, source: str, numbers: str) -> None:
    spec = CATALOG.specs[carrier]
    refused = [number for number in numbers.split() if malformed(tidy_number(number) or "", spec)]
    assert refused == [], source


def test_check_digits_fit_the_numbers_that_were_published_as_good() -> None:
    """Numbers from other sources may be those of test systems, which ignore check digits."""
    for carrier, source, numbers in PUBLISHED:
        if source.startswith("jkeen"):
            spec = CATALOG.specs[carrier]
            assert [n for n in numbers.split() if spec.is_doubtful(n)] == [], source
