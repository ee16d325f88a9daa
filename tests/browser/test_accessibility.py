"""The dashboard with a screen reader or the keyboard: axe-core finds nothing serious, and Tab reaches everything."""

from collections.abc import Callable
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import SCHEMES, World
from tests.browser.views import VIEWS
from tests.rows import row

_FULL = pytest.mark.full("axe-core at every width, light and dark; one of them stands for all")
_KINDS = [
    pytest.param(width, scheme, marks=() if (width, scheme) == (1280, "light") else _FULL)
    for width, scheme in product((390, 1280), SCHEMES)
]


@pytest.mark.parametrize(("width", "scheme"), _KINDS)
def test_axe_finds_nothing_serious(visit: Callable[..., Page], world: World, width: int, scheme: str) -> None:
    page, axe = visit(width, "fr", scheme), Axe()
    found = []
    for name, path in VIEWS.items():
        page.goto(world.service.url + path)
        for violation in axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                found += [
                    f"{name}: {violation['id']}: {node['target']}: {node['html'][:150]}"
                    for node in violation["nodes"]
                ]
    assert found == []


# The control of each task, and its view.
_CONTROLS = {
    "/": ("#find",),
    "/claims": (
        "[name=stage]", "[data-chooses-all]", "[name=reference]", "[name=do][value=fetch]", "[data-opens=exclude]",
        ".pages a, .push",
    ),
    "/carriers": ("[data-opens=pause-chronopost]", "#ups a[href*=given_up]"),
    "/claim?reference=CLM-2026-006": ("form:has([name=do][value=fetch]) button", "[data-opens=correct]", "[data-opens=attach]"),
}  # fmt: skip


def test_tab_reaches_every_control_and_shows_where_it_is(visit: Callable[..., Page], world: World) -> None:
    page = visit(1280)
    for path in _CONTROLS:
        page.goto(world.service.url + path)
        with row(path):
            assert_tab_reaches_all(page, path)


def assert_tab_reaches_all(page: Page, path: str) -> None:
    wanted, unseen = set(_CONTROLS[path]), []
    for _ in range(120):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """wanted => {
                const at = document.activeElement, style = getComputedStyle(at);
                return [wanted.filter(one => at.matches(one)), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                    at.outerHTML.slice(0, 100), at === document.body];
            }""",
            sorted(wanted),
        )
        wanted -= set(at[0])
        if not at[1] and not at[3]:
            unseen.append(at[2])
        if not wanted:
            break
    assert wanted == set()
    assert unseen == []


def test_a_dialog_opens_and_closes_by_keys(visit: Callable[..., Page], world: World) -> None:
    page = visit(390)
    for path, names in {
        "/carriers": ("pause-chronopost",),
        "/claims": ("exclude",),
        "/claim?reference=CLM-2026-006": ("correct", "attach"),
    }.items():
        page.goto(world.service.url + path)
        for name in names:
            page.locator(f"[data-opens={name}]").focus()
            page.keyboard.press("Enter")
            dialog = page.locator(f"dialog#{name}")
            expect(dialog).to_be_visible()
            assert dialog.evaluate("dialog => dialog.contains(document.activeElement)"), name
            page.keyboard.press("Escape")
            expect(dialog).to_be_hidden()
            expect(page.locator(f"[data-opens={name}]")).to_be_focused()  # at the previous position
