"""A table (CSV) with many clients' accounts: read as a whole, every row that is wrong named.

Columns: `client`, `carrier`, `limits`, and credentials by the names of their settings, with or without the carrier's
prefix. No sentence repeats what stands in a cell that may hold a credential.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from recours.core.accounts import ServiceClient
from recours.core.carrier import CarrierSpec, Catalog
from recours.core.text import clean, plural
from recours.operations.accounts import (
    AccountRefusedError,
    NewAccount,
    carrier_named,
    limits_in,
    usable_credentials,
)
from recours.operations.refusals import ClaimsRefusedError

LARGEST = 10 * 1024 * 1024
CLIENT, CARRIER, LIMITS = "client", "carrier", "limits"
_DELIMITERS = ",;\t"
_LIKE_LIMITS = re.compile(r"(?:[A-Za-z]{2,12}=)?\d{1,10}\s*/")
_MOST_SHOWN = 100  # sentences about rows


class FileRefusedError(ClaimsRefusedError):
    """Nothing of the file was taken: a line for each row that is wrong, or one about the file."""


@dataclass
class AccountFile:
    """Reads the accounts of one file."""

    catalog: Catalog  # that knows of no credentials
    client_named: Callable[[str], ServiceClient]  # raises AccountRefusedError
    has_account: Callable[[ServiceClient, CarrierSpec], bool]
    _places: dict[tuple[Any, str], str] = field(default_factory=dict)  # of rows, by client and carrier

    def read(self, content: bytes) -> list[NewAccount]:
        """Its accounts. Raises FileRefusedError if any row is wrong."""
        accounts: list[NewAccount] = []
        faults: list[str] = []
        for place, cells, fault in _rows(content):
            try:
                accounts.append(self._account(place, cells, fault))
            except ClaimsRefusedError as error:
                faults.append(f"{place}: {error}")
        if faults:
            hidden = len(faults) - _MOST_SHOWN
            more = [f"… and {plural(hidden, 'more row')}."] if hidden > 0 else []
            told = f"{plural(len(faults), 'row')} cannot be used; nothing was written."
            raise FileRefusedError("\n".join([*faults[:_MOST_SHOWN], *more, told]))
        if not accounts:
            raise FileRefusedError("The file has no account.")
        return accounts

    def _account(self, row: str, cells: dict[str, str], fault: str) -> NewAccount:
        """Raises ClaimsRefusedError. What a cell holds is not repeated: in a row that is shifted it may be a credential."""
        if fault:
            raise ClaimsRefusedError(fault)
        client_name, carrier_name = cells.pop(CLIENT), cells.pop(CARRIER)
        try:
            client, spec = self.client_named(client_name), carrier_named(self.catalog, carrier_name)
        except AccountRefusedError as error:
            raise ClaimsRefusedError(_WITHOUT_CELL[error.why]) from None
        place = self._places.setdefault((client.id, spec.key), row)
        if place != row:
            raise ClaimsRefusedError(f"it has the same client and carrier as {place}.")
        if self.has_account(client, spec):
            raise AccountRefusedError("has_account", client=client.named, carrier=spec.name)
        limits = _limits(spec, cells.pop(LIMITS, ""))
        return NewAccount(client, spec, usable_credentials(spec, cells), limits)


_WITHOUT_CELL = {
    "no_client": "its client is not in the table clients, by address or id.",
    "several_clients": "several clients have this address: write the client's id.",
    "no_carrier": "there is no such carrier; 'recours carriers' lists them.",
}


def _limits(spec: CarrierSpec, cell: str) -> dict[str, str] | None:
    """`100/day POD=20/hour`. Raises ClaimsRefusedError."""
    typed = cell.split()
    if not all(_LIKE_LIMITS.match(text) for text in typed):
        raise ClaimsRefusedError("its limits are none; write for example 100/day, or POD=20/hour.")
    return limits_in(spec, typed) if typed else None


# ---------------------------------------------------------------- the rows of a file


def _rows(content: bytes) -> Iterator[tuple[str, dict[str, str], str]]:
    """See `_table`. Raises FileRefusedError if it is no such file."""
    if len(content) > LARGEST:
        raise FileRefusedError(f"The file has more than {LARGEST // 1024 // 1024} MB; split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefusedError("The file is not UTF-8; in a spreadsheet, save it as 'CSV UTF-8'.") from None
    if "\0" in text:
        raise FileRefusedError("The file is not text; in a spreadsheet, save it as 'CSV UTF-8'.")
    return _table(text)


def _table(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Each row below a line of names: its place for people, its cells by their columns, why it cannot be read; "": it can.

    Between commas, semicolons or tabs, whichever the first line has most of.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    number, line = 0, 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not names:
                names = _heads(cells)
            elif any(cell.strip() for cell in cells):
                number += 1
                counts = f"it has {plural(len(cells), 'cell')}, the first line has {len(names)}"
                fault = f"{counts}: is a cell with a delimiter in it not in quotation marks?"
                is_whole = len(cells) >= len(names) and not "".join(cells[len(names) :]).strip()
                place = f"row {number} (line {line})"
                yield place, dict(zip(names, cells, strict=False)), "" if is_whole else fault
            line = reader.line_num + 1
    except csv.Error as error:
        fault = f"it cannot be read ({clean(error, 80)}): is a quotation mark missing?"
        yield f"row {number + 1} (line {line})", {}, fault


def _heads(cells: list[str]) -> list[str]:
    """Raises FileRefusedError."""
    names = [cell.strip().lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if CLIENT not in names or CARRIER not in names:
        raise FileRefusedError(
            "The first line must name the columns: client, carrier, limits, and credentials such as account and password."
        )
    if "" in names or len(set(names)) != len(names):
        raise FileRefusedError("The first line must name every column, each once.")
    return names
