"""Changes claims from a file: shows a preview of each change, then makes the changes once a person confirms."""

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.status import HTTP_404_NOT_FOUND

from recours.admin.actions import FileAction
from recours.admin.claim_file import LARGEST, LARGEST_MB, text_of
from recours.core.text import clean
from recours.core.translations import N_
from recours.dashboard.visit import Notice, Visit, actions_of

ADDRESS = "/claims/file"
_LONGEST_SENTENCE = 1000
_ACTIONS = {
    FileAction.CORRECT: N_("Correct"),
    FileAction.REOPEN: N_("Reopen"),
    FileAction.EXCLUDE: N_("Exclude"),
}


def show(visit: Visit) -> Response:
    return visit.page("bulk.html", actions=_ACTIONS, largest_mb=LARGEST_MB)


def preview(visit: Visit) -> Response:
    name, content = visit.upload(LARGEST)
    action = _action(visit)
    actions = actions_of(visit)
    results = actions.act_on_file(action, content, dry_run=True)
    return visit.page(
        "bulk_preview.html",
        here=ADDRESS,
        action=action,
        label=visit.texts(_ACTIONS[action]),
        name=clean(name, 100),
        summary=actions.file_summary(results, dry_run=True),
        possible=[line for line in results if line.result.is_done],
        others=[line for line in results if not line.result.is_done],
        rows=text_of(content),
    )


def apply(visit: Visit) -> Response:
    """Make the changes. The form repeats the rows of the file, and each row is checked again."""
    rows = visit.form.get("rows", "")
    content = rows.encode() if isinstance(rows, str) else b""
    actions = actions_of(visit)
    results = actions.act_on_file(_action(visit), content, visit.field("why"))
    lines = [
        (
            visit.texts("Line {line}: {text}", line=line, text=clean(result.sentence, _LONGEST_SENTENCE)),
            result.is_already_done,
        )
        for line, result in results
        if not result.is_done
    ]
    is_good = all(is_already_done for _, is_already_done in lines)
    return visit.back(Notice(actions.file_summary(results), is_good=is_good, lines=lines))


def _action(visit: Visit) -> FileAction:
    chosen = visit.field("action")
    if chosen not in set(FileAction):
        raise HTTPException(HTTP_404_NOT_FOUND)
    return FileAction(chosen)
