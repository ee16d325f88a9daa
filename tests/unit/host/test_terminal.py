"""Line breaks for a terminal."""

import io

import pytest

from recours.host.terminal import display_width, width_of, wrapped

PATH = "/srv/recours/data/pods/chronopost/CLM-1.pdf"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("short", ["short"]),
        ("", [""]),
        ("one two three four five", ["one two three four", "five"]),
        ("! one two three four five", ["! one two three four", "  five"]),
        ("ok      one two three", ["ok      one two", "        three"]),
        (f"the log: {PATH}, full", ["the log:", f"{PATH},", "full"]),
        (f"  {PATH}", [f"  {PATH}"]),
        ("→ See, then: bin/recours status", ["→ See, then:", "  bin/recours status"]),
        ("a   b  recours fetch", ["a   b  recours fetch"]),
        ("then: recours status --days 30", ["then: recours status", "--days 30"]),
        ("\x1b[31mone two three four five\x1b[0m", ["\x1b[31mone two three four", "five\x1b[0m"]),
        ("✅✅✅✅ ✅✅✅✅ ✅✅", ["✅✅✅✅ ✅✅✅✅", "✅✅"]),
        ("un\u00a0: deux trois quatre", ["un\u00a0: deux trois", "quatre"]),
    ],
)
def test_a_line_is_wrapped_between_words_with_a_hanging_indent(line: str, shown: list[str]) -> None:
    assert wrapped(line, 20).split("\n") == shown


def test_colors_have_no_width_and_emoji_have_two() -> None:
    assert display_width("\x1b[1mok\x1b[0m ✅") == 5


def test_a_stream_that_is_not_a_terminal_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    assert width_of(io.StringIO()) is None
