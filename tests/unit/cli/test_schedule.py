"""Options of `recours schedule install` that are rejected before anything is read."""

import pytest
from click.testing import CliRunner

from recours.cli import schedule
from tests.planted import MARK

REFUSED = [
    (
        ["--scheduler-options", "--batch 50"],
        "pod_retry_scheduler.py does not accept these options: No such option '--batch'",
    ),
    (["--worker-options", "--max-retries 5"], "No such option '--max-retries'"),
    (["--scheduler-options", "--max-retries 50"], "from 1 to 20"),
    (["--worker-options", "--carrier chronpost"], "Chronopost"),
    (["--worker-options", "50"], "unexpected extra argument"),
    (["--worker-options", "--carrier 'x"], "missing closing quotation mark"),
    (["--scheduler-options", "--claim CLM-1"], "--claim only works in manual runs"),
    (["--worker-options", "--dry-run"], "--dry-run only works in manual runs"),
    (["--worker-options", "--help"], "--help cannot be used here, because it only prints text"),
    (
        ["--worker-options", f"--database-url postgresql://u:{MARK}@h/d"],
        "every user of this machine could see the password",
    ),
]


@pytest.mark.parametrize(("options", "sentence"), REFUSED)
def test_options_for_manual_runs_are_rejected_in_a_schedule(options: list[str], sentence: str) -> None:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(schedule.command, ["install", *options])
    assert (done.exit_code, sentence in " ".join(done.stderr.split())) == (2, True), done.output
    assert MARK not in done.output
