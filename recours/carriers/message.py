"""What is sent to a carrier, and what comes back."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """A call to a carrier: `path` begins with a slash; the body is sent as it is.

    `origin` (https://host) is for the rare call that goes elsewhere than to the carrier's base URL; a base URL that a
    person has set stands for that too.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    origin: str = ""


@dataclass(frozen=True)
class Response:
    """The whole answer."""

    status: int
    headers: Mapping[str, str]  # as requests gives them: found whatever the case of the name
    body: bytes = field(repr=False)
    # Seconds of `time.monotonic` by which the call must be over, and its answer parsed.
    deadline: float = field(default=math.inf, repr=False, compare=False)
