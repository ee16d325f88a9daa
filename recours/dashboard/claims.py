"""The list of claims and the actions on selected claims. Filters, search and sort order are in the address."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from urllib.parse import parse_qsl

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.status import HTTP_404_NOT_FOUND

from recours.admin.actions import MOST_CLAIMS, ActionResult, Actions
from recours.core.carrier import Catalog
from recours.core.claim import EARLIEST, Stage, deadline_end
from recours.core.errors import ErrorKind
from recours.core.position import Position, Standing, Why
from recours.core.text import clean
from recours.dashboard.texts import DEADLINES, DISPUTES, FETCH_STATUSES, PageTexts
from recours.dashboard.visit import Notice, Visit, do_with_each, fetch_in_background, number_in
from recours.reporting.export import EXCEL_FR, PLAIN, export_pieces
from recours.reporting.labels import error_of, reason_of
from recours.reporting.problems import OF_CLAIMS, Problem, ProblemKind, VerdictSentences
from recours.reporting.records import ClaimFilter, ListedClaim, Sort, merge_problem_claims

PAGE = 50
EXPORTED = 10_000
_LONGEST_TYPED = 100
_LONGEST_SENTENCE = 1000
_FARTHEST_PAGE = 1000
_MONTHS = 3  # months that have a link to their claims
_NONE = "none"
TONES = {
    Standing.FETCHED: "good",
    Standing.GIVEN_UP: "bad",
    Standing.SETTLED: "warn",
    Standing.UNNUMBERED: "warn",
}
# These claims show the state of the carrier as their reason, regardless of the last result.
_CLOSED = (Why.CLOSED, Why.BLOCKED)
_WITH_NEXT_TIME = (Why.BY_BACKOFF, Why.OTHERS, Why.CLOSED)
_SOON = timedelta(days=3)


@dataclass(frozen=True)
class ListAddress:
    """The query of a list's address.

    `selected`: the chosen values of each filter; `unknown`: values that are not in `choices`, each with the name of its
    filter. `problem`: the kind of problem whose claims are listed; `problems`: the current problems of that kind.
    """

    filter: ClaimFilter
    sort: Sort | None
    descending: bool
    page: int
    choices: Mapping[str, Mapping[str, str]]
    selected: Mapping[str, Sequence[str]]
    unknown: Sequence[tuple[str, str]]
    problem: ProblemKind | None
    problems: Sequence[Problem]
    first_day: date | None  # the first creation date; both days are included
    last_day: date | None


def read_address(query: QueryParams, visit: Visit) -> ListAddress:
    """Read the query. Unknown values are ignored, because an address may be out of date."""
    app = visit.app
    choices = filter_choices(app.catalog, visit.texts)
    known: dict[str, Collection[str]] = {**choices, "problem": OF_CLAIMS}
    values = {name: _values(query, name) for name in known}
    selected = {name: [value for value in values[name] if value in known[name]] for name in known}
    carriers = _stored(selected["carrier"])
    kind = ProblemKind(selected["problem"][0]) if selected["problem"] else None
    of_kind = visit.reports.problems_of(kind) if kind else []
    problems = [
        problem for problem in of_kind if not (carriers and problem.carrier) or problem.carrier in carriers
    ]
    is_of_carriers = any(problem.carrier for problem in problems)
    days = {name: day_in(query.get(name, "")) for name in ("from", "to")}
    first_day = days["from"]
    last_day = days["to"]
    zone = app.settings.policy.zone
    return ListAddress(
        ClaimFilter(
            statuses=_stored(selected["status"]),
            stages=[Stage(stage) for stage in selected["stage"]],
            # A problem already determines its claims, regardless of the carrier that serves them now.
            carriers=() if is_of_carriers else carriers,
            kinds=_stored(selected["kind"]),
            disputes=_stored(selected["dispute"]),
            deadlines=_stored(selected["deadline"]),
            due_until=app.due_until,
            today=visit.today,
            clients=tuple(client[:60] for client in query.getlist("client") if client)[:20],
            text=query.get("text", "").strip()[:_LONGEST_TYPED],
            problem_claims=merge_problem_claims([problem.claims for problem in problems or of_kind])
            if kind
            else None,
            created_from=datetime.combine(first_day, time(), zone) if first_day else None,
            created_until=deadline_end(last_day, zone) if last_day else None,
        ),
        sort=Sort(query["sort"]) if query.get("sort") in set(Sort) else None,
        descending=query.get("order") == "desc",
        page=number_in(query.get("page", ""), _FARTHEST_PAGE) or 1,
        choices=choices,
        selected=selected,
        unknown=[
            (name, clean(value, 40))
            for name, of_filter in values.items()
            for value in of_filter
            if value not in known[name]
        ]
        + [(name, clean(query[name], 40)) for name, day in days.items() if query.get(name) and not day],
        problem=kind,
        problems=problems,
        first_day=first_day,
        last_day=last_day,
    )


def day_in(text: str) -> date | None:
    """The date in a parameter; None if it is not a date on which claims can be created."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day >= EARLIEST.date() else None


def _last_months(today: date) -> list[tuple[date, date]]:
    """The first and last days of this month and of the preceding months."""
    months = []
    last_day = (today.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    for _ in range(_MONTHS):
        first_day = last_day.replace(day=1)
        months.append((first_day, last_day))
        last_day = first_day - timedelta(days=1)
    return months


def filter_choices(catalog: Catalog, texts: PageTexts) -> dict[str, dict[str, str]]:
    """The values of each filter with their display names; _NONE selects claims without a value."""
    specs = sorted(catalog.specs.values(), key=lambda spec: spec.name.casefold())
    none = {_NONE: texts("none")}
    return {
        "stage": {stage: texts.stage(stage) for stage in Stage},
        "carrier": {spec.key: spec.name for spec in specs} | {_NONE: texts("unknown carrier")},
        "deadline": {value or _NONE: texts(name) for value, name in DEADLINES.items()},
        "dispute": {value: texts(name) for value, name in DISPUTES.items()} | none,
        "status": {value or _NONE: texts(name) for value, name in FETCH_STATUSES.items()},
        "kind": {kind: texts.kind(kind) for kind in ErrorKind} | none,
    }


def _values(query: QueryParams, name: str) -> list[str]:
    """The distinct values of a parameter. The form sends "" for "all", and several values as one text with commas."""
    return [*dict.fromkeys(value for text in query.getlist(name) for value in text.split(",") if value)]


def _stored(values: Sequence[str]) -> list[str]:
    """The values as stored in the database, where claims without a value have ""."""
    return ["" if value == _NONE else value for value in values]


@dataclass(frozen=True)
class Row:
    """A claim in the table."""

    listed: ListedClaim
    position: Position
    carrier: str
    reason: str

    @property
    def tone(self) -> str:
        return TONES.get(self.position.standing, "")

    def deadline_tone(self, today: date) -> str:
        """`late` or `soon` if the deadline passed or is near and there is no proof; else ""."""
        deadline = self.listed.claim.deadline
        if deadline is None or self.position.standing is Standing.FETCHED or deadline > today + _SOON:
            return ""
        return "late" if deadline < today else "soon"

    @property
    def next_at(self) -> datetime | None:
        """The time of the next attempt; None unless the claim waits for a known time."""
        return self.position.next_at if self.position.why in _WITH_NEXT_TIME else None


def show(visit: Visit) -> Response:
    texts = visit.texts
    address = read_address(visit.query, visit)
    skipped = (address.page - 1) * PAGE
    page = visit.reports.records.page(
        address.filter, PAGE, skip=skipped, sort=address.sort, descending=address.descending
    )
    sentences = VerdictSentences(texts.language, texts.zone)
    return visit.page(
        "claims.html",
        address=address,
        problems=[
            clean(sentences.sentence(problem, visit.now), _LONGEST_SENTENCE) for problem in address.problems
        ],
        rows=_rows(visit, page.claims),
        count=page.count,
        count_text=texts.many(page.count),
        Sort=Sort,
        first=skipped + 1,
        last=skipped + len(page.claims),
        today=visit.today,
        months=_last_months(visit.today),
        exported=EXPORTED,
    )


def _rows(visit: Visit, claims: Sequence[ListedClaim]) -> list[Row]:
    positions = visit.reports.positions(claims)
    rows = []
    for listed in claims:
        position = positions[listed.claim.id]
        carrier = visit.app.catalog.name_of(listed.claim.carrier, listed.claim.carrier_name)
        rows.append(
            Row(listed, position, clean(carrier, 60), reason_text(listed, position, carrier, visit.texts))
        )
    return rows


def reason_text(listed: ListedClaim, position: Position, carrier: str, texts: PageTexts) -> str:
    """The reason for a claim's state in a few words, such as the obstacle, the last result or the signatory."""
    if position.standing is Standing.FETCHED:
        return texts("signed by {who}", who=clean(listed.signatory, 60)) if listed.signatory else ""
    if position.refusal and position.why in _CLOSED:
        return clean(reason_of(texts.language, position.refusal, carrier), 200)
    return clean(error_of(texts.language, listed.claim) or "", 200)


def act(visit: Visit) -> Response:
    """Retry, reopen, exclude or enroll the selected claims, or all matching ones."""
    action = visit.field("do")
    references, remaining = _references(visit, MOST_CLAIMS)
    warnings = []
    if remaining:
        text = visit.texts(
            "{count} more claims match but were not processed. Repeat the action to process them.",
            count=visit.texts.number(remaining),
        )
        warnings.append((text, False))
    if not references:
        return visit.back(
            Notice(
                visit.texts("Select claims first: check their boxes, or select all matching claims."),
                is_good=False,
            )
        )
    if action == "fetch":
        return visit.back(fetch_in_background(visit, references, warnings))
    why = visit.field("why")
    operations: dict[str, Callable[[Actions], Sequence[ActionResult]]] = {
        "reopen": lambda actions: actions.reopen(references),
        "exclude": lambda actions: actions.exclude(references, why),
        "enroll": lambda actions: actions.enroll(references),
    }
    if action not in operations:
        raise HTTPException(HTTP_404_NOT_FOUND)
    notice = do_with_each(visit, operations[action])
    notice.lines[:0] = warnings
    return visit.back(notice)


def _references(visit: Visit, limit: int) -> tuple[list[str], int]:
    """The references of the selected claims, and the number of matching claims beyond the limit."""
    if visit.field("all") != "yes":
        return [str(reference) for reference in visit.form.getlist("reference")], 0
    query = QueryParams(parse_qsl(visit.field("query"), keep_blank_values=True))
    matches = visit.reports.records.matching(read_address(query, visit).filter, limit)
    return matches.references, matches.more


def export(visit: Visit) -> Response:
    """Export the listed claims like `recours export claims`; in French, in the format of a French Excel."""
    address = read_address(visit.query, visit)
    claims = visit.reports.records.claims(
        address.filter, EXPORTED, sort=address.sort, descending=address.descending
    )
    form = EXCEL_FR if visit.texts.language == EXCEL_FR.language else PLAIN
    content = b"".join(export_pieces(visit.reports, claims, form=form))
    named = {"Content-Disposition": 'attachment; filename="claims.csv"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=named)
