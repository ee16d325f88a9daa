"""The visitors of the dashboard, and their rights."""

from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.core.password import LoginThrottle, PasswordHash, hash_of
from recours.dashboard.visitors import (
    NotAdmitted,
    PageRequest,
    Visitor,
    is_own_origin,
    new_session,
    nonce_of,
    visitor_of,
)
from recours.sandbox import SimulatedClock
from recours.settings.loading import load
from recours.settings.model import Settings

HASH, OTHER = hash_of("open sesame", bytes(16)), hash_of("something else", bytes(16))
VIEWERS = hash_of("just looking", bytes(16))
OPERATOR, VIEWER = Visitor("operator", may_act=True), Visitor("viewer", may_act=False)
AT_HOME = {"host": "127.0.0.1:8501"}


def settings(**more: str) -> Settings:
    return load(Path("/nowhere"), {"DATABASE_URL": "sqlite:////tmp/claims.db", **more}, CATALOG)


# ---------------------------------------------------------------- from where


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8501", "localhost:8501", "localhost", "[::1]:8501", "LOCALHOST:1"]
)
def test_requests_from_this_machine_are_not_from_elsewhere(host: str) -> None:
    assert not PageRequest({"host": host}, "127.0.0.1").is_from_elsewhere


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "pods.example"},
        {"host": "127.0.0.1.pods.example:8501"},
        {"host": "localhost.pods.example"},
        {"host": "[::1"},
        {"host": ""},
        {},
        {"host": "192.168.1.20:8501"},
        {"host": "127.0.0.1@pods.example"},
        {"host": "127.0.0.1:8501", "x-forwarded-for": "192.168.1.20"},
        {"host": "127.0.0.1:8501", "forwarded": "for=192.168.1.20"},
        {"host": "localhost", "via": "1.1 proxy"},
    ],
)
def test_requests_from_other_origins_are_recognized(headers: dict[str, str]) -> None:
    assert PageRequest(headers, "127.0.0.1").is_from_elsewhere


def test_wrong_passwords_are_counted_by_the_address_that_a_known_proxy_saw() -> None:
    proxies = settings(RECOURS_PAGE_PROXIES="10.0.0.0/8, ::1").page_proxies
    seen = {"x-forwarded-for": "1.1.1.1, 2.2.2.2"}  # the visitor can type anything as the first one
    assert PageRequest(seen, "10.1.2.3").address(proxies) == "2.2.2.2"
    assert PageRequest(seen, "::ffff:10.1.2.3").address(proxies) == "2.2.2.2"
    assert PageRequest(seen, "11.1.2.3").address(proxies) == "11.1.2.3"
    assert PageRequest(seen, "unix:socket").address(proxies) == "unix:socket"
    assert PageRequest({}, "").address(proxies) == "unknown"


def test_wrong_passwords_of_one_network_are_counted_together() -> None:
    def counted_as(peer: str) -> str:
        return PageRequest({}, peer).address(())

    assert (
        counted_as("2001:db8:1:2:3::4") == counted_as("2001:db8:1:2:ffff::") != counted_as("2001:db8:1:3::4")
    )
    assert counted_as("fe80::1%eth0") == counted_as("fe80::2%eth1")
    assert counted_as("::ffff:10.1.2.3") == counted_as("10.1.2.3") != counted_as("10.1.2.4")


@pytest.mark.parametrize("peer", ["192.168.1.20", "::ffff:192.168.1.20", "2001:db8::1", "unix:socket", ""])
def test_another_machine_is_elsewhere_regardless_of_its_host_header(peer: str) -> None:
    assert PageRequest(AT_HOME, peer).is_from_elsewhere


# ---------------------------------------------------------------- who


@pytest.mark.parametrize(
    ("headers", "peer", "expected"),
    [
        ({"x-user": "anna"}, "10.0.0.5", Visitor("anna", may_act=True)),
        ({"x-user": " anna "}, "10.0.0.5", Visitor("anna", may_act=True)),
        ({"x-user": "zoe"}, "10.0.0.5", Visitor("zoe", may_act=False)),
        ({"x-user": "ANNA"}, "10.0.0.5", Visitor("ANNA", may_act=False)),
        ({"x-user": ""}, "10.0.0.5", NotAdmitted.NAME_MISSING),
        ({}, "10.0.0.5", NotAdmitted.NAME_MISSING),
        ({"x-user": "anna"}, "10.0.0.6", NotAdmitted.NAME_MISSING),
        ({"x-user": "anna", **AT_HOME}, "127.0.0.1", NotAdmitted.NAME_MISSING),
        ({"x-user": "anna"}, "", NotAdmitted.NAME_MISSING),
    ],
)
def test_a_name_is_trusted_only_from_a_known_proxy(
    headers: dict[str, str], peer: str, expected: object
) -> None:
    of_proxy = settings(
        RECOURS_PAGE_USER_HEADER="X-User", RECOURS_PAGE_PROXIES="10.0.0.5", RECOURS_PAGE_OPERATORS="anna"
    )
    assert visitor_of(PageRequest(headers, peer), of_proxy) == expected


def test_without_listed_operators_every_named_visitor_has_read_only_access() -> None:
    of_proxy = settings(RECOURS_PAGE_USER_HEADER="X-User", RECOURS_PAGE_PROXIES="10.0.0.5")
    assert visitor_of(PageRequest({"x-user": "anna"}, "10.0.0.5"), of_proxy) == Visitor("anna", may_act=False)


def test_without_listed_proxies_no_name_is_trusted() -> None:
    header_alone = settings(RECOURS_PAGE_USER_HEADER="X-User", RECOURS_PAGE_OPERATORS="anna")
    assert (
        visitor_of(PageRequest({"x-user": "anna", **AT_HOME}, "127.0.0.1"), header_alone)
        is NotAdmitted.NAME_MISSING
    )


def test_the_password_is_required_on_every_address() -> None:
    guarded = settings(RECOURS_DASHBOARD_PASSWORD_HASH=str(HASH))
    assert visitor_of(PageRequest(AT_HOME, "127.0.0.1"), guarded) is NotAdmitted.LOGIN_REQUIRED
    session = new_session(HASH, "nonce")
    assert visitor_of(PageRequest(AT_HOME, "127.0.0.1", session), guarded) == OPERATOR


def test_changing_a_password_ends_only_its_own_sessions() -> None:
    requests = [PageRequest(AT_HOME, "127.0.0.1", new_session(password, "n")) for password in (HASH, VIEWERS)]

    def visitors(password: PasswordHash, viewers: PasswordHash) -> list[object]:
        both = settings(
            RECOURS_DASHBOARD_PASSWORD_HASH=str(password), RECOURS_DASHBOARD_VIEWER_PASSWORD_HASH=str(viewers)
        )
        return [visitor_of(request, both) for request in requests]

    assert visitors(HASH, VIEWERS) == [OPERATOR, VIEWER]
    assert visitors(OTHER, VIEWERS) == [NotAdmitted.LOGIN_REQUIRED, VIEWER]
    assert visitors(HASH, OTHER) == [OPERATOR, NotAdmitted.LOGIN_REQUIRED]


def test_a_viewer_password_alone_does_not_protect_this_machine() -> None:
    for_viewers = settings(RECOURS_DASHBOARD_VIEWER_PASSWORD_HASH=str(VIEWERS))
    assert visitor_of(PageRequest(AT_HOME, "127.0.0.1"), for_viewers) == OPERATOR
    assert visitor_of(PageRequest(AT_HOME, "192.168.1.20"), for_viewers) is NotAdmitted.LOGIN_REQUIRED
    session = new_session(VIEWERS, "nonce")
    assert visitor_of(PageRequest(AT_HOME, "192.168.1.20", session), for_viewers) == VIEWER


def test_changing_the_password_ends_all_sessions() -> None:
    session = new_session(HASH, "nonce")
    assert nonce_of(session, HASH) == "nonce"
    assert [nonce_of(*one) for one in ((session, OTHER), (session[:-1], HASH), ("", HASH))] == [None] * 3
    assert new_session(HASH, "nonce") != new_session(HASH, "another")


# ---------------------------------------------------------------- posts


@pytest.mark.parametrize(
    ("origin", "host", "is_own"),
    [
        ("http://127.0.0.1:8501", "127.0.0.1:8501", True),
        ("https://pods.example", "pods.example", True),
        ("https://pods.example.evil", "pods.example", False),
        ("https://evil/pods.example", "pods.example", False),
        ("http://127.0.0.1:9999", "127.0.0.1:8501", False),
        ("null", "pods.example", False),
        ("", "", False),
        ("http://[", "[", False),
    ],
)
def test_a_post_must_come_from_the_dashboard(origin: str, host: str, is_own: bool) -> None:
    assert is_own_origin({"origin": origin, "host": host}) is is_own
    assert not is_own_origin({"host": host})


# ---------------------------------------------------------------- guesses


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


def test_the_wait_after_wrong_passwords_grows(clock: SimulatedClock) -> None:
    keeper = LoginThrottle(clock.monotonic)
    waits = []
    for _ in range(9):
        assert not keeper.matches("guess", [HASH], "a")
        waits.append(keeper.wait_s("a"))
        clock.sleep(waits[-1])
    assert waits == [0, 0, 5, 10, 20, 40, 60, 60, 60]
    assert keeper.wait_s("b") == 0
    assert keeper.matches("open sesame", [HASH], "a")
    assert not keeper.matches("guess", [HASH], "a")
    assert keeper.wait_s("a") == 0  # the right password resets the count


def test_a_throttled_visitor_is_not_let_in_even_with_the_right_password(clock: SimulatedClock) -> None:
    keeper = LoginThrottle(clock.monotonic)
    for _ in range(3):
        keeper.matches("guess", [HASH], "a")
    assert not keeper.matches("open sesame", [HASH], "a")
    clock.sleep(5)
    assert keeper.matches("open sesame", [HASH], "a")
