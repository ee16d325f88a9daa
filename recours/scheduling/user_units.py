"""Units of this user's systemd: how their lines are written, their files, and the user's manager (`systemctl --user`)."""

import os
import re
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from recours.core.text import clean, is_one_line
from recours.home import SETTING as HOME
from recours.operations.schedule import Checkout, ScheduleError
from recours.scheduling.host import Run

LINGER = "So that the {what} while you are logged out: loginctl enable-linger"


# ---------------------------------------------------------------- units as texts


def place_and_command(checkout: Checkout, words: Sequence[str]) -> str:
    """The lines of a service that start a command line in the home. Raises ScheduleError if no unit can name the folder."""
    root = checkout.root
    if not is_one_line(root) or root != root.strip() or root.endswith("\\"):
        raise ScheduleError(
            f"The folder's name {clean(root)} has a control character in it, or a blank or backslash at its end, "
            "which a unit of systemd cannot hold: rename the folder."
        )
    home = f"Environment={_specifiers_undone(_quoted(f'{HOME}={root}'))}\n" if checkout.program else ""
    return f"WorkingDirectory={_specifiers_undone(root)}\n{home}ExecStart={_command(words)}\n"


def folder_of(service: str) -> str | None:
    """The folder that a service of that text works in, which tells whose it is."""
    found = re.search(r"^WorkingDirectory=(.*)$", service, re.MULTILINE)
    return found[1].strip().replace("%%", "%") if found else None


def command_of(service: str) -> str:
    found = re.search(r"^ExecStart=.*$", service, re.MULTILINE)
    return found[0] if found else ""


def is_of(checkout: Checkout, service: str) -> bool:
    """Tell whether a service of that text works in this checkout's home."""
    folder = folder_of(service)
    return folder is not None and checkout.is_root(folder)


def _command(words: Sequence[str]) -> str:
    words = list(words)
    if set("\"'\\") & set(words[0]):  # which systemd takes in an argument, but not in a program's name
        words.insert(0, "/usr/bin/env")
    # With the colon, no $ is taken for a variable.
    literal = ":" if any("$" in word for word in words) else ""
    return literal + " ".join(_specifiers_undone(_quoted(word)) for word in words)


def _quoted(word: str) -> str:
    if shlex.quote(word) == word:
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _specifiers_undone(text: str) -> str:
    return text.replace("%", "%%")


# ---------------------------------------------------------------- the user's manager


@dataclass(frozen=True)
class UserManager:
    """Unit files, and the manager that learns of them. Everything may raise ScheduleError."""

    folder: Path  # ~/.config/systemd/user
    run: Run

    def text(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ScheduleError(f"{self.folder / name} cannot be read: {error.strerror or error}.") from error

    def require_ours(self, name: str, checkout: Checkout, instead: str) -> None:
        """See that no other installation has a service of that name. `instead`: what to use if one has."""
        service = self.text(name)
        if service is not None and not is_of(checkout, service):
            raise ScheduleError(
                f"{self.folder / name} starts something else ({clean(command_of(service))}): remove it there, "
                f"or {instead}. Nothing was changed."
            )

    def is_active(self, unit: str) -> bool:
        try:
            return self.run(["systemctl", "--user", "is-active", "--quiet", unit], b"").status == 0
        except OSError:
            return False

    def changed(self, files: Mapping[str, str]) -> dict[str, str]:
        """Those of these files whose text is another one now, or that are not there."""
        return {name: text for name, text in files.items() if self.text(name) != text}

    def steps(self, changed: Mapping[str, str], started: Sequence[str]) -> list[str]:
        """What `write` does, for people."""
        steps = []
        for name, text in changed.items():
            steps.append(f"{'+' if self.text(name) is None else '~'} {self.folder / name}")
            if name.endswith(".service"):
                steps.append(f"    {command_of(text)}")
        steps.append("$ systemctl --user daemon-reload")
        steps += [f"$ systemctl --user enable --now {unit}" for unit in started]
        active = [unit for unit in started if self.is_active(unit)]
        return steps + ([f"$ systemctl --user restart {' '.join(active)}"] if changed and active else [])

    def write(self, changed: Mapping[str, str], started: Sequence[str]) -> None:
        """Write unit files, and have the units of `started` run now and always; a failure leaves all as it was."""
        before = {name: self.text(name) for name in changed}
        folders = [folder for folder in (self.folder, *self.folder.parents) if folder.exists()]
        folders += self._links()
        active = [unit for unit in started if self.is_active(unit)]
        try:
            self._replace(changed)
            self._systemctl("daemon-reload")
            for unit in started:
                self._systemctl("enable", "--now", unit)
            if changed and active:  # what runs keeps its old text otherwise
                self._systemctl("restart", *active)
        except BaseException as error:
            new = [unit for unit in started if before.get(unit, "") is None]
            self._try("disable --now", *new)
            self._try("stop", *(unit for unit in started if unit not in (*new, *active)))
            self._put_back(before, error)
            self._try("daemon-reload")
            self._try("restart", *active)
            for folder in (*self._links(), self.folder, *self.folder.parents):
                if folder not in folders:
                    with suppress(OSError):  # there is something in it
                        folder.rmdir()
            raise

    def delete(self, files_of: Mapping[str, Sequence[str]]) -> None:
        """Have these units run no longer, and delete their files."""
        for unit, files in files_of.items():
            self._systemctl("disable", "--now", unit)
            for name in files:
                try:
                    (self.folder / name).unlink(missing_ok=True)
                except OSError as error:
                    raise ScheduleError(
                        f"{self.folder / name} cannot be deleted: {error.strerror or error}."
                    ) from error
        self._systemctl("daemon-reload")

    # ---------------------------------------------------------------- files

    def _links(self) -> list[Path]:
        """The folders of the links that `enable` makes."""
        return list(self.folder.glob("*.wants"))

    def _replace(self, files: Mapping[str, str]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                _replace(self.folder / name, text)
        except OSError as error:
            raise ScheduleError(
                f"The units cannot be written in {self.folder}: {error.strerror or error}."
            ) from error

    def _put_back(self, before: Mapping[str, str | None], why: BaseException) -> None:
        """`before`: the units' texts; None: there was none."""
        try:
            for name, text in before.items():
                if text is not None:
                    _replace(self.folder / name, text)
                else:
                    for folder in (self.folder, *self._links()):
                        (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise ScheduleError(
                f"{why} What was written before could not be taken back ({error.strerror or error}): look into "
                f"{self.folder}."
            ) from error

    # ---------------------------------------------------------------- systemctl

    def _try(self, word: str, *units: str) -> None:
        """What the user's manager says is of no consequence: as a rule it is what failed."""
        if units or word == "daemon-reload":
            with suppress(OSError):
                self.run(["systemctl", "--user", *word.split(), *units], b"")

    def _systemctl(self, *words: str) -> None:
        shown = f"systemctl --user {' '.join(words)}"
        try:
            done = self.run(["systemctl", "--user", *words], b"")
        except OSError as error:
            raise ScheduleError(f"'{shown}' cannot be run: {error.strerror or error}.") from error
        if done.status:
            said = [line for line in done.err.splitlines() if not line.startswith("Created symlink")]
            complaint = replace(done, err="\n".join(said)).complaint
            no_manager = (
                " In a shell got by su or sudo there may be no user manager: log in, and do the same again."
                if "connect to" in complaint
                else ""
            )
            raise ScheduleError(f"'{shown}' failed ({complaint}).{no_manager}")


def _replace(path: Path, text: str) -> None:
    """Whole or not at all."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(number)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def units_outlast_a_logout(user: str, lingering: Path = Path("/var/lib/systemd/linger")) -> bool | None:
    """Tell whether systemd keeps the units of that user going while they are logged out. None: not known."""
    if user == "root" or not lingering.parent.is_dir():
        return None  # root's manager is kept by the system's own services, as a rule
    return (lingering / user).exists()
