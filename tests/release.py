"""`make release`: install a wheel in an empty environment of each Python on this machine, and use it like a user.

The dependencies are from the package index. Missing Pythons between 3.11 and 3.14 are listed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import free_port, wait_until

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
COMMANDS = (("--version",), ("init-db",), ("demo",), ("fetch",), ("retry",), ("check", "--offline"))


def main(wheel: str) -> int:
    """Print a line for each Python, and return the number of failures."""
    failures = 0
    for version in VERSIONS:
        python = shutil.which(f"python{version}")
        # pyenv has a shim for each version, even if the version is not selected.
        if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
            print(f"Python {version}: not on this machine")
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            error = _try_wheel(Path(wheel).resolve(), python, Path(folder))
        print(f"Python {version}: {error or 'ok'} ({time.monotonic() - began:.0f} s)")
        failures += bool(error)
    return failures


def _try_wheel(wheel: Path, python: str, folder: Path) -> str:
    """Return the failed step, or an empty string."""
    environment = folder / "environment"
    home = folder / "home"
    home.mkdir()
    try:
        _run(folder, python, "-m", "venv", environment)
        pip = environment / "bin" / "pip"
        _run(folder, pip, "install", "--quiet", "--disable-pip-version-check", f"{wheel}[dashboard,postgres]")
        for command in COMMANDS:
            _run(home, environment / "bin" / "recours", *command)
        with _dashboard(environment, home) as url, urllib.request.urlopen(url, timeout=10) as page:
            if b"recours" not in page.read():
                return "the dashboard showed another page"
    except (subprocess.CalledProcessError, OSError, RuntimeError) as error:
        output = getattr(error, "stdout", "") or ""
        return f"failed: {error}\n{output[-2000:]}"
    return ""


def _run(folder: Path, *command: str | Path) -> None:
    subprocess.run(
        command,
        cwd=folder,
        env=_environment(folder),
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _environment(home: Path) -> dict[str, str]:
    """Return pip's variables, without any variable that could lead to another recours."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return kept | {"PATH": os.defpath, "HOME": str(home)}


@contextmanager
def _dashboard(environment: Path, home: Path) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [str(environment / "bin" / "recours"), "dashboard", "--port", str(port)]
    with (home / "dashboard.log").open("w") as log:
        process = subprocess.Popen(command, cwd=home, env=_environment(home), stdout=log, stderr=log)
        try:
            wait_until(_answers(url), "The dashboard does not start", (home / "dashboard.log").read_text)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def _answers(url: str) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return True
        except OSError:
            return False

    return answers


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
