"""A crontab with our lines: other lines are unchanged, and each of our lines exists exactly once."""

import re
import shlex
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recours.runs.worker import WORKERS
from recours.scheduling.jobs import Checkout, ScheduledJob, ScheduleError
from recours.scheduling.systems import find, install, line_for, remove, search_path
from tests.fakes.cron import cron_command
from tests.fakes.examples import MODEST

HERE = Checkout("/path/to/Recours_Ecommerce", "/home/me")
FETCH, RETRY = (ScheduledJob(worker) for worker in WORKERS)
GUIDE = (
    "0 * * * * cd /path/to/Recours_Ecommerce && python3 scripts/pod_retry_scheduler.py >> logs/cron.log 2>&1"
)
FOREIGN = (
    "# backups\nMAILTO=ops@shop.example\r\nPATH = /opt/bin:/usr/bin\n"
    "0 3 * * * /usr/bin/backup --to 100\\% && echo done\n\n@reboot cd /other && python3 scripts/pod_retry_scheduler.py\n"
)


def test_the_line_is_the_line_of_the_guide() -> None:
    assert line_for(RETRY, HERE) == GUIDE
    assert line_for(
        ScheduledJob("pod_retry_scheduler", ("--batch-size", "50", "--max-retries", "5")), HERE
    ) == (
        "0 * * * * cd /path/to/Recours_Ecommerce && python3 scripts/pod_retry_scheduler.py --batch-size 50 "
        "--max-retries 5 >> logs/cron.log 2>&1"
    )
    assert line_for(FETCH, HERE).startswith("*/30 * * * * cd /path")


INSTALLED = Checkout("/srv/re cours", "/home/me", program=["/opt/recours/bin/recours"])
AT_HOME = "0 * * * * cd '/srv/re cours' && RECOURS_HOME='/srv/re cours' /opt/recours/bin/recours retry"


def test_an_installed_copy_is_started_by_its_own_command_with_its_home() -> None:
    line = line_for(ScheduledJob("pod_retry_scheduler", ("--batch-size", "50")), INSTALLED)
    assert line == f"{AT_HOME} --batch-size 50 >> logs/cron.log 2>&1"
    assert find(line, INSTALLED)[0].plain
    assert install(line + "\n", [RETRY], INSTALLED) == f"{AT_HOME} >> logs/cron.log 2>&1\n"
    assert remove(FOREIGN + line, ["pod_retry_scheduler"], INSTALLED) == FOREIGN


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("@hourly cd '/srv/re cours'; recours retry", [True]),
        ("@hourly RECOURS_HOME='/srv/re cours' recours retry --batch-size 3", [True]),
        ("@hourly RECOURS_HOME='/srv/re cours' OTHER=1 recours retry", [False]),
        ("@hourly cd '/srv/re cours' && recours retry && date", [False]),
        ("@hourly cd /srv/other && recours retry", []),
        ("@hourly cd '/srv/re cours' && RECOURS_HOME=/srv/other recours retry", []),
        ("@hourly recours retry", []),
        ("@hourly cd '/srv/re cours' && recours status", []),
        ("@hourly cd '/srv/re cours' && RECOURS_HOME=", []),
        ("@hourly cd '/srv/re cours' && /opt/python3 -m recours retry --batch-size 3", [True]),
        ("@hourly cd /srv/other && /opt/python3 -m recours retry", []),
    ],
)
def test_a_line_of_an_installed_copy_is_recognized_by_its_home(line: str, plain: list[bool]) -> None:
    assert [found.plain for found in find(line, INSTALLED)] == plain


HOME_APART = Checkout("/srv/re cours", "/home/me", code="/opt/my checkout")
OF_THE_CHECKOUT = "0 * * * * cd '/srv/re cours' && RECOURS_HOME='/srv/re cours' python3"


def test_a_checkout_with_a_separate_home_is_started_by_its_scripts() -> None:
    line = line_for(RETRY, HOME_APART)
    assert (
        line == f"{OF_THE_CHECKOUT} '/opt/my checkout/scripts/pod_retry_scheduler.py' >> logs/cron.log 2>&1"
    )
    (entry,) = find(line, HOME_APART)
    assert entry.plain
    assert entry.programs == ("python3", "/opt/my checkout/scripts/pod_retry_scheduler.py")


@pytest.mark.parametrize(
    ("command", "is_ours"),
    [
        ("RECOURS_HOME='/srv/re cours' python3 /moved/scripts/pod_retry_scheduler.py", True),
        ("python3 scripts/pod_retry_scheduler.py", True),
        ("python3 '/opt/my checkout/scripts/pod_retry_scheduler.py'", False),
        ("RECOURS_HOME=/srv/other python3 '/opt/my checkout/scripts/pod_retry_scheduler.py'", False),
    ],
)
def test_a_line_is_ours_if_its_worker_works_in_this_home(command: str, is_ours: bool) -> None:
    line = f"0 * * * * cd '/srv/re cours' && {command}"
    assert len(find(line, HOME_APART)) == is_ours


def test_our_lines_are_appended() -> None:
    assert install(FOREIGN, [RETRY], HERE) == FOREIGN + GUIDE + "\n"
    assert install("", [RETRY], HERE) == GUIDE + "\n"
    assert install("# mine", [RETRY], HERE) == "# mine\n" + GUIDE + "\n"


BY_HAND = [
    GUIDE,
    GUIDE.replace("0 *", "0 0-2,7-23"),
    GUIDE.replace("0 * * * *", "@hourly"),
    GUIDE.replace("0 * * * *", "\t5 \t*  * jan-dec MON"),
    GUIDE.replace(">> logs/cron.log 2>&1", "--batch-size 50 > logs/cron.log 2>&1"),
    GUIDE.replace(">> logs/cron.log 2>&1", ""),
    GUIDE.replace("python3", ".venv/bin/python"),
    GUIDE.replace("python3", "/usr/bin/python3.11 -u"),
    GUIDE.replace("cd /path/to/Recours_Ecommerce &&", "cd '/path/to/Recours_Ecommerce/';"),
    GUIDE.replace("/path", "/path/./there/.."),
    GUIDE.replace("cd /path/to/Recours_Ecommerce && ", "").replace(
        "scripts", "/path/to/Recours_Ecommerce/scripts"
    ),
    GUIDE + "\r",
]


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("line", BY_HAND)
def test_a_line_written_by_hand_is_replaced_in_place(line: str, end: str) -> None:
    text = f"# before\n{line}{end}"
    assert [entry.workers for entry in find(text, HERE)] == [("pod_retry_scheduler",)]
    assert install(text, [RETRY], HERE) == f"# before\n{GUIDE}\n"
    assert remove(text, WORKERS, HERE) == "# before\n"
    assert remove(text, ["pod_fetch_worker"], HERE) == text


@pytest.mark.parametrize("home", ["~", "$HOME", "${HOME}"])
def test_the_home_folder_is_recognized_by_its_shorthand(home: str) -> None:
    there = Checkout("/home/me/Recours_Ecommerce", "/home/me")
    text = GUIDE.replace("/path/to", home)
    assert install(text, [RETRY], there) == line_for(RETRY, there) + "\n"
    assert find(text, Checkout("/home/other/Recours_Ecommerce", "/home/other/x")) == []


def test_a_hash_sign_inside_a_word_is_not_a_comment() -> None:
    there = Checkout("/srv/a#b")
    by_hand = GUIDE.replace("/path/to/Recours_Ecommerce", "/srv/a#b")
    assert remove(by_hand, WORKERS, there) == ""


def test_a_folder_behind_a_link_is_recognized() -> None:
    linked = Checkout("/srv/1.0", "/", lambda path: path.replace("/current", "/srv/1.0"))
    text = GUIDE.replace("/path/to/Recours_Ecommerce", "/current")
    assert len(find(text, linked)) == 1


NOT_OURS = [
    f"# {GUIDE}",
    GUIDE.replace("/path/to", "/another"),
    GUIDE.replace("scripts/", "other/"),
    GUIDE.replace("python3 scripts", "wc scripts"),
    GUIDE.replace("pod_retry_scheduler.py", "another.py"),
    GUIDE.replace("cd /path/to/Recours_Ecommerce && ", ""),
    f"LINE={GUIDE}",
    f"LINE = {GUIDE}",
    GUIDE.partition(" && ")[2],
    GUIDE + " '",
    "0 * * * * echo '" + GUIDE + "'",
]


@pytest.mark.parametrize("line", NOT_OURS)
def test_foreign_lines_are_unchanged(line: str) -> None:
    assert find(line, HERE) == []
    assert install(line, [RETRY], HERE) == f"{line}\n{GUIDE}\n"
    assert remove(line, WORKERS, HERE) == line


MORE = [
    f"{GUIDE} && ./after.sh",
    f"{GUIDE}; true",
    f"{GUIDE} | logger",
    f"{GUIDE} &",
    GUIDE.replace("python3", "RECOURS_LOG_DIR=/x python3"),
    GUIDE.replace("python3", "flock -n lock python3"),
    GUIDE.replace("cd ", "sleep 10; cd "),
    GUIDE.replace("&& python3", "&& python3 scripts/pod_fetch_worker.py && python3"),
    f"{GUIDE}%input",
]


@pytest.mark.parametrize("line", MORE)
def test_a_line_that_does_more_is_reported_and_unchanged(line: str) -> None:
    (entry,) = find(line, HERE)
    assert "pod_retry_scheduler" in entry.workers
    assert not entry.plain
    more = r"Line 1 of the crontab .* also runs other commands"
    with pytest.raises(ScheduleError, match=more):
        install(line, [RETRY], HERE)
    with pytest.raises(ScheduleError, match=more):
        remove(line, WORKERS, HERE)


def test_duplicate_lines_become_one() -> None:
    text = f"{GUIDE}\n# between\n{GUIDE} \n"
    assert install(text, [RETRY], HERE) == f"{GUIDE}\n# between\n"
    assert remove(text, WORKERS, HERE) == "# between\n"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "/usr/bin:/bin"),
        ("PATH=/opt/bin\n", "/opt/bin"),
        (" PATH = '/a:/b' \r\nXPATH=/c\n", "/a:/b"),
        (f"PATH=/a\n{GUIDE}\nPATH=/b\n", "/a"),
    ],
)
def test_the_path_at_our_lines_is_found(text: str, path: str) -> None:
    assert search_path(text, HERE) == path


def test_a_folder_name_that_a_crontab_cannot_contain_is_rejected() -> None:
    with pytest.raises(ScheduleError, match="a line break or another control character"):
        install("", [RETRY], Checkout("/a\nb"))


# ---------------------------------------------------------------- properties

lines = st.one_of(
    st.text(st.characters(exclude_characters="\n")),
    st.sampled_from(["# c", "A=b\r", "", "0 0 * * * x", "*/5 * * * * cd /elsewhere && python3 scripts/pod_retry_scheduler.py",
                     *NOT_OURS]),
)  # fmt: skip
texts = st.builds(
    lambda parts, end: "\n".join(parts) + end, st.lists(lines, max_size=6), st.sampled_from(["", "\n"])
)
options = st.lists(
    st.sampled_from(["--batch-size", "50", "--carrier", "Mondial Relay", "a%b", "$x", "'", "\\"]), max_size=4
)
jobs = st.lists(
    st.builds(ScheduledJob, st.sampled_from(list(WORKERS)), options.map(tuple)),
    unique_by=lambda job: job.worker,
)
folders = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).map(
    lambda name: f"/srv/{name.replace('/', '')}x"
)


@MODEST
@given(texts, jobs)
def test_installing_twice_changes_nothing_more(text: str, wanted: list[ScheduledJob]) -> None:
    once = install(text, wanted, HERE)
    assert install(once, wanted, HERE) == once
    assert sorted(line.workers[0] for line in find(once, HERE)) == sorted(job.worker for job in wanted)


@MODEST
@given(texts, jobs)
def test_foreign_lines_survive_and_removing_undoes_installing(text: str, wanted: list[ScheduledJob]) -> None:
    installed = install(text, wanted, HERE)
    assert installed.startswith(text)
    # cron ignores a last line without a newline, so the newline added before our lines stays.
    ended = text + "\n" if text and not text.endswith("\n") and wanted else text
    assert remove(installed, WORKERS, HERE) == ended


@MODEST
@given(texts, texts, jobs, jobs)
def test_other_options_replace_the_line_between_foreign_ones(
    before: str, after: str, old: list[ScheduledJob], new: list[ScheduledJob]
) -> None:
    start = install(before, old, HERE)
    start += "" if start.endswith("\n") or not start else "\n"
    changed = install(start + after, new, HERE)
    foreign = remove(start, WORKERS, HERE) + after
    kept = remove(changed, WORKERS, HERE)
    assert kept in (foreign, foreign + "\n")


@MODEST
@given(folders, options)
@example('/srv/Re\'cours & "100%" $HOME `x` \\', ["a\\%b"])
@example("/srv/a\\%b\\\\c\\", [])
@example("/srv/%%", ["%", "\\"])
def test_any_folder_and_option_is_found_again(folder: str, given_options: list[str]) -> None:
    there = Checkout(folder)
    text = install("# x", [ScheduledJob("pod_fetch_worker", tuple(given_options))], there)
    (line,) = find(text, there)
    assert line.plain
    assert remove(text, WORKERS, there) == "# x\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no sh")
@pytest.mark.parametrize(
    "name", ["plain", "a b", "100% of it", 'it\'s "q"', "a\\%b\\\\c\\", "$HOME `x` $(y)", "é;&|<>(){}*?[]#~!"]
)
def test_sh_gets_the_folder_and_the_options_as_they_are(name: str) -> None:
    there = Checkout(f"/srv/{name}")
    command = line_for(ScheduledJob("pod_fetch_worker", ("--carrier", name)), there).split(" ", 5)[5]
    got = cron_command(command)
    # The exact line, with its program replaced by one that prints its arguments.
    spoken = (
        re.sub(r"^cd ", "printf '%s\\\\0' ", got)
        .replace(" && python3 ", " ")
        .replace(" >> logs/cron.log 2>&1", "")
    )
    done = subprocess.run(["/bin/sh", "-c", spoken], capture_output=True, check=True)
    assert done.stdout.decode().split("\0") == [
        f"/srv/{name}",
        "scripts/pod_fetch_worker.py",
        "--carrier",
        name,
        "",
    ]
    assert shlex.split(got)[1] == f"/srv/{name}"
