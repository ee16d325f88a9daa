"""Shell completion: the manual's commands, and the completions for the Tab key."""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(sysconfig.get_path("scripts")) / "recours"


def completed(*words: str) -> list[str]:
    """The completions in bash for the last word."""
    asked = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, SCRIPT],
        env=asked | {"_RECOURS_COMPLETE": "bash_complete"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("recours", "sta"), ["status"]),
        (("recours", "mail", "re"), ["release"]),
        (("recours", "fetch", "--d"), ["--dry-run", "--database-url"]),
        (("recours", "retry", "--max"), ["--max-runtime", "--max-retries"]),
        (("recours", "pause", "dhl_"), ["dhl_express", "dhl_parcel_de"]),
        (("recours", "retry", "--carrier", "Chr"), ["chronopost"]),
        (("recours", "accounts", "add", "1", "u"), ["ups"]),
        (("recours", "carriers", "rehearse", "la"), ["laposte"]),
        (("recours", "export", "claims", "--stage", "giv"), ["given_up"]),
    ],
)
def test_commands_and_options_are_completed(words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(*words) == offered


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_the_line_of_the_manual_works_when_it_is_pasted() -> None:
    manual = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^\| bash, .*`(eval .*)` \|$", manual, re.MULTILINE)
    pasted = f"{line}\ncomplete -p recours"
    done = subprocess.run(
        ["bash", "-c", pasted],
        env={"PATH": f"{SCRIPT.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "-F _recours_completion recours" in done.stdout
