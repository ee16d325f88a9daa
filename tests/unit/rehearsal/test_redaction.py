"""No name, number or secret of an answer or a request is in a recording, wherever it stood and however it was written."""

import base64
import html
import json
import re
from dataclasses import replace
from random import Random
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from requests.structures import CaseInsensitiveDict

from recours.carriers.message import Response
from recours.carriers.registry import CATALOG
from recours.rehearsal.made_up import made_up_number
from recours.sandbox import Scenario
from tests.fakes.rehearsals import rehearsed

S = Scenario
CARRIERS = sorted(CATALOG.specs)
SCENARIOS = [
    *(
        S.DELIVERED,
        S.IN_TRANSIT,
        S.UNKNOWN,
        S.POD_LATE,
        S.POD_UNSAID,
        S.NOT_OURS,
        S.AUTH_REFUSED,
        S.SYSTEM_ERROR,
    ),
    *(S.RATE_LIMITED, S.FAULT_CLIENT, S.HTML, S.MAINTENANCE, S.BAD_BASE64, S.NOT_A_DOCUMENT, S.INVALID_UTF8),
    *(S.RETURNED_TO_SENDER, S.ACCOUNT_DENIED, S.DELIVERED_PNG, S.POD_IMAGE_ONLY),
]
PLANTED = 10_000  # at least, all carriers together
# Signs of a part of a planted value that must not be found either; fewer digits are made up again by chance.
SHORTEST, SHORTEST_DIGITS = 7, 10
LETTERS, SIGNS = "abcdefghijklmnopqrstuvwxyz", "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
PHRASES = (
    "password",
    "tracking number",
    "Delivered : ",
    "wrong state",
    "TRACKING.DATA.NOTFOUND",
    "calls per 10 s",
    "destinataire",
)


class Planter:
    """Makes values that occur nowhere else, and writes them in the ways that answers have."""

    def __init__(self, seed: str) -> None:
        self.chance = Random(seed)
        self.values: list[str] = []

    def value(self) -> str:
        """A name, a number, or a secret."""
        chance = self.chance
        made = chance.choice(
            [
                " ".join("".join(chance.choices(LETTERS, k=7)).capitalize() for _ in range(2)),
                "".join(chance.choices(LETTERS, k=8)).upper(),
                "".join(chance.choices("0123456789", k=chance.randint(10, 16))),
                "".join(chance.choices(SIGNS, k=24)),
                f"é{''.join(chance.choices(LETTERS, k=9))}-{''.join(chance.choices('0123456789', k=10))}",
            ]
        )
        self.values.append(made)
        return made

    def text(self, before: str = "") -> str:
        """A value as it is, in another writing, or beside what may be kept."""
        made = self.value()
        ways = [
            made,
            made,
            made.upper(),
            made.lower(),
            self.written(base64.b64encode(made.encode()).decode()),
            quote(made),
            html.escape(f"<{made}>"),
            json.dumps({"value": made}),
            f"{self.chance.choice(PHRASES)} {made}",
            f"{made}{self.chance.choice(PHRASES)}",
            f"{before} {made}",
            f"{before}{made}",
            f"nom {made}",
            f"https://webpod.dhl.com/{quote(made)}?key={quote(made)}",
            f"2026-10-05T10:31:00.{self.written(''.join(self.chance.choices('123456789', k=9)))}+02:00",
            f"{made}@{made}.example",
        ]
        return self.chance.choice(ways)

    def written(self, text: str) -> str:
        self.values.append(text)
        return text

    def tamper(self, answer: Response) -> Response:
        """The answer with planted values in the places of its own, beside them, in names and in headers."""
        headers: Any = CaseInsensitiveDict(answer.headers)
        headers[f"X-{self.value()}".replace(" ", "-")] = self.value()
        headers["Set-Cookie"] = f"session={self.value()}"
        for name in ("message", "args", "Content-Type", "Retry-After"):
            if self.chance.random() < 0.3:
                headers[name] = f"{headers.get(name, '')} {self.value()}".strip()
        return replace(answer, headers=headers, body=self._body(answer.body))

    def _body(self, body: bytes) -> bytes:
        try:
            return json.dumps(self._tree(json.loads(body)), ensure_ascii=self.chance.random() < 0.5).encode()
        except ValueError:
            pass
        try:
            return self._xml(ET.fromstring(body))
        except ET.ParseError:
            return body + self.text().encode() + b" \xff"[: self.chance.randint(0, 2)] + self.value().encode()

    def _tree(self, tree: Any) -> Any:
        if isinstance(tree, dict):
            made = {name: self._tree(value) for name, value in tree.items()}
            if self.chance.random() < 0.3:
                made[self.text()] = self.text()
            return made
        if isinstance(tree, list):
            return [self._tree(each) for each in tree] + ([self.text()] if self.chance.random() < 0.1 else [])
        if self.chance.random() < 0.5 or tree is None:
            return tree
        if isinstance(tree, int):
            return int(self.written("".join(self.chance.choices("123456789", k=12))))
        return self.text(str(tree))

    def _xml(self, root: ET.Element) -> bytes:
        for element in list(root.iter()):
            if self.chance.random() < 0.2:
                element.set("note", self.value())
            if not len(element) and self.chance.random() < 0.5:
                element.text = re.sub("[^ -ÿ]", "", self.text(element.text or ""))
            elif self.chance.random() < 0.3:
                ET.SubElement(element, f"x{re.sub('[^A-Za-z0-9]', '', self.value())}").text = self.value()
                element.append(ET.Comment(self.value()))
        return ET.tostring(root)


def leaked(values: list[str], recording: str) -> list[str]:
    """Those of which a part is in a recording, or in what a text of it decodes to."""
    decoded = [
        base64.b64decode(found + "=" * (-len(found) % 4)).decode("latin-1")
        for found in re.findall(r"[A-Za-z0-9+/]{16,}", recording)
        if len(found) % 4 != 1
    ]
    text = "\n".join([recording, json.dumps(json.loads(recording)), *decoded]).lower()
    parts = {part for value in values for part in re.findall(r"[^\W_]+", value.lower())}
    long = {part for part in parts if len(part) >= (SHORTEST_DIGITS if part.isdigit() else SHORTEST)}
    return sorted(part for part in long if part in text)


def number_of(carrier: str, planter: Planter) -> str:
    """A planted one, of the carrier's form."""
    spec = CATALOG.specs[carrier]
    number = made_up_number(spec.number_example, spec, planter.value().encode())
    planter.values.append(number[2:])  # two signs of its beginning may belong to the form
    return number


def planted(carrier: str, scenario: Scenario, tries: int) -> Planter:
    """Plant, record, and see that nothing is there."""
    planter = Planter(f"{carrier}/{scenario}/{tries}")
    account = "".join(planter.chance.choices("123456789", k=8)), planter.value().replace(" ", "")
    planter.values += account
    number = number_of(carrier, planter)
    made = rehearsed(
        carrier,
        scenario,
        number=number,
        tamper=planter.tamper,
        account=account,
        salt=planter.value().encode(),
    )
    assert leaked(planter.values, made.recording.as_text()) == []
    return planter


def test_ten_thousand_planted_values_are_in_no_recording() -> None:
    count = sum(
        len(planted(carrier, scenario, tries).values)
        for carrier in CARRIERS
        for scenario in SCENARIOS
        for tries in range(2)
    )
    assert count >= PLANTED


def test_what_is_looked_for_would_be_found() -> None:
    hidden = base64.b64encode(b"... Maryvonne Kerbrat ...").decode()
    assert leaked(["Maryvonne Kerbrat"], json.dumps({"a": hidden})) == ["kerbrat", "maryvonne"]
    assert leaked(["340434161094"], '{"1~340434161094~X": 1}') == ["340434161094"]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_numbers_of_one_parcel_stay_equal(carrier: str) -> None:
    made = rehearsed(carrier, S.DELIVERED)
    assert made.recording.number in made.recording.as_text().split('"calls"')[1]
    assert made.recording.number != number_of(carrier, Planter("other"))
