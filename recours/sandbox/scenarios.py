"""What a simulated carrier does with a parcel, in names that hold for every carrier."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum, auto
from functools import cache
from itertools import groupby


class Scenario(StrEnum):
    """How the carrier behaves at one try to fetch a POD. `WORDS` says what each one is."""

    DELIVERED = auto()
    DELIVERED_PNG = auto()
    DELIVERED_NO_SIGNATORY = auto()
    IN_TRANSIT = auto()
    UNKNOWN = auto()
    POD_LATE = auto()
    POD_NEVER = auto()
    POD_NONE = auto()
    POD_UNSAID = auto()
    NOT_OURS = auto()
    AUTH_REFUSED = auto()
    SYSTEM_ERROR = auto()
    RATE_LIMITED = auto()
    FAULT_CLIENT = auto()
    FAULT_SERVER = auto()
    HTML = auto()
    MAINTENANCE = auto()
    BAD_GATEWAY = auto()
    BAD_BASE64 = auto()
    NOT_A_DOCUMENT = auto()
    EMPTY_POD = auto()
    BROKEN_PDF = auto()
    EMPTY = auto()
    TRUNCATED = auto()
    INVALID_UTF8 = auto()
    WRONG_TYPE = auto()
    DTD_BOMB = auto()
    REDIRECT = auto()
    SLOW = auto()
    DRIP = auto()
    DRIP_HEADERS = auto()
    RESET = auto()
    OVERSIZED = auto()
    GZIP_BOMB = auto()
    HOSTILE_TEXT = auto()
    RETURNED_TO_SENDER = auto()
    ACCOUNT_DENIED = auto()
    DELIVERED_GIF = auto()
    HOLLOW_POD = auto()
    POD_IMAGE_ONLY = auto()


_S = Scenario

WORDS: dict[Scenario, str] = {
    _S.DELIVERED: "delivered and signed for, the POD is a PDF",
    _S.DELIVERED_PNG: "delivered and signed for, the POD is a PNG even if a PDF is asked for",
    _S.DELIVERED_NO_SIGNATORY: "delivered, no name is given, the POD is a PDF",
    _S.IN_TRANSIT: "on its way, not delivered",
    _S.UNKNOWN: "the carrier knows no such parcel",
    _S.POD_LATE: "delivered, the POD is not there yet",
    _S.POD_NEVER: "delivered, a kind of shipment that needs no signature: there will be no POD",
    _S.POD_NONE: "delivered, no POD online for this shipment",
    _S.POD_UNSAID: "delivered, no POD, and no reason given",
    _S.NOT_OURS: "delivered, the POD call says the parcel is another customer's",
    _S.AUTH_REFUSED: "delivered, the POD call refuses the password, whatever it is",
    _S.SYSTEM_ERROR: "the carrier's own error message",
    _S.RATE_LIMITED: "too many calls (HTTP 429)",
    _S.FAULT_CLIENT: "a fault that blames the request (HTTP 500)",
    _S.FAULT_SERVER: "a fault that blames the carrier (HTTP 500)",
    _S.HTML: "a web page in place of an answer (HTTP 200)",
    _S.MAINTENANCE: "a maintenance page (HTTP 503)",
    _S.BAD_GATEWAY: "a bad gateway (HTTP 502)",
    _S.BAD_BASE64: "delivered, the POD field does not decode",
    _S.NOT_A_DOCUMENT: "delivered, the POD decodes to plain text",
    _S.EMPTY_POD: "delivered, a POD is announced and its field is empty",
    _S.BROKEN_PDF: "delivered, the POD begins like a PDF and cannot be opened",
    _S.EMPTY: "an empty answer (HTTP 200)",
    _S.TRUNCATED: "an answer cut off half-way",
    _S.INVALID_UTF8: "an answer with bytes that are not UTF-8",
    _S.WRONG_TYPE: "a readable answer of the wrong shape, in turn with one whose error code is no number",
    _S.DTD_BOMB: "an answer that grows to gigabytes when parsed (billion laughs)",
    _S.REDIRECT: "a redirection to another host (HTTP 302)",
    _S.SLOW: "delivered, every answer comes late",
    _S.DRIP: "the answer's body comes one byte a second",
    _S.DRIP_HEADERS: "the answer's header comes one byte a second",
    _S.RESET: "the connection is reset",
    _S.OVERSIZED: "an answer of 30 MB",
    _S.GZIP_BOMB: "a small answer that unpacks to 100 MB",
    _S.HOSTILE_TEXT: "an error message that tries to forge log lines and to leak the password",
    _S.RETURNED_TO_SENDER: "the parcel went back to its sender, in some answers with a delivery there",
    _S.ACCOUNT_DENIED: "our account does not have the right, whatever the parcel",
    _S.HOLLOW_POD: "delivered, the POD opens and shows nothing: a blank page, or one that says that there is none",
    _S.DELIVERED_GIF: "delivered and signed for, the POD is a GIF even if a PDF is asked for",
    _S.POD_IMAGE_ONLY: (
        "delivered and signed for; where either can be asked for, there is no PDF but an image of the signature"
    ),
}

# Slow answers are right ones: whether they count as delivered depends on the client's patience.
SLOW_ANSWERS = frozenset({_S.SLOW, _S.DRIP, _S.DRIP_HEADERS})

# The tracking call says "delivered"; what the scenario is about happens at the POD call.
DELIVERED_BY_TRACKING = frozenset(
    {
        _S.DELIVERED, _S.DELIVERED_PNG, _S.DELIVERED_NO_SIGNATORY, _S.POD_LATE, _S.POD_NEVER, _S.POD_NONE,
        _S.POD_UNSAID, _S.NOT_OURS, _S.AUTH_REFUSED, _S.BAD_BASE64, _S.NOT_A_DOCUMENT, _S.EMPTY_POD,
        _S.BROKEN_PDF, _S.DELIVERED_GIF, _S.POD_IMAGE_ONLY, _S.HOLLOW_POD,
    }
)  # fmt: skip


# The call after the tracking lists documents, and one is there to be asked for.
DOCUMENT_IS_THERE = frozenset(
    {
        _S.DELIVERED, _S.DELIVERED_PNG, _S.DELIVERED_NO_SIGNATORY, _S.BAD_BASE64, _S.NOT_A_DOCUMENT, _S.EMPTY_POD,
        _S.BROKEN_PDF, _S.DELIVERED_GIF, _S.POD_IMAGE_ONLY, _S.HOLLOW_POD,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Parcel:
    """A parcel's script: one scenario a try, the last one for ever. How far it has got is kept elsewhere.

    `delivered_after` is counted from the first answer that says "delivered", so it is negative for a delivery
    in the past. `retry_after` is the Retry-After header of RATE_LIMITED (seconds or an HTTP date), None for none.
    """

    steps: tuple[Scenario, ...]
    signatory: str = "DUPONT"
    delivered_after: timedelta = timedelta(hours=-26)
    retry_after: str | None = "120"

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("a parcel needs at least one step")


# What happens to a number that nobody scripted, by two of its digits.
BY_DIGITS: dict[str, tuple[Scenario, ...]] = {
    # 0: it ends well
    "00": (_S.DELIVERED,),
    "01": (_S.IN_TRANSIT, _S.DELIVERED),
    "02": (_S.IN_TRANSIT, _S.IN_TRANSIT, _S.DELIVERED),
    "03": (_S.IN_TRANSIT, _S.IN_TRANSIT, _S.IN_TRANSIT, _S.DELIVERED),
    "04": (_S.DELIVERED_PNG,),
    "05": (_S.DELIVERED_NO_SIGNATORY,),
    "06": (_S.IN_TRANSIT, _S.POD_LATE, _S.DELIVERED),
    "07": (_S.MAINTENANCE, _S.DELIVERED),
    "08": (_S.RATE_LIMITED, _S.DELIVERED),
    "09": (_S.SLOW, _S.DELIVERED),
    # 1: a clear answer, no POD
    "10": (_S.IN_TRANSIT,),
    "11": (_S.UNKNOWN,),
    "12": (_S.POD_LATE,),
    "13": (_S.POD_NEVER,),
    "14": (_S.POD_NONE,),
    "15": (_S.POD_UNSAID,),
    "16": (_S.NOT_OURS,),
    "17": (_S.AUTH_REFUSED,),
    "18": (_S.RETURNED_TO_SENDER,),
    "19": (_S.ACCOUNT_DENIED,),
    # 2: the carrier is in trouble
    "20": (_S.SYSTEM_ERROR,),
    "21": (_S.RATE_LIMITED,),
    "22": (_S.FAULT_CLIENT,),
    "23": (_S.FAULT_SERVER,),
    "24": (_S.HTML,),
    "25": (_S.MAINTENANCE,),
    "26": (_S.BAD_GATEWAY,),
    # 3: the document is no document
    "30": (_S.BAD_BASE64,),
    "31": (_S.NOT_A_DOCUMENT,),
    "32": (_S.EMPTY_POD,),
    "33": (_S.BROKEN_PDF,),
    "34": (_S.HOLLOW_POD,),
    # 4: the answer is none, or hostile
    "40": (_S.EMPTY,),
    "41": (_S.TRUNCATED,),
    "42": (_S.INVALID_UTF8,),
    "43": (_S.WRONG_TYPE,),
    "44": (_S.DTD_BOMB,),
    "45": (_S.REDIRECT,),
    "46": (_S.OVERSIZED,),
    "47": (_S.GZIP_BOMB,),
    "48": (_S.HOSTILE_TEXT,),
    # 5: the connection
    "50": (_S.SLOW,),
    "51": (_S.DRIP,),
    "52": (_S.DRIP_HEADERS,),
    "53": (_S.RESET,),
    # 6: it ends well, with a rarer document
    "60": (_S.DELIVERED_GIF,),
    "61": (_S.POD_IMAGE_ONLY,),
}


@cache
def parcel_for(digits: str) -> Parcel:
    """The script of a number that nobody scripted, by the digits in it that choose: by `BY_DIGITS`, else UNKNOWN."""
    return Parcel(BY_DIGITS.get(digits, (Scenario.UNKNOWN,)))


def scenario_table() -> list[tuple[str, str]]:
    """Rows of (two digits, what happens to a parcel whose number has them, in plain words)."""
    return [(digits, _story(steps)) for digits, steps in BY_DIGITS.items()]


def _story(steps: tuple[Scenario, ...]) -> str:
    """`tries 1 to 2: on its way; from try 3: delivered`, shortened."""
    if len(steps) == 1:
        return WORDS[steps[0]]
    parts, first = [], 1
    for scenario, run in groupby(steps[:-1]):
        last = first + len(list(run)) - 1
        when = f"try {first}" if first == last else f"tries {first} to {last}"
        parts.append(f"{when}: {WORDS[scenario]}")
        first = last + 1
    return "; ".join([*parts, f"from try {len(steps)}: {WORDS[steps[-1]]}"])
