"""One setting's text, parsed. Each raises ValueError with a phrase that says what is wrong with it."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import URL
from sqlalchemy.exc import ArgumentError

from recours.core.mail import is_address

# Of a database's URL: user:password@, or ?password=. What stands there may hold any sign but @.
_PASSWORD = re.compile(r"://[^:/@]*:[^@]+@|[?&](?:ssl)?password=[^&]")
_GROUP = re.compile(r"[A-Za-z_][\w.@ -]{0,99}[$]?")
HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+")


def between(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise ValueError(f"'{text[:40]}' is not a number from {low:g} to {high:g}")
        return number

    return parse


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not low <= int(text.lstrip("0")[:9] or "0") <= high:
            raise ValueError(f"'{text[:40]}' is not a whole number from {low} to {high}")
        return int(text)

    return parse


def none_or_at_least(low: int, high: int) -> Callable[[str], int]:
    """A whole number that is 0 or lies between these."""
    within = whole(low, high)

    def parse(text: str) -> int:
        try:
            return 0 if text.strip() == "0" else within(text)
        except ValueError as error:
            raise ValueError(f"{error}, or 0") from error

    return parse


def hours(text: str) -> tuple[timedelta, ...]:
    one = between(-1e6, 1e6)
    return tuple(timedelta(hours=one(part.strip())) for part in text.split(","))


def zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{text[:40]}' is not a time zone; write for example Europe/Paris") from None


def statuses(text: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"'{text[:40]}' is none of {', '.join(words)}")
        return text.lower()

    return parse


def yes_or_no(text: str) -> bool:
    words = {
        "true": True,
        "yes": True,
        "1": True,
        "on": True,
        "false": False,
        "no": False,
        "0": False,
        "off": False,
    }
    if text.lower() not in words:
        raise ValueError(f"'{text[:40]}' is neither true nor false")
    return words[text.lower()]


def then(parse: Callable[[str], Any], make: Callable[[Any], Any]) -> Callable[[str], Any]:
    """What `make` makes of what was parsed."""
    return lambda text: make(parse(text))


def days(parse: Callable[[str], float]) -> Callable[[str], timedelta | None]:
    """A number of days; 0: None."""
    return lambda text: timedelta(days=parse(text)) or None


def megabytes(low: float, high: float) -> Callable[[str], int]:
    """A number of megabytes, in bytes."""
    within = between(low, high)
    return lambda text: int(within(text) * 1024 * 1024)


def in_folder(text: str, root: Path) -> Path:
    """A path; one that is not absolute begins at `root`."""
    try:
        return (root / Path(text).expanduser()).absolute()
    except RuntimeError:
        raise ValueError(f"'{text[:40]}' names the home folder of a user that is not known") from None


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine itself, whatever a name server says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address(text: str) -> str:
    """One plain mail address, or nothing."""
    if text and not is_address(text):
        raise ValueError("it must be one mail address, such as someone@example.com")
    return text


def line(text: str) -> str:
    """Text of one line."""
    if any(ord(c) < ord(" ") for c in text):
        raise ValueError("it must not hold a line break or another control character")
    return text


def group(text: str) -> str:
    """The name of a group of this machine, or nothing."""
    if text and not _GROUP.fullmatch(text):
        raise ValueError(f"'{text[:40]}' is not the name of a group")
    return text


def web_page(text: str) -> str:
    """A URL with {reference} in it, or nothing."""
    if text and not (text.startswith(("https://", "http://")) and "{reference}" in line(text)):
        raise ValueError("it must begin with https:// and have {reference} in it")
    return text


def ping_url(text: str) -> str:
    """The URL of a check, perhaps with {worker} in its path, or nothing. Its text is never repeated: it is a key."""
    if not text:
        return text
    try:
        parts = urlsplit(line(text))
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("it is not a URL") from None
    if parts.scheme not in ("https", "http") or "@" in parts.netloc or not HOST.fullmatch(host):
        raise ValueError("it must be of the form https://host/check")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("it must begin with https: plain http is for loopback only")
    if not parts.path.strip("/"):
        raise ValueError("it must name a check: https://host/check")
    if "#" in text or not text.isascii() or " " in text:
        raise ValueError("it must have no #, no blank and no other sign that a URL cannot hold")
    if set("{}") & set(text.replace("{worker}", "")):
        raise ValueError("{worker} is all that can stand in braces in it")
    return text


def metrics_file(text: str, root: Path) -> Path | None:
    """A file for node_exporter, or nothing. Its collector passes over other names."""
    if not text:
        return None
    if not text.endswith(".prom"):
        raise ValueError("its name must end in .prom, or node_exporter does not read it")
    return in_folder(line(text), root)


def has_password(url: str) -> bool:
    """Tell whether a database's URL holds a password, as far as can be seen: it may be none that can be used."""
    return _PASSWORD.search(url) is not None


# ---------------------------------------------------------------- the options of a PostgreSQL URL


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
