"""A command that is to be typed on a machine is copied with one click."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import World


@pytest.fixture
def overview(world: World, visit: Callable[..., Page]) -> Page:
    """No worker has run yet."""
    with closing(sqlite3.connect(world.service.path)) as database, database:
        database.execute("DELETE FROM recours_runs")
    return visit(390, "fr")


def test_a_command_is_copied(overview: Page) -> None:
    overview.context.grant_permissions(["clipboard-read", "clipboard-write"])
    overview.get_by_role("button", name="Copier").first.click()
    expect(overview.get_by_role("button", name="Copié")).to_have_count(1)
    assert overview.evaluate("navigator.clipboard.readText()") == "recours check"


def test_where_a_browser_lets_no_page_copy_the_command_is_chosen(overview: Page) -> None:
    overview.evaluate("delete Navigator.prototype.clipboard")
    button = overview.get_by_role("button", name="Copier").first
    button.click()
    assert overview.evaluate("getSelection().toString()") == "recours check"
    expect(button).to_have_text("Copier")
