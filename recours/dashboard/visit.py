"""One request to the dashboard: finds its visitor and language, renders pages and runs actions."""

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from operator import itemgetter
from typing import Any
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import FormData, QueryParams, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from recours.admin.actions import ActionResult, Actions
from recours.admin.results import FetchResult, RecoursError
from recours.app import App, open_app
from recours.core.localized import typeset
from recours.core.position import Standing
from recours.core.text import clean
from recours.core.translations import LANGUAGES, N_
from recours.dashboard import texts as page_texts
from recours.dashboard.texts import PageTexts
from recours.dashboard.visitors import SESSION_COOKIE, Visitor
from recours.reporting.snapshot import Reports
from recours.settings.model import Settings

LANGUAGE_COOKIE = "recours_language"
_LONGEST_LINE = 2000
_LONGEST = 1000  # characters of an action's result
_MOST_NOTICES = 200
# The views in the navigation: their paths and names.
VIEWS = {
    "/": N_("Overview"),
    "/claims": N_("Claims"),
    "/carriers": N_("Carriers"),
    "/mails": N_("Emails"),
}


def _clean_lines(text: str) -> str:
    """Clean each line of the text but keep its indentation."""
    lines = [(line, line.lstrip(" ")) for line in text.splitlines()]
    return "\n".join(" " * (len(line) - len(bare)) + clean(bare, _LONGEST_LINE) for line, bare in lines)


_templates = Environment(
    loader=PackageLoader("recours.dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# For text from outside: control and bidirectional characters are made visible.
_templates.filters["clean"] = clean
_templates.filters["clean_lines"] = _clean_lines


# A language of Accept-Language, without its country, and its quality.
_ACCEPTED_LANGUAGE = re.compile(
    r"\s*(\*|[a-z]+)(?:-[a-z0-9-]+)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*", re.IGNORECASE
)


def language_of(request: Request, default: str) -> str:
    """The language selected in the dashboard, else the browser's preferred one, else `default`."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    return preferred_language(request.headers.get("accept-language", ""), default)


def preferred_language(accepted: str, default: str) -> str:
    """The available language that an Accept-Language header prefers; `default` if it accepts none."""
    qualities: dict[str, float] = {}
    for entry in map(_ACCEPTED_LANGUAGE.fullmatch, accepted.split(",")):
        if entry:
            qualities.setdefault(entry[1].lower(), float(entry[2] or 1))
    # With equal quality, the first language wins.
    in_order = [name for name, quality in qualities.items() if quality]
    languages = [name for name in (*in_order, default, *LANGUAGES) if name in LANGUAGES]
    return max(languages, key=lambda name: qualities.get(name, qualities.get("*", 0.0)))


def render(request: Request, template: str, texts: PageTexts, status: int = 200, **facts: Any) -> Response:
    """Render a page without a visit, such as the login and error pages."""
    context = {
        "texts": texts,
        "counted": texts.counted,
        "labels": page_texts,
        "path": request.url.path,
        # The notice is omitted, because it is shown once. A path with two leading slashes would lead to another site.
        "here": own_path(change_parameters(request.url.path, request.query_params, notice=None)),
        "notice": None,
        "visitor": None,
    }
    content = _templates.get_template(template).render({**context, "views": {}, "zone": "", **facts})
    return HTMLResponse(typeset(content, texts.language), status)


def change_parameters(path: str, parameters: QueryParams, **changes: object) -> str:
    """The address with changed parameters. None removes a parameter; a list sets several values."""
    pairs = [(name, value) for name, value in parameters.multi_items() if name not in changes]
    for name, value in changes.items():
        values = value if isinstance(value, list | tuple) else [value]
        pairs += [(name, str(element)) for element in values if element is not None]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def number_in(text: str, highest: int = 999_999_999) -> int | None:
    """The number from 1 to `highest` in a parameter; None if it is not such a number."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(highest))
    return int(text) if is_number and 0 < int(text) <= highest else None


def own_path(address: str) -> str:
    """The address if it belongs to the dashboard; else `/`."""
    is_own = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if is_own else "/"


@dataclass
class Notice:
    """The result of an action, or its progress. `lines`: a sentence for each claim, and whether it succeeded."""

    text: str = ""
    is_good: bool = True
    lines: list[tuple[str, bool]] = field(default_factory=list)
    total: int = 0  # claims of a running fetch
    progress: Callable[[], int] = lambda: 0
    is_over: bool = True


class Notices:
    """The notices of this process by unguessable key. The oldest notices are dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: OrderedDict[str, Notice] = OrderedDict()

    def add(self, notice: Notice) -> str:
        key = secrets.token_urlsafe(12)
        with self._lock:
            self._by_key[key] = notice
            while len(self._by_key) > _MOST_NOTICES:
                self._by_key.popitem(last=False)
        return key

    def get(self, key: str) -> Notice | None:
        with self._lock:
            return self._by_key.get(key)


@dataclass(frozen=True)
class Visit:
    """One request with its open database. `form`: the submitted form; empty for GET."""

    request: Request
    settings: Settings
    app: App
    visitor: Visitor
    texts: PageTexts
    notices: Notices
    form: FormData

    @property
    def query(self) -> QueryParams:
        return self.request.query_params

    def field(self, name: str) -> str:
        """The value of a form field, stripped."""
        value = self.form.get(name, "")
        return value.strip() if isinstance(value, str) else ""

    def upload(self, largest: int) -> tuple[str, bytes]:
        """The name and content of the uploaded file, at most `largest` + 1 bytes. Raises RecoursError."""
        file = self.form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise RecoursError(self.texts("Select a file first."))
        return file.filename, file.file.read(largest + 1)

    @cached_property
    def reports(self) -> Reports:
        return Reports(self.app)

    @cached_property
    def now(self) -> datetime:
        return self.app.clock.now()

    @property
    def today(self) -> date:
        """The current date in the reader's time zone."""
        return self.texts.local(self.now).date()

    def link(self, **changes: object) -> str:
        """The address of this page with changed parameters."""
        return change_parameters(self.request.url.path, self.query, **{"notice": None, **changes})

    def page(self, template: str, status: int = 200, **facts: Any) -> Response:
        key = str(facts.pop("key", self.query.get("notice", "")))
        context: Mapping[str, Any] = {
            "visit": self,
            "visitor": self.visitor,
            "has_session": SESSION_COOKIE in self.request.cookies,
            "notice": self.notices.get(key),
            "notice_key": key,
            "views": VIEWS,
            "zone": str(self.settings.policy.zone),
            "link": self.link,
            "Standing": Standing,
        }
        return render(self.request, template, self.texts, status, **{**context, **facts})

    def back(self, notice: Notice | None = None, to: str = "") -> Response:
        """Redirect to the page of the form, or to `to`, with a notice."""
        target = urlsplit(own_path(to or self.field("back")))
        key = self.notices.add(notice) if notice else None
        return RedirectResponse(change_parameters(target.path, QueryParams(target.query), notice=key), 303)


def actions_of(visit: Visit) -> Actions:
    return Actions(visit.app, visit.visitor.name, visit.texts.language)


def do_now(visit: Visit, do: Callable[[Actions], ActionResult], to: str = "") -> Response:
    """Run an action and redirect with its result. Raises RecoursError."""
    result = do(actions_of(visit))
    return visit.back(Notice(result.sentence, is_good=result.is_done), to)


def do_with_each(visit: Visit, do: Callable[[Actions], Sequence[ActionResult]]) -> Notice:
    """Run an action on several claims, with one sentence per claim. Raises RecoursError."""
    results = do(actions_of(visit))
    count = sum(result.is_done for result in results)
    if len(results) == 1:
        return Notice(results[0].sentence, is_good=bool(count))
    text = visit.texts(
        "Done for {done} of {total} claims.",
        done=visit.texts.number(count),
        total=visit.texts.number(len(results)),
    )
    lines = sorted(((result.sentence, result.is_done) for result in results), key=itemgetter(1))
    return Notice(text, is_good=count == len(results), lines=lines)


def do_in_background(visit: Visit, do: Callable[[Actions], ActionResult]) -> Notice:
    """Run an action that makes calls. The action runs in a thread with its own database connection."""
    notice = Notice(visit.texts("In progress …"), is_over=False)

    def work() -> None:
        app = open_app(visit.settings)
        with closing(app.database):
            result = do(Actions(app, visit.visitor.name, visit.texts.language))
        notice.text = result.sentence
        notice.is_good = result.is_done

    return _start(work, notice)


def fetch_in_background(
    visit: Visit, references: Sequence[str], warnings: Sequence[tuple[str, bool]] = ()
) -> Notice:
    """Fetch these claims in the background. `warnings`: the first lines of the result. Raises RecoursError."""
    fetch = actions_of(visit).fetch(references)
    texts = visit.texts
    total = len(fetch.references)
    notice = Notice(
        texts("Asking the carrier …"), is_over=False, total=total, progress=lambda: fetch.progress
    )

    def work() -> None:
        fetch.run()
        lines = [_line(outcome) for outcome in fetch.outcomes]
        notice.is_good = fetch.fault is None and fetch.fetched == total
        faults = [] if fetch.fault is None else [(clean(fetch.fault, _LONGEST), False)]
        if total == 1:
            notice.text = [*faults, *lines][0][0]
        else:
            notice.text = texts(
                "{fetched} of {total} proofs fetched",
                fetched=texts.number(fetch.fetched),
                total=texts.number(total),
            )
            notice.lines = [*faults, *warnings, *sorted(lines, key=itemgetter(1))]

    return _start(work, notice)


def _start(work: Callable[[], None], notice: Notice) -> Notice:
    """Start `work` in a thread, and mark the notice as finished when the work ends."""

    def run() -> None:
        try:
            work()
        except RecoursError as error:
            notice.text = clean(error, _LONGEST)
            notice.is_good = False
        except Exception as error:
            # The visitor sees the message; the traceback goes to the server's standard error.
            notice.text = f"{type(error).__name__}: {clean(error, _LONGEST)}"
            notice.is_good = False
            raise
        finally:
            notice.is_over = True

    # Not a daemon, so a stopping server waits for the call in progress.
    threading.Thread(target=run, name="action").start()
    return notice


def _line(outcome: FetchResult | RecoursError) -> tuple[str, bool]:
    if isinstance(outcome, RecoursError):
        return clean(outcome, _LONGEST), False
    return clean(outcome.sentence, _LONGEST), outcome.fetched
