"""The claims: filtered, searched, chosen, fetched again, exported."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import streamlit as st

from recours.core.claim import FetchStatus, Stage
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import Visit, plainly, show_job, when
from recours.operations.export import CLAIM_COLUMNS, claim_row, csv_pieces
from recours.operations.labels import error_of
from recours.operations.position import Position, Standing, Why
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


def show(operations: Operations, visit: Visit, texts: PageTexts) -> None:
    wanted = _filter(operations, texts)
    visit.look_for(wanted)
    count = operations.records.count(wanted, _COUNTED_UP_TO + 1)
    pages = max(1, -(-min(count, _COUNTED_UP_TO) // _PAGE))
    page = min(visit.page, pages)
    listed = operations.records.claims(wanted, _PAGE, skip=(page - 1) * _PAGE)
    for one in listed:
        if (key := visit.box(one.claim)) in st.session_state:
            visit.pick([one.claim.reference], st.session_state[key])
    if count > _COUNTED_UP_TO:
        found = texts("found_more", count=texts.number(_COUNTED_UP_TO))
    else:
        found = texts.counted("found", count) if count else texts("found_none")
    st.markdown(f"**{found}**")
    show_job(visit, texts)
    _actions(operations, visit, wanted, listed, texts)
    positions = operations.positions(listed)
    for one in listed:
        _row(operations, visit, one, positions[one.claim.id], texts)
    if pages > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            shown = texts("page_of", page=texts.number(page), pages=texts.number(pages))
            st.button(
                texts("previous"), key="previous", disabled=page == 1, on_click=visit.go_to, args=(page - 1,)
            )
            st.markdown(shown, width="content")
            st.button(
                texts("next"), key="next", disabled=page == pages, on_click=visit.go_to, args=(page + 1,)
            )


def _filter(operations: Operations, texts: PageTexts) -> ClaimFilter:
    names = {key: spec.name for key, spec in operations.catalog.specs.items()} | {"": texts("no_carrier")}
    choices: dict[str, tuple[Iterable[str], Callable[[str], str]]] = {
        "status": (map(str, _STATUSES), lambda value: texts(f"status_{value}")),
        "stage": (Stage, texts.stage),
        "carrier": (sorted(names, key=lambda key: names[key]), lambda key: names[key]),
    }
    columns = iter(st.columns(4))
    with next(columns):
        typed = st.text_input(texts("search"), key="filter-text", max_chars=100, persist_state="session")
    chosen: dict[str, tuple[Any, ...]] = {}
    for column, (name, (values, shown)) in zip(columns, choices.items(), strict=True):
        with column:
            chosen[name] = tuple(
                st.multiselect(
                    texts(name),
                    list(values),
                    key=f"filter-{name}",
                    persist_state="session",
                    format_func=shown,
                    placeholder="",
                )
            )
    return ClaimFilter(chosen["status"], chosen["stage"], chosen["carrier"], typed or "")


# ---------------------------------------------------------------- choosing and doing


def _actions(
    operations: Operations, visit: Visit, wanted: ClaimFilter, listed: list[ListedClaim], texts: PageTexts
) -> None:
    references = [one.claim.reference for one in listed]
    picked = len(visit.picked)
    with st.container(horizontal=True, vertical_alignment="center"):
        everything = bool(references) and visit.picked.issuperset(references)
        st.button(
            texts("all_on_page"),
            key="all-on-page",
            icon=":material/check_box:" if everything else ":material/check_box_outline_blank:",
            on_click=visit.pick_all,
            args=(references, not everything),
            disabled=not references,
        )
        st.button(
            texts("retry_selected", count=picked) if picked else texts("retry_none"),
            key="retry-selected",
            type="primary",
            disabled=visit.is_busy or not picked,
            on_click=visit.fetch_picked,
            args=(texts.language,),
        )
        st.download_button(
            texts("export"),
            data=lambda: "".join(_export(operations, wanted)).encode(),
            file_name="claims.csv",
            mime="text/csv",
            on_click="ignore",
            key="export",
            help=texts("export_help", count=texts.number(_EXPORTED)),
            disabled=not listed,
        )


def _export(operations: Operations, wanted: ClaimFilter) -> Iterator[str]:
    found = operations.records.claims(wanted, _EXPORTED)
    return csv_pieces(
        (claim_row(*one, operations.catalog) for one in operations.with_positions(found)), CLAIM_COLUMNS
    )


# ---------------------------------------------------------------- the list


def _row(
    operations: Operations, visit: Visit, listed: ListedClaim, where: Position, texts: PageTexts
) -> None:
    claim, stands = listed.claim, where.standing
    with st.container(horizontal=True, vertical_alignment="center", border=True, gap="small"):
        st.checkbox(
            plainly(claim.reference, 60),
            claim.reference in visit.picked,
            key=visit.box(claim),
            width=190,
        )
        st.badge(texts.stage(stands), color=_COLORS.get(stands, "gray"))
        carrier = operations.catalog.name_of(claim.carrier, claim.carrier_name) or texts("no_carrier")
        about = plainly(carrier, 40)
        if more := about_claim(listed, where, carrier, texts):
            about = f"{about} · {more}"
        st.markdown(f":small[{about}]", width="stretch")
        st.button(texts("open"), key=f"open-{claim.id}", on_click=_open, args=(visit, claim.reference))


def about_claim(listed: ListedClaim, where: Position, carrier: str, texts: PageTexts) -> str:
    """What a row says of a claim beside its standing: its error, and when it is tried next, or what keeps it."""
    claim = listed.claim
    if where.standing is Standing.FETCHED:
        return (
            texts("signed_by", who=plainly(listed.signatory, 60))
            if listed.signatory
            else when(listed.fetched_at)
        )
    parts = []
    if error := error_of(texts.language, claim):
        parts.append(plainly(error, 90))
    if where.refusal and where.why in (Why.CLOSED, Why.BLOCKED):
        parts.append(plainly(texts.closing(where.refusal, carrier), 100))
    if where.next_at and where.why in (Why.BY_BACKOFF, Why.OTHERS, Why.CLOSED):
        parts.append(texts("last_attempt" if where.is_last else "next_try", at=when(where.next_at)))
    return " · ".join(parts)


def _open(visit: Visit, reference: str) -> None:
    visit.forget_job()
    st.query_params["claim"] = reference
