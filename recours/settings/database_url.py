"""What is wrong with the options of a PostgreSQL URL, found before anybody connects."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import ArgumentError

_MOST_PORT = 65535
_WHOLE = re.compile(r"-?\d{1,9}")
_NAME = re.compile(r"[A-Za-z_]{1,40}")
# Those of libpq's options that are whole numbers. It takes what else stands there for a fault of the server's.
_NUMBERS = (
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "sslcompression",
    "sslsni",
)


def fault_of(url: URL) -> str | None:
    """Why no connection can be made with this URL, as the rest of a sentence about it; None: it may be fine.

    Never holds a value of the URL's.
    """
    try:
        _, words = url.get_dialect()().create_connect_args(url)
    except (ArgumentError, ValueError):
        return "names ports that do not fit its hosts; give each host one port, a number from 1 to 65535"
    if any(not _is_port(port) for port in str(words.get("port", "")).split(",") if port):
        return f"names a port that is none; it must be a number from 1 to {_MOST_PORT}"
    if twice := [name for name, value in words.items() if isinstance(value, tuple)]:
        return f"has the option {_shown(twice[0])} twice; leave one out"
    for name in _NUMBERS:
        if name in url.query and not _WHOLE.fullmatch(str(words[name])):
            return f"has an option {name} that is not a whole number"
    return _unknown(words) if url.query else None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= _MOST_PORT


def _unknown(words: Mapping[str, Any]) -> str | None:
    try:
        from psycopg.pq import Conninfo  # noqa: PLC0415 (an extra)
    except ImportError:  # an error that connecting explains
        return None
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    strange = [name for name in words if name not in known]
    return f"has an option that PostgreSQL does not know: {_shown(strange[0])}" if strange else None


def _shown(name: str) -> str:
    return name if _NAME.fullmatch(name) else "its name is not a word"
