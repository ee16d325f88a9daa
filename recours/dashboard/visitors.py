"""Identifies visitors of the dashboard and their permissions, using only headers, addresses and settings.

A proxy that signs people in sends their names in a header. The header is trusted only from the proxy. Without such a
proxy, one password is for the operator and another for viewers. Without any password, the local user is the operator.
"""

import ipaddress
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from recours.core.actions import OPERATOR
from recours.core.password import PasswordHash
from recours.core.text import clean
from recours.settings.model import Network, Settings, is_loopback

VIEWER = "viewer"
SESSION_COOKIE = "recours_session"
SESSION_S = 12 * 3600
_LONGEST_NAME = 100
_IPV6_PREFIX = 64  # the length of an IPv6 network's prefix
_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True)
class Visitor:
    """A visitor. `name`: recorded with each action. `may_act`: false for read-only access."""

    name: str
    may_act: bool


class NotAdmitted(StrEnum):
    """Why access is refused."""

    LOGIN_REQUIRED = "login_required"
    # No password is set, and the request may come from outside this machine.
    UNPROTECTED = "unprotected"
    NAME_MISSING = "name_missing"  # the proxy sent no name, or the request did not come through it


@dataclass(frozen=True)
class PageRequest:
    """The parts of a request that identify its sender. `headers`: each name occurs once, in lower case."""

    headers: Mapping[str, str]
    peer: str  # the address of the connection; "": unknown
    session: str = ""  # the value of the session cookie

    def is_by_proxy(self, proxies: Iterable[Network]) -> bool:
        peer = _ip_of(self.peer)
        return peer is not None and any(peer in network for network in proxies)

    def address(self, proxies: Iterable[Network]) -> str:
        """The visitor's address (for IPv6, the network) as seen by a trusted proxy, for counting wrong passwords."""
        forwarded = self.headers.get("x-forwarded-for", "") if self.is_by_proxy(proxies) else ""
        text = forwarded.rsplit(",", 1)[-1].strip() or self.peer
        ip = _ip_of(text)
        if isinstance(ip, ipaddress.IPv6Address):
            return str(ipaddress.IPv6Network((int(ip), _IPV6_PREFIX), strict=False))
        return str(ip) if ip else clean(text, _LONGEST_NAME) or "unknown"

    @property
    def is_from_elsewhere(self) -> bool:
        """Return whether somebody other than the local user could have sent the request.

        Such requests can come from another machine if the dashboard listens on the network, through a proxy, and from a
        local browser with a foreign host name that resolves to 127.0.0.1.
        """
        if not is_loopback(self.peer) or any(name in self.headers for name in _PROXY_HEADERS):
            return True
        try:
            return not is_loopback(urlsplit(f"//{self.headers.get('host', '')}").hostname or "")
        except ValueError:
            return True


def _ip_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


def passwords_of(settings: Settings) -> list[tuple[PasswordHash, Visitor]]:
    """The passwords that are set, each with its visitor."""
    visitors = [
        (settings.dashboard_password, Visitor(OPERATOR, may_act=True)),
        (settings.dashboard_viewer_password, Visitor(VIEWER, may_act=False)),
    ]
    return [(password, visitor) for password, visitor in visitors if password is not None]


def visitor_of(
    request: PageRequest, settings: Settings, ended_sessions: Container[str] = ()
) -> Visitor | NotAdmitted:
    """The visitor of a request, or why access is refused. `ended_sessions`: the nonces of logged-out sessions."""
    header = settings.page_user_header
    if header and request.is_by_proxy(settings.page_proxies):
        name = clean(request.headers.get(header.lower(), "").strip(), _LONGEST_NAME)
        if not name:
            return NotAdmitted.NAME_MISSING
        return Visitor(name, may_act=name in settings.page_operators)
    passwords = passwords_of(settings)
    for password, visitor in passwords:
        if (nonce := nonce_of(request.session, password)) and nonce not in ended_sessions:
            return visitor
    if not (settings.dashboard_password or header or request.is_from_elsewhere):
        return Visitor(OPERATOR, may_act=True)
    if passwords:
        return NotAdmitted.LOGIN_REQUIRED
    return NotAdmitted.NAME_MISSING if header else NotAdmitted.UNPROTECTED


def is_own_origin(headers: Mapping[str, str]) -> bool:
    """Return whether a POST comes from the dashboard. Browsers send the page's origin, which scripts cannot change."""
    try:
        origin = urlsplit(headers.get("origin", "")).netloc
    except ValueError:
        return False
    return bool(origin) and origin == headers.get("host", "")


def new_session(password: PasswordHash, nonce: str) -> str:
    """The session cookie after login. A password change ends all sessions with the old password."""
    return _sessions(password).dumps(nonce)


def nonce_of(session: str, password: PasswordHash) -> str | None:
    """The id of a session; None if it is invalid or expired. Different cookie values may have the same id."""
    try:
        return str(_sessions(password).loads(session, max_age=SESSION_S))
    except BadSignature:
        return None


def _sessions(password: PasswordHash) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(password), salt="recours page")
