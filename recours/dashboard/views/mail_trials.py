"""How each kind of mail looks, in each language; and mails that are sent on trial."""

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.status import HTTP_404_NOT_FOUND

from recours.core.mail import LANGUAGES, MailKind, OutgoingMail
from recours.core.text import clean
from recours.dashboard.acting import done_in_background
from recours.dashboard.timed_cache import TimedCache
from recours.dashboard.views.mails import INERT
from recours.dashboard.visit import Visit
from recours.operations.results import ResultSentences
from recours.runs.source import can_be_reference, unknown_claim
from recours.wiring.mail_trials import mail_trials

_KEPT_S = 60
_LONGEST_REFERENCE = 100
_reports: TimedCache[OutgoingMail] = TimedCache(_KEPT_S)


@dataclass(frozen=True)
class _Asked:
    """What the address asks for. `reference`: of the claim that it is to be about; "": a made-up one."""

    kind: MailKind
    language: str
    reference: str = ""
    so_far: bool = False  # the report of this week up to now, instead of the last one that is over


def preview(visit: Visit) -> Response:
    asked, fault = _asked(visit), ""
    mail = _mail(visit, asked)
    if mail is None:
        refused = unknown_claim(visit.operations.claims, asked.reference)
        fault = str(ResultSentences(visit.texts.language, visit.settings.policy.zone).refused(refused))
    return visit.page(
        "mail_preview.html",
        HTTP_404_NOT_FOUND if fault else 200,
        asked=asked,
        mail=mail,
        fault=fault,
        is_report=asked.kind is MailKind.WEEKLY_REPORT,
        admin=visit.settings.mail.admin,
        languages=LANGUAGES,
    )


def content(visit: Visit) -> Response:
    """What its reader would see, for a frame."""
    mail = _mail(visit, _asked(visit))
    if mail is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    return HTMLResponse(mail.html, headers=INERT)


def _asked(visit: Visit) -> _Asked:
    kind, language = visit.query.get("kind", ""), visit.query.get("language", "")
    if kind not in set(MailKind) or language not in LANGUAGES:
        raise HTTPException(HTTP_404_NOT_FOUND)
    if kind == MailKind.WEEKLY_REPORT:
        return _Asked(MailKind.WEEKLY_REPORT, language, so_far=visit.query.get("so_far") == "1")
    reference = clean(visit.query.get("claim", "").strip(), _LONGEST_REFERENCE)
    return _Asked(MailKind(kind), language, reference)


def _mail(visit: Visit, asked: _Asked) -> OutgoingMail | None:
    """None: there is no such claim."""
    trials, claims = mail_trials(visit.operations), visit.operations.claims
    if asked.kind is MailKind.WEEKLY_REPORT:
        key = visit.operations.database.shown, asked
        return _reports.get(key, lambda: trials.report(asked.language, so_far=asked.so_far))
    if not asked.reference:
        return trials.example(asked.kind, asked.language)
    claim = claims.find(asked.reference) if can_be_reference(asked.reference) else None
    return trials.noted(trials.about(asked.kind, claim, asked.language)) if claim else None


# ---------------------------------------------------------------- what is sent


def test(visit: Visit) -> Response:
    address = str(visit.form.get("address", ""))
    return visit.back(done_in_background(visit, lambda actions: actions.send_test_mail(address)))


def report(visit: Visit) -> Response:
    address, language = (str(visit.form.get(name, "")) for name in ("address", "language"))
    so_far = visit.form.get("so_far") == "1"
    if language not in LANGUAGES:
        raise HTTPException(HTTP_404_NOT_FOUND)
    return visit.back(
        done_in_background(visit, lambda actions: actions.send_report(address, language, so_far=so_far))
    )
