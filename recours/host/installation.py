"""How this copy of recours was installed, and the commands to run or reinstall it.

This module uses only the standard library and syntax that old Python versions support, because `recours.launch` imports
it before the Python version is checked.
"""

import os
import re
import sys
from contextlib import suppress

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OLDEST = (3, 11)
INSTALL = "-m pip install --require-hashes -r requirements.txt"
# The subcommands of `recours`. A test compares this list with the CLI.
COMMANDS = (
    "accounts", "attach", "backup", "carriers", "check", "correct", "dashboard", "demo", "detach", "dossier", "enroll", "erase", "exclude", "export", "fetch", "init-db", "mail", "pause",
    "plan", "prune", "reopen", "restore", "resume", "retry", "sandbox", "schedule", "status", "uninstall", "verify", "why",
    "worker",
)  # fmt: skip
_COMMAND = re.compile(r"(?<![\w./\\-])(?<!-m )recours (?=(?:%s)\b)" % "|".join(COMMANDS))


def pasteable(hint: str) -> str:
    """Replace commands such as `recours status` in a text with commands that work in this working directory."""
    if not _COMMAND.search(hint):
        return hint
    typed = program()
    return _COMMAND.sub(lambda _: typed + " ", hint)


def readable(hint: str) -> str:
    """Undo `pasteable` for readers on other machines: remove this machine's path from commands."""
    return hint.replace(program() + " ", "recours ")


def program() -> str:
    """The command that starts `recours` in this working directory: `recours` if it is on the PATH, or else its path."""
    import shutil
    import sysconfig

    script = os.path.join(sysconfig.get_path("scripts"), "recours.exe" if os.name == "nt" else "recours")
    executable = shutil.which("recours")
    if executable and os.path.realpath(executable) == os.path.realpath(script):
        return "recours"
    if not os.path.exists(script):  # only the dependencies of recours are installed
        return "%s -m recours" % _word(sys.executable)
    return _word(script)


def _word(path: str) -> str:
    """A program's path, quoted for a command line and relative to the working directory if possible."""
    with suppress(OSError):  # the working directory may have been deleted
        path = path.removeprefix(os.getcwd() + os.sep)
    return quoted_word(path)


def quoted_word(text: str) -> str:
    """Quote a text as one word of a command line."""
    if os.name == "nt":
        from subprocess import list2cmdline

        return list2cmdline([text])
    from shlex import quote

    return quote(text)


def own_python() -> str:
    """The path of the .venv's Python, relative to the checkout."""
    return os.path.join(".venv", *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))


def how_to_install_again() -> str:
    """How to reinstall the packages, as the end of a sentence."""
    if is_checkout():
        return "in %s run '%s %s'" % (ROOT, own_python(), INSTALL)
    return "reinstall recours from the same source"


def is_checkout() -> bool:
    """Return whether the package runs from a checkout of the repository, not from an installed copy."""
    return os.path.isfile(os.path.join(ROOT, "scripts", "pod_fetch_worker.py"))


def has_pip() -> bool:
    from importlib.util import find_spec

    return sys.version_info >= OLDEST and find_spec("pip") is not None
