"""Timestamps of the chain of custody by a third party (RFC 3161): asked for, and verified.

What is stamped is the hash of a record, as text: the 64 hexadecimal digits that `recours verify` prints.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recours.carriers.http import Http, HttpError
from recours.carriers.message import Request
from recours.core.custody import Stamp
from recours.core.text import clean
from recours.database.custody import DatabaseTimestamps
from recours.operations.verify import TokenError
from recours.runs.log import log

PACKAGE = "rfc3161_client"
INSTALL = "pip install 'recours[timestamps]'"
_PATIENCE_S = 20.0
_OK = 200
_LARGEST_TOKEN = 64 * 1024
_SHA256 = "2.16.840.1.101.3.4.2.1"
_LEASE = timedelta(minutes=5)


def is_installed() -> bool:
    """Tell whether this Python has the extra `timestamps`."""
    return find_spec(PACKAGE) is not None


def request_token(url: str, text: str, patience_s: float = _PATIENCE_S) -> tuple[bytes, int, datetime]:
    """The authority's token for this text, the nonce that was sent, and the authority's time. Raises TokenError."""
    client = _client()
    asked = (
        client.TimestampRequestBuilder()
        .data(text.encode())
        .hash_algorithm(client.HashAlgorithm.SHA256)
        .build()
    )
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Content-Type": "application/timestamp-query", "User-Agent": "recours"}
    http = Http(f"{parts.scheme}://{parts.netloc}", patience_s, patience_s, patience_s)
    try:
        answer = http.send(Request("POST", target, headers, asked.as_bytes()))
    except HttpError as error:
        raise TokenError(str(error)) from error
    if answer.status != _OK:
        raise TokenError(f"it answered with status {answer.status}")
    if len(answer.body) > _LARGEST_TOKEN:
        raise TokenError(f"its answer has {len(answer.body)} bytes, which no timestamp has")
    return answer.body, asked.nonce, stamped_time(answer.body, text, asked.nonce)


def stamped_time(token: bytes, text: str, nonce: int) -> datetime:
    """When a token was made, by the authority's clock; its signature is not verified. Raises TokenError."""
    response = _decoded(token)
    info = response.tst_info
    if info.message_imprint.hash_algorithm.dotted_string != _SHA256:
        raise TokenError("the token is for another kind of hash")
    if info.message_imprint.message != hashlib.sha256(text.encode()).digest():
        raise TokenError("the token is for another hash")
    if info.nonce != nonce:
        raise TokenError("the token answers another request: its nonce differs")
    made_at: datetime = info.gen_time
    return made_at


def _decoded(token: bytes) -> Any:
    try:
        response = _client().decode_timestamp_response(token)
        if response.status != 0:
            said = clean("; ".join(map(str, response.status_string or ())), 200)
            raise TokenError(f"the authority refused it: {said or f'status {response.status}'}")
        _ = response.tst_info  # which is read only now
    except (ValueError, OverflowError) as error:
        raise TokenError(f"the answer is no timestamp ({clean(str(error), 120)})") from error
    return response


def verify_token(stamp: Stamp, roots: bytes | None) -> datetime:
    """When a stored token was made, if it is for the record that it is stored with. Raises TokenError.

    `roots`: certificates in PEM, of the authorities that its signature must lead to; None: it is not verified.
    """
    made_at = stamped_time(stamp.token, stamp.hash, stamp.nonce)
    if roots is None:
        return made_at
    client = _client()
    builder = client.VerifierBuilder()
    for certificate in _certificates(roots):
        builder = builder.add_root_certificate(certificate)
    try:
        builder.nonce(stamp.nonce).build().verify_message(_decoded(stamp.token), stamp.hash.encode())
    except (client.VerificationError, ValueError) as error:
        raise TokenError(
            f"its signature is not one of the configured authority ({clean(str(error), 80)}…)"
        ) from error
    return made_at


def _certificates(pem: bytes) -> list[Any]:
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 (of the extra)

    return load_pem_x509_certificates(pem)


def read_roots(path: Path | None) -> bytes | None:
    """The certificates of a file. Raises TokenError if it has none that can be read."""
    if path is None:
        return None
    try:
        pem = path.read_bytes()
        _client()
        _certificates(pem)
    except (OSError, ValueError) as error:
        raise TokenError(f"{path} (RECOURS_TSA_CERT) has no certificate that can be read: {error}") from error
    return pem


def _client() -> Any:
    if not is_installed():
        raise TokenError(f"the package rfc3161-client is missing; install it with: {INSTALL}")
    import rfc3161_client  # noqa: PLC0415 (an extra)

    return rfc3161_client


@dataclass(frozen=True)
class DailyTimestamps:
    """Has the end of the chain stamped once a day (UTC), by whichever run comes first."""

    store: DatabaseTimestamps
    url: str
    certificate: Path | None
    holder: str  # of the lease
    request: Callable[[str, str], tuple[bytes, int, datetime]] = request_token

    def stamp(self, now: datetime) -> None:
        """Stamp the chain if that was not done today, and it has grown. What fails is a WARNING; the next run tries again.

        Raises DatabaseError.
        """
        day = now.date().isoformat()
        head = self.store.to_be_stamped(day)
        if head is None or not self.store.lease(self.holder, now + _LEASE, now):
            return
        try:
            head = self.store.to_be_stamped(day)  # others may have done it before the lease
            if head is None:
                return
            roots = read_roots(self.certificate)
            token, nonce, made_at = self.request(self.url, head.hash)
            stamp = Stamp(day, head.sequence, head.hash, nonce, token, made_at, self.url)
            verify_token(stamp, roots)
            self.store.add(stamp)
        except TokenError as error:
            log.warning(
                f"No timestamp of record {head.sequence if head else ''} from {urlsplit(self.url).hostname}: {error}. "
                "The next run tries again"
            )
        finally:
            self.store.release(self.holder)
