"""Every view fits every screen: nothing is cut off, nothing scrolls sideways, and the table of claims is dense."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import HEIGHT, WIDTHS, World
from tests.browser.views import VIEWS

# Elements that overflow the screen or their box, except those that scroll, are truncated on purpose with
# the full text in their title, or are for screen readers.
_CUT_OFF = """() => {
    const found = [], root = document.documentElement;
    if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} wide`);
    for (const one of document.querySelectorAll('main *, header *')) {
        const box = one.getBoundingClientRect();
        if (!box.width || !box.height || one.closest('.scrolls, .unseen, dialog, svg, iframe, .skip, thead')) continue;
        const text = one.outerHTML.slice(0, 120), style = getComputedStyle(one);
        if (box.right > innerWidth + 1 || box.left < -1) found.push(`sticks out: ${text}`);
        const hides = style.overflowX !== 'visible' && style.textOverflow !== 'ellipsis' && !one.matches('.leaf, input, select, textarea, main, pre');
        if (hides && one.scrollWidth > one.clientWidth + 1) found.push(`cut off: ${text}`);
    }
    return found;
}"""


_WIDER = pytest.mark.full("wider screens: what fits the narrowest is shown")
_WIDTHS = [WIDTHS[0], *(pytest.param(width, marks=_WIDER) for width in WIDTHS[1:])]


@pytest.mark.parametrize(
    "language", ["en", pytest.param("fr", marks=pytest.mark.full("the longer texts too"))]
)
@pytest.mark.parametrize("width", _WIDTHS)
def test_nothing_is_cut_off(visit: Callable[..., Page], world: World, width: int, language: str) -> None:
    page, found = visit(width, language), {}
    for name, path in VIEWS.items():
        page.goto(world.service.url + path)
        if faults := page.evaluate(_CUT_OFF):
            found[name] = faults
    assert found == {}


# Words of English sentences that are not French; texts by others are between quotation marks.
_ENGLISH = re.compile(
    r"\b(the|and|of|is|are|was|not|no|with|from|for|until|since|by|claims?|carriers?|numbers?|days?|hours?|"
    r"proofs?|calls?|emails?|accounts?|erase|select|deadline|signed|waiting|retry|unknown)\b",
    re.IGNORECASE,
)


def test_no_view_has_an_english_word_in_french(visit: Callable[..., Page], world: World) -> None:
    page, found = visit(1280, "fr"), {}
    for name, path in VIEWS.items():
        page.goto(world.service.url + path)
        read = page.locator("body").inner_text()
        said = re.sub(r"«[^»]*»|English|\S+@\S+|recours [a-z ]+", " ", read)
        if words := _ENGLISH.findall(said):
            found[name] = words
    assert found == {}


def test_rows_of_claims_are_dense_and_references_complete(visit: Callable[..., Page]) -> None:
    page = visit(path="/claims")
    for width in WIDTHS[1:]:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        heights = page.evaluate(
            "[...document.querySelectorAll('table.claims tbody tr:not(:has(.long))')].map(row => row.offsetHeight)"
        )
        assert len(heights) > 10
        assert max(heights) <= 40, width
        cut = page.evaluate(
            "[...document.querySelectorAll('table.claims tbody th')].filter(one => one.scrollWidth > one.clientWidth + 1)"
            ".map(one => one.textContent)"
        )
        assert cut == [], width


@pytest.mark.parametrize("width", _WIDTHS)
def test_a_document_is_displayed_completely(visit: Callable[..., Page], world: World, width: int) -> None:
    page = visit(width)
    for reference in ("CLM-2026-000", "CLM-2026-001", "UPS-1"):  # a PDF, a picture, a web page
        page.goto(f"{world.service.url}/claim?reference={reference}")
        page.wait_for_load_state("networkidle")
        assert measured(page) == {"fits": True, "drawn": True}, reference


def measured(page: Page) -> dict[str, bool]:
    """Whether the document's first page fits the screen and is drawn completely."""
    whole: dict[str, bool] = page.locator(".leaf").first.evaluate(
        """leaf => {
            const place = leaf.getBoundingClientRect(), shown = leaf.querySelector('img, iframe');
            const box = shown.getBoundingClientRect(), root = shown.contentDocument?.documentElement;
            return {
                fits: box.left >= place.left - 1 && box.right <= place.right + 1 && box.bottom <= place.bottom + 2
                    && place.right <= innerWidth,
                drawn: root ? root.scrollHeight <= shown.clientHeight + 1 && root.scrollWidth <= shown.clientWidth + 1
                    : Math.abs(shown.naturalWidth / shown.naturalHeight - box.width / box.height) < 0.02,
            };
        }"""
    )
    return whole
