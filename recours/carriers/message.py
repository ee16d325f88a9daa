"""What is sent to a carrier, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """A call to a carrier: `path` begins with a slash; the body is sent as it is."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Response:
    """The whole answer."""

    status: int
    headers: Mapping[str, str]  # as requests gives them: found whatever the case of the name
    body: bytes = field(repr=False)
