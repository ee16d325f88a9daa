"""Manifests: their format, and the names in them."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest

from recours.core.evidence import (
    ERASED,
    NOTHING_BEFORE,
    digest_of,
    manifest_line,
    manifest_name,
    manifest_text,
)

AT = datetime(2026, 10, 5, 8, 31, 7, tzinfo=UTC)
POD_DIR = PurePosixPath("/pods")


def test_the_form_of_a_manifest_is_fixed() -> None:
    """docs/evidence.md describes it: later versions must be able to read what this version writes."""
    stored, erased = f"{'a' * 64}  ups/ab/cd/x.pdf", f"{ERASED}{'b' * 64}  ups/old.pdf"
    assert manifest_text(7, "run", AT, NOTHING_BEFORE, [stored, erased]) == (
        f"# recours manifest 7\n# run run\n# previous {'0' * 64}\n# written 2026-10-05T08:31:07Z\n"
        f"{'a' * 64}  ups/ab/cd/x.pdf\n# erased {'b' * 64}  ups/old.pdf\n"
    )
    assert manifest_name(7, "run", AT) == "manifests/2026/10/000007-run.txt"


def test_a_name_is_the_path_below_the_folder() -> None:
    assert manifest_line("a", "/pods/ups/x.pdf", POD_DIR) == "a  ups/x.pdf"
    assert manifest_line("a", "/etc/passwd", POD_DIR) == "a  /etc/passwd"


@pytest.mark.parametrize(
    "name",
    [
        "a\nb",
        "a\\b",
        "a\\nb",
        "\r",
        f"x\n# previous {'f' * 64}",
        f"x\n{'e' * 64}  y",
        "é\u2028z",
        "# a",
        " a ",
    ],
)
def test_file_names_cannot_alter_other_lines(name: str, tmp_path: Path) -> None:
    """Rows of other software may contain any name: sha256sum reads them, too."""
    line = manifest_line("a" * 64, f"/pods/{name}", POD_DIR)
    assert digest_of(line) == digest_of(f"{ERASED}{line}") == "a" * 64
    text = manifest_text(1, "run", AT, NOTHING_BEFORE, [line])
    assert text.split("\n")[4:] == [line, ""]
    done = subprocess.run(
        ["sha256sum", "-c"], input=text.encode(), cwd=tmp_path, capture_output=True, check=False
    )
    assert b"improperly formatted" not in done.stderr
    assert done.stderr.count(b"No such file") == 1
