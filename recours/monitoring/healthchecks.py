"""Pings to a healthchecks check when a run starts, succeeds or fails.

In the pinging API (https://healthchecks.io/docs/http_api/), a POST to the check's URL reports success. A POST to
`/start` or `/fail` below that URL reports a start or a failure. The parameter `rid`, a UUID, links the end of a run to
its start. The body is a log.
"""

import logging
import time
from collections.abc import Callable, Sequence
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from recours.carriers.http import Http, HttpError, UnacceptableAnswerError
from recours.carriers.message import Request, Response
from recours.core.text import clean

log = logging.getLogger("__main__")

LONGEST_BODY = 10_000  # bytes; some versions of the server store no more
_LONGEST_LINE = 1000
_PATIENCE_S = 4.0
_ATTEMPTS = 2
_PAUSE_S = 0.5


class Pings:
    """Pings a check. A failed ping is logged as a WARNING."""

    def __init__(
        self,
        url: str,
        worker: str,
        run_id: str,
        redact: Callable[[str], str],
        sleep: Callable[[float], None] = time.sleep,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """`url` may contain {worker}. `run_id`: 32 hex digits. `patience_s`: timeout of a connection and an answer."""
        self._parts = urlsplit(url.replace("{worker}", worker))
        self._run_id = UUID(hex=run_id)
        self._redact = redact
        self._sleep = sleep
        self._http = _server_of(self._parts, patience_s)

    def started(self) -> None:
        self._ping("/start", "start")

    def ended(self, exit_status: int, lines: Sequence[str]) -> None:
        if exit_status == 0:
            self._ping("", "success", lines)
        else:
            self._ping("/fail", "failure", [f"Exit status: {exit_status}", *lines])

    def _ping(self, action: str, name: str, lines: Sequence[str] = ()) -> None:
        request = self._request(action, lines)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._http.send(request)
            except HttpError as fault:
                problem = str(fault)
                again = not isinstance(fault, UnacceptableAnswerError)
            else:
                problem = _problem(answer)
                again = answer.status >= 500  # noqa: PLR2004 (server errors)
            if not problem:
                return
            if not again or attempt == _ATTEMPTS:
                break
            self._sleep(_PAUSE_S)
        log.warning(f"Could not ping RECOURS_PING_URL ({name}): {self._parts.hostname} {problem}")

    def _request(self, action: str, lines: Sequence[str]) -> Request:
        parts = self._parts
        query = "&".join(filter(None, (parts.query, f"rid={self._run_id}")))
        text = "\n".join(clean(self._redact(line), _LONGEST_LINE) for line in lines)
        # Truncate between characters, because the server does not store invalid UTF-8.
        body = text.encode()[:LONGEST_BODY].decode(errors="ignore").encode()
        headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "recours"}
        return Request("POST", f"{parts.path.rstrip('/')}{action}?{query}", headers, body)


def trouble_with(url: str, patience_s: float = _PATIENCE_S) -> str:
    """Why the check's server cannot be reached, as the end of a sentence, or an empty text. Does not ping the check."""
    try:
        _server_of(urlsplit(url), patience_s).send(Request("GET", "/", {"User-Agent": "recours"}, b""))
    except UnacceptableAnswerError:  # the server answers, for example with a redirect
        return ""
    except HttpError as fault:
        return str(fault)
    return ""


def _server_of(url: SplitResult, patience_s: float) -> Http:
    return Http(f"{url.scheme}://{url.netloc}", patience_s, patience_s, patience_s)


def _problem(answer: Response) -> str:
    """The problem as a phrase that follows the host's name, or an empty text if there is none."""
    if not 200 <= answer.status < 300:  # noqa: PLR2004 (success)
        return f"answered with status {answer.status}"
    text = answer.body[:100].decode(errors="replace").strip()
    # hc-ping.com has answered 200 with "OK (not found)" and "OK (rate limited)".
    return f"answered '{clean(text, 60)}'" if text.startswith("OK (") else ""
