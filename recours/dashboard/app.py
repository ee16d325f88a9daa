"""The dashboard as a web application: routes, access control, and the headers and limits of every response."""

import asyncio
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.status import (
    HTTP_404_NOT_FOUND,
    HTTP_408_REQUEST_TIMEOUT,
    HTTP_413_CONTENT_TOO_LARGE,
    HTTP_414_URI_TOO_LONG,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from recours.admin.claim_file import LARGEST as LARGEST_CSV
from recours.admin.results import RecoursError
from recours.app import open_app
from recours.carriers.registry import CATALOG
from recours.core.password import LoginThrottle
from recours.core.text import clean
from recours.core.translations import LANGUAGES, N_, translate
from recours.dashboard import bulk, carriers, claim, claims, documents, erase, mails, overview
from recours.dashboard.documents import LARGEST
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import (
    LANGUAGE_COOKIE,
    Notice,
    Notices,
    Visit,
    change_parameters,
    language_of,
    own_path,
    render,
)
from recours.dashboard.visitors import (
    SESSION_COOKIE,
    SESSION_S,
    NotAdmitted,
    PageRequest,
    Visitor,
    is_own_origin,
    new_session,
    nonce_of,
    passwords_of,
    visitor_of,
)
from recours.database.engine import DatabaseError
from recours.settings.loading import load_at_home
from recours.settings.model import Settings, SettingsError

View = Callable[[Visit], Response]
_LANGUAGE_S = 365 * 86400
_MOST_ENDED = 1000  # logged-out sessions that are remembered
_MOST_FIELDS = 1000  # a list of claims has 50 checkboxes
_LONGEST_QUERY = 8000  # bytes
_LARGEST_FORM = 100_000  # bytes
# The time limit for receiving a form: _FORM_TIMEOUT_S, plus its largest size at _SLOWEST_UPLOAD bytes per second.
_FORM_TIMEOUT_S = 20.0
_SLOWEST_UPLOAD = 40_000
_LARGER_FORMS = {  # forms with a file; the margin lets the view report a file that is slightly too large
    "/claim/attach": LARGEST + 2_000_000,
    "/claims/preview": LARGEST_CSV + 2_000_000,
    "/claims/apply": 3 * LARGEST_CSV + _LARGEST_FORM,  # a character may take three bytes
}

_SAME_PASSWORDS = N_(
    "The operator password and the viewer password are the same. Change RECOURS_DASHBOARD_VIEWER_PASSWORD_HASH."
)

# No resources from other sites, no framing by other sites, no inline scripts or styles.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def show_notice(visit: Visit) -> Response:
    """The progress of an action that is running in the background."""
    key = visit.query.get("key", "")
    if visit.notices.get(key) is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    return visit.page("notice_alone.html", key=key)


GET_ROUTES: Mapping[str, View] = {
    "/": overview.show,
    "/find": claim.find,
    "/claims": claims.show,
    "/claims.csv": claims.export,
    bulk.ADDRESS: bulk.show,
    "/claim": claim.show,
    "/document": documents.show,
    "/dossier": documents.show_dossier,
    "/erase": erase.show,
    "/carriers": carriers.show,
    "/account": carriers.show_account,
    "/mails": mails.show,
    "/mail": mails.show_one,
    "/mail/content": mails.content,
    "/notice": show_notice,
}
# Only operators may use these.
POST_ROUTES: Mapping[str, View] = {
    "/claims/do": claims.act,
    "/claims/preview": bulk.preview,
    "/claims/apply": bulk.apply,
    "/claim/correct": claim.correct,
    "/claim/attach": claim.attach,
    "/claim/accept": claim.accept,
    "/claim/detach": claim.detach,
    "/erase/do": erase.erase,
    "/carriers/pause": carriers.pause,
    "/carriers/resume": carriers.resume,
    "/carriers/check": carriers.check,
    "/accounts/limits": carriers.set_limits,
    "/accounts/remove": carriers.remove_account,
    "/mails/release": mails.release,
    "/mails/test": mails.send_test,
}


def make_app(environment: Mapping[str, str]) -> ASGIApp:
    """The application. It reads the settings for each request, so a changed password takes effect at once."""
    page = _Page(environment)
    static = StaticFiles(directory=Path(__file__).parent / "static")
    routes = [
        Mount("/static", static),
        Route("/enter", page.enter, methods=["POST"]),
        Route("/leave", page.leave, methods=["POST"]),
        Route("/language", page.choose_language, methods=["POST"]),
        *(Route(path, page.get(view), methods=["GET"]) for path, view in GET_ROUTES.items()),
        *(Route(path, page.post(view), methods=["POST"]) for path, view in POST_ROUTES.items()),
    ]
    handlers = dict.fromkeys((_RefusedError, HTTPException, SettingsError, DatabaseError), page.failed)
    # This is a wrapper, because Starlette's middlewares do not see the response to an unhandled exception.
    return _Hardened(Starlette(routes=routes, exception_handlers=handlers))


class _Hardened:
    """Adds the common headers to every response; refuses posts from other sites and oversized requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-cache"
            await send(message)

        if len(scope["query_string"]) > _LONGEST_QUERY:  # each link of a list repeats the query
            await Response(status_code=HTTP_414_URI_TOO_LONG)(scope, receive, send_hardened)
            return
        request = Request(scope)
        if request.method not in ("GET", "HEAD") and not is_own_origin(request.headers):
            refusal = Response(
                "This request did not come from the dashboard.\n", 403, media_type="text/plain"
            )
            await refusal(scope, receive, send_hardened)
            return
        await self._app(scope, _BoundedForm(request, receive), send_hardened)


class _BoundedForm:
    """The receiving side of a request. Raises HTTPException when a view reads a form that is too large or too slow."""

    def __init__(self, request: Request, receive: Receive) -> None:
        self._receive = receive
        self._left = _LARGER_FORMS.get(request.scope["path"], _LARGEST_FORM)
        self._until = asyncio.get_running_loop().time() + _FORM_TIMEOUT_S + self._left / _SLOWEST_UPLOAD
        announced = request.headers.get("content-length", "")  # chunked requests have no such header
        self._is_too_large = announced.isdecimal() and int(announced[:20]) > self._left

    async def __call__(self) -> Message:
        if not self._is_too_large:
            try:
                async with asyncio.timeout_at(self._until):
                    message = await self._receive()
            except TimeoutError:
                raise HTTPException(
                    HTTP_408_REQUEST_TIMEOUT, N_("The form took too long to arrive.")
                ) from None
            self._left -= len(message.get("body", b""))
            self._is_too_large = self._left < 0
        if self._is_too_large:
            raise HTTPException(HTTP_413_CONTENT_TOO_LARGE, N_("This form is too large."))
        return message


class _RefusedError(Exception):
    """The visitor has no permission for this request; `response` is the answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class _Page:
    """The state shared by all routes."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._throttle = LoginThrottle(time.monotonic)
        self._notices = Notices()
        self._ended: OrderedDict[str, None] = OrderedDict()  # nonces of ended sessions

    def get(self, view: View) -> Callable[[Request], Any]:
        def endpoint(request: Request) -> Response:
            return self._answer(request, view, FormData(), *self._admit(request, acts=False))

        return endpoint

    def post(self, view: View) -> Callable[[Request], Any]:
        def act(visit: Visit) -> Response:
            try:
                return view(visit)
            except RecoursError as error:
                return visit.back(Notice(clean(error, 1000), is_good=False))

        async def endpoint(request: Request) -> Response:
            # Visitors without permission are refused before their form is read.
            admitted = await run_in_threadpool(self._admit, request, acts=True)
            largest = _LARGER_FORMS.get(request.scope["path"], _LARGEST_FORM)
            async with request.form(max_files=1, max_fields=_MOST_FIELDS, max_part_size=largest) as form:
                return await run_in_threadpool(self._answer, request, act, form, *admitted)

        return endpoint

    def _admit(self, request: Request, *, acts: bool) -> tuple[Settings, PageTexts, Visitor]:
        """The settings, texts and visitor of a request. Raises _RefusedError, HTTPException without permission."""
        settings = load_at_home(self._environment, CATALOG)
        texts = PageTexts(language_of(request, settings.mail.language), settings.policy.zone)
        visitor = visitor_of(_page_request(request), settings, self._ended)
        if isinstance(visitor, NotAdmitted):
            raise _RefusedError(_refusal(request, texts, visitor))
        if acts and not visitor.may_act:
            raise HTTPException(403, texts("You have read-only access. Ask an operator to make this change."))
        return settings, texts, visitor

    def _answer(
        self,
        request: Request,
        view: View,
        form: FormData,
        settings: Settings,
        texts: PageTexts,
        visitor: Visitor,
    ) -> Response:
        # The database is opened for each request, so that a failed or replaced database is noticed at once.
        app = open_app(settings)
        with closing(app.database):
            return view(Visit(request, settings, app, visitor, texts, self._notices, form))

    # ---------------------------------------------------------------- signing in

    async def enter(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=5, max_part_size=10_000) as form:
            return await run_in_threadpool(
                self._enter, request, str(form.get("password", "")), str(form.get("back", "/"))
            )

    def _enter(self, request: Request, password: str, back: str) -> Response:
        settings = load_at_home(self._environment, CATALOG)
        hashes = [password_hash for password_hash, _visitor in passwords_of(settings)]
        page_request = _page_request(request)
        texts = PageTexts(language_of(request, settings.mail.language), settings.policy.zone)
        if not hashes:
            return _refusal(request, texts, NotAdmitted.UNPROTECTED)
        address = page_request.address(settings.page_proxies)
        if wait := self._throttle.wait_s(address):
            fault = texts("Too many wrong passwords. Try again in {seconds} s.", seconds=round(wait) or 1)
            return render(request, "login.html", texts, 429, fault=fault, back=back)
        matches = self._throttle.matches(password, hashes, address)
        if len(matches) != 1:
            fault = texts(_SAME_PASSWORDS if matches else N_("Wrong password."))
            return render(request, "login.html", texts, 403, fault=fault, back=back)
        response = RedirectResponse(own_path(back), 303)
        is_secure = request.url.scheme == "https" or (
            page_request.is_by_proxy(settings.page_proxies)
            and page_request.headers.get("x-forwarded-proto") == "https"
        )
        response.set_cookie(
            SESSION_COOKIE,
            new_session(matches[0], secrets.token_hex(8)),
            max_age=SESSION_S,
            httponly=True,
            samesite="lax",
            secure=is_secure,
        )
        return response

    def leave(self, request: Request) -> Response:
        """End the session on the server too, so that no copy of the cookie stays valid."""
        session = _page_request(request).session
        for password, _visitor in passwords_of(load_at_home(self._environment, CATALOG)):
            if nonce := nonce_of(session, password):
                self._ended[nonce] = None
        while len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)
        response = RedirectResponse("/", 303)
        response.delete_cookie(SESSION_COOKIE)
        return response

    async def choose_language(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=5, max_part_size=10_000) as form:
            chosen = str(form.get("language", ""))
            back = str(form.get("back", "/"))
        response = RedirectResponse(own_path(back), 303)
        if chosen in LANGUAGES:
            response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=_LANGUAGE_S, samesite="lax")
        return response

    # ---------------------------------------------------------------- errors

    def failed(self, request: Request, error: Exception) -> Response:
        """The error page, with a link to try again or to the overview. A refused visitor gets the refusal instead."""
        if isinstance(error, _RefusedError):
            return error.response
        language = LANGUAGES[0]
        status = 503
        title = N_(
            "The database is not available right now. The dashboard will work again as soon as the database does."
        )
        details = [clean(error, 1000)]
        try:
            language = load_at_home(self._environment, CATALOG).mail.language
        except SettingsError as faults:
            title = N_("The settings are invalid. The dashboard will work again once they are corrected.")
            # Without settings, visitors cannot be identified.
            is_from_elsewhere = _page_request(request).is_from_elsewhere
            details = [] if is_from_elsewhere else [clean(fault, 1000) for fault in faults.faults]
        if isinstance(error, HTTPException):
            status = error.status_code
            is_missing = status == HTTP_404_NOT_FOUND
            title = N_("This page does not exist.") if is_missing else N_("This request was refused.")
            detail = translate(language_of(request, language), error.detail)
            details = [] if is_missing else [clean(detail, 1000)]
        texts = PageTexts(language_of(request, language))
        facts = {"title": texts(title), "details": details, "is_missing": status == HTTP_404_NOT_FOUND}
        return render(request, "failed.html", texts, status, **facts)


def _page_request(request: Request) -> PageRequest:
    peer = request.client.host if request.client else ""
    # Repeated headers are joined to a list; the value that a proxy appended comes last.
    headers = {name: ", ".join(request.headers.getlist(name)) for name in request.headers}
    return PageRequest(headers, peer, request.cookies.get(SESSION_COOKIE, ""))


_NOT_ADMITTED = {
    NotAdmitted.UNPROTECTED: N_(
        "The dashboard requires a password at this address. Set RECOURS_DASHBOARD_PASSWORD_HASH to the output of 'recours dashboard --hash-password'. On the machine itself, http://127.0.0.1 works without a password."
    ),
    NotAdmitted.NAME_MISSING: N_("Please sign in through the proxy. The dashboard cannot identify you."),
}


def _refusal(request: Request, texts: PageTexts, why: NotAdmitted) -> Response:
    if why is NotAdmitted.LOGIN_REQUIRED:
        back = change_parameters(request.url.path, request.query_params, notice=None)
        return render(
            request, "login.html", texts, 401, fault="", back=back if request.method == "GET" else "/"
        )
    title = texts(_NOT_ADMITTED[why])
    return render(request, "failed.html", texts, 403, title=title, details=[], is_missing=False)


# ---------------------------------------------------------------- serving


# The time limit for receiving a request; forms have their own.
REQUEST_TIMEOUT_S = 20.0
_MOST_CONNECTIONS = 200


def serve(host: str, port: int) -> None:
    """Serve the dashboard until Ctrl-C."""
    # uvicorn must not interpret proxy headers: a setting says which proxies are trusted.
    uvicorn.run(
        make_app(os.environ),
        host=host,
        port=port,
        http=TimedProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=64_000,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=30,
    )


class TimedProtocol(H11Protocol):
    """HTTP with a time limit for each request.

    uvicorn waits forever for the first byte of a connection and for the last byte of a request. Enough idle connections
    (from a faulty network, or opened on purpose) would block the dashboard for everyone until it is restarted.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.loop.call_later(REQUEST_TIMEOUT_S, self._close_if_idle, None)

    def _close_if_idle(self, last: object) -> None:
        """Close the connection if no request arrived since the last check and no request is being answered."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if self.cycle is last and not is_answering:
            self.transport.close()  # after pending responses are sent
        if not self.transport.is_closing():
            self.loop.call_later(REQUEST_TIMEOUT_S, self._close_if_idle, self.cycle)
