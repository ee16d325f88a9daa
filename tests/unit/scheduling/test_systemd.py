"""The unit files of `deploy/systemd`, as systemd itself parses them."""

import os
import re
import subprocess
from pathlib import Path

from tests.needs import program

ROOT = Path(__file__).resolve().parents[3]
UNITS = ROOT / "deploy" / "systemd"


def test_the_units_start_scripts_that_exist() -> None:
    texts = (unit.read_text(encoding="utf-8") for unit in sorted(UNITS.glob("pod-*.service")))
    started = [
        script for text in texts for script in re.findall(r"^ExecStart=.* (scripts/\S+)$", text, re.MULTILINE)
    ]
    assert started == ["scripts/pod_fetch_worker.py", "scripts/pod_retry_scheduler.py"]
    assert all((ROOT / script).exists() for script in started)


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
