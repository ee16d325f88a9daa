"""The table of claims, on real databases: every filter, order and page, compared with plain Python."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Text, delete, insert, text

from recours.carriers import registry
from recours.carriers.chronopost import SPEC
from recours.core.accounts import carrier_of
from recours.core.carrier import Catalog
from recours.core.claim import Stage
from recours.core.text import plain
from recours.database.engine import Database
from recours.database.tables import DONE, claims
from recours.reporting import claim_search
from recours.reporting.reader import DatabaseRecords
from recours.reporting.records import COUNTED_UP_TO, ClaimFilter, ClaimPage, DeadlineRange, Matching, Sort
from tests.conftest import SERVICE_CLAIMS, SERVICE_CLIENTS, Kind
from tests.fakes.examples import MODEST

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
TODAY = NOW.date()
CATALOG = Catalog([SPEC])
ALL = ClaimFilter()
SHOPS = {
    1: ("été@shop.example", "Zoé ÉTÉ", "La Boutique"),
    2: ("b_2@shop.example", None, "100% Bio"),
    3: ("Z@x.fr", "Ann", None),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def records(
    request: pytest.FixtureRequest, kinds: Callable[[str], Kind], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseRecords]:
    database = Database(kinds(request.param).ready(tmp_path_factory.mktemp("search")))
    with database.write() as connection:
        connection.execute(text("ALTER TABLE claims ADD COLUMN customer_name TEXT"))
        rows = [
            {"id": n, "email": email, "full_name": name, "company_name": company}
            for n, (email, name, company) in SHOPS.items()
        ]
        connection.execute(insert(SERVICE_CLIENTS), rows)
    yield DatabaseRecords(database, CATALOG)
    database.close()


# ---------------------------------------------------------------- the same in plain Python


def bare(value: str) -> str:
    """In lower case and without accents, if a letter without its accent is still one letter."""
    return "".join(plain(char) if len(plain(char)) == 1 else char.lower() for char in value)


def holds(row: dict[str, Any], typed: str) -> bool:
    """Names in any case and with any accents, references as typed; some letters also as two letters without accents."""
    typed = " ".join(typed.split())
    number = (row["tracking_number"] or "").replace(" ", "").lower()
    references = [lower_ascii(row["claim_reference"]), lower_ascii(row["order_id"])]
    names = [bare(name) for name in (row["customer_name"], *SHOPS.get(row["client_id"], ())) if name]
    folded = plain(typed)
    forms = folded, folded.replace("oe", "œ").replace("ss", "ß")
    return (
        folded.replace(" ", "") in number
        or any(form in text for text in references for form in (lower_ascii(typed), folded))
        or any(form in name for name in names for form in (lower_ascii(typed), *forms))
    )


def lower_ascii(value: str) -> str:
    return value.encode().lower().decode()


def carrier_key(row: dict[str, Any]) -> str:
    """For a claim without a row of recours, by the service's name of its carrier."""
    if row["stage"]:
        return carrier_of(row["lane"] or "")
    return CATALOG.resolve(row["carrier"] or "") or ""


def stage_at(row: dict[str, Any], due_until: datetime | None) -> str:
    is_due = row["stage"] == "waiting" and due_until is not None and row["next_at"] <= due_until
    return "ready" if is_due else row["stage"] or ""


def is_wanted(row: dict[str, Any], wanted: ClaimFilter) -> bool:
    chosen = (
        (row["pod_fetch_status"] or "", wanted.statuses),
        (stage_at(row, wanted.due_until), wanted.stages),
        (carrier_key(row), wanted.carriers),
        (str(row["client_id"] or ""), wanted.clients),
        ((row["kind"] if row["stage"] else None) or "", wanted.kinds),
        ((row["dispute_type"] or "").strip().lower(), wanted.disputes),
    )
    is_in_time = not wanted.deadlines or any(
        is_within(row["response_deadline"], deadline) for deadline in wanted.deadlines
    )
    return (
        is_in_time
        and all(not values or value in values for value, values in chosen)
        and (not wanted.text.strip() or holds(row, wanted.text))
    )


def is_within(deadline: date | None, wanted: str) -> bool:
    if deadline is None or not wanted:
        return deadline is None and not wanted
    if wanted == "passed":
        return deadline < TODAY
    return TODAY <= deadline <= TODAY + timedelta(days=int(wanted))


def next_try(row: dict[str, Any]) -> Any:
    if row["stage"] in ("new", "ready"):
        return 0, NOW
    return (1, row["next_at"]) if row["stage"] == "waiting" else None


def stage(row: dict[str, Any]) -> Any:
    if row["pod_fetch_status"] == "success":
        return len(Stage)
    return list(Stage).index(row["stage"]) if row["stage"] in set(Stage) else None


KEYS: dict[Sort, Callable[[dict[str, Any]], Any]] = {
    Sort.REFERENCE: lambda row: row["claim_reference"],
    Sort.AMOUNT: lambda row: row["amount_requested"],
    Sort.DEADLINE: lambda row: row["response_deadline"],
    Sort.AGE: lambda row: -row["created_at"].timestamp() if row["created_at"] else None,
    Sort.STAGE: stage,
    Sort.NEXT_TRY: next_try,
}


def expected(
    rows: Sequence[dict[str, Any]], wanted: ClaimFilter, sort: Sort | None, *, descending: bool
) -> list[str]:
    """The newest first; then by the key, in a stable order; those without a value at the end."""
    found = sorted((row for row in rows if is_wanted(row, wanted)), key=lambda row: -row["id"])
    if sort:
        key = KEYS[sort]
        known = [row for row in found if key(row) is not None]
        found = sorted(known, key=key, reverse=descending) + [row for row in found if key(row) is None]
    return [row["claim_reference"] for row in found]


# ---------------------------------------------------------------- any claims, any question

_SIGNS = st.text("aAeEoOsSzZ09éÉçÇœŒßñ%_/'-[]*?^", min_size=1, max_size=6)
_MAYBE = st.none() | _SIGNS
_KINDS = st.sampled_from([None, "not_found", "timeout", "account_denied"])
_LANES = st.sampled_from(["", "chronopost", "chronopost#2", "ups"])
_STATUSES = st.sampled_from([None, "failed", "pending", "success", "manual"])
_STAGES = st.sampled_from([None, DONE, *Stage])  # None: no row of recours
_TIMES = st.none() | st.integers(0, 4).map(lambda n: NOW + timedelta(hours=n))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "order_id": _SIGNS,
            "customer_name": _MAYBE | st.just("Zoé  d'Été"),
            "tracking_number": st.none() | st.text("aZz09 %_", max_size=6) | st.just("xy 000 1"),
            "carrier": st.sampled_from(
                ["Chronopost", "CHRONO-post", "Chrônopost", "chrono\u00a0 post.", "UPS", "Pigeon"]
            ),
            "client_id": st.none() | st.sampled_from([1, 2, 3]),
            "amount_requested": st.sampled_from([0.0, 9.5, 10.0, 100.25]),
            "response_deadline": st.none() | st.integers(-1, 8).map(lambda days: TODAY + timedelta(days)),
            "dispute_type": st.sampled_from(["", "lost", " LOST", "damaged", "another"]),
            "created_at": _TIMES,
            "pod_fetch_status": _STATUSES,
            "stage": _STAGES,
            "lane": _LANES,
            "kind": _KINDS,
            "next_at": st.integers(0, 4).map(lambda n: NOW + timedelta(hours=n)),
        }
    ),
    max_size=12,
)
TYPED = st.one_of(
    st.just(""),
    _SIGNS,
    st.sampled_from(
        [
            "clm-0",
            " CLM-3",
            "x y0",
            "BOUTIQUE",
            "été",
            "ÉTÉ",
            "ete",
            "Oe",
            "strasse",
            "100%",
            "b_2",
            "zoé d",
            "/",
        ]
    ),
)


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values.map(lambda value: value or ""), max_size=2)


FILTERS = st.builds(
    ClaimFilter,
    statuses=some(_STATUSES),
    stages=some(st.sampled_from(Stage)),
    carriers=some(st.sampled_from(["", "chronopost", "ups"])),
    text=TYPED,
    clients=some(st.sampled_from(["", "1", "3", "x"])),
    kinds=some(_KINDS),
    disputes=some(st.sampled_from([None, "lost", "damaged"])),
    deadlines=some(st.sampled_from([None, *DeadlineRange])),
    today=st.just(TODAY),
    due_until=_TIMES,
)


TABLE = SERVICE_CLAIMS.to_metadata(MetaData())
for _name in ("customer_name", "currency"):
    TABLE.append_column(Column(_name, Text))


def test_an_invalid_deadline_counts_as_missing(records: DatabaseRecords) -> None:
    """SQLite accepts any text, PostgreSQL a column of times."""
    put(records, [{"order_id": "O", "carrier": "UPS", "amount_requested": 1} for _ in range(3)])
    with records.database.write() as connection:
        if records.database.dialect.has_any_text:
            connection.execute(text("UPDATE claims SET response_deadline = '05/02/2026' WHERE id = 1"))
        connection.execute(text("UPDATE claims SET response_deadline = '2026-02-05 23:59:00' WHERE id = 2"))
    found = {
        deadline: records.matching(ClaimFilter(deadlines=[deadline], today=TODAY)).references
        for deadline in ("", *DeadlineRange)
    }
    assert found == {"": ["CLM-2", "CLM-0"], "passed": [], "3": ["CLM-1"], "7": ["CLM-1"]}


def put(records: DatabaseRecords, rows: list[dict[str, Any]]) -> None:
    """Replace all claims; those with a stage have a row of recours."""
    for n, row in enumerate(rows):
        row |= {"id": n + 1, "claim_reference": f"CLM-{n}", "dispute_type": row.get("dispute_type", "lost")}
    own = ("stage", "lane", "kind", "next_at")
    with records.database.write() as connection:
        connection.execute(delete(TABLE))
        connection.execute(delete(claims))
        for row in rows:
            service_row = {name: value for name, value in row.items() if name not in own}
            connection.execute(insert(TABLE), service_row)
            if row.get("stage"):
                own_row = {name: value for name, value in row.items() if name in own}
                connection.execute(insert(claims), own_row | {"claim_id": row["id"]})


@pytest.mark.parametrize("counted_up_to", [COUNTED_UP_TO, 3], ids=["few", "many"])
@settings(MODEST, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, wanted=FILTERS, sort=st.none() | st.sampled_from(Sort), descending=st.booleans())
def test_the_table_matches_a_search_in_plain_python(
    records: DatabaseRecords,
    monkeypatch: pytest.MonkeyPatch,
    counted_up_to: int,
    rows: list[dict[str, Any]],
    wanted: ClaimFilter,
    sort: Sort | None,
    descending: bool,
) -> None:
    monkeypatch.setattr(claim_search, "COUNTED_UP_TO", counted_up_to)
    put(records, rows)
    found = expected(rows, wanted, sort, descending=descending)
    order: dict[str, Any] = {"sort": sort, "descending": descending}
    page = records.page(wanted, 50, **order)
    assert [one.claim.reference for one in page.claims] == found
    # Queries that do not need a search keep counting.
    assert page.count == len(found) or len(found) > page.count == counted_up_to + 1
    in_parts = [
        one.claim.reference
        for skip in range(0, 15, 2)
        for one in records.page(wanted, 2, skip=skip, **order).claims
    ]
    assert in_parts == found
    newest = expected(rows, wanted, None, descending=False)
    assert [one.claim.reference for one in records.each_claim(wanted)] == newest[::-1]
    assert records.matching(wanted, 3) == Matching(newest[:3], max(len(found) - 3, 0))
    assert records.matching(wanted, 50) == Matching(newest, 0)


@pytest.mark.parametrize("descending", [False, True])
def test_unknown_values_are_last_and_equal_values_newest_first(
    records: DatabaseRecords, *, descending: bool
) -> None:
    known: dict[str, Any] = {
        "order_id": "O", "carrier": "UPS", "tracking_number": "xy 1", "client_id": 1, "amount_requested": 10.0,
        "response_deadline": date(2026, 2, 3), "created_at": NOW, "stage": "waiting", "lane": "ups",
        "kind": "timeout", "next_at": NOW,
    }  # fmt: skip
    less = known | {
        "carrier": "DPD", "tracking_number": "XX9", "client_id": 2, "amount_requested": 9.5, "lane": "dpd#7",
        "response_deadline": date(2026, 2, 2), "created_at": NOW - timedelta(1), "stage": "ready",
        "kind": "not_found", "next_at": NOW - timedelta(1),
    }  # fmt: skip
    unknown = dict.fromkeys(known) | {"order_id": "O", "carrier": "Pigeon", "amount_requested": 1.0}
    rows = [dict(row) for row in (known, unknown, less, known, unknown, less)]
    for row in rows:
        row.setdefault("pod_fetch_status", None)
        row.setdefault("customer_name", None)
    put(records, rows)
    for sort in Sort:
        found = records.page(ClaimFilter(), 9, sort=sort, descending=descending).claims
        assert [one.claim.reference for one in found] == expected(rows, ALL, sort, descending=descending), (
            sort
        )


def test_a_claim_without_our_row_is_found_by_the_carrier_whose_account_would_serve_it(
    records: DatabaseRecords,
) -> None:
    put(records, [{"order_id": "O", "carrier": "DHL Paket", "amount_requested": 1}])
    catalog = registry.CATALOG.with_accounts({"dhl", "dhl_parcel_de"})
    searched = DatabaseRecords(records.database, catalog)
    found = {
        name: searched.matching(ClaimFilter(carriers=catalog.keys_of(name))).references
        for name in ("DHL", "DHL Paket")
    }
    assert found == {"DHL": [], "DHL Paket": ["CLM-0"]}


def test_a_listed_claim_names_its_client_its_order_and_its_customer(records: DatabaseRecords) -> None:
    known = {"order_id": "O-7", "customer_name": "Zoé", "client_id": 1, "currency": "USD"}
    unknown = {"order_id": "", "customer_name": None, "client_id": None, "currency": None}
    put(records, [{"carrier": "UPS", "amount_requested": 1} | row for row in (unknown, known)])
    found = [
        (one.order, one.customer, one.client, one.client_name, one.currency)
        for one in records.page(ClaimFilter(), 9).claims
    ]
    assert found == [("O-7", "Zoé", SHOPS[1][0], "La Boutique", "USD"), ("", "", "", "", "")]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("lefevre", "LEFÈVRE Zoé"), ("LEFÈVRE", "Lefevre"), ("garçon", "GARCON"), ("soeur", "Sœur Anne"),
        ("SŒUR", "soeur"), ("Straße", "STRASSE"), ("strasse", "Straße"), ("lukasz", "Łukasz"), ("nguyen", "Nguyễn"),
        ("αθηνα", "ΑΘΉΝΑ"), ("иванов", "ИВАНОВ"), ("m²", "12 m²"),
        ("e^]-[*?%_/.(\\", "É^]-[*?%_/.(\\"),
    ],
)  # fmt: skip
def test_a_name_is_found_in_any_case_with_any_accents(
    records: DatabaseRecords, typed: str, name: str
) -> None:
    put(records, [{"order_id": "O-7", "carrier": "UPS", "amount_requested": 1, "customer_name": name}])
    assert records.page(ClaimFilter(text=typed), 9).count == 1


@pytest.mark.parametrize(
    "typed", ["\0", "\u0301", "CLM\0", "\ud800", "%", "_", "x" * 100_000, "'; DROP TABLE claims; --"]
)
def test_any_text_can_be_searched_for(records: DatabaseRecords, typed: str) -> None:
    put(records, [{"order_id": "O-7", "carrier": "UPS", "amount_requested": 1}])
    assert records.page(ClaimFilter(text=typed), 9) == ClaimPage([], 0)
    assert records.page(ClaimFilter(clients=[typed], kinds=[typed]), 9) == ClaimPage([], 0)
