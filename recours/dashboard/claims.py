"""The claims: filtered, searched, chosen, fetched again, exported."""

from collections.abc import Iterator
from typing import Literal

import streamlit as st

from recours.core.claim import FetchStatus, Stage
from recours.dashboard.showing import begin, forget_job, job, plainly, show_job, when
from recours.dashboard.texts import Words
from recours.desk.answers import Standing
from recours.desk.export import CLAIM_COLUMNS, claim_row, csv_pieces
from recours.desk.records import ClaimFilter, ListedClaim
from recours.desk.telling import standing
from recours.wiring.desks import Desk

FILTERS = ("filter-status", "filter-stage", "filter-carrier", "filter-text", "page")
_PAGE = 20
_COUNTED_UP_TO = 10_000
_EXPORTED = 10_000
_STATUSES = (*FetchStatus, "not_available", "manual", "")
_PICKED, _ROUND = "picked", "picking-round"
_COLORS: dict[Standing, Literal["green", "red", "orange", "blue", "violet"]] = {
    Standing.FETCHED: "green",
    Standing.GIVEN_UP: "red",
    Standing.SETTLED: "orange",
    Standing.READY: "blue",
    Standing.NEW: "blue",
    Standing.IN_HAND: "violet",
}


def show(desk: Desk, words: Words) -> None:
    """Draw the filter, the list and what can be done with it."""
    wanted = _filter(desk, words)
    count = desk.records.count(wanted, _COUNTED_UP_TO + 1)
    pages = max(1, -(-min(count, _COUNTED_UP_TO) // _PAGE))
    page = min(max(int(st.session_state.get("page", 1)), 1), pages)
    listed = desk.records.claims(wanted, _PAGE, skip=(page - 1) * _PAGE)
    st.markdown(f"**{_found(count, words)}**")
    show_job(words)
    _actions(desk, wanted, listed, words)
    for one in listed:
        _row(desk, one, words)
    if pages > 1:
        _pager(page, pages, words)


def _filter(desk: Desk, words: Words) -> ClaimFilter:
    names = {key: spec.name for key, spec in desk.catalog.specs.items()} | {"": words("no_carrier")}
    text, status, stage, carrier = st.columns(4)
    with text:
        typed = st.text_input(words("search"), key="filter-text", on_change=_to_first_page, max_chars=100)
    with status:
        statuses = st.multiselect(
            words("status"),
            [str(s) for s in _STATUSES],
            key="filter-status",
            on_change=_to_first_page,
            format_func=lambda value: words(f"status_{value}"),
            placeholder="",
        )
    with stage:
        stages = st.multiselect(
            words("stage"),
            list(Stage),
            key="filter-stage",
            on_change=_to_first_page,
            format_func=words.stage,
            placeholder="",
        )
    with carrier:
        carriers = st.multiselect(
            words("carrier"),
            sorted(names, key=lambda key: names[key]),
            key="filter-carrier",
            on_change=_to_first_page,
            format_func=lambda key: names[key],
            placeholder="",
        )
    return ClaimFilter(statuses, stages, carriers, typed or "")


def _to_first_page() -> None:
    st.session_state["page"] = 1
    _pick_none()
    forget_job()


def _found(count: int, words: Words) -> str:
    if count > _COUNTED_UP_TO:
        return words("found_more", count=words.number(_COUNTED_UP_TO))
    if count == 1:
        return words("found_one")
    return words("found", count=words.number(count)) if count else words("found_none")


# ---------------------------------------------------------------- choosing and doing


def _picked() -> set[str]:
    picked: set[str] = st.session_state.setdefault(_PICKED, set())
    return picked


def _pick_none() -> None:
    """From now on the boxes are other ones: the browser may still send that those before are ticked."""
    _picked().clear()
    st.session_state[_ROUND] = _round() + 1


def _round() -> int:
    return int(st.session_state.get(_ROUND, 0))


def _box(listed: ListedClaim) -> str:
    return f"pick-{_round()}-{listed.claim.id}"


def _pick(of_round: int, references: list[str], keys: list[str], chosen: bool | None = None) -> None:
    """Follow a box that was ticked, or (`chosen`) tick or clear all of these; boxes of before count no more."""
    if of_round != _round():
        return
    for reference, key in zip(references, keys, strict=True):
        if chosen is not None:
            st.session_state[key] = chosen
        if st.session_state[key]:
            _picked().add(reference)
        else:
            _picked().discard(reference)


def _actions(desk: Desk, wanted: ClaimFilter, listed: list[ListedClaim], words: Words) -> None:
    picked, current = _picked(), job()
    busy = current is not None and not current.is_over
    references = [one.claim.reference for one in listed]
    keys = [_box(one) for one in listed]
    with st.container(horizontal=True, vertical_alignment="center"):
        everything = bool(references) and picked.issuperset(references)
        st.button(
            words("all_on_page"),
            key="all-on-page",
            icon=":material/check_box:" if everything else ":material/check_box_outline_blank:",
            on_click=_pick,
            args=(_round(), references, keys, not everything),
            disabled=not references,
        )
        st.button(
            words("retry_selected", count=len(picked)) if picked else words("retry_none"),
            key="retry-selected",
            type="primary",
            disabled=busy or not picked,
            on_click=_retry,
            args=(words,),
        )
        st.download_button(
            words("export"),
            data=lambda: "".join(_export(desk, wanted)).encode(),
            file_name="claims.csv",
            mime="text/csv",
            on_click="ignore",
            key="export",
            help=words("export_help", count=words.number(_EXPORTED)),
            disabled=not listed,
        )


def _retry(words: Words) -> None:
    begin(sorted(_picked()), words)
    _pick_none()


def _export(desk: Desk, wanted: ClaimFilter) -> Iterator[str]:
    return csv_pieces(
        (claim_row(one, desk.catalog) for one in desk.records.claims(wanted, _EXPORTED)), CLAIM_COLUMNS
    )


# ---------------------------------------------------------------- the list


def _row(desk: Desk, listed: ListedClaim, words: Words) -> None:
    claim = listed.claim
    key = _box(listed)
    stands = standing(claim, held=False)
    with st.container(horizontal=True, vertical_alignment="center", border=True, gap="small"):
        if key not in st.session_state:
            st.session_state[key] = claim.reference in _picked()
        st.checkbox(
            plainly(claim.reference, 60),
            key=key,
            on_change=_pick,
            args=(_round(), [claim.reference], [key]),
            width=190,
        )
        st.badge(words.stage(stands), color=_COLORS.get(stands, "gray"))
        carrier = desk.catalog.name_of(claim.carrier, claim.carrier_name) or words("no_carrier")
        about = plainly(carrier, 40)
        if more := _about(listed, stands, words):
            about = f"{about} · {more}"
        st.markdown(f":small[{about}]", width="stretch")
        st.button(words("open"), key=f"open-{claim.id}", on_click=open_claim, args=(claim.reference,))


def _about(listed: ListedClaim, stands: Standing, words: Words) -> str:
    claim = listed.claim
    if stands is Standing.FETCHED:
        return (
            words("signed_by", who=plainly(listed.signatory, 60))
            if listed.signatory
            else when(listed.fetched_at)
        )
    parts = []
    if claim.error_text:
        parts.append(plainly(claim.error_text, 90))
    if claim.state.next_at and stands is Standing.WAITING:
        parts.append(words("next_try", at=when(claim.state.next_at)))
    return " · ".join(parts)


def open_claim(reference: str) -> None:
    """Show this claim."""
    forget_job()
    st.query_params["claim"] = reference


def _pager(page: int, pages: int, words: Words) -> None:
    def go(to: int) -> None:
        st.session_state["page"] = to

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(words("previous"), key="previous", disabled=page == 1, on_click=go, args=(page - 1,))
        st.markdown(words("page_of", page=words.number(page), pages=words.number(pages)), width="content")
        st.button(words("next"), key="next", disabled=page == pages, on_click=go, args=(page + 1,))
