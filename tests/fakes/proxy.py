"""A TCP proxy in front of a server on loopback. On request it freezes: it accepts all data and forwards none."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self


class Proxy:
    """Forwards to a port of 127.0.0.1 until it is frozen."""

    def __init__(self, port: int, freezes: Callable[[bytes], bool] = lambda _sent: False) -> None:
        """`freezes` is called with each message of a client. If it is true, the proxy freezes before forwarding."""
        self._target = port
        self._freezes = freezes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._frozen = threading.Event()
        self._holds_back = threading.Event()  # only for connections made before `freeze`
        self._old: set[socket.socket] = set()
        self._open: list[socket.socket] = []
        self.taken = 0  # accepted connections

    def __enter__(self) -> Self:
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for each in self._open:
            each.close()

    def freeze(self, *, new_ones_too: bool = True) -> None:
        """Stop forwarding. `new_ones_too`: also on connections made later."""
        self._old = set(self._open)
        (self._frozen if new_ones_too else self._holds_back).set()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.taken += 1
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                threading.Thread(target=self._copy, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._copy, args=(server, client, False), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, is_of_client: bool) -> None:
        with contextlib.suppress(OSError):
            while sent := source.recv(65536):
                if is_of_client and self._freezes(sent):
                    self.freeze()
                if self._frozen.is_set() or (self._holds_back.is_set() and source in self._old):
                    continue
                target.sendall(sent)
            if not self._frozen.is_set():
                target.shutdown(socket.SHUT_WR)
