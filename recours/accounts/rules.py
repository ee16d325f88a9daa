"""The rules for clients' accounts: credentials, limits, import files, and the result of a test call.

No message contains a credential, or a name that may be a credential entered by mistake.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from recours.core.accounts import ServiceClient
from recours.core.carrier import CarrierSpec, Catalog
from recours.core.errors import ABOUT_PARCEL, ErrorKind
from recours.core.outcome import Failure
from recours.core.pauses import Refusal
from recours.core.sentences import SentenceParts
from recours.core.spreadsheet import read_lines
from recours.core.text import clean, enumeration, is_one_line, is_text, nearest, plural
from recours.core.translations import N_, translate
from recours.runs.ports import CarrierAnswer
from recours.runs.refusals import NO_CARRIER, ClaimsRefusedError

_LONGEST = 1000  # characters of a credential


class AccountRefusedError(ClaimsRefusedError):
    """A request about an account is rejected. `why`: the key of the message."""

    def __init__(self, why: str, **facts: str) -> None:
        super().__init__(REFUSED[why].format(**facts))
        self.why = why
        self.facts = facts

    def sentences(self, language: str) -> str:
        return translate(language, REFUSED[self.why]).format(**self.facts)


# Errors that the operator must fix, because the person who enters an account cannot.
OF_INSTALLATION = frozenset({"no_key", "no_package"})

REFUSED: dict[str, str] = {
    "no_client": N_("There is no client {client}. Give an email address or an id from the table clients."),
    "several_clients": N_("Several clients have the address {client}. Give the client's id ({ids})."),
    "no_carrier": NO_CARRIER,
    "has_account": N_(
        "{client} already has an account with {carrier}. Nothing was changed. To change the credentials, run "
        "'recours accounts add' with --replace."
    ),
    "no_account": N_("{client} has no account of its own with {carrier}."),
    "changed": N_(
        "Someone else changed the account of {client} with {carrier} at the same time. Your change was not saved; try again."
    ),
    "not_credential": N_("{carrier} requires {known}, but a different name was given{near}."),
    "not_text": N_(
        "{name} must be text of 1 to {longest} characters on one line (in JSON, in quotation marks)."
    ),
    "twice": N_("{name} was given twice with different values. Give one value."),
    "incomplete": N_("Credentials for {carrier} are missing: {missing}."),
    "option": N_("{name} is invalid: {reason}."),
    "limits": N_("These limits for {carrier} are invalid: {reason}."),
    "no_key": N_(
        "Clients' credentials cannot be stored: RECOURS_ACCOUNTS_KEY is not set or contains no valid key. "
        "docs/accounts.md explains how to create a key. Keep a copy elsewhere: without the key, nobody can decrypt the credentials."
    ),
    "no_package": N_("Clients' credentials require the package cryptography: pip install 'cryptography>=44'"),
}


# ---------------------------------------------------------------- client and carrier


def client_named(clients: Sequence[ServiceClient], named: Any) -> ServiceClient:
    """The client, if exactly one was found. `named`: the address or id that was entered. Raises AccountRefusedError."""
    name = clean(str(named).strip(), 100)
    if not clients:
        raise AccountRefusedError("no_client", client=name)
    if len(clients) > 1:
        ids = ", ".join(clean(client.id, 100) for client in clients)
        raise AccountRefusedError("several_clients", client=name, ids=ids)
    return clients[0]


def carrier_named(catalog: Catalog, name: str) -> CarrierSpec:
    """The carrier with this name. The catalog needs no credentials. Raises AccountRefusedError."""
    key = catalog.resolve(name) if isinstance(name, str) else None
    if key:
        return catalog.specs[key]
    raise AccountRefusedError("no_carrier", carrier=clean(name, 60), known=", ".join(catalog.names))


# ---------------------------------------------------------------- credentials and limits


def usable_credentials(spec: CarrierSpec, content: object) -> dict[str, str]:
    """The first complete set of credentials, and the options, by setting name. Raises AccountRefusedError."""
    settings = ", ".join(_names_of(spec))
    if not isinstance(content, Mapping):
        raise AccountRefusedError("not_credential", carrier=spec.name, known=settings, near="")
    names = {name.removeprefix(f"{spec.prefix}_"): name for name in _names_of(spec)}
    texts: dict[str, str] = {}
    for typed, value in content.items():
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        short = str(typed).strip().upper().removeprefix(f"{spec.prefix}_")
        name = names.get(short)
        if name is None:
            near = nearest(short, names)
            hint = f" ({names[near]}?)" if near else ""
            raise AccountRefusedError("not_credential", carrier=spec.name, known=settings, near=hint)
        text = _one_line(name, value)
        if texts.setdefault(name, text) != text:
            raise AccountRefusedError("twice", name=name)
    for option in spec.options:
        if option.name in texts:
            try:
                option.parse(texts[option.name])
            except ValueError as error:
                raise AccountRefusedError("option", name=option.name, reason=str(error)) from None
    complete = spec.complete_credentials(texts.keys())
    if complete is None:
        missing = ", or ".join(map(enumeration, spec.missing_credentials(texts.keys())))
        raise AccountRefusedError("incomplete", carrier=spec.name, missing=missing)
    setting_names = (*complete, *(option.name for option in spec.options))
    return {name: texts[name] for name in setting_names if name in texts}


def _names_of(spec: CarrierSpec) -> tuple[str, ...]:
    return (*spec.credential_names, *(option.name for option in spec.options))


def _one_line(name: str, value: Any) -> str:
    """Return the stripped text. Raises AccountRefusedError, also for a number, which may have lost leading zeros."""
    text = value.strip() if isinstance(value, str) else ""
    if not 0 < len(text) <= _LONGEST or not (is_text(text) and is_one_line(text)):
        raise AccountRefusedError("not_text", name=name, longest=str(_LONGEST))
    return text


def usable_limits(spec: CarrierSpec, content: object) -> dict[str, str]:
    """Validate limits by kind of call ("": any kind), in the format of QUOTA_ settings. Raises AccountRefusedError."""
    if not isinstance(content, Mapping):
        reason = 'they must be an object with kinds of calls as keys, such as {"": "100/day"}'
        raise AccountRefusedError("limits", carrier=spec.name, reason=reason)
    limits = {str(name).strip().upper(): str(text).strip() for name, text in content.items()}
    if "" in limits.values():
        raise AccountRefusedError("limits", carrier=spec.name, reason="one of them is empty")
    try:
        spec.limits_of_client(spec.key, limits)
    except ValueError as error:
        raise AccountRefusedError("limits", carrier=spec.name, reason=str(error)) from None
    return limits


def limits_text(limits: Mapping[str, Any]) -> str:
    """The limits in the format of the command line; the inverse of `limits_in`."""
    return " ".join(f"{name}={text}" if name else str(text) for name, text in limits.items())


def limits_in(spec: CarrierSpec, texts: Iterable[str]) -> dict[str, str]:
    """Parse limits in the format of the command line: `100/day`, `TRACKING=20/hour`. Raises AccountRefusedError."""
    result: dict[str, str] = {}
    for text in texts:
        name, _, limits = text.rpartition("=")
        if name.strip().upper() in result:
            reason = "a kind of call is named twice; write several limits of one kind as 250/day,1/second"
            raise AccountRefusedError("limits", carrier=spec.name, reason=reason)
        result[name.strip().upper()] = limits
    return usable_limits(spec, result)


@dataclass(frozen=True)
class NewAccount:
    """A new account with validated credentials and limits."""

    client: ServiceClient
    spec: CarrierSpec
    credentials: Mapping[str, str] = field(repr=False)
    limits: Mapping[str, str] | None = None


# ---------------------------------------------------------------- one real call


class CheckVerdict(StrEnum):
    """The result of a test call with an account."""

    ACCEPTED = "accepted"
    KNOWN = "known"  # accepted, but the sample number is another customer's parcel
    REJECTED = "rejected"
    DENIED = "denied"  # accepted, but a permission is missing
    NOT_TRIED = "not_tried"  # no call was made, or the call failed


@dataclass(frozen=True)
class AccountCheck:
    """The result of a credentials check. `error`: the carrier's text, or why the check failed."""

    verdict: CheckVerdict
    kind: ErrorKind | None = None
    error: str | None = None
    explanation: SentenceParts | None = None  # set if the error is one of recours's sentences

    @property
    def is_accepted(self) -> bool | None:
        """Return whether the carrier accepted the credentials, or None if this is unknown."""
        if self.verdict is CheckVerdict.NOT_TRIED:
            return None
        return self.verdict in (CheckVerdict.ACCEPTED, CheckVerdict.KNOWN)


# {credentials} and {account} are replaced with texts from WHOSE.
CHECKED: dict[CheckVerdict, str] = {
    CheckVerdict.ACCEPTED: N_("{carrier} accepts {credentials}."),
    CheckVerdict.KNOWN: N_(
        "{carrier} accepts {credentials} (its sample number belongs to another customer)."
    ),
    CheckVerdict.REJECTED: N_("{carrier} rejects {credentials}: {error}."),
    CheckVerdict.DENIED: N_("{carrier} accepts {account} but denies it a permission: {error}."),
    CheckVerdict.NOT_TRIED: N_("{carrier}: {credentials} could not be tested: {error}."),
}
# Texts for the default account, then for a client's account.
WHOSE = (
    (N_("our credentials"), N_("our account")),
    (N_("the credentials of {client}"), N_("the account of {client}")),
)


def checked_text(language: str, checked: AccountCheck, carrier: str, client: str, error: str) -> str:
    """The result of a check as a sentence. `carrier`, `client`: display names; an empty client: the default account."""
    credentials, account = (translate(language, text).format(client=client) for text in WHOSE[bool(client)])
    return translate(language, CHECKED[checked.verdict]).format(
        carrier=carrier, credentials=credentials, account=account, error=error
    )


def account_check(result: CarrierAnswer | Refusal) -> AccountCheck:
    """The result of a credentials check, from the carrier's answer."""
    if isinstance(result, Refusal):
        return AccountCheck(CheckVerdict.NOT_TRIED, result.kind, _shown(result.reason), result.explanation)
    outcome = result.outcome
    if not isinstance(outcome, Failure) or outcome.kind in ABOUT_PARCEL:
        return AccountCheck(CheckVerdict.ACCEPTED)
    verdicts = {
        ErrorKind.AUTH_FAILED: CheckVerdict.REJECTED,
        ErrorKind.ACCOUNT_DENIED: CheckVerdict.DENIED,
        ErrorKind.ACCESS_DENIED: CheckVerdict.KNOWN,
    }
    verdict = verdicts.get(outcome.kind, CheckVerdict.NOT_TRIED)
    error = outcome.message
    if outcome.explanation and verdict is not CheckVerdict.NOT_TRIED:
        error = outcome.explanation.words or error
    return AccountCheck(verdict, outcome.kind, _shown(error), outcome.explanation)


def _shown(error: str) -> str:
    return clean(error, 500).rstrip(".")


# ---------------------------------------------------------------- a file of accounts


LARGEST = 10 * 1024 * 1024
CLIENT = "client"
CARRIER = "carrier"
LIMITS = "limits"
_LIKE_LIMITS = re.compile(r"(?:[A-Za-z]{2,12}=)?\d{1,10}\s*/")
_MAX_SHOWN = 100  # wrong rows in the error message


class FileRefusedError(ClaimsRefusedError):
    """The file is invalid and nothing was imported. The message has one line per wrong row, or one about the file."""


@dataclass
class AccountFile:
    """Reads the accounts of one file."""

    catalog: Catalog  # without credentials
    client_named: Callable[[str], ServiceClient]  # raises AccountRefusedError
    has_account: Callable[[ServiceClient, CarrierSpec], bool]
    # Where each client and carrier first occurred, such as "row 3 (line 4)".
    _places: dict[tuple[Any, str], str] = field(default_factory=dict)

    def read(self, content: bytes) -> list[NewAccount]:
        """The accounts in the file. Raises FileRefusedError if any row is wrong."""
        accounts: list[NewAccount] = []
        faults: list[str] = []
        for place, cells, fault in _rows(content):
            try:
                accounts.append(self._account(place, cells, fault))
            except ClaimsRefusedError as error:
                faults.append(f"{place}: {error}")
        if faults:
            hidden = len(faults) - _MAX_SHOWN
            more = [f"… and {plural(hidden, 'more row')}."] if hidden > 0 else []
            summary = f"{plural(len(faults), 'row')} cannot be used; nothing was written."
            raise FileRefusedError("\n".join([*faults[:_MAX_SHOWN], *more, summary]))
        if not accounts:
            raise FileRefusedError("The file contains no accounts. Add one row per account.")
        return accounts

    def _account(self, row: str, cells: dict[str, str], fault: str) -> NewAccount:
        """Validate a row. Raises ClaimsRefusedError without cell contents, because shifted cells may be credentials."""
        if fault:
            raise ClaimsRefusedError(fault)
        client_name = cells.pop(CLIENT)
        carrier_name = cells.pop(CARRIER)
        try:
            client = self.client_named(client_name)
            spec = carrier_named(self.catalog, carrier_name)
        except AccountRefusedError as error:
            raise ClaimsRefusedError(_WITHOUT_CELL[error.why]) from None
        place = self._places.setdefault((client.id, spec.key), row)
        if place != row:
            raise ClaimsRefusedError(f"the client and carrier are the same as in {place}.")
        if self.has_account(client, spec):
            raise AccountRefusedError("has_account", client=client.display_name, carrier=spec.name)
        limits = _limits(spec, cells.pop(LIMITS, ""))
        return NewAccount(client, spec, usable_credentials(spec, cells), limits)


_WITHOUT_CELL = {
    "no_client": "the table clients has no client with this address or id.",
    "several_clients": "several clients have this address; give the client's id.",
    "no_carrier": "unknown carrier; 'recours carriers' lists all carriers.",
}


def _limits(spec: CarrierSpec, cell: str) -> dict[str, str] | None:
    """Parse a cell such as `100/day POD=20/hour`. Raises ClaimsRefusedError."""
    typed = cell.split()
    if not all(_LIKE_LIMITS.match(text) for text in typed):
        raise ClaimsRefusedError("the limits are invalid; examples: 100/day, POD=20/hour.")
    return limits_in(spec, typed) if typed else None


def _rows(content: bytes) -> Iterator[tuple[str, dict[str, str], str]]:
    """Decode the file and return the rows of `_table`. Raises FileRefusedError if the content is not a CSV file."""
    if len(content) > LARGEST:
        raise FileRefusedError(f"The file is larger than {LARGEST // 1024 // 1024} MB; split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefusedError(
            "The file is not UTF-8. Save it as 'CSV UTF-8' in your spreadsheet program."
        ) from None
    if "\0" in text:
        raise FileRefusedError("The file is not text. Save it as 'CSV UTF-8' in your spreadsheet program.")
    return _table(text)


def _table(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Yield each row below the header, with its place, its cells, and the reason if it cannot be read."""
    lines = read_lines(text)
    names = next((_heads(cells or []) for _, cells in lines), [])
    for number, (line, cells) in enumerate(lines, 1):
        fault = ""
        if cells is None:
            fault = "the row cannot be read: is a quotation mark missing?"
        elif len(cells) < len(names) or any(cells[len(names) :]):
            counts = f"the row has {plural(len(cells), 'cell')}, but the first line has {len(names)}"
            fault = f"{counts}: does a cell contain a delimiter without being in quotation marks?"
        yield f"row {number} (line {line})", dict(zip(names, cells or [], strict=False)), fault


def _heads(cells: list[str]) -> list[str]:
    """Validate the column names of the file. Raises FileRefusedError."""
    names = [cell.strip().lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if CLIENT not in names or CARRIER not in names:
        raise FileRefusedError(
            "The first line must name the columns: client, carrier, limits, and credentials such as account and password."
        )
    if "" in names or len(set(names)) != len(names):
        raise FileRefusedError("The first line must name every column exactly once.")
    return names
