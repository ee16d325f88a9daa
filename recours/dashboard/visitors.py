"""Who visits the page, and what they may do. Pure: headers, addresses and settings come in.

A proxy that signs people in names them in a header, which counts from its address alone. Without such a proxy, one
password makes its user the operator, another one a viewer; without the operator's, the user of this machine is the operator.
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
_OWN_BITS = 64  # of an IPv6 address are those of somebody's network
_OF_PROXIES = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True)
class Visitor:
    """`name`: for the record of what they do. Without `may_act` they only look."""

    name: str
    may_act: bool


class NotAdmitted(StrEnum):
    """Why somebody sees nothing."""

    NOT_ENTERED = "not_entered"  # a password is to be typed
    # There is none, and others than this machine's users could send such a request.
    UNPROTECTED = "unprotected"
    NOT_NAMED = "not_named"  # the proxy did not say who it is, or it was no proxy


@dataclass(frozen=True)
class PageRequest:
    """A request as far as it tells who sends it. Names of `headers` are in lower case, each once."""

    headers: Mapping[str, str]
    peer: str  # the address that the connection comes from; "": unknown
    session: str = ""  # of the cookie

    def is_by_proxy(self, proxies: Iterable[Network]) -> bool:
        peer = _ip_of(self.peer)
        return peer is not None and any(peer in network for network in proxies)

    def address(self, proxies: Iterable[Network]) -> str:
        """The last address that a known proxy saw, for counting wrong passwords; of IPv6 the network, which one visitor has."""
        forwarded = self.headers.get("x-forwarded-for", "") if self.is_by_proxy(proxies) else ""
        text = forwarded.rsplit(",", 1)[-1].strip() or self.peer
        ip = _ip_of(text)
        if isinstance(ip, ipaddress.IPv6Address):
            return str(ipaddress.IPv6Network((int(ip), _OWN_BITS), strict=False))
        return str(ip) if ip else clean(text, _LONGEST_NAME) or "unknown"

    @property
    def is_from_elsewhere(self) -> bool:
        """Tell whether others may be able to send such a request.

        They can from another machine, if the page was started for them; through a proxy; and through somebody's browser here,
        by a name of theirs that stands for 127.0.0.1.
        """
        if not is_loopback(self.peer) or any(name in self.headers for name in _OF_PROXIES):
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
    """The passwords that are set, and what each makes of who types it."""
    visitors = [
        (settings.dashboard_password, Visitor(OPERATOR, may_act=True)),
        (settings.dashboard_viewer_password, Visitor(VIEWER, may_act=False)),
    ]
    return [(password, visitor) for password, visitor in visitors if password is not None]


def visitor_of(
    request: PageRequest, settings: Settings, ended_sessions: Container[str] = ()
) -> Visitor | NotAdmitted:
    """Who sends a request, and what they may do; or why they see nothing. `ended_sessions`: the nonces of sessions that were left."""
    header = settings.page_user_header
    if header and request.is_by_proxy(settings.page_proxies):
        name = clean(request.headers.get(header.lower(), "").strip(), _LONGEST_NAME)
        if not name:
            return NotAdmitted.NOT_NAMED
        return Visitor(name, may_act=name in settings.page_operators)
    passwords = passwords_of(settings)
    for password, visitor in passwords:
        if (nonce := nonce_of(request.session, password)) and nonce not in ended_sessions:
            return visitor
    if not (settings.dashboard_password or header or request.is_from_elsewhere):
        return Visitor(OPERATOR, may_act=True)
    if passwords:
        return NotAdmitted.NOT_ENTERED
    return NotAdmitted.NOT_NAMED if header else NotAdmitted.UNPROTECTED


def is_own_origin(headers: Mapping[str, str]) -> bool:
    """Tell whether a post comes from this page. Browsers name the origin of each post, and no script can change that."""
    try:
        origin = urlsplit(headers.get("origin", "")).netloc
    except ValueError:
        return False
    return bool(origin) and origin == headers.get("host", "")


def new_session(password: PasswordHash, nonce: str) -> str:
    """What the cookie of somebody holds who typed this password. When it is changed, its sessions end."""
    return _sessions(password).dumps(nonce)


def nonce_of(session: str, password: PasswordHash) -> str | None:
    """What names the session, whose text can be written in several ways; None: it is none, or over."""
    try:
        return str(_sessions(password).loads(session, max_age=SESSION_S))
    except BadSignature:
        return None


def _sessions(password: PasswordHash) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(password), salt="recours page")
