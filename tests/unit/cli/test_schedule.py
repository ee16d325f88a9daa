"""Options of `recours schedule` that go together, or do not; what is installed is in tests/acceptance."""

import click
import pytest
from click.testing import CliRunner

from recours.cli import main, schedule


@pytest.fixture(autouse=True)
def _worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands for `recours worker`, with two of its options."""
    options = [click.Option(["--concurrency"], type=click.IntRange(1, 64)), click.Option(["--database-url"])]
    command = click.Command("worker", params=[*options])
    monkeypatch.setattr(main, "subcommand", {"worker": command}.__getitem__)


REFUSED = {
    "one worker of a fleet": (
        ["install", "--system", "fleet", "--only", "pod_fetch_worker"],
        "--only is for the two workers",
    ),
    "one worker of a fleet to be removed": (
        ["remove", "--system", "fleet", "--only", "pod_fetch_worker"],
        "--only is for the two workers",
    ),
    "a worker's options for a fleet": (
        ["install", "--system", "fleet", "--worker-options", "-v"],
        "use --fleet-options alone",
    ),
    "a fleet's options for a crontab": (
        ["install", "--system", "crontab", "--fleet-options", "--concurrency 8"],
        "--fleet-options is for --system fleet",
    ),
    "a fleet's options without a system": (
        ["install", "--fleet-options", "--concurrency 8"],
        "--fleet-options is for --system fleet",
    ),
    "an unknown option": (
        ["install", "--system", "fleet", "--fleet-options", "--batch-size 5"],
        "recours worker says: No such option",
    ),
    "a value out of range": (
        ["install", "--system", "fleet", "--fleet-options", "--concurrency 500"],
        "recours worker says: Invalid value for '--concurrency': 500 is not in the range",
    ),
    "only help": (
        ["install", "--system", "fleet", "--fleet-options", "--help"],
        "--help only prints something and ends",
    ),
    "a password": (
        ["install", "--system", "fleet", "--fleet-options", "--database-url postgresql://u:se-cret@h/d"],
        "a password would be seen by everybody",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_options_that_do_not_go_together(case: str) -> None:
    arguments, sentence = REFUSED[case]
    done = CliRunner(env={"COLUMNS": "200"}).invoke(schedule.command, arguments)
    assert (done.exit_code, sentence in " ".join(done.stderr.split())) == (2, True), done.output
    assert "se-cret" not in done.output
