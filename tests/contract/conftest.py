"""What implements a port is held to its contract on every kind of database, by `make test` too."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.conftest import KINDS, Kind


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, kinds: Callable[[str], Kind]) -> Kind:
    return kinds(request.param)


def quick_print(credentials: Sequence[str], salt: str) -> str:
    return hashlib.sha256("\x00".join([salt, *credentials]).encode()).hexdigest()[:32]


@pytest.fixture(scope="module", autouse=True)
def _quick_prints() -> Iterator[None]:
    """A fingerprint of refused credentials takes a twentieth of a second, on purpose: here it takes no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recours.carriers.refusals.print_of", quick_print)
        yield
