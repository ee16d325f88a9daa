"""Reports to systemd, over sockets like systemd's."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recours.fleet import process
from recours.fleet.process import systemd_notify

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="Windows has neither Unix sockets nor systemd"
)


@pytest.fixture(params=["a file", "an abstract name"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    shown = str(tmp_path / "notify") if request.param == "a file" else f"@recours-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", shown)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        listening.bind(shown.replace("@", "\0", 1))
        listening.settimeout(5)
        yield listening


def test_each_report_is_one_datagram(manager: socket.socket) -> None:
    for state in ("READY=1", "WATCHDOG=1", "STOPPING=1\nSTATUS=Finishing the calls in progress"):
        systemd_notify(state)
        assert manager.recv(1000).decode() == state


def test_without_a_manager_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd_notify("READY=1")
    assert caplog.records == []


@pytest.mark.parametrize("address", ["/nowhere/notify", "@nobody-listens", "vsock:2:1234", "/x" * 200])
def test_a_manager_that_cannot_be_reached_is_logged(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    systemd_notify("READY=1")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message.startswith("systemd was not notified of READY=1: ")


@pytest.mark.usefixtures("manager")
def test_a_manager_that_reads_nothing_does_not_block(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its queue is full after a few datagrams."""
    monkeypatch.setattr(process, "_TIMEOUT_S", 0.1)
    while not caplog.records:
        systemd_notify("WATCHDOG=1")
    assert "WATCHDOG=1" in caplog.records[0].message
