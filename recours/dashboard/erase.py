"""The page that previews and erases all data of a claim or a client."""

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.status import HTTP_404_NOT_FOUND, HTTP_409_CONFLICT

from recours.admin.actions import ActionResult, Actions
from recours.admin.results import RecoursError
from recours.core.text import clean
from recours.dashboard.visit import Visit, actions_of, change_parameters, do_in_background


def show(visit: Visit) -> Response:
    reference = visit.query.get("reference", "")
    client = visit.query.get("client", "")
    if not (reference or client):
        raise HTTPException(HTTP_404_NOT_FOUND)
    try:
        results = _erase(actions_of(visit), reference, client, dry_run=True)
    except RecoursError as error:
        raise HTTPException(HTTP_409_CONFLICT, clean(error)) from error
    return visit.page(
        "erase.html",
        subject=clean(results[0].subject, 200),
        sentences=[clean(result.sentence) for result in results],
        fields={"reference": reference, "client": client},
        back=change_parameters("/claim", QueryParams(), reference=reference) if reference else "/claims",
    )


def erase(visit: Visit) -> Response:
    reference = visit.field("reference")
    client = visit.field("client")

    def erase_all(actions: Actions) -> ActionResult:
        results = _erase(actions, reference, client)
        is_done = all(result.is_done for result in results)
        return ActionResult(results[0].subject, " ".join(result.sentence for result in results), is_done)

    return visit.back(do_in_background(visit, erase_all))


def _erase(actions: Actions, reference: str, client: str, *, dry_run: bool = False) -> list[ActionResult]:
    return actions.erase([reference] if reference else [], client=client or None, dry_run=dry_run)
