"""How this copy of recours was installed, and so what a person types to run it or to install it again.

Standard library only, and nothing that an old Python cannot read: `recours.launch` needs it before anything is known.
"""

import os
import re
import sys
from contextlib import suppress

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OLDEST = (3, 11)
INSTALL = "-m pip install --require-hashes -r requirements.txt"
# What may be typed after `recours`. A test holds this to the command itself.
COMMANDS = (
    "accounts", "attach", "backup", "carriers", "check", "correct", "dashboard", "demo", "detach", "dossier", "enroll", "erase", "exclude", "export", "fetch", "init-db", "mail", "pause",
    "plan", "prune", "reopen", "restore", "resume", "retry", "sandbox", "schedule", "status", "uninstall", "verify", "why",
    "worker",
)  # fmt: skip
_COMMAND = re.compile(r"(?<![\w./\\-])(?<!-m )recours (?=(?:%s)\b)" % "|".join(COMMANDS))


def pasteable(hint: str) -> str:
    """A sentence that names commands as `recours status`: with these as they can be typed in this working directory."""
    if not _COMMAND.search(hint):
        return hint
    typed = program()
    return _COMMAND.sub(lambda _: typed + " ", hint)


def readable(hint: str) -> str:
    """What `pasteable` gave, for somebody who sits at another machine: commands without the path of this one."""
    return hint.replace(program() + " ", "recours ")


def program() -> str:
    """What starts `recours` where this process works: its name if it is on the PATH, or else its path."""
    import shutil
    import sysconfig

    script = os.path.join(sysconfig.get_path("scripts"), "recours.exe" if os.name == "nt" else "recours")
    executable = shutil.which("recours")
    if executable and os.path.realpath(executable) == os.path.realpath(script):
        return "recours"
    if not os.path.exists(script):  # its packages were installed, and not itself
        return "%s -m recours" % _word(sys.executable)
    return _word(script)


def _word(path: str) -> str:
    """A program's path as the first word of a command line, as short as it may be in this working directory."""
    with suppress(OSError):  # that folder may not be there any more
        path = path.removeprefix(os.getcwd() + os.sep)
    return quoted_word(path)


def quoted_word(text: str) -> str:
    """A text as one word of a command line that can be copied."""
    if os.name == "nt":
        from subprocess import list2cmdline

        return list2cmdline([text])
    from shlex import quote

    return quote(text)


def own_python() -> str:
    """The Python of the checkout's .venv, as it is typed in the checkout."""
    return os.path.join(".venv", *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))


def how_to_install_again() -> str:
    """What puts the packages in order, as the end of a sentence."""
    if is_checkout():
        return "in %s run '%s %s'" % (ROOT, own_python(), INSTALL)
    return "install it again from the same source"


def is_checkout() -> bool:
    """Tell whether the package runs from a checkout of the repository, as opposed to an installed copy."""
    return os.path.isfile(os.path.join(ROOT, "scripts", "pod_fetch_worker.py"))


def has_pip() -> bool:
    from importlib.util import find_spec

    return sys.version_info >= OLDEST and find_spec("pip") is not None
