"""How much a visitor loads who comes for the first time, and how much the page adds to an installation."""

import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import World
from tests.browser.views import VIEWS

ROOT = Path(__file__).resolve().parents[2]
MOST_LOADED = 3_000_000  # bytes as they come over the network
MOST_INSTALLED = 100_000_000


@pytest.mark.full("each view in Chromium: tests/browser/test_tasks.py loads most of them")
def test_every_view_loads_little(visit: Callable[..., Page], world: World) -> None:
    loaded: dict[str, float] = {}
    for name, path in VIEWS.items():
        page = visit(path="/nothing")  # with nothing kept
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        pieces: list[float] = []
        session.on("Network.loadingFinished", lambda event, to=pieces: to.append(event["encodedDataLength"]))
        page.goto(world.service.url + path)
        page.wait_for_load_state("networkidle")
        loaded[name] = sum(pieces)
        page.context.close()
    assert all(loaded.values())
    assert {name: size for name, size in loaded.items() if size > MOST_LOADED} == {}
    print({name: f"{size / 1000:.0f} KB" for name, size in loaded.items()})


@pytest.mark.full("installs recours twice, which takes minutes")
def test_the_extra_adds_little_to_an_installation(tmp_path: Path) -> None:
    sizes = [
        _installed(tmp_path / name, f"{ROOT}{extra}")
        for name, extra in (("bare", ""), ("page", "[dashboard]"))
    ]
    assert sizes[1] - sizes[0] <= MOST_INSTALLED


def _installed(folder: Path, what: str) -> int:
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-compile", what], check=True, timeout=1200
    )
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
