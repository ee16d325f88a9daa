"""The manual and the help texts use the field's words. What is banned has a better word, named beside it."""

import re

from recours.settings.model import SETTINGS
from tests.unit.manual.pages import generated, prose, text_of, written

# A pattern, and what to write instead. The list grows; code, addresses and what the log says are not looked at.
BANNED = {
    r"(?:is|are|was|were|be|been|being) told": "logged, mailed, reported, shown",
    r"lack(?:s|ed|ing)?": "is missing, without",
    r"whoever": "the operator, the caller, a run that",
    r"ours": "of recours",
    r"in hand": "leased, under way",
    r"(?<!in )(?<!last-)turns?(?! (?:\w+ )?(?:on|off|into|out|around|away|back)\b)": "retry, due",
    r"put(?:s|ting)? off": "postponed, deferred",
    r"judge[ds]?|judg(?:e)?ments?|judging": "assess",
    r"timetables?": "backoff, waits",
    r"moments?": "time",
    r"(?:settings?|URLs?|values?|environment|larger|latter|last one) holds?": "wins, applies",
    r"on paper": "simulated",
    r"(?:in|with) (?:which|other|its own|our|the carrier's own|the same) words": "text",
}
# Pages that may speak of the words themselves.
ABOUT_WORDS = ("docs/develop/glossary.md", "docs/develop/rules.md", "docs/develop/tests.md")


def found_in(text: str) -> list[str]:
    """What is banned of a text, with what stands around it."""
    hits = []
    for pattern, better in BANNED.items():
        for match in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
            around = text[max(0, match.start() - 40) : match.end() + 40].replace("\n", " ")
            hits.append(f"“…{around}…” → {better}")
    return hits


def test_no_page_has_one_of_the_banned_words() -> None:
    pages = {name: text_of(name) for name in written() if name not in ABOUT_WORDS and "/fr/" not in name}
    for name in ("settings", "database", "json", "exit-statuses"):
        pages[name] = generated()[f"docs/reference/{name}.md"]
    for name, text in pages.items():
        assert found_in(prose(text)) == [], name


def test_the_help_of_no_command_has_one() -> None:
    """The whole of it: what commands print is a block."""
    assert found_in(generated()["docs/reference/commands.md"]) == []


def test_no_setting_is_explained_by_one() -> None:
    assert found_in("\n".join(setting.meaning for setting in SETTINGS.values())) == []


def test_what_is_banned_is_found() -> None:
    assert len(found_in("Whoever is told of it lacks nothing at the moment.")) == 4
    assert found_in("In turn, turn it off, or turn on the page.") == []
    assert found_in(prose("`is told` [x](a/whoever.md)\n```text\nlacks\n```\n")) == []
