"""Secrets are removed from external text."""

import html
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlencode

import pytest

from recours.core.text import Redactor, clean

PASSWORD = "s3cr&t/é"
QUOTED = "s3\"cr\\t é\u2028'x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the password s3cr&t/é is wrong", "the password *** is wrong"),
        ("s3cr&t/é", "***"),
        ("password=s3cr&t/é;password=s3cr&t/é", "password=***;password=***"),
        ("?p=s3cr%26t%2F%C3%A9&x=1", "?p=***&x=1"),
        ("<p>s3cr&amp;t/é</p>", "<p>***</p>"),
        ("Basic czNjciZ0L8Op", "Basic ***"),
        ("nothing of the kind", "nothing of the kind"),
        ("", ""),
    ],
)
def test_a_secret_is_masked_in_its_usual_encodings(text: str, expected: str) -> None:
    assert Redactor([PASSWORD])(text) == expected


@pytest.mark.parametrize(
    "encoded",
    [
        json.dumps(QUOTED)[1:-1],
        json.dumps(QUOTED, ensure_ascii=False)[1:-1],
        urlencode({"p": QUOTED}).removeprefix("p="),
        html.escape(QUOTED),
        urlencode({"p": html.escape(QUOTED)}).removeprefix("p="),
        urlencode({"p": html.escape(QUOTED, quote=False)}, quote_via=quote).removeprefix("p="),
        clean(QUOTED),
    ],
    ids=["json", "json with accents", "form", "html", "html in a query", "html in a path", "escaped"],
)
def test_a_secret_is_masked_as_we_send_and_show_it(encoded: str) -> None:
    assert encoded != QUOTED
    assert Redactor([QUOTED])(f"sent: {encoded}, refused") == "sent: ***, refused"


@pytest.mark.parametrize(
    "escape",
    ["\\x0a", "\\x09", "\\u2028", "\\U000e0001", "\\n", "\\t", "%3D", "%3d", "%20", "\\u0022", "\\u003D"],
)
def test_an_escape_before_a_secret_is_not_part_of_the_token(escape: str) -> None:
    redact = Redactor(["s3cr3tPW9x"])
    assert redact(f"password{escape}s3cr3tPW9x{escape}") == f"password{escape}***{escape}"
    assert redact(f"password{escape}s3cr3t…") == f"password{escape}***…"


def test_a_secret_after_a_line_break_is_masked_in_text_that_was_made_harmless() -> None:
    assert Redactor(["123456"])(clean("password:\n\t123456\n0123456")) == "password:\\x0a\\x09***\\x0a0123456"


@pytest.mark.parametrize("padding", ["==", ""])
def test_base64_is_masked_with_and_without_its_padding(padding: str) -> None:
    assert Redactor(["1234567"])(f"Basic MTIzNDU2Nw{padding}, sent") == "Basic ***, sent"


def test_a_secret_inside_a_longer_token_is_not_masked() -> None:
    redact = Redactor(["123456"])
    assert (
        redact("XY123456789FR, 0123456, 1234567 and a123456") == "XY123456789FR, 0123456, 1234567 and a123456"
    )
    assert redact("pin:123456, (123456)") == "pin:***, (***)"


def test_a_secret_with_quotation_marks_is_masked_as_html_text_shows_it() -> None:
    assert Redactor(["it's&\"me"])("<p>it's&amp;\"me</p>") == "<p>***</p>"


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert Redactor(["abc", "abc-def"])("abc-def abc") == "*** ***"


def test_a_secret_is_not_a_regular_expression() -> None:
    assert Redactor(["a.c+(x"])("abc aac a.c+(x") == "abc aac ***"


def test_very_short_secrets_are_not_masked() -> None:
    assert Redactor(["", "fr"])("le fr et la") == "le fr et la"
    assert Redactor(["abc"])("abc") == "***"


def test_without_secrets_nothing_is_changed() -> None:
    assert Redactor([])(" any - thing ") == " any - thing "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=s3cr3t-Pa5…", "password=***…"),
        ("token s3cr…, and more", "token ***…, and more"),
        ("s3cr3t-Pa55word-Zq7…", "***…"),
        ("Basic czNjcjN0L…", "Basic ***…"),
        ("s3c… is too little to be one", "s3c… is too little to be one"),
        ("xs3cr3t-Pa5…", "xs3cr3t-Pa5…"),  # within another word
        ("nothing of it…", "nothing of it…"),
        ("s3cr3t-Pa5 and no cut", "s3cr3t-Pa5 and no cut"),
    ],
)
def test_a_truncated_secret_is_masked(text: str, expected: str) -> None:
    redact = Redactor(["s3cr3t-Pa55word-Zq7", "s3cr3t/Pa55word"])
    assert redact(text) == expected


def test_secrets_added_later_are_masked() -> None:
    redact = Redactor(["abc-def"])
    redact.add(["s3cr3tPW9x", "a.c+(x"])
    assert redact("abc-def s3cr3tPW9x a.c+(x") == "*** *** ***"
    assert redact("answered: s3cr3t…") == "answered: ***…"


def test_secrets_are_added_while_other_threads_redact() -> None:
    redact = Redactor([])
    with ThreadPoolExecutor(4) as pool:
        adding = [pool.submit(redact.add, [f"p4ss-{n}-word"]) for n in range(200)]
        while not all(done.done() for done in adding):
            redact("p4ss-7-word and p4ss-19…")
    assert all(redact(f"p4ss-{n}-word") == "***" for n in range(200))
