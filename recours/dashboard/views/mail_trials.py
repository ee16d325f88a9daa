"""How each kind of mail looks, in each language; and mails that are sent on trial."""

from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.status import HTTP_404_NOT_FOUND

from recours.core.mail import LANGUAGES, MailKind
from recours.dashboard.acting import done_in_background
from recours.dashboard.views.mails import INERT
from recours.dashboard.visit import Visit
from recours.wiring.mail_trials import mail_trials


def preview(visit: Visit) -> Response:
    kind, language = _asked(visit)
    mail = mail_trials(visit.operations).example(kind, language)
    return visit.page(
        "mail_preview.html",
        kind=kind,
        language=language,
        mail=asdict(mail) | {"language": language},
        is_report=kind is MailKind.WEEKLY_REPORT,
        admin=visit.settings.mail.admin,
        languages=LANGUAGES,
    )


def content(visit: Visit) -> Response:
    """What its reader would see, for a frame."""
    return HTMLResponse(mail_trials(visit.operations).example(*_asked(visit)).html, headers=INERT)


def _asked(visit: Visit) -> tuple[MailKind, str]:
    kind, language = visit.query.get("kind", ""), visit.query.get("language", "")
    if kind not in set(MailKind) or language not in LANGUAGES:
        raise HTTPException(HTTP_404_NOT_FOUND)
    return MailKind(kind), language


def test(visit: Visit) -> Response:
    address = str(visit.form.get("address", ""))
    return visit.back(done_in_background(visit, lambda actions: actions.send_test_mail(address)))


def report(visit: Visit) -> Response:
    address, language = (str(visit.form.get(name, "")) for name in ("address", "language"))
    if language not in LANGUAGES:
        raise HTTPException(HTTP_404_NOT_FOUND)
    return visit.back(done_in_background(visit, lambda actions: actions.send_report(address, language)))
