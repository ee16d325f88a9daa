"""No code of recours is POSIX-only: every module is imported while the modules missing on Windows are blocked."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

BARRED = """
import builtins, importlib, pkgutil, sys
barred = {"fcntl", "pwd", "grp", "resource", "termios"}
real = builtins.__import__

def watched(name, globals=None, locals=None, fromlist=(), level=0):
    asker = (globals or {}).get("__name__", "")
    if name.partition(".")[0] in barred and asker.partition(".")[0] in ("recours", "pod_retry_scheduler"):
        raise ImportError(f"{asker} imports {name}, which Windows lacks")
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = watched
import recours
names = [found.name for found in pkgutil.walk_packages(recours.__path__, "recours.")]
for name in names:
    if name != "recours.__main__":
        importlib.import_module(name)
print(len(names))
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_no_module_of_recours_imports_what_windows_lacks() -> None:
    done = run(BARRED)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40


def test_the_bar_holds() -> None:
    done = run(
        BARRED.replace(
            "import recours\n", "import recours\nexec('import fcntl', {'__name__': 'recours.x'})\n"
        )
    )
    assert "recours.x imports fcntl" in done.stderr
