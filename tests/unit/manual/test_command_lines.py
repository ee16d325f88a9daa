"""Every command line of the manual works as typed: programs, commands, options, targets and files exist."""

import importlib.util
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

from docs.reference_pages import commands
from recours.cli import workers
from recours.runs.worker import WORKERS
from recours.settings.model import SETTINGS
from tests.rows import row
from tests.unit.manual.pages import ROOT, Block, blocks, code_in_prose, everything, text_of, written

# System programs that pages use. `python` is excluded, because not every system has it outside of a venv.
PROGRAMS = {
    "apt-get", "cd", "chmod", "chown", "cp", "createdb", "crontab", "curl", "docker", "echo", "eval", "export", "find", "git",
    "grep", "install", "journalctl", "kill", "kubectl", "ln", "loginctl", "ls", "mkdir", "mv", "pg_restore", "pipx", "printf", "psql", "sqlite3", "systemctl", "tail",
    "touch", "unset", "uv",
}  # fmt: skip
# Options of other programs that the prose mentions without the program.
OPTIONS_OF_OTHERS = {
    "--user",
    "--now",
    "--require-hashes",
    "--no-deps",
    "--quiet",
    "--build",
    "--rm",
    "--restart",
}
LOOKS = {"--help", "-h", "--version"}
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


def lines_of(block: Block) -> Iterator[str]:
    """The command lines of a block, with continuation lines joined."""
    for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
        if line.strip() and not line.strip().startswith("#"):
            yield line.strip()


def simple_commands(line: str) -> Iterator[list[str]]:
    """The commands of a line, without comments, leading assignments and redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    found: list[str] = []
    words = iter(lexer)
    for word in words:
        if set(word) <= set("|&;"):
            yield from [found] if found else []
            found = []
        elif set(word) <= set("<>&"):
            next(words)
        elif found or not _ASSIGNMENT.fullmatch(word):
            found.append(word)
    yield from [found] if found else []


def test_every_line_can_be_typed() -> None:
    for block in blocks("bash", "sh"):
        for line in lines_of(block):
            for words in simple_commands(line):
                with row(block.page, line):
                    assert_can_be_typed(words)


_MAKES_ENV = re.compile(r"(>|\bcp\b|\bmv\b|\btouch\b|\binstall\b).* \S*\.env\b")


def test_the_env_that_readers_make_is_theirs_alone() -> None:
    """It is created with private permissions, or they are set before anything is written."""
    for block in blocks("bash", "sh"):
        is_private = False
        for line in lines_of(block):
            is_private = is_private or "install -m 600 " in line or "touch .env && chmod 600 .env" in line
            with row(block.page, line):
                assert is_private or not _MAKES_ENV.search(line)
    assert not re.search(r"(?i)\bcop(y|iez) `\.env\.example`", everything())


def assert_can_be_typed(words: list[str]) -> None:
    program, *arguments = without_sudo(words)
    name = program.rpartition("/")[2]
    if name == "recours":
        parse(arguments)
    elif name == "python3" or (name == "python" and program.startswith(".venv/bin/")):
        check_python(arguments)
    elif name == "make":
        check_targets(arguments)
    elif program.startswith(".venv/bin/"):
        assert Path(sys.executable).with_name(name).exists() or shutil.which(name), program
    elif "/" not in program:
        assert program in PROGRAMS, f"{program} is not known: is it a program that readers have?"


def without_sudo(words: list[str]) -> list[str]:
    if words[0] != "sudo":
        return words
    return words[3:] if words[1] == "-u" else words[1:]


def parse(arguments: list[str]) -> None:
    """Parse the arguments of `recours`. Raises click.UsageError."""
    found, typed = commands(), "recours"
    while arguments and f"{typed} {arguments[0]}" in found:
        typed = f"{typed} {arguments.pop(0)}"
    for name, worker in (("recours fetch", "pod_fetch_worker"), ("recours retry", "pod_retry_scheduler")):
        if typed == name:
            return parse_worker(worker, arguments)
    if not LOOKS & set(arguments):
        command = found[typed]
        assert not isinstance(command, click.Group) or command.invoke_without_command or typed != "recours", (
            typed
        )
        command.make_context(typed, arguments, parent=click.Context(found["recours"], obj=None))
    return None


def parse_worker(worker: str, arguments: list[str]) -> None:
    if not LOOKS & set(arguments):
        workers.parse_options(worker, arguments)


def check_python(arguments: list[str]) -> None:
    """Check that the script or module exists and accepts the options."""
    if arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1]), arguments[1]
        if arguments[1] == "recours":
            parse(arguments[2:])
        return
    if arguments[0].startswith("-"):
        return
    assert (ROOT / arguments[0]).is_file(), arguments[0]
    if (name := Path(arguments[0]).stem) in WORKERS:
        parse_worker(name, arguments[1:])


def check_targets(arguments: list[str]) -> None:
    for target in arguments:
        assert _ASSIGNMENT.fullmatch(target) or re.search(
            rf"^{target}:", text_of("Makefile"), re.MULTILINE
        ), target


def test_a_line_of_windows_names_what_is_there() -> None:
    for block in blocks("powershell"):
        for line in lines_of(block):
            with row(block.page, line):
                assert_names_what_is_there(line)


def assert_names_what_is_there(line: str) -> None:
    for path in re.findall(r"(?:scripts|deploy|tests)\\[\w\\]+\.\w+", line):
        assert (ROOT / path.replace("\\", "/")).exists(), path
    words = line.replace("\\", "/").replace('"', " ").split()
    for place, word in enumerate(words):
        if word.endswith(("Scripts/recours", "Scripts/recours.exe")):
            parse(words[place + 1 :])
        elif (name := Path(word).stem) in WORKERS and word.endswith(".py"):
            options = [each for each in words[place + 1 :] if not each.startswith("/")]
            parse_worker(name, options[: len(options) if "/tr" not in words else number_of_options(options)])


def number_of_options(words: list[str]) -> int:
    """The number of words that are options of a task's script: `--name` and its value."""
    count = 0
    while words[count : count + 1] and words[count].startswith("--"):
        count += 2
    return count


# ---------------------------------------------------------------- commands within sentences


IN_PROSE = [(name, code) for name, text in written().items() for code in code_in_prose(text)]


def test_commands_within_sentences_exist() -> None:
    found = commands()
    for page, code in IN_PROSE:
        typed = re.match(r"(?:\.venv/bin/)?(recours(?: [a-z][\w-]*)*)(.*)", code, re.DOTALL)
        is_sentence = code.endswith((".", ")")) or "…" in code
        if not typed or is_sentence or typed[2].startswith(("_", ".", "[", "/", "-", "=", ":", "@")):
            continue
        words = typed[1].split()
        while " ".join(words) not in found:
            assert len(words) > 2 or (len(words) > 1 and words[1] in ("fetch", "retry")), f"{page}: {code}"
            words.pop()
        check_options(" ".join(words), code, page)


def check_options(name: str, code: str, page: str) -> None:
    """Check each option in the text of a command."""
    worker = {"recours fetch": "pod_fetch_worker.py", "recours retry": "pod_retry_scheduler.py"}.get(
        name, name
    )
    defined = {
        each
        for parameter in commands()[worker].params
        for each in (*parameter.opts, *parameter.secondary_opts)
    }
    quoted = re.sub(r'"[^"]*"', "", code)
    for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", quoted):
        assert option in defined | LOOKS, f"{page}: {code}"


def test_lone_options_exist() -> None:
    parameters = [parameter for command in commands().values() for parameter in command.params]
    defined = {each for parameter in parameters for each in (*parameter.opts, *parameter.secondary_opts)}
    for page, code in IN_PROSE:
        if option := re.match(r"--[a-z][a-z-]+", code):
            assert option[0] in defined | LOOKS | OPTIONS_OF_OTHERS, f"{page}: {code}"


# ---------------------------------------------------------------- settings and other files that can be copied


def test_settings_that_can_be_copied_are_valid() -> None:
    read = {setting.name: setting.parse for setting in SETTINGS.values()}
    copied = 0
    for block in blocks("ini"):
        if "[" in block.text:  # a unit of systemd
            continue
        for line in lines_of(block):
            name, mark, value = line.partition("=")
            assert mark, f"{block.page}: {line}"
            if name in read:
                read[name](value)
                copied += 1
    assert copied > 5


def test_toml_can_be_read() -> None:
    for block in blocks("toml"):
        assert tomllib.loads(block.text), block.page
