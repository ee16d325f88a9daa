"""The crontab of this user."""

import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from recours.core.text import clean
from recours.operations import crontab
from recours.operations.schedule import Checkout, Entry, Job, Plan, ScheduleError
from recours.scheduling.commands import Done, Run, run

_LONGEST_LINE = 1000


@dataclass(frozen=True)
class Crontab:
    """cron, through the program `crontab`."""

    checkout: Checkout
    run: Run = run
    # Of the file that the lines write to; returns what takes it away again, if it was made. Raises OSError.
    make_folder: Callable[[], Callable[[], None]] = lambda: lambda: None
    name: str = "crontab"
    title: str = "crontab"

    def entries(self) -> list[Entry]:
        """The lines that start workers of this checkout."""
        return crontab.entries(self._read(), self.checkout)

    def install(self, jobs: Sequence[Job]) -> Plan:
        """A line for each of these jobs."""
        text = self._read()
        python, remarks = self._python(text)
        return self._plan(text, crontab.install(text, jobs, self.checkout, python), remarks, self.make_folder)

    def remove(self, workers: Collection[str]) -> Plan:
        """No line for these workers."""
        text = self._read()
        return self._plan(text, crontab.remove(text, workers, self.checkout), [], lambda: lambda: None)

    def _plan(
        self, old: str, new: str, remarks: Sequence[str], make_folder: Callable[[], Callable[[], None]]
    ) -> Plan:
        if old == new:
            return Plan()
        if old and not old.endswith("\n") and new:
            cron = "The last line of the crontab has no end, with which cron reads none of it: it gets one"
            remarks = [*remarks, cron]
        return Plan(_difference(old, new), remarks, (), lambda: self._replace(old, new, make_folder))

    def _replace(self, old: str, new: str, make_folder: Callable[[], Callable[[], None]]) -> None:
        if self._read() != old:
            raise ScheduleError(
                "The crontab was changed by somebody else meanwhile; nothing was written. Try again."
            )
        try:
            take_away_folder = make_folder()
        except OSError as error:
            raise ScheduleError(
                f"The folder for logs/cron.log cannot be made: {error.strerror or error}. Nothing was written."
            ) from error
        try:
            self._write(new)
        except BaseException as error:
            take_away_folder()
            self._put_back(old, error)
            raise

    def _write(self, text: str) -> None:
        ended = text if not text or text.endswith("\n") else text + "\n"
        done = self._run(["crontab", "-"], ended.encode(errors="surrogateescape"))
        if done.status:
            raise ScheduleError(f"crontab refuses the change ({done.words}). The old one is still in force.")
        if self._read() != ended:
            raise ScheduleError("The crontab does not hold what was written to it.")

    def _put_back(self, old: str, why: BaseException) -> None:
        """See that the crontab is what it was. Raises ScheduleFault if it is not."""
        try:
            if self._read() == old:
                return
            given = old.encode(errors="surrogateescape")
            self._run(["crontab", "-"] if old else ["crontab", "-r"], given if old else b"")
            is_back = self._read() == old
        except ScheduleError:
            is_back = False
        if not is_back:
            raise ScheduleError(f"{why} It could not be put back: look at 'crontab -l'.") from why

    def _read(self) -> str:
        listed = self._printed(["crontab", "-l"])
        if "\\r" not in listed:
            return crontab.without_header(listed)
        # Debian's `crontab -l` prints a carriage return as the two signs \r, so that writing back what it said would
        # spoil lines that are not ours. What an editor is given is exact: an editor that prints it, and changes nothing.
        exact = self._printed(["env", "VISUAL=cat", "EDITOR=cat", "crontab", "-e"])
        if (text := crontab.exact(listed, exact)) is None:
            raise ScheduleError(
                "The crontab has lines that 'crontab -l' does not show as they are, so it was left alone: edit it with "
                "'crontab -e', and take the carriage returns (\\r) out of it."
            )
        return crontab.without_header(text)

    def _printed(self, command: Sequence[str]) -> str:
        done = self._run(command, b"")
        if done.status == 0:
            return done.out.decode(errors="surrogateescape")
        if done.err.startswith("no crontab for"):
            return ""
        raise ScheduleError(f"The crontab of this user cannot be read ({done.words}). Nothing was changed.")

    def _run(self, command: Sequence[str], given: bytes) -> Done:
        try:
            return self.run(command, given)
        except FileNotFoundError as error:
            raise ScheduleError(
                "There is no program 'crontab' on this machine: install cron (on Debian: apt-get install cron), or "
                "use another scheduler with --system systemd."
            ) from error
        except OSError as error:
            raise ScheduleError(f"'crontab' cannot be used: {error.strerror or error}.") from error

    def _python(self, text: str) -> tuple[str, list[str]]:
        """What starts the scripts: the guide's `python3` where cron finds one, else the checkout's own."""
        if self.checkout.program:  # its own Python stands in its first line
            return "", []
        path = crontab.search_path(text, self.checkout)
        if shutil.which("python3", path=path):
            return "python3", []
        own = ".venv/bin/python"
        return own, [f"cron finds no python3 in {clean(path)}: {own} is used"]


def _difference(old: str, new: str) -> list[str]:
    """Lines that go and lines that come."""
    changed = list(unified_diff(old.split("\n"), new.split("\n"), n=0, lineterm=""))[2:]
    return [f"{line[0]} {clean(line[1:].rstrip(), _LONGEST_LINE)}" for line in changed if line[0] in "+-"]
