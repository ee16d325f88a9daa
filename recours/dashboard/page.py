"""The page that `recours dashboard` serves: Streamlit runs this file for every visitor and every click."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from recours.carriers.registry import CATALOG
from recours.core.mail import LANGUAGES
from recours.core.password import PasswordHash
from recours.dashboard import claim, claims, overview
from recours.dashboard.door import Doorkeeper, is_from_elsewhere
from recours.dashboard.showing import plainly
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import Visit
from recours.database.engine import DatabaseError
from recours.settings.loading import load_at_home
from recours.settings.model import Settings, SettingsError
from recours.settings.sources import process_environment
from recours.wiring.operations import Operations, open_desk

# Streamlit leaves a hand's breadth above every page.
_STYLE = "<style>.stMainBlockContainer{padding-top:3.5rem;padding-bottom:3rem}</style>"
_NAMES = {"fr": "Français", "en": "English"}
_VIEWS = ("overview", "claims")


def main() -> None:
    st.set_page_config(page_title="recours", page_icon="📦", layout="wide")
    st.html(_STYLE)
    try:
        settings = load_at_home(process_environment(), CATALOG)
    except SettingsError as faults:
        words = _header(LANGUAGES[0])
        st.error(words("no_settings"))
        for fault in faults.faults:
            st.warning(plainly(fault, 1000))
        st.button(words("again"))
        return
    words = _header(settings.mail.language)
    if not _may_look(settings.dashboard_password, words):
        return
    try:
        with _operations(settings) as operations:
            _views(operations, words)
    except DatabaseError as fault:
        st.error(words("no_database"))
        st.caption(plainly(fault, 1000))
        st.button(words("again"), key="again")


def _header(language: str) -> PageTexts:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        title = st.empty()
        chosen = st.segmented_control(
            "Language / Langue",
            LANGUAGES,
            default=language,
            required=True,
            key="language",
            format_func=lambda key: _NAMES[key],
            label_visibility="collapsed",
        )
    words = PageTexts(chosen)
    title.markdown(f"### 📦 {words('title')}", width="content")
    return words


@contextmanager
def _operations(settings: Settings) -> Iterator[Operations]:
    """The desk, opened for each drawing of the page: a database that was gone or replaced is seen at once."""
    operations = open_desk(settings)
    try:
        yield operations
    finally:
        operations.database.close()


def _views(operations: Operations, words: PageTexts) -> None:
    visit: Visit = st.session_state.setdefault("visit", Visit())
    if reference := st.query_params.get("claim"):
        claim.show(operations, visit, reference, words)
        return
    view = st.segmented_control(
        "View",
        _VIEWS,
        default=_VIEWS[0],
        required=True,
        key="view",
        format_func=words,
        label_visibility="collapsed",
        persist_state="session",
        on_change=visit.forget_job,
    )
    if view == "claims":
        claims.show(operations, visit, words)
    else:
        overview.show(operations, words)


# ---------------------------------------------------------------- the password


@st.cache_resource(show_spinner=False)
def _doorkeeper() -> Doorkeeper:
    """One for all visitors of this process."""
    return Doorkeeper(time.monotonic)


def _may_look(wanted: PasswordHash | None, words: PageTexts) -> bool:
    """Tell whether this visitor may, and say or ask for what is missing."""
    if wanted:
        return _is_in(wanted, words)
    if is_from_elsewhere(st.context.headers):
        st.error(words("needs_password"))
        return False
    return True


def _is_in(wanted: PasswordHash, words: PageTexts) -> bool:
    """Tell whether this visitor has given the password, and ask for it. A new password shuts everybody out again."""
    if st.session_state.get("entered") == str(wanted):
        return True
    keeper, address = _doorkeeper(), st.context.ip_address or "loopback"
    with st.form("door", width=400):
        password = st.text_input(words("password"), type="password", key="password")
        tried = st.form_submit_button(words("enter"), type="primary")
    if not tried:
        return False
    if wait := keeper.wait_s(address):
        st.error(words("slow_down", seconds=round(wait) or 1))
    elif keeper.lets_in(password, wanted, address):
        st.session_state["entered"] = str(wanted)
        st.rerun()
    else:
        st.error(words("wrong"))
    return False


if __name__ == "__main__":
    main()
