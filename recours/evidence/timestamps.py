"""Requests and verifies timestamps of manifests from a third party (RFC 3161).

The authority's answer is stored beside the manifest as `NAME.tsr`, in the format that `openssl ts -verify` reads. The
message of a RunError is a phrase that says why a timestamp is missing or proves nothing.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recours.carriers.http import Http, HttpError
from recours.carriers.message import Request
from recours.core.errors import RunError
from recours.core.text import clean
from recours.host.files import read_regular

_PATIENCE_S = 20.0
_OK = 200
_LARGEST = 10_000_000  # maximum bytes of a certificate file


def request_token(url: str, content: bytes, patience_s: float = _PATIENCE_S) -> bytes:
    """Request a timestamp of this content, and return the authority's token. Raises RunError."""
    client = _client()
    query = client.TimestampRequestBuilder(content, client.HashAlgorithm.SHA256).build()
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Content-Type": "application/timestamp-query", "User-Agent": "recours"}
    http = Http(f"{parts.scheme}://{parts.netloc}", patience_s, patience_s, patience_s)
    try:
        answer = http.send(Request("POST", target, headers, query.as_bytes()))
    except HttpError as error:
        raise RunError(str(error)) from error
    if answer.status != _OK:
        raise RunError(f"it answered with status {answer.status}")
    if _decode(answer.body).tst_info.nonce != query.nonce:
        raise RunError("the token belongs to a different request (its nonce differs)")
    return answer.body


def verify_token(token: bytes, content: bytes, roots: Sequence[Any]) -> datetime:
    """Return when the authority stamped this content, by the authority's clock. Raises RunError.

    `roots`: root certificates that the signature must chain to; empty: do not verify the signature.
    """
    response = _decode(token)
    if response.tst_info.message_imprint.message != hashlib.sha256(content).digest():
        raise RunError("the token is for a different hash")
    if roots:
        client = _client()
        verifier = client.VerifierBuilder(roots=list(roots)).build()
        try:
            verifier.verify_message(response, content)
        except (client.VerificationError, ValueError) as error:
            raise RunError(
                f"it is not signed by the configured authority ({clean(str(error), 80)}…)"
            ) from error
    made_at: datetime = response.tst_info.gen_time
    return made_at


def _decode(token: bytes) -> Any:
    try:
        response = _client().decode_timestamp_response(token)
        _ = response.tst_info  # accessing it parses it
    except (ValueError, OverflowError) as error:
        raise RunError(f"the answer is not a valid timestamp ({clean(str(error), 120)})") from error
    return response


def read_roots(path: Path | None) -> Sequence[Any]:
    """Return the certificates in a PEM file; none if `path` is None. Raises RunError if the file is unreadable."""
    if path is None:
        return ()
    _client()
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 (from the extra)

    try:
        return load_pem_x509_certificates(read_regular(path, _LARGEST))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} (RECOURS_TSA_CERT) contains no readable certificate: {error}") from error


def _client() -> Any:
    try:
        import rfc3161_client  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise RunError(
            "the package rfc3161-client is missing; install it with: pip install 'rfc3161-client>=1.0.6,<2'"
        ) from error
    return rfc3161_client
