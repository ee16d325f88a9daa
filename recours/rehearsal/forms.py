"""How a carrier documents its answers: the vocabulary of the tables in `recours.rehearsal.documented`.

A form is a `Leaf` (one value), a list (`[form]`: at least one entry; `[form, ...]`: also none), `Either` of two, or a dict
of the forms of fields: `"name"` must be there, `"name?"` may be. Under `ONE_OF` stand optional fields of which one must be
there. The elements of XML are fields too, their texts are leaves, and attributes are not read.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from typing import Any, TypeAlias

ONE_OF = "|"  # its form is a text: the names with blanks between them


class Holds(Enum):
    """What a value is, and so what a recording keeps of it."""

    TEXT = auto()  # what our tables match in it; the rest is made up
    CODE = auto()  # the whole, if it is a code
    TIME = auto()
    DOCUMENT = auto()  # in base64


@dataclass(frozen=True)
class Leaf:
    """One value."""

    what: str  # "a text", for a sentence
    types: tuple[type, ...] = (str,)  # in JSON; in XML all are texts
    form: re.Pattern[str] | None = None  # of its text, if that is not empty
    known: Container[str] | None = None  # the codes that our tables have
    is_closed: bool = True  # whether another code than these is a deviation
    holds: Holds = Holds.TEXT
    is_html: bool = False  # a document that may be a web page


class Such:
    """The texts for which this holds, as if they were a table of codes."""

    def __init__(self, holds: Callable[[str], bool]) -> None:
        self._holds = holds

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self._holds(text)


@dataclass(frozen=True)
class Either:
    """One of two forms: the second, unless the value is of a kind that the first takes."""

    first: "Form"
    second: "Form"

    def of(self, value: Any) -> "Form":
        if isinstance(self.first, Leaf):
            return self.first if type(value) in self.first.types else self.second
        return (
            self.first if isinstance(value, list if isinstance(self.first, list) else dict) else self.second
        )


Form: TypeAlias = Leaf | Either | list[Any] | Mapping[str, Any]


def inner_form(form: Form | None) -> Form | None:
    """The form of a list's entries."""
    found: Form | None = form[0] if isinstance(form, list) else None
    return found


def field_form(form: Form | None, name: str) -> Form | None:
    """The form of a field; None if it is not documented."""
    if not isinstance(form, Mapping):
        return None
    found: Form | None = form.get(name) or form.get(f"{name}?")
    return found


def names_in(form: Form | None) -> set[str]:
    """The names of all fields."""
    if isinstance(form, Either):
        return names_in(form.first) | names_in(form.second)
    if isinstance(form, list):
        return names_in(form[0])
    if not isinstance(form, Mapping):
        return set()
    inner = {name.rstrip("?"): each for name, each in form.items() if name != ONE_OF}
    return set(inner).union(*map(names_in, inner.values()))


# ---------------------------------------------------------------- leaves

TEXT = Leaf("a text")
FILLED = Leaf("a text that is not empty", form=re.compile(r".*\S.*", re.DOTALL))
WHOLE = Leaf("a whole number", (int,), re.compile(r"-?[0-9]+"))
DIGITS = Leaf("a text of digits", form=re.compile(r"[0-9]+"))
DOCUMENT = Leaf("a document in base64", holds=Holds.DOCUMENT)
PAGE = Leaf("a web page in base64", holds=Holds.DOCUMENT, is_html=True)

_CLOCK = r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


def time(what: str, form: str) -> Leaf:
    return Leaf(what, form=re.compile(form), holds=Holds.TIME)


LOCAL_TIME = time("a time without an offset", _DAY + _CLOCK)
TIME = time("a time with an offset", rf"{_DAY}{_CLOCK}(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})")
DAY = time("a day such as 2026-10-05", _DAY)
HOUR = time("a time of day such as 10:31:00", r"[0-9]{2}:[0-9]{2}:[0-9]{2}")


def code(known: Iterable[object] | Such, what: str = "a code", types: tuple[type, ...] = (str,)) -> Leaf:
    """A code of a table; another one is a deviation."""
    table = known if isinstance(known, Such) else frozenset(map(str, known))
    return Leaf(what, types, known=table, holds=Holds.CODE)


def open_code(*known: str, types: tuple[type, ...] = (str,)) -> Leaf:
    """A code of which the reading knows these; others are nothing unusual."""
    return Leaf("a code", types, known=frozenset(known), is_closed=False, holds=Holds.CODE)


OFFSET = Leaf(
    "an offset such as +02:00",
    form=re.compile(r"[+-][0-9]{2}:[0-9]{2}"),
    known=frozenset(
        f"{sign}{hour:02}:{minute:02}" for sign in "+-" for hour in range(15) for minute in (0, 30, 45)
    ),
    holds=Holds.CODE,
)

# In JSON a value of its own, in XML one of four texts.
_FLAGS = frozenset({"true", "false", "1", "0"})
FLAG = Leaf("true or false", (bool,), known=_FLAGS | {"True", "False"}, holds=Holds.CODE)

# ---------------------------------------------------------------- operations

_OF_GATEWAYS = frozenset({429, 500, 502, 503, 504})  # read in one place for all carriers
JSON, PROBLEM, XML = "application/json", "application/problem+json", "text/xml"


@dataclass(frozen=True)
class Operation:
    """One kind of call, and its answers.

    `good` is the form of a good answer, a leaf if that is the document itself; `bad` the form of any other (None: its body
    is not read). `statuses`: of HTTP, beside the good ones.
    """

    name: str
    path: str  # how the path of its request begins, a regular expression
    good: Form
    bad: Form | None = None
    statuses: Container[int] = frozenset()
    good_statuses: Container[int] = frozenset({200})
    media_types: tuple[str, ...] = (JSON,)
    headers: Mapping[str, Leaf] = field(default_factory=dict)  # those of an answer that are read
    is_xml: bool = False

    def knows(self, status: int) -> bool:
        """Tell whether a table says what this HTTP status means."""
        return status in self.good_statuses or status in self.statuses or status in _OF_GATEWAYS

    def form_of(self, status: int) -> Form | None:
        return self.good if status in self.good_statuses else self.bad

    @property
    def is_document(self) -> bool:
        """Tell whether the body of a good answer is the document."""
        return isinstance(self.good, Leaf)


@dataclass(frozen=True)
class Documented:
    """What a carrier documents of the answers that recours asks for, or public sources show."""

    operations: tuple[Operation, ...]

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all fields of all answers."""
        forms = [form for each in self.operations for form in (each.good, each.bad)]
        return frozenset(set().union(*map(names_in, forms)))

    def operation_of(self, path: str, body: str) -> Operation | None:
        """The operation of a request; those of SOAP have one path, and stand in the body."""
        fitting = [one for one in self.operations if re.match(one.path, path)]
        return next(
            (one for one in fitting if one.is_xml and one.name in body), fitting[0] if fitting else None
        )


def token_operation(path: str, life: Leaf, statuses: Container[int], **more: Leaf) -> Operation:
    """The call for a token; `life`: how many seconds it holds. Its refusal has one of the usual shapes."""
    errors = [{"code?": open_code(), "message?": TEXT, "type?": TEXT, "parameterList?": [TEXT, ...]}]
    bad = {
        "errors?": errors,
        "response?": {"errors": errors},
        "transactionId?": TEXT,
        ONE_OF: "errors response",
    }
    good = {"access_token": FILLED, "expires_in": life, "token_type": TEXT, **more}
    return Operation("token", path, good, bad, statuses)


_FAULTS = code(
    {
        f"{prefix}{fault}"
        for prefix in ("", "soap:", "soapenv:", "SOAP-ENV:", "env:", "s:")
        for fault in ("Client", "Server")
    }
)


def soap_operation(name: str, path: str, response: Form, detail: Form = TEXT) -> Operation:
    """A SOAP call: `response` is what its response holds, `detail` what a Fault may tell beside code and text."""
    fault = {"faultcode": _FAULTS, "faultstring": TEXT, "detail?": detail}
    body = {f"{name}Response?": response, "Fault?": fault, ONE_OF: f"{name}Response Fault"}
    envelope = {"Envelope": {"Header?": TEXT, "Body": body}}
    return Operation(name, path, envelope, envelope, media_types=(XML,), is_xml=True)
