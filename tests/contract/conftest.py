"""What implements a port is held to its contract on every kind of database, by `make test` too."""

from collections.abc import Callable

import pytest

from tests.conftest import KINDS, Kind


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, kinds: Callable[[str], Kind]) -> Kind:
    return kinds(request.param)
