"""The carriers there are. A new one is a module beside this one, and a line here."""

from collections.abc import Mapping
from typing import Protocol

from recours.carriers.chronopost import Chronopost
from recours.core.carrier import CarrierSpec, Catalog
from recours.runs.ports import CarrierClient


class ClientClass(Protocol):
    """A carrier's client, not made yet: it is made of its credentials, by the names of their settings."""

    spec: CarrierSpec

    def __call__(self, credentials: dict[str, str]) -> CarrierClient: ...


_CLIENTS: tuple[ClientClass, ...] = (Chronopost,)

CATALOG = Catalog(client.spec for client in _CLIENTS)
CLIENTS: Mapping[str, ClientClass] = {client.spec.key: client for client in _CLIENTS}
