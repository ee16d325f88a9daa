"""The French pages contain no words that are not in the dictionary."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.needs import missing, program
from tests.unit.manual.pages import ROOT

PAGES = sorted((ROOT / "docs/fr").glob("*.md"))
# Names, and words of the programs themselves, which pages quote.
KNOWN = {
    "CSV", "Amazon", "Shipping", "Colissimo", "DHL", "Django", "PODs", "PostgreSQL", "PowerShell", "SIGTERM", "SQLAlchemy", "SQLite", "Tab", "UPS",
    "UUID", "cron", "crontab", "fish", "macOS", "recours", "systemd", "timers", "zsh",
}  # fmt: skip
# Quotations of what the programs say, and links to English pages by their titles.
_ENGLISH = re.compile(r"« [^»]*[a-z] \w[^»]*»|\[[^\]]*\]\(\.\./[^)]*\)")


def prose(page: Path) -> str:
    """The text without code, images and link targets."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"\]\([^)]*\)", "]", _ENGLISH.sub("", re.sub(r"`[^`]*`", "", text)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_french_page_is_spelt_right(page: Path) -> None:
    command = [program("hunspell", "hunspell-fr"), "-d", "fr", "-l", "-i", "utf-8"]
    done = subprocess.run(command, input=prose(page), capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        missing(f"hunspell has no French dictionary: apt-get install hunspell-fr ({done.stderr.strip()})")
    unknown = {word.strip(".-") for word in done.stdout.split()} - KNOWN
    assert unknown - {""} == set()


def test_a_misspelt_word_is_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.md"
    wrong.write_text("# Instaler\n\nVoir `instaler`.\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="Instaler"):
        test_a_french_page_is_spelt_right(wrong)
