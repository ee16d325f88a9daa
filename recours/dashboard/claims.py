"""The claims: filtered, searched, chosen, fetched again, exported."""

from collections.abc import Iterator
from typing import Literal

import streamlit as st

from recours.core.claim import FetchStatus, Stage
from recours.dashboard.showing import plainly, show_job, when
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import Visit
from recours.operations.api_results import Standing
from recours.operations.export import CLAIM_COLUMNS, claim_row, csv_pieces
from recours.operations.labels import error_of
from recours.operations.position import Position, Why
from recours.operations.records import ClaimFilter, ListedClaim
from recours.wiring.operations import Operations

_PAGE = 20
_COUNTED_UP_TO = 10_000
_EXPORTED = 10_000
_STATUSES = (*FetchStatus, "not_available", "manual", "")
_COLORS: dict[Standing, Literal["green", "red", "orange", "blue", "violet"]] = {
    Standing.FETCHED: "green",
    Standing.GIVEN_UP: "red",
    Standing.SETTLED: "orange",
    Standing.READY: "blue",
    Standing.NEW: "blue",
    Standing.IN_HAND: "violet",
}


def show(operations: Operations, visit: Visit, words: PageTexts) -> None:
    """Draw the filter, the list and what can be done with it."""
    wanted = _filter(operations, words)
    visit.look_for(wanted)
    count = operations.records.count(wanted, _COUNTED_UP_TO + 1)
    pages = max(1, -(-min(count, _COUNTED_UP_TO) // _PAGE))
    page = min(visit.page, pages)
    listed = operations.records.claims(wanted, _PAGE, skip=(page - 1) * _PAGE)
    _read_boxes(visit, listed)
    st.markdown(f"**{_found(count, words)}**")
    show_job(visit, words)
    _actions(operations, visit, wanted, listed, words)
    positions = operations.positions([one.claim for one in listed])
    for one in listed:
        _row(operations, visit, one, positions[one.claim.id], words)
    if pages > 1:
        _pager(visit, page, pages, words)


def _filter(operations: Operations, words: PageTexts) -> ClaimFilter:
    names = {key: spec.name for key, spec in operations.catalog.specs.items()} | {"": words("no_carrier")}
    text, status, stage, carrier = st.columns(4)
    with text:
        typed = st.text_input(words("search"), key="filter-text", max_chars=100, persist_state="session")
    with status:
        statuses = st.multiselect(
            words("status"),
            [str(s) for s in _STATUSES],
            key="filter-status",
            persist_state="session",
            format_func=lambda value: words(f"status_{value}"),
            placeholder="",
        )
    with stage:
        stages = st.multiselect(
            words("stage"),
            list(Stage),
            key="filter-stage",
            persist_state="session",
            format_func=words.stage,
            placeholder="",
        )
    with carrier:
        carriers = st.multiselect(
            words("carrier"),
            sorted(names, key=lambda key: names[key]),
            key="filter-carrier",
            persist_state="session",
            format_func=lambda key: names[key],
            placeholder="",
        )
    return ClaimFilter(tuple(statuses), tuple(stages), tuple(carriers), typed or "")


def _found(count: int, words: PageTexts) -> str:
    if count > _COUNTED_UP_TO:
        return words("found_more", count=words.number(_COUNTED_UP_TO))
    return words.counted("found", count) if count else words("found_none")


# ---------------------------------------------------------------- choosing and doing


def _read_boxes(visit: Visit, listed: list[ListedClaim]) -> None:
    for one in listed:
        if (key := visit.box(one.claim)) in st.session_state:
            visit.pick([one.claim.reference], st.session_state[key])


def _actions(
    operations: Operations, visit: Visit, wanted: ClaimFilter, listed: list[ListedClaim], words: PageTexts
) -> None:
    references = [one.claim.reference for one in listed]
    picked = len(visit.picked)
    with st.container(horizontal=True, vertical_alignment="center"):
        everything = bool(references) and visit.picked.issuperset(references)
        st.button(
            words("all_on_page"),
            key="all-on-page",
            icon=":material/check_box:" if everything else ":material/check_box_outline_blank:",
            on_click=visit.pick_all,
            args=(references, not everything),
            disabled=not references,
        )
        st.button(
            words("retry_selected", count=picked) if picked else words("retry_none"),
            key="retry-selected",
            type="primary",
            disabled=visit.is_busy or not picked,
            on_click=visit.fetch_picked,
            args=(words.language,),
        )
        st.download_button(
            words("export"),
            data=lambda: "".join(_export(operations, wanted)).encode(),
            file_name="claims.csv",
            mime="text/csv",
            on_click="ignore",
            key="export",
            help=words("export_help", count=words.number(_EXPORTED)),
            disabled=not listed,
        )


def _export(operations: Operations, wanted: ClaimFilter) -> Iterator[str]:
    found = operations.records.claims(wanted, _EXPORTED)
    return csv_pieces(
        (claim_row(*one, operations.catalog) for one in operations.with_positions(found)), CLAIM_COLUMNS
    )


# ---------------------------------------------------------------- the list


def _row(
    operations: Operations, visit: Visit, listed: ListedClaim, where: Position, words: PageTexts
) -> None:
    claim, stands = listed.claim, where.standing
    with st.container(horizontal=True, vertical_alignment="center", border=True, gap="small"):
        st.checkbox(
            plainly(claim.reference, 60),
            claim.reference in visit.picked,
            key=visit.box(claim),
            width=190,
        )
        st.badge(words.stage(stands), color=_COLORS.get(stands, "gray"))
        carrier = operations.catalog.name_of(claim.carrier, claim.carrier_name) or words("no_carrier")
        about = plainly(carrier, 40)
        if more := about_claim(listed, where, carrier, words):
            about = f"{about} · {more}"
        st.markdown(f":small[{about}]", width="stretch")
        st.button(words("open"), key=f"open-{claim.id}", on_click=_open, args=(visit, claim.reference))


def about_claim(listed: ListedClaim, where: Position, carrier: str, words: PageTexts) -> str:
    """What a row says of a claim beside its standing: its error, and when it is tried next, or what keeps it."""
    claim = listed.claim
    if where.standing is Standing.FETCHED:
        return (
            words("signed_by", who=plainly(listed.signatory, 60))
            if listed.signatory
            else when(listed.fetched_at)
        )
    parts = []
    if error := error_of(words.language, claim):
        parts.append(plainly(error, 90))
    if where.refusal and where.why in (Why.CLOSED, Why.BLOCKED):
        parts.append(plainly(words.closing(where.refusal, carrier), 100))
    if where.next_at and where.why in (Why.BY_BACKOFF, Why.OTHERS, Why.CLOSED):
        parts.append(words("next_try", at=when(where.next_at)))
    return " · ".join(parts)


def _open(visit: Visit, reference: str) -> None:
    visit.forget_job()
    st.query_params["claim"] = reference


def _pager(visit: Visit, page: int, pages: int, words: PageTexts) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            words("previous"), key="previous", disabled=page == 1, on_click=visit.go_to, args=(page - 1,)
        )
        st.markdown(words("page_of", page=words.number(page), pages=words.number(pages)), width="content")
        st.button(words("next"), key="next", disabled=page == pages, on_click=visit.go_to, args=(page + 1,))
