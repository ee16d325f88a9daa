"""Windows' Task Scheduler."""

import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from recours.core.text import clean
from recours.operations import tasks
from recours.operations.schedule import WORKERS, Checkout, Entry, Job, Plan, ScheduleError
from recours.scheduling.commands import Done, Run, run


@dataclass(frozen=True)
class TaskScheduler:
    """Tasks, through `schtasks` and PowerShell. Not tried on Windows."""

    checkout: Checkout
    python: str = "python"
    run: Run = run
    name: str = "task-scheduler"
    title: str = "Task Scheduler"

    def entries(self) -> list[Entry]:
        """The tasks that start workers of this checkout."""
        found = []
        for worker in WORKERS:
            xml = self._task(worker)
            if xml is not None and tasks.is_of(self.checkout, xml, worker):
                text = f"{tasks.NAMES[worker]}: {tasks.action_of(xml)}"
                found.append(Entry((worker,), text, problem="; ".join(tasks.lacks(xml))))
        return found

    def install(self, jobs: Sequence[Job]) -> Plan:
        """A task for each of these jobs."""
        commands = []
        before: dict[str, str | None] = {}
        for job in jobs:
            xml = self._task(job.worker)
            if xml is not None and not tasks.is_of(self.checkout, xml, job.worker):
                raise ScheduleError(
                    f"The task {tasks.NAMES[job.worker]} starts something else ({clean(tasks.action_of(xml))}): delete "
                    f"it first, by {tasks.delete(job.worker)}. Nothing was changed."
                )
            before[job.worker] = xml
            same = xml is not None and tasks.starts(xml, job, self.checkout, self.python)
            if not same:
                commands.append(tasks.create(job, self.checkout, self.python, replace=xml is not None))
            if not same or tasks.lacks(xml or ""):
                commands.append(tasks.settings(job.worker))
        return self._plan(commands, before)

    def remove(self, workers: Collection[str]) -> Plan:
        """No tasks for these workers."""
        ours = [
            worker
            for worker in workers
            if (xml := self._task(worker)) is not None and tasks.is_of(self.checkout, xml, worker)
        ]
        return self._plan([tasks.delete(worker) for worker in ours])

    def _plan(self, commands: Sequence[str], before: Mapping[str, str | None] = MappingProxyType({})) -> Plan:
        """`before`: the tasks that a failure is to leave as they were; None where there was none."""
        steps = [f"$ {command}" for command in commands]
        return Plan(steps, (), (), lambda: self._carry_out(commands, before)) if commands else Plan()

    def _carry_out(self, commands: Sequence[str], before: Mapping[str, str | None]) -> None:
        try:
            for command in commands:
                self._do(command)
        except BaseException as error:
            left = [tasks.NAMES[worker] for worker, xml in before.items() if not self._put_back(worker, xml)]
            if left:
                raise ScheduleError(
                    f"{error} Not as they were before: the tasks {', '.join(left)}; look at them in the Task Scheduler."
                ) from error
            raise

    def _do(self, command: str) -> None:
        done = self._run(command)
        if done.status:
            raise ScheduleError(
                f"This command failed: {command} ({done.words}). From a prompt that was opened as administrator, do the "
                "same again."
            )

    def _put_back(self, worker: str, xml: str | None) -> bool:
        """See that a task is what it was; False if that cannot be done."""
        try:
            if self._task(worker) == xml:
                return True
            if xml is None:
                return self._run(tasks.delete(worker)).status == 0
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "task.xml")
                path.write_text(xml, encoding="utf-16")
                return self._run(tasks.create_as(worker, str(path))).status == 0
        except (OSError, ScheduleError):
            return False

    def _task(self, worker: str) -> str | None:
        """The task as XML; None if there is none of that name."""
        done = self._run(tasks.query(worker))
        return None if done.status else _decoded(done.out)

    def _run(self, command: str) -> Done:
        try:
            return self.run(command, b"")
        except OSError as error:
            raise ScheduleError(
                f"The Task Scheduler cannot be used ({error.strerror or error}): {command}"
            ) from error


def _decoded(answer: bytes) -> str:
    """In a pipe it is in the console's code page, whatever the XML says of itself."""
    if answer.startswith((b"\xff\xfe", b"\xfe\xff")):
        return answer.decode("utf-16", "replace")
    return answer.decode("oem" if sys.platform == "win32" else "utf-8", "replace")
