"""Names below `recours/` use the field's words, not invented ones."""

import pytest

from tests.old_words import (
    MODULES,
    NAMES,
    STILL_SEVERAL_CLASSES,
    STILL_TO_BE_RENAMED,
    WORDS,
    occurrences,
    several_classes,
)

pytestmark = pytest.mark.full("words that were given up: a name harms nobody at once")


def test_no_old_word_comes_back() -> None:
    places = occurrences()
    back = {old: places[old] for old in sorted(places.keys() - STILL_TO_BE_RENAMED)}
    new = WORDS | NAMES | {f"module {old}": name for old, name in MODULES.items()}
    said = [f"{old} (say {new[old]}): {', '.join(where)}" for old, where in back.items()]
    assert not said, "\n".join(said)


def test_renamed_names_are_off_the_lists() -> None:
    """So that it cannot come back."""
    done = (
        sorted(STILL_TO_BE_RENAMED - occurrences().keys()),
        sorted(STILL_SEVERAL_CLASSES - several_classes()),
    )
    assert done == ([], []), (
        "No name has these any more: `python -m tests.old_words trim` takes them off the lists."
    )


def test_one_name_is_one_class() -> None:
    assert sorted(several_classes() - STILL_SEVERAL_CLASSES) == []
