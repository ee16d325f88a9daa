"""On a French page stands no English, in whatever state its claims and carriers are, but for names and what is quoted."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from recours.core.errors import ErrorKind
from tests.browser.conftest import World
from tests.browser.views import VIEWS
from tests.french import not_french

# References, numbers and files have digits in them; what strangers wrote stands in claims named EVIL.
_NAMES = re.compile(r".*(EVIL|<script>|src=x).*|\S*\d\S*|=HYPERLINK.*|\b(ups|chronopost) \w+", re.IGNORECASE)
_KNOWN = {
    "UPS",
    "GLS",
    "DPD",
    "Relay",
    "Hermes",
    "English",
    "NEW",
    "lun",
    "mar",
    "mer",
    "jeu",
    "ven",
    "sam",
    "dim",
    "anna",  # a person
}
# Every text of the page, also what is folded away or stands in a dialog, and what is said beside it.
_TEXTS = """() => {
    const texts = [], walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) if (!walker.currentNode.parentElement.closest('script, style, noscript')) texts.push(walker.currentNode.data);
    for (const one of document.querySelectorAll('*'))
        for (const name of ['title', 'placeholder', 'aria-label', 'alt', 'data-label', 'data-counts', 'data-failed'])
            if (one.hasAttribute(name)) texts.push(one.getAttribute(name));
    return texts;
}"""


def english_on(page: Page) -> dict[str, set[str]]:
    lines = {_NAMES.sub(" ", line) for text in page.evaluate(_TEXTS) for line in text.splitlines()}
    return {word: where for word, where in not_french(lines).items() if word not in _KNOWN}


@pytest.mark.full("each view in Chromium: tests/unit/operations/test_french.py has the texts")
def test_no_view_shows_english(visit: Callable[..., Page], world: World) -> None:
    kinds = [{"claim_reference": f"NEW-{n}", "kind": kind, "stage": "waiting", "pod_fetch_error": None,
              "pod_retry_count": 1, "retries_used": 1, "lane": "chronopost"}
             for n, kind in enumerate(ErrorKind, 100)]  # fmt: skip
    world.service.add(*kinds)
    page, found = visit(1280, "fr"), {}
    paths = VIEWS | {kind: f"/claim?reference=NEW-{n}" for n, kind in enumerate(ErrorKind, 100)}
    for name, path in paths.items():
        page.goto(world.service.url + path)
        if words := english_on(page):
            found[name] = words
    assert found == {}
