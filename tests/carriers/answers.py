"""The simulated carriers' answers, stored in `simulated/` with one file per carrier, by scenario.

A file contains all answers for the delivered parcel, and only the last answer for other scenarios. An answer that
equals another scenario's answer is stored as that scenario's name. After changing a simulator, write its answers with
`python -m tests.carriers.answers NAME`, and review the difference.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from recours.carriers.message import Response
from recours.sandbox import Scenario
from tests.carriers.cases import CASES
from tests.fakes.answers import canonical
from tests.fakes.simulated import SandboxSession, client_of, quiet_sandbox

S = Scenario
SCENARIOS = (
    *(S.DELIVERED, S.DELIVERED_PNG, S.DELIVERED_NO_SIGNATORY, S.IN_TRANSIT, S.UNKNOWN, S.NOT_OURS),
    *(S.POD_LATE, S.POD_NEVER, S.POD_NONE, S.POD_UNSAID, S.ACCOUNT_DENIED, S.AUTH_REFUSED),
    *(S.FAULT_CLIENT, S.FAULT_SERVER, S.SYSTEM_ERROR),
)
_DOCUMENT = re.compile(r"[A-Za-z0-9+/=]{60,}|sandbox-\w+-\d+")  # a document or a token


def file_of(carrier: str) -> Path:
    return Path(__file__).with_name("simulated") / f"{carrier}.json"


def answered(carrier: str) -> dict[str, Any]:
    """The simulated carrier's current answers by scenario."""
    found: dict[str, Any] = {}
    for scenario in SCENARIOS:
        session = SandboxSession(client_of(carrier), quiet_sandbox().example(carrier, "99", 1), scenario)
        session.fetch()
        answers = [_told(answer) for answer in session.answers if isinstance(answer, Response)]
        told = answers if scenario is S.DELIVERED else answers[-1:]
        same = [name for name, other in found.items() if other == told]
        found[scenario] = same[0] if same else told
    return found


def _told(answer: Response) -> list[Any]:
    """The status, headers and content of an answer, with dots in place of documents and tokens."""
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
    if answer.body.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8")):
        return [answer.status, headers, "a document"]
    text = _DOCUMENT.sub("...", answer.body.decode())
    if text.startswith("<"):
        return [answer.status, headers, canonical(text).replace("><", ">\n<").split("\n")]
    try:
        return [answer.status, headers, json.loads(text)]
    except ValueError:
        return [answer.status, headers, text]


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        text = json.dumps(answered(name), indent=1, ensure_ascii=False)
        file_of(name).write_text(text + "\n", encoding="utf-8")
