"""What a service of `Type=notify` reports to systemd: sd_notify(3), without its library."""

import os
import socket

from recours.runs.log import log

_TIMEOUT_S = 1.0


def systemd_notify(state: str) -> None:
    """Report a state, as `READY=1`, to the service manager that started this process; without one, do nothing.

    Never raises: a report that gets lost is logged, and systemd's own time limits then act.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):  # an abstract name, which is in no file system
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(address)
            connection.sendall(state.encode())
    except OSError as error:
        log.warning(f"systemd was not notified of {state}: {error.strerror or error}")
