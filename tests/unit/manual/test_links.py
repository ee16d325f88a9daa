"""Every link of the manual leads to a committed file and an existing heading, and every named file exists."""

import posixpath
import re

from tests.unit.manual.pages import ROOT, anchors, everything, generated, links, text_of, written

PAGES = [*written(), *generated(), "CHANGELOG.md", ".github/CONTRIBUTING.md"]
# Ignored by git, so that links to these files lead nowhere on GitHub.
_IGNORED = ("logs/", "data/", ".venv/", "docs/_build/")


def test_every_link_leads_somewhere() -> None:
    for name in PAGES:
        assert_links_lead_somewhere(name)


def assert_links_lead_somewhere(name: str) -> None:
    for target in links(text_of(name)):
        if re.match(r"(https?|mailto):", target):
            continue
        path, _, anchor = target.partition("#")
        file = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        is_committed = (ROOT / file).exists() and not file.startswith(_IGNORED)
        assert is_committed, f"{name}: {target} leads nowhere"
        assert not anchor or anchor in anchors(text_of(file)), f"{name}: {target}: there is no such heading"


def test_there_are_links_to_be_looked_at() -> None:
    assert sum(len(links(page)) for page in written().values()) > 100


def test_pages_are_named_as_they_are_in_hints_of_the_code() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "recours").rglob("*.py"))
    code += text_of(".env.example") + text_of(".github/CONTRIBUTING.md")
    named = set(re.findall(r"\bdocs/[\w/-]+\.md", code))
    assert "docs/connect.md" in named
    assert {name for name in named if name not in PAGES} == set()


# ---------------------------------------------------------------- files and targets that are named


_MADE_BY_RUNS = (
    "logs/",
    "data/",
    ".env",
    ".streamlit/",
    ".venv",
    "docs/_build",
    "deploy/recours.toml",
    "deploy/postgres_password",
    "recours/_migrations",
)
_TOP = {"scripts", "recours", "tests", "migrations", "deploy", "docs", "requirements.txt", "pyproject.toml", "Makefile", ".env.example"}  # fmt: skip


def test_every_file_named_is_there() -> None:
    words = re.findall(
        r"(?<![\w/.\\:-])((?:\.?[\w-]+[/\\])*\.?[\w-]+(?:\.\w+)+|[\w-]+/[\w/-]*)", everything()
    )
    paths = {word.replace("\\", "/") for word in words}
    named = {path for path in paths if path.split("/")[0] in _TOP and not path.startswith(_MADE_BY_RUNS)}
    named = {path for path in named if "acme" not in path}  # the page on adding a carrier makes it up
    assert {
        "scripts/pod_retry_scheduler.py",
        "tests/requirements.txt",
        "recours/carriers/registry.py",
    } <= named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_target_of_make_is_there() -> None:
    makefile = text_of("Makefile")
    targets = set(re.findall(r"\bmake ([a-z-]+)(?=`|\n|   )", everything()))
    assert {"demo", "test"} <= targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_no_path_of_one_machine() -> None:
    for name in (*PAGES, ".env.example"):
        assert re.findall(r"(?<![\w.~*\"}])/(?:work|root|home|Users|tmp|farm)/", text_of(name)) == [], name


def test_markers_of_code_are_balanced() -> None:
    for name in written():
        page = text_of(name)
        assert len(re.findall(r"^ *```", page, re.MULTILINE)) % 2 == 0, name
        prose = re.sub(r"^ *```.*?^ *```$", "", page, flags=re.DOTALL | re.MULTILINE)
        assert prose.count("`") % 2 == 0, name


def test_pictures_are_small() -> None:
    pictures = list((ROOT / "docs/images").iterdir())
    assert len(pictures) >= 5
    assert [path.name for path in pictures if path.stat().st_size > 200_000] == []
