"""Windows' Task Scheduler: the guide's command line, and what is said to a recorded machine. Nothing runs on Windows here."""

import html
import ntpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from recours.operations.schedule import Checkout, ScheduledJob, ScheduleError
from recours.runs.workers import WORKERS
from recours.scheduling import windows as tasks
from recours.scheduling.host import Done
from recours.scheduling.windows import TaskScheduler

HERE = Checkout("D:\\Recours_Ecommerce")
RETRY = ScheduledJob("pod_retry_scheduler")


def test_the_command_line_is_the_guides() -> None:
    guide = """
schtasks /create ^
  /tn "PODRetryScheduler" ^
  /tr "python D:\\Recours_Ecommerce\\scripts\\pod_retry_scheduler.py" ^
  /sc hourly ^
  /mo 1 ^
  /st 00:00
"""
    assert tasks.create(RETRY, HERE) == re.sub(r" \^\n +", " ", guide).strip()
    with_options = ScheduledJob("pod_retry_scheduler", ("--batch-size", "50", "--max-retries", "5"))
    assert (
        '/tr "python D:\\Recours_Ecommerce\\scripts\\pod_retry_scheduler.py --batch-size 50 --max-retries 5" '
        in tasks.create(with_options, HERE)
    )
    assert tasks.create(ScheduledJob("pod_fetch_worker"), HERE) == (
        'schtasks /create /tn "PODFetchWorker" '
        '/tr "python D:\\Recours_Ecommerce\\scripts\\pod_fetch_worker.py" /sc minute /mo 30 /st 00:00'
    )
    assert tasks.delete("pod_retry_scheduler") == 'schtasks /delete /tn "PODRetryScheduler" /f'


def test_what_schtasks_cannot_set_is_set_by_powershell() -> None:
    line = tasks.settings("pod_retry_scheduler")
    for part in (
        "-TaskName 'PODRetryScheduler'",
        "-StartWhenAvailable",
        "-AllowStartIfOnBatteries",
        "-DontStopIfGoingOnBatteries",
        "-LogonType S4U",
    ):
        assert part in line
    assert line.count('"') == 2


def apart(line: str) -> list[str]:
    """A command line as Microsoft's C library takes it apart (its documented rules)."""
    words: list[str] = []
    word, quoted, begun, at = "", False, False, 0
    while at < len(line):
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        after = line[at + slashes : at + slashes + 1]
        if slashes and after == '"':
            word, at = word + "\\" * (slashes // 2), at + slashes
            if slashes % 2:
                word, at = word + '"', at + 1
        elif slashes:
            word, at = word + "\\" * slashes, at + slashes
        elif line[at] == '"':
            quoted, begun, at = not quoted, True, at + 1
            continue
        elif line[at] == " " and not quoted:
            words, word, begun, at = [*words, word] if word or begun else words, "", False, at + 1
            continue
        else:
            word, at = word + line[at], at + 1
        begun = True
    return [*words, word] if word or begun else words


@pytest.mark.parametrize(
    "folder", ["D:\\Recours_Ecommerce", "D:\\My Files\\100% recours", "\\\\server\\a b\\c"]
)
@pytest.mark.parametrize(
    "options", [(), ("--carrier", "Mondial Relay"), ("--carrier", 'a "b" \\'), ("--carrier", "")]
)
def test_the_words_arrive_as_they_are(folder: str, options: tuple[str, ...]) -> None:
    there = Checkout(folder)
    words = apart(
        tasks.create(ScheduledJob("pod_fetch_worker", options), there, python="C:\\Program Files\\python.exe")
    )
    started = words[words.index("/tr") + 1]
    script = ntpath.join(folder, "scripts", "pod_fetch_worker.py")
    assert apart(started) == ["C:\\Program Files\\python.exe", script, *options]


IN_A_CHECKOUT = Checkout("D:\\my pods", code="D:\\Recours_Ecommerce")
INSTALLED = Checkout("D:\\my pods", program=["C:\\Program Files\\env\\Scripts\\recours.exe"])


@pytest.mark.parametrize(
    ("checkout", "command"),
    [
        (IN_A_CHECKOUT, 'python D:\\Recours_Ecommerce\\scripts\\pod_retry_scheduler.py --carrier "A & B"'),
        (INSTALLED, '"C:\\Program Files\\env\\Scripts\\recours.exe" retry --carrier "A & B"'),
    ],
)
def test_a_home_that_the_program_would_not_choose_is_set_by_cmd(checkout: Checkout, command: str) -> None:
    """`cmd /s /c` takes away the first quote and the last, and runs what is between."""
    words = apart(tasks.create(ScheduledJob("pod_retry_scheduler", ("--carrier", "A & B")), checkout))
    assert words[words.index("/tr") + 1] == f'cmd /s /c "set "RECOURS_HOME=D:\\my pods"&& {command}"'


@pytest.mark.parametrize(
    ("folder", "words"),
    [("D:\\%TEMP%\\recours", "for a variable"), ("D:\\" + "long" * 70, "at most 261 signs")],
)
def test_what_the_task_scheduler_would_spoil_is_refused(folder: str, words: str) -> None:
    with pytest.raises(ScheduleError, match=words):
        tasks.create(RETRY, Checkout(folder))


# ---------------------------------------------------------------- a machine


XML = """<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><TimeTrigger><Enabled>true</Enabled></TimeTrigger></Triggers>
  <Principals><Principal id="Author"><LogonType>{logon}</LogonType></Principal></Principals>
  <Settings>
    <DisallowStartIfOnBatteries>{battery}</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>{battery}</StopIfGoingOnBatteries>
    <StartWhenAvailable>{available}</StartWhenAvailable><Enabled>true</Enabled>
  </Settings>
  <Actions><Exec><Command>{command}</Command><Arguments>{arguments}</Arguments></Exec></Actions>
</Task>"""
AS_MADE_BY_SCHTASKS = {"logon": "InteractiveToken", "battery": "true", "available": "false"}
AS_WE_SET_IT = {"logon": "S4U", "battery": "false", "available": "true"}


@dataclass
class Windows:
    """Keeps tasks as schtasks and Set-ScheduledTask would, and what it was told."""

    tasks: dict[str, dict[str, str]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    refuses: str = ""

    def __call__(self, command: Sequence[str] | str, _given: bytes) -> Done:
        assert isinstance(command, str)
        words = apart(command)
        if words[:2] == ["schtasks", "/query"]:
            task = self.tasks.get(words[3])
            return Done(0, XML.format(**task).encode(), "") if task else Done(1, b"", "ERROR: not found")
        self.told.append(command)
        if self.refuses and self.refuses in command:
            return Done(1, b"", "ERROR: Access is denied.\n")
        name = words[words.index("/tn") + 1] if "/tn" in words else words[-1].split("'")[1]
        if words[1] == "/create":
            if name in self.tasks and "/f" not in words:
                return Done(1, b"", "ERROR: it would ask whether to replace it")
            program, _, arguments = words[words.index("/tr") + 1].partition(" ")
            action = {"command": html.escape(program), "arguments": html.escape(arguments)}
            self.tasks[name] = AS_MADE_BY_SCHTASKS | action
        elif words[1] == "/delete":
            del self.tasks[name]
        else:
            self.tasks[name] |= AS_WE_SET_IT
        return Done(0, b"", "")


@pytest.fixture
def windows() -> Windows:
    return Windows()


@pytest.fixture
def scheduler(windows: Windows) -> TaskScheduler:
    return TaskScheduler(HERE, run=windows, exists=lambda _: True)


BOTH = [ScheduledJob(worker) for worker in WORKERS]


def test_twice_installed_is_once_there(scheduler: TaskScheduler, windows: Windows) -> None:
    plan = scheduler.install(BOTH)
    assert windows.told == []
    plan.carry_out()
    assert [f"$ {command}" for command in windows.told] == list(plan.steps)
    assert windows.told[0] == tasks.create(BOTH[0], HERE)
    assert [(*entry.workers, entry.problem) for entry in scheduler.entries()] == [(w, "") for w in WORKERS]
    assert scheduler.install(BOTH).steps == ()
    scheduler.install([ScheduledJob("pod_retry_scheduler", ("--batch-size", "50"))]).carry_out()
    assert windows.tasks["PODRetryScheduler"]["arguments"].endswith(".py --batch-size 50")
    assert len(windows.tasks) == 2
    scheduler.remove(list(WORKERS)).carry_out()
    assert windows.tasks == {}
    assert scheduler.remove(list(WORKERS)).steps == ()


def test_the_task_made_by_the_guides_line_is_known_and_completed(
    scheduler: TaskScheduler, windows: Windows
) -> None:
    windows(tasks.create(RETRY, HERE), b"")
    (entry,) = scheduler.entries()
    assert entry.problem == (
        "runs that were missed are not made up for; it does not start on battery; it stops on battery; "
        "it runs only while you are logged on"
    )
    assert scheduler.install([RETRY]).steps == [f"$ {tasks.settings('pod_retry_scheduler')}"]


def test_another_checkouts_task_is_left_alone(scheduler: TaskScheduler, windows: Windows) -> None:
    windows(tasks.create(RETRY, Checkout("E:\\Other")), b"")
    assert scheduler.entries() == []
    assert scheduler.remove(["pod_retry_scheduler"]).steps == ()
    with pytest.raises(ScheduleError, match=r"starts something else \(python E:\\Other"):
        scheduler.install([RETRY])


@pytest.mark.parametrize("checkout", [IN_A_CHECKOUT, INSTALLED])
def test_a_task_is_known_by_its_home(windows: Windows, checkout: Checkout) -> None:
    scheduler = TaskScheduler(checkout, run=windows, exists=lambda _: True)
    scheduler.install(BOTH).carry_out()
    assert scheduler.install(BOTH).steps == ()
    assert [(*entry.workers, entry.problem) for entry in scheduler.entries()] == [(w, "") for w in WORKERS]
    of_the_checkout = TaskScheduler(Checkout("D:\\Recours_Ecommerce"), run=windows)
    assert of_the_checkout.entries() == []
    with pytest.raises(ScheduleError, match="starts something else"):
        of_the_checkout.install(BOTH)


@pytest.mark.parametrize(
    ("checkout", "python", "missing"),
    [
        (
            HERE,
            "C:\\my python\\python.exe",
            ["C:\\my python\\python.exe", "D:\\Recours_Ecommerce\\scripts\\"],
        ),
        (IN_A_CHECKOUT, "python", ["D:\\Recours_Ecommerce\\scripts\\pod_retry_scheduler.py"]),
        (INSTALLED, "", ["C:\\Program Files\\env\\Scripts\\recours.exe"]),
    ],
)
def test_a_task_that_names_what_does_not_exist_has_a_problem(
    windows: Windows, checkout: Checkout, python: str, missing: list[str]
) -> None:
    TaskScheduler(checkout, python, windows).install([RETRY]).carry_out()
    (entry,) = TaskScheduler(checkout, python, windows, exists=lambda _: False).entries()
    problems = entry.problem.split("; ")
    assert len(problems) == len(missing)
    for problem, path in zip(problems, missing, strict=True):
        assert problem.startswith(f"it names {path}")
        assert problem.endswith("which does not exist")


def test_a_refusal_is_told_and_the_same_again_does_the_rest(
    scheduler: TaskScheduler, windows: Windows
) -> None:
    windows.refuses = "Set-ScheduledTask -TaskName 'PODFetch"
    with pytest.raises(ScheduleError, match=r"This command failed: .*Access is denied.*administrator"):
        scheduler.install(BOTH).carry_out()
    windows.refuses = ""
    scheduler.install(BOTH).carry_out()
    assert [(*entry.workers, entry.problem) for entry in scheduler.entries()] == [(w, "") for w in WORKERS]


def test_without_schtasks_there_is_a_sentence() -> None:
    def nothing(command: Sequence[str] | str, given: bytes) -> Done:
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(ScheduleError, match="The Task Scheduler cannot be used"):
        TaskScheduler(HERE, run=nothing).entries()
