"""Parsing an XML answer takes memory in proportion to its size, and no longer than a call may take."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recours.carriers import soap
from recours.carriers.http import LARGEST_ANSWER

SIZE = LARGEST_ANSWER
MOST_TIMES, MOST_S = 10, 20.0


def filled(before: str, piece: str, after: str) -> bytes:
    """An answer of the maximum size that a call accepts, filled with a repeated piece."""
    times = (SIZE - len(before.encode()) - len(after.encode())) // len(piece.encode())
    return b"".join((before.encode(), piece.encode() * times, after.encode()))


def numbered(before: str, piece: Callable[[int], str], after: str) -> bytes:
    pieces, size, n = [before], len(before) + len(after), 0
    while size < SIZE - 40:
        pieces.append(piece(n))
        size += len(pieces[-1])
        n += 1
    return "".join([*pieces, after]).encode()


def many(times: int, before: str, piece: str, after: str) -> bytes:
    return "".join([before, *(piece.format(n) for n in range(times)), after]).encode()


_LONG = "u" * 5_000_000
HOSTILE: dict[str, Callable[[], bytes]] = {
    "tiny elements": lambda: filled("<r>", "<a/>", "</r>"),
    "tiny elements with texts": lambda: filled("<r>", "<a>x</a>", "</r>"),
    "elements of many names": lambda: numbered("<r>", lambda n: f"<a{n}/>", "</r>"),
    "deep nesting": lambda: b"<a>" * (SIZE // 7) + b"</a>" * (SIZE // 7),
    "nesting without an end": lambda: filled("<r>", "<a>", ""),
    "attributes of one element": lambda: numbered("<r ", lambda n: f'a{n}="" ', "/>"),
    "attributes of many elements": lambda: filled("<r>", '<a b="" c="" d="" e="" f=""/>', "</r>"),
    "namespaces of one element": lambda: numbered("<r ", lambda n: f'xmlns:n{n}="u{n}" ', "/>"),
    "namespaces of many elements": lambda: numbered("<r>", lambda n: f'<a xmlns="u{n}"/>', "</r>"),
    "a long namespace of many elements": lambda: many(39_000, f'<r xmlns:n="{_LONG}">', "<n:a{}/>", "</r>"),
    "a long namespace, nested": lambda: many(19_000, f'<r xmlns="{_LONG}">', "<a{}>", ""),
    "comments": lambda: filled("<r>", "<!---->", "</r>"),
    "sections of text": lambda: filled("<r>", "<![CDATA[]]>", "</r>"),
    "a tag without an end": lambda: filled("<r><", "a", ""),
    "attributes within the bound": lambda: many(39_000, "<r ", 'a{}="" ', "/>").ljust(SIZE),
    "few attributes of many elements": lambda: many(39_000, "<r>", '<a{} b=""/>', "</r>").ljust(SIZE),
    "a value of references": lambda: filled('<r a="', "&#65;", '"/>'),
    "a value without an end": lambda: filled('<r a="', "b", ""),
    "a comment without an end": lambda: filled("<r><!--", "x", ""),
    "a text of wide characters": lambda: filled("<r>😀", "a", "</r>"),
    "a text of references": lambda: filled("<r>", "&#65;", "</r>"),
    "a text of line breaks": lambda: filled("<r>", "\n", "</r>"),
    "elements in UTF-16": lambda: ("<r>" + "<a/>" * (SIZE // 8) + "</r>").encode("utf-16"),
    "elements in another alphabet": lambda: (
        '<?xml version="1.0" encoding="cp037"?><r>' + "<a/>" * (SIZE // 4) + "</r>"
    ).encode("cp037"),
    "elements in another alphabet, declared in this one": lambda: (
        b"<?xml version='1.0' encoding='cp037'?>" + ("<a>" * (SIZE // 3)).encode("cp037")
    ),
}

# Prints the seconds and the memory that parsing takes, without the memory of the answer itself.
_MEASURED = """
import re, sys, time
from recours.carriers import soap
from recours.carriers.message import Response
from xml.etree import ElementTree

def most_used():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

answer = Response(200, {}, open(sys.argv[1], "rb").read())
open("/proc/self/clear_refs", "w").write("5")  # resets the maximum
before, since = most_used(), time.process_time()
soap.read("Chronopost", answer)
print(time.process_time() - since, most_used() - before)
"""


@pytest.mark.sample("other hostile answers", every=3)
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_costs_little(hostile: Callable[[], bytes], tmp_path: Path) -> None:
    body = hostile()
    (tmp_path / "answer.xml").write_bytes(body)
    command = [sys.executable, "-c", _MEASURED, str(tmp_path / "answer.xml")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    seconds, taken = float(told[0]), int(told[1])
    print(f"{len(body) / 1e6:.0f} MB: {seconds:.2f} s, {taken / 1e6:.0f} MB, {taken / len(body):.1f} times")
    assert taken < MOST_TIMES * len(body)
    assert seconds < MOST_S


def test_a_document_of_the_largest_size_is_read() -> None:
    document = "QUJD" * (15 * 1024 * 1024 // 4)
    answer = f'<s:Envelope xmlns:s="urn:s"><s:Body><a xmlns="urn:a"><pod>{document}</pod></a></s:Body></s:Envelope>'
    body = soap.body_of(soap.parse(answer.encode()))
    assert body is not None
    assert (body.tag, soap.text(body, "pod")) == ("a", document)


def test_a_long_list_of_events_is_read() -> None:
    events = "<e><code>TA</code><label>En cours de livraison</label><place xsi:nil='true'/></e>" * 2000
    root = soap.parse(f"<r xmlns:xsi='urn:x'>{events}</r>".encode())
    assert len(soap.children(root, "e")) == 2000
    assert soap.text(root[-1], "label") == "En cours de livraison"


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "ISO-8859-1", "windows-1252"])
def test_answers_may_be_in_the_encodings_that_are_in_use(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><r>Livré à 9 h</r>'
    assert soap.parse(text.encode(encoding)).text == "Livré à 9 h"
