"""Every adapter of a port must pass the port's contract on every database; in `make test` where databases differ."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.conftest import KINDS, Kind

# The tests that depend most on a database's locks, transactions and types: claims, the queue, the schema, outgoing
# emails.
ON_BOTH = frozenset(
    {"test_account_mails.py", "test_claims.py", "test_foreign_rows.py", "test_queue.py", "test_schema.py"}
)
LATER = "on PostgreSQL too: claims, queue, schema and mails run there always"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave PostgreSQL to `make test-full` for all other files."""
    spec = getattr(item, "callspec", None)  # of a test with parameters
    if item.path.name not in ON_BOTH and spec and "postgresql" in spec.params.values():
        item.add_marker(pytest.mark.full(LATER))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, kinds: Callable[[str], Kind]) -> Kind:
    return kinds(request.param)


def quick_print(credentials: Sequence[str], salt: str) -> str:
    return hashlib.sha256("\x00".join([salt, *credentials]).encode()).hexdigest()[:32]


@pytest.fixture(scope="module", autouse=True)
def _quick_prints() -> Iterator[None]:
    """A fingerprint of rejected credentials takes a twentieth of a second on purpose; here it takes no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recours.carriers.account_gate.fingerprint", quick_print)
        yield
