"""Timestamps of manifests by a third party (RFC 3161): asked for, and verified.

What is stamped is the manifest's file. The answer lies beside it as `NAME.tsr`, as `openssl ts -verify` reads it.
"""

import hashlib
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recours.carriers.http import Http, HttpError
from recours.carriers.message import Request
from recours.core.text import clean

PACKAGE = "rfc3161_client"
INSTALL = "pip install 'recours[timestamps]'"
LARGEST_TOKEN = 64 * 1024
_PATIENCE_S = 20.0
_OK = 200
_SHA256 = "2.16.840.1.101.3.4.2.1"


class TokenError(Exception):
    """A timestamp does not prove what it should. The text says why, as a phrase."""


def is_installed() -> bool:
    """Tell whether this Python has the extra `timestamps`."""
    return find_spec(PACKAGE) is not None


def request_token(url: str, content: bytes, patience_s: float = _PATIENCE_S) -> bytes:
    """The authority's token for this content. Raises TokenError."""
    client = _client()
    builder = client.TimestampRequestBuilder().data(content).hash_algorithm(client.HashAlgorithm.SHA256)
    query = builder.build()
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Content-Type": "application/timestamp-query", "User-Agent": "recours"}
    http = Http(f"{parts.scheme}://{parts.netloc}", patience_s, patience_s, patience_s)
    try:
        answer = http.send(Request("POST", target, headers, query.as_bytes()))
    except HttpError as error:
        raise TokenError(str(error)) from error
    if answer.status != _OK:
        raise TokenError(f"it answered with status {answer.status}")
    if len(answer.body) > LARGEST_TOKEN:
        raise TokenError(f"its answer has {len(answer.body)} bytes, which no timestamp has")
    if _response(answer.body).tst_info.nonce != query.nonce:
        raise TokenError("the token answers another request: its nonce differs")
    return answer.body


def verify_token(token: bytes, content: bytes, roots: bytes | None) -> datetime:
    """When the authority stamped this content, by its clock. Raises TokenError.

    `roots`: certificates in PEM, of the authorities that its signature must lead to; None: it is not verified.
    """
    response = _response(token)
    info = response.tst_info
    if info.message_imprint.hash_algorithm.dotted_string != _SHA256:
        raise TokenError("the token is for another kind of hash")
    if info.message_imprint.message != hashlib.sha256(content).digest():
        raise TokenError("the token is for another hash")
    if roots is not None:
        client = _client()
        builder = client.VerifierBuilder()
        for certificate in _certificates(roots):
            builder = builder.add_root_certificate(certificate)
        try:
            builder.build().verify_message(response, content)
        except (client.VerificationError, ValueError) as error:
            raise TokenError(
                f"its signature is not one of the configured authority ({clean(str(error), 80)}…)"
            ) from error
    made_at: datetime = info.gen_time
    return made_at


def _response(token: bytes) -> Any:
    try:
        response = _client().decode_timestamp_response(token)
        if response.status != 0:
            reason = clean("; ".join(map(str, response.status_string or ())), 200)
            raise TokenError(f"the authority refused it: {reason or f'status {response.status}'}")
        _ = response.tst_info  # which is read only now
    except (ValueError, OverflowError) as error:
        raise TokenError(f"the answer is no timestamp ({clean(str(error), 120)})") from error
    return response


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
