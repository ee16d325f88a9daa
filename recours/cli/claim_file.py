"""`--csv FILE`: what is done with the claims that a file names, a line each."""

from pathlib import Path

import click

from recours.admin.actions import Actions, FileAction
from recours.admin.claim_file import LARGEST
from recours.cli.common import content_of
from recours.cli.console import FAILED, Table, echo, harmless, say_error, show
from recours.host.installation import pasteable

csv_option = click.option(
    "--csv",
    "file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Do it with the claims of a CSV file (- for stdin), as far as possible.",
)


def act_on_file(
    actions: Actions, action: FileAction, file: Path, why: str = "", *, dry_run: bool = False
) -> None:
    """What cannot be done is named by its line and, at the end, is exit status 1."""
    results = actions.act_on_file(action, content_of(file, LARGEST, "--csv"), why, dry_run=dry_run)
    rows = [
        (str(line), result.subject, result.before, result.after, result.sentence)
        for line, result in results
        if result.is_done
    ]
    if dry_run and rows:
        columns = ("Line", "Claim", "Now", "Then", "What happens")
        shown = columns if action is FileAction.CORRECT else (*columns[:2], columns[-1])
        cells = [[cell for name, cell in zip(columns, row, strict=True) if name in shown] for row in rows]
        show(Table("What would be done", shown, cells, frozenset({"Line"})))
    is_refused = False
    for line, result in results:
        text = f"Line {line}: {result.sentence}"
        if result.is_so_already:
            echo(pasteable(harmless(text)))
        elif not result.is_done:
            is_refused = True
            say_error(text)
    echo(actions.file_summary(results, dry_run=dry_run))
    if is_refused:
        raise SystemExit(FAILED)
