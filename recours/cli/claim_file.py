"""`--csv FILE`: an action on the claims that a file lists, one per line."""

from collections.abc import Sequence
from pathlib import Path

import click

from recours.admin.actions import Actions, FileAction, FileResult
from recours.admin.claim_file import LARGEST
from recours.cli.common import content_of
from recours.cli.console import FAILED, Table, echo, harmless, say_error, show
from recours.host.installation import pasteable

csv_option = click.option(
    "--csv",
    "file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Read the claims from a CSV file (- for stdin); lines that cannot be processed are reported and skipped.",
)


def _show_preview(action: FileAction, results: Sequence[FileResult]) -> None:
    is_correction = action is FileAction.CORRECT
    changes = ("Before", "After") if is_correction else ()
    rows = []
    for line, result in results:
        if result.is_done:
            change = (result.before, result.after) if is_correction else ()
            rows.append((str(line), result.subject, *change, result.sentence))
    if rows:
        columns = ("Line", "Claim", *changes, "Result")
        show(Table("Preview", columns, rows, frozenset({"Line"})))


def act_on_file(
    actions: Actions, action: FileAction, file: Path, why: str = "", *, dry_run: bool = False
) -> None:
    """Act on each line. If any line cannot be processed, report the line and exit with status 1 at the end."""
    results = actions.act_on_file(action, content_of(file, LARGEST, "--csv"), why, dry_run=dry_run)
    if dry_run:
        _show_preview(action, results)
    is_refused = False
    for line, result in results:
        text = f"Line {line}: {result.sentence}"
        if result.is_already_done:
            echo(pasteable(harmless(text)))
        elif not result.is_done:
            is_refused = True
            say_error(text)
    echo(actions.file_summary(results, dry_run=dry_run))
    if is_refused:
        raise SystemExit(FAILED)
