"""`make mutation`: break every function of the rules in small ways, and check that a test fails each time.

mutmut works on a copy in a temporary folder, with only the tests of `recours/core`. It mutates only functions; the
tables at the top of the modules are protected by tests that repeat them. A survivor listed in HARMLESS changes nothing
observable. Any other survivor makes this script exit with status 1.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = """
[tool.mutmut]
source_paths = ["recours"]
only_mutate = ["recours/core/*.py"]
also_copy = ["migrations"]
pytest_add_cli_args_test_selection = ["tests/unit"]
use_git_change_detection = false

[tool.pytest.ini_options]
addopts = "-q -p no:cacheprovider"
pythonpath = ["."]
"""

# The change of a mutant (the removed and the added line), and the reason why no test has to detect it.
HARMLESS: dict[tuple[str, str], str] = {
    (
        "return next(iter(get_close_matches(word, words, n=1, cutoff=cutoff)), None)",
        "return next(iter(get_close_matches(word, words, cutoff=cutoff)), None)",
    ): "only the first of the matches is looked at",
    (
        "return next(iter(get_close_matches(word, words, n=1, cutoff=cutoff)), None)",
        "return next(iter(get_close_matches(word, words, n=2, cutoff=cutoff)), None)",
    ): "only the first of the matches is looked at",
    (
        "return datetime.combine(deadline + timedelta(days=1), time(), zone).astimezone(UTC)",
        "return datetime.combine(deadline + timedelta(days=1), time(), zone).astimezone(None)",
    ): "the same moment, shown in another zone",
    (
        "since = since if since and since <= now else now",
        "since = since if since and since < now else now",
    ): "at this very moment both are now",
    (
        "return policy.next_retry(state.retries_used, since if since and since <= now else now)",
        "return policy.next_retry(state.retries_used, since if since and since < now else now)",
    ): "at this very moment both are now",
    (
        "recipient = _whom_to_notify(state.kind or ErrorKind.INTERNAL_ERROR, policy, persistent=True)",
        "recipient = _whom_to_notify(state.kind or ErrorKind.INTERNAL_ERROR, None, persistent=True)",
    ): "the policy is asked about temporary errors only",
    (
        "return actor if actor in (Actor.CLIENT, Actor.OPERATOR) else None",
        "return actor if (actor in (Actor.CLIENT, Actor.OPERATOR)) or True else None",
    ): "someone can act on every persistent kind",
    (
        "return start.astimezone(UTC), end.astimezone(UTC)",
        "return start.astimezone(None), end.astimezone(UTC)",
    ): "the same moment, shown in another zone",
    (
        "return start.astimezone(UTC), end.astimezone(UTC)",
        "return start.astimezone(UTC), end.astimezone(None)",
    ): "the same moment, shown in another zone",
    (
        "return datetime.combine(now.astimezone(zone).date(), _KEPT_UNTIL, zone).astimezone(UTC)",
        "return datetime.combine(now.astimezone(zone).date(), _KEPT_UNTIL, zone).astimezone(None)",
    ): "the same moment, shown in another zone",
    (
        'quote(secret, safe=""),',
        'quote(secret, safe="XXXX"),',
    ): "a letter is never escaped",
    (
        "json.dumps(secret, ensure_ascii=False)[1:-1],",
        "json.dumps(secret, ensure_ascii=None)[1:-1],",
    ): "None is as false as False",
    (
        'encoded.rstrip("="),',
        'encoded.rstrip("XX=XX"),',
    ): "no base64 ends in X before its padding; without padding, what is whole is another of the forms",
    (
        "raw = text if isinstance(text, str) else str(text)",
        "raw = text if (isinstance(text, str)) and False else str(text)",
    ): "the text of a text is itself",
    (
        "cut = raw[: limit + 1].strip() if len(raw) <= limit else raw[: limit + 1]",
        "cut = raw[: limit + 2].strip() if len(raw) <= limit else raw[: limit + 1]",
    ): "such a text has no more characters than that",
    (
        "cut = raw[: limit + 1].strip() if len(raw) <= limit else raw[: limit + 1]",
        "cut = raw[: limit + 1].strip() if len(raw) <= limit else raw[: limit + 2]",
    ): "one more character of a text that is cut anyway",
    (
        'visible = cut if cut.isprintable() else "".join(map(_visible, cut))',
        'visible = cut if (cut.isprintable()) and False else "".join(map(_visible, cut))',
    ): "a printable character stays as it is",
    (
        "if code <= 0xFF:  # noqa: PLR2004 (the range of \\x escapes)",
        "if code < 0xFF:  # noqa: PLR2004 (the range of \\x escapes)",
    ): "no control character has this code",
    (
        "if code <= 0xFF:  # noqa: PLR2004 (the range of \\x escapes)",
        "if code <= 256:  # noqa: PLR2004 (the range of \\x escapes)",
    ): "no control character has this code",
    (
        'return f"\\\\u{code:04x}" if code <= 0xFFFF else f"\\\\U{code:08x}"  # noqa: PLR2004 (the range of \\u escapes)',
        'return f"\\\\u{code:04x}" if code <= 65536 else f"\\\\U{code:08x}"  # noqa: PLR2004 (the range of \\u escapes)',
    ): "no control character has this code",
}


def main() -> int:
    """Run mutmut and print the survivors. Return the exit status."""
    if stale := _stale_entries():
        print("HARMLESS names lines that are not in recours/core:", *stale, sep="\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="recours-mutation-") as folder:
        copy = Path(folder)
        _copy_to(copy)
        environment = os.environ | {"CI": "1"}  # property tests use the same examples for every mutant
        unmutated = [sys.executable, "-m", "pytest", "-q", "tests/unit"]
        if subprocess.run(unmutated, cwd=copy, env=environment, check=False).returncode:
            print("The tests fail before anything is broken: mend that first.")
            return 1
        mutmut = [sys.executable, "-m", "mutmut"]
        done = subprocess.run(
            [*mutmut, "run"], cwd=copy, env=environment, check=False, capture_output=True, text=True
        )
        if done.returncode:
            print(done.stdout[-3000:], done.stderr[-3000:], sep="\n")
            return 1
        verdicts = _verdicts(copy)
        survivors = {
            name: _change(mutmut, name, copy) for name, verdict in verdicts.items() if verdict == "survived"
        }
    return _report(verdicts, survivors)


def _stale_entries() -> list[str]:
    """The lines of HARMLESS that the code no longer contains."""
    modules = (ROOT / "recours" / "core").glob("*.py")
    lines = {line.strip() for module in modules for line in module.read_text(encoding="utf-8").splitlines()}
    return [removed for removed, _added in HARMLESS if removed not in lines]


def _copy_to(folder: Path) -> None:
    shutil.copytree(ROOT / "recours", folder / "recours", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "migrations", folder / "migrations")
    shutil.copytree(ROOT / "tests" / "fakes", folder / "tests" / "fakes")
    shutil.copytree(ROOT / "tests" / "unit" / "core", folder / "tests" / "unit" / "core")
    shutil.copy(ROOT / "tests" / "rows.py", folder / "tests")
    (folder / "pyproject.toml").write_text(CONFIG, encoding="utf-8")


# mutmut stores the exit status of the tests for each mutant.
_VERDICTS = {
    0: "survived",
    1: "killed",
    3: "killed",
    33: "untested",
    36: "timeout",
    -24: "timeout",
    24: "timeout",
}


def _verdicts(folder: Path) -> dict[str, str]:
    verdicts: dict[str, str] = {}
    for meta in sorted((folder / "mutants").rglob("*.py.meta")):
        codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
        verdicts |= {name: _VERDICTS.get(code, f"status {code}") for name, code in codes.items()}
    return verdicts


def _change(mutmut: list[str], name: str, folder: Path) -> tuple[str, str]:
    """The line that a mutant removed and the line that it added."""
    shown = subprocess.run(
        [*mutmut, "show", name], cwd=folder, check=True, capture_output=True, text=True
    ).stdout
    lines = [line for line in shown.splitlines() if not line.startswith(("---", "+++", "#"))]
    removed, added = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return removed, added


def _report(verdicts: dict[str, str], survivors: dict[str, tuple[str, str]]) -> int:
    for word in sorted(set(verdicts.values())):
        print(f"{word}: {sum(verdict == word for verdict in verdicts.values())}")
    unknown = 0
    for name, change in survivors.items():
        why = HARMLESS.get(change)
        unknown += why is None
        print(
            f"\n{name}\n- {change[0]}\n+ {change[1]}\n{'harmless: ' + why if why else 'SURVIVED: write a test that notices'}"
        )
    untested = sum(verdict == "untested" for verdict in verdicts.values())
    print(f"\n{len(survivors)} survived, {len(survivors) - unknown} of them are known to be harmless")
    return 1 if unknown or untested else 0


if __name__ == "__main__":
    sys.exit(main())
