"""The unit files of `deploy/systemd`, as systemd itself reads them."""

import os
import subprocess
from pathlib import Path

from tests.needs import program

UNITS = Path(__file__).resolve().parents[3] / "deploy" / "systemd"


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    programs = tmp_path / "Recours_Ecommerce" / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "recours"):
        (programs / name).symlink_to("/bin/true")
    copies = [tmp_path / unit.name for unit in sorted(UNITS.iterdir())]
    for copy in copies:
        text = (UNITS / copy.name).read_text(encoding="utf-8")
        copy.write_text(text.replace("%h", str(tmp_path)), encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", "--user", *map(str, copies)],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(copies) == 5
    assert (done.returncode, done.stderr) == (0, "")
