"""A recording: what came of one fetch, with made-up values. A file of JSON that needs no network to be read again."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recours.access import Access
from recours.carriers.json_api import NotJsonError, parse
from recours.carriers.message import Request, Response
from recours.carriers.registry import CATALOG
from recours.core.text import clean

FORMAT = 1
LARGEST = 50_000_000  # bytes
_STATUSES = range(100, 1000)
# The names of the HttpErrors that come in place of an answer.
ERRORS = (
    "NotSentError",
    "UntrustedServerError",
    "TimedOutError",
    "BrokenAnswerError",
    "UnacceptableAnswerError",
)


class RecordingError(Exception):
    """A file is no recording that can be read. The text says why, and which file."""


@dataclass(frozen=True)
class Exchange:
    """A real call: its answer, or the name of the HttpError that came in place of one, and what that says."""

    request: Request
    answer: Response | None = None
    error: str = ""
    why: str = ""


@dataclass(frozen=True)
class Classification:
    """What recours made of the answers.

    `kind`: success, or the kind of error; `document`: the media types of the evidence that counts, the best first.
    """

    kind: str
    is_delivered: bool
    document: str = ""


@dataclass(frozen=True)
class Recorded:
    """A call of a recording. `answer`: as the file has it, or the error that came in its place."""

    operation: str
    answer: Mapping[str, Any]
    request: Mapping[str, Any] = field(default_factory=dict)

    @property
    def error(self) -> str:
        return str(self.answer.get("error", ""))

    @property
    def response(self) -> Response:
        """Raises KeyError, TypeError, ValueError if the file was changed so that there is none."""
        from requests.structures import CaseInsensitiveDict  # noqa: PLC0415 (its import takes long)

        status, headers = self.answer["status"], self.answer["headers"]
        if type(status) is not int or status not in _STATUSES:
            raise ValueError("an HTTP status")
        if not all(isinstance(value, str) for value in headers.values()):
            raise TypeError("a header")
        return Response(status, CaseInsensitiveDict(headers), _body(self.answer))


def _body(told: Mapping[str, Any]) -> bytes:
    if "json" in told:
        return json.dumps(told["json"]).encode()
    if "base64" in told:
        return base64.b64decode(told["base64"], validate=True)
    return str(told["text"]).encode()


@dataclass(frozen=True)
class Recording:
    """One fetch. `options`: those of the carrier's settings that its client reads answers by."""

    carrier: str
    number: str
    options: Mapping[str, str]
    classification: Classification
    calls: Sequence[Recorded]
    recorded_at: str = ""

    def as_text(self) -> str:
        """What the file holds."""
        tree = {"recording": FORMAT, **asdict(self)}
        return json.dumps(tree, indent=1, ensure_ascii=False) + "\n"


def save(recording: Recording, path: Path, access: Access) -> Path:
    """Write it to a new file of that name, or of a name like it. Raises OSError."""
    access.make_folder(path.parent)
    for number in range(1, 1000):
        free = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            with open(free, "x", encoding="utf-8", opener=access.opener) as file:
                file.write(recording.as_text())
        except FileExistsError:
            continue
        return free
    raise FileExistsError(f"there are 999 files named like {path}")


def load(path: Path) -> Recording:
    """Read a file. Raises RecordingError."""
    name = clean(str(path))
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise RecordingError(
            f"{name} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from error
    if len(content) > LARGEST:
        raise RecordingError(f"{name} is no recording: it has more than {LARGEST // 1_000_000} MB.")
    try:
        recording = _recording(parse(content))
    except NotJsonError as error:
        raise RecordingError(
            f"{name} is no recording, or only a part of one: it is not JSON ({error})."
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error, RecursionError) as error:
        raise RecordingError(
            f"{name} is no recording that this version of recours can read: 'recours carriers rehearse' makes one."
        ) from error
    return recording


def _recording(tree: Any) -> Recording:
    """Raises KeyError, TypeError, ValueError, AttributeError."""
    if tree["recording"] != FORMAT:
        raise ValueError("another format")
    calls = [
        Recorded(call["operation"], dict(call["answer"]), dict(call["request"])) for call in tree["calls"]
    ]
    for call in calls:
        if (call.error not in ERRORS) if call.error else not call.response:
            raise ValueError("an error")
    texts = [tree["carrier"], tree["number"], tree["recorded_at"], *(call.operation for call in calls)]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a text")
    spec = CATALOG.specs[tree["carrier"]]
    options = {option.name: option.parse(tree["options"][option.name]) for option in spec.options}
    return Recording(
        tree["carrier"],
        tree["number"],
        options,
        Classification(**tree["classification"]),
        calls,
        tree["recorded_at"],
    )
