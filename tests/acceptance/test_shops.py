"""Shops with their own carrier accounts, served by several of the real programs at once."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Kind
from tests.processes_of_fleet import Program, environment
from tests.shops import CARRIERS, DEFAULT_ACCOUNT, SHOPS, Shops, account_of, alternate, shops_in

SCRIPT = ("scripts/pod_retry_scheduler.py", "--batch-size", "10000")


@pytest.fixture
def size(repeats: Callable[[int, int], range]) -> tuple[int, int]:
    """Number of processes and number of claims."""
    return len(repeats(2, 8)), len(repeats(90, 1000))


def work(shops: Shops, folder: Path, processes: int, **settings: str) -> str:
    """Run this many runs at once; return their logs."""
    url = shops.database.url.render_as_string(hide_password=False)
    variables = environment(url, shops.box, folder, **(shops.settings | settings))
    with ExitStack() as started:
        programs = [started.enter_context(Program(variables, *SCRIPT)) for _ in range(processes)]
        ended = [program.end(300) for program in programs]
    logs = "\n".join(log for _, log in ended)
    assert {status for status, _ in ended} == {0}, logs
    assert not [word for word in ("locked", "deadlock", "ERROR", "Traceback") if word in logs], logs
    return logs


def test_each_account_is_used_for_its_own_claims_within_its_limit(
    kind: Kind, tmp_path: Path, size: tuple[int, int]
) -> None:
    processes, count = size
    of_each = count // len(SHOPS) // len(CARRIERS)  # a shop's claims at a carrier
    # One call a claim; three a claim, and one call for another customer's parcel; and the default account as a
    # fallback.
    dpd, colissimo, express = of_each // 2, of_each + 1, 2 * of_each
    limited = {(4, "dpd"): {"": f"{dpd}/day@UTC"}, (5, "colissimo"): {"": f"{colissimo}/day@UTC"}}
    with shops_in(tmp_path / "shops", kind, limits=limited) as shops:
        shops.add(alternate(count), datetime.now(UTC))
        work(shops, tmp_path, processes, QUOTA_DHL_EXPRESS=f"{express}/day@UTC")

        assert shops.check_callers().keys() == {"", DEFAULT_ACCOUNT, *map(account_of, SHOPS)}
        of_default = {(shop, "dhl_express") for shop in SHOPS}  # its quota may not suffice for all
        shops.check_ends(but=limited.keys() | of_default)
        shops.check_counts()
        tokens = Counter(
            (call.carrier, call.account) for call in shops.box.calls if call.operation == "token"
        )
        assert max(tokens.values()) <= processes, "each process asks for one"
        if len({call.at.date() for call in shops.box.calls}) == 1:  # otherwise midnight gave them more
            assert len(shops.calls_of("dpd", account_of(4))) == dpd
            assert colissimo - 2 <= len(shops.calls_of("colissimo", account_of(5))) <= colissimo
            assert express - 1 <= len(shops.calls_of("dhl_express", DEFAULT_ACCOUNT)) <= express

        # A claim denied by a client's account while the default account had no quota goes directly to the default
        # account.
        before = len(shops.box.calls)
        work(shops, tmp_path, 1)
        shops.check_callers()
        shops.check_ends(but=limited)
        assert {call.account for call in shops.box.calls[before:] if call.carrier == "dhl_express"} == {
            DEFAULT_ACCOUNT
        }
