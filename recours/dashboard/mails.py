"""Pages about emails: the waiting and sent emails, the content of an email, and the release of held emails."""

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.status import HTTP_404_NOT_FOUND

from recours.core.mail import MailState, MailTrouble
from recours.dashboard.visit import Visit, do_in_background, do_now, number_in
from recours.reporting.reader import claims_of_mail, find_mail, latest_mails, waiting_mails
from recours.reporting.records import WrittenMail
from recours.reporting.system import Pile

_WAITING = 200
_LATEST = 50
_LINKED = 50  # claims with links, per email
_TONES = {
    MailState.HELD: "warn",
    MailState.SENT: "good",
    MailState.FAILED: "bad",
    MailState.UNDECIDED: "warn",
}
# Emails are displayed without scripts, forms or external resources.
_FRAME_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}


def show(visit: Visit) -> Response:
    database = visit.app.database
    waiting = waiting_mails(database, _WAITING + 1)
    return visit.page(
        "mails.html",
        held=visit.reports.system.mails(visit.now).get(MailState.HELD, Pile()).count,
        waiting=waiting[:_WAITING],
        is_more=len(waiting) > _WAITING,
        latest=latest_mails(database, _LATEST),
        tones=_TONES,
        admin=visit.settings.mail.admin,
        trouble_in=MailTrouble.translated,
    )


def show_one(visit: Visit) -> Response:
    mail = _mail(visit)
    return visit.page(
        "mail.html",
        mail=mail,
        claims=claims_of_mail(visit.app.database, mail.listed.number, _LINKED),
        tones=_TONES,
        trouble_in=MailTrouble.translated,
    )


def content(visit: Visit) -> Response:
    """Send the HTML version of an email for its frame."""
    return HTMLResponse(_mail(visit).html, headers=_FRAME_HEADERS)


def release(visit: Visit) -> Response:
    return do_now(visit, lambda actions: actions.release_mails())


def _mail(visit: Visit) -> WrittenMail:
    number = number_in(visit.query.get("number", ""))
    mail = find_mail(visit.app.database, number) if number else None
    if mail is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    return mail


def send_test(visit: Visit) -> Response:
    address = visit.field("address")
    return visit.back(do_in_background(visit, lambda actions: actions.send_test_mail(address)))
