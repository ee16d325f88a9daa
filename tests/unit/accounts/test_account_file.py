"""A file of accounts is imported as a whole, or every wrong row is reported without its cells."""

from typing import Any

import pytest

from recours.accounts.rules import LARGEST, AccountFile, AccountRefusedError, FileRefusedError, NewAccount
from recours.carriers.registry import CATALOG
from recours.core.accounts import ServiceClient

SECRET = 'hunter2;"secret"'
HEAD = "client,carrier,account,password,limits"


def client_named(named: str) -> ServiceClient:
    number = named.strip().removeprefix("shop").removesuffix("@example.com")
    if number == "twice":
        raise AccountRefusedError("several_clients", client=named, ids="1, 2")
    if not number.isdigit():
        raise AccountRefusedError("no_client", client=named)
    return ServiceClient(int(number), f"shop{number}@example.com")


def read(content: str | bytes) -> list[NewAccount]:
    given = content if isinstance(content, bytes) else content.encode()
    return AccountFile(CATALOG, client_named, lambda client, _: client.id == 999).read(given)


def facts(content: str | bytes) -> list[tuple[Any, ...]]:
    return [(new.client.id, new.spec.key, dict(new.credentials), new.limits) for new in read(content)]


def faults(content: str | bytes) -> list[str]:
    with pytest.raises(FileRefusedError) as refused:
        read(content)
    return str(refused.value).splitlines()


CHRONOPOST = {"CHRONOPOST_ACCOUNT": "0198", "CHRONOPOST_PASSWORD": "pw"}


def test_a_table_is_read() -> None:
    text = f"{HEAD}\nshop1@example.com,Chronopost,0198,pw,\n2,chronopost,0198,pw,50/day TRACKING=20/hour\n"
    assert facts(text) == [
        (1, "chronopost", CHRONOPOST, None),
        (2, "chronopost", CHRONOPOST, {"": "50/day", "TRACKING": "20/hour"}),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_as_spreadsheets_write_it(delimiter: str, end: str, mark: str) -> None:
    quoted = '"' + SECRET.replace('"', '""') + '"'
    rows = (HEAD.split(","), ["1", "Chronopost", "0198", quoted, ""], [""] * 5)
    text = mark + end.join(delimiter.join(row) for row in rows) + end
    assert facts(text) == [(1, "chronopost", CHRONOPOST | {"CHRONOPOST_PASSWORD": SECRET}, None)]


def test_one_file_may_contain_several_carriers() -> None:
    text = "Client;Carrier;account;password;UPS_CLIENT_ID;UPS_CLIENT_SECRET\n1;Chronopost;0198;pw;;\n1;UPS;;;i;s\n"
    assert [(client, key) for client, key, *_ in facts(text)] == [(1, "chronopost"), (1, "ups")]


def hundred(spoilt: str) -> str:
    """A table of a hundred rows; the 57th is this one."""
    rows = [spoilt if n == 57 else f"{n},Chronopost,0198,pw,50/day" for n in range(1, 101)]
    return "\n".join([HEAD, *rows]) + "\n"


SECOND = "hunter2secret"


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (f"nobody@example.com,Chronopost,0198,{SECOND},", "the table clients has no client"),
        (f"twice,Chronopost,0198,{SECOND},", "several clients have this address"),
        (f",Chronopost,0198,{SECOND},", "the table clients has no client"),
        (f"57,{SECOND},0198,pw,", "unknown carrier"),
        (f"{SECOND},57,Chronopost,0198,pw", "the table clients has no client"),  # shifted by one column
        (f"57,Chronopost,,{SECOND},", "Credentials for Chronopost are missing: CHRONOPOST_ACCOUNT"),
        (f"57,Chronopost,0198,pw,{SECOND}", "the limits are invalid"),
        (f"57,Chronopost,0198,{SECOND},1/day", "is not enough for even one claim"),
        (f"57,Chronopost,{SECOND}", "the row has 3 cells, but the first line has 5"),
        (f"57,Chronopost,0198,pw,,{SECOND}", "the row has 6 cells, but the first line has 5"),
        (f"56,Chronopost,0198,{SECOND},", "the client and carrier are the same as in row 56 (line 57)"),
        (f"999,Chronopost,0198,{SECOND},", "shop999@example.com already has an account with Chronopost"),
    ],
)
def test_row_57_of_100_is_named_and_its_cells_are_not_shown(spoilt: str, said: str) -> None:
    (told, last) = faults(hundred(spoilt))
    assert told.startswith("row 57 (line 58): ")
    assert said in told
    assert SECOND not in told
    assert last == "1 row cannot be used; nothing was written."


def test_a_quotation_mark_that_is_missing_is_found_where_it_is() -> None:
    (told, _) = faults(hundred(f'57,Chronopost,0198,"{SECOND},'))
    assert told.startswith("row 57 (line 58): the row cannot be read")
    assert SECOND not in told


def test_every_wrong_row_is_named() -> None:
    lines = faults(f"{HEAD}\nx,Chronopost,0198,pw,\n1,Chronopost,0198,pw,\n2,nobody,0198,pw,")
    assert [line.partition(":")[0] for line in lines] == [
        "row 1 (line 2)",
        "row 3 (line 4)",
        "2 rows cannot be used; nothing was written.",
    ]


def test_at_most_100_wrong_rows_are_listed() -> None:
    lines = faults("\n".join([HEAD, *["x,Chronopost,0198,pw,"] * 250]))
    assert lines[-2:] == ["… and 150 more rows.", "250 rows cannot be used; nothing was written."]
    assert len(lines) == 102


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file contains no accounts"),
        (b"\n\n", "The file contains no accounts"),
        (HEAD, "The file contains no accounts"),
        ('[{"client": 1, "carrier": "UPS"}]', "must name the columns"),
        ("client,carrier,account,account\n", "exactly once"),
        ("name,carrier\n", "must name the columns"),
        (HEAD.encode("utf-16"), "not UTF-8"),
        ("client,carrier,é\n".encode("cp1252"), "not UTF-8"),
        (b"client,carrier\0\n", "not text"),
        (b"x" * (LARGEST + 1), "larger than 10 MB"),
    ],
)
def test_an_invalid_file_is_rejected_with_the_reason(content: str | bytes, said: str) -> None:
    assert said in faults(content)[0]


def test_errors_do_not_contain_the_cells_of_rows() -> None:
    with pytest.raises(FileRefusedError) as refused:
        read(hundred(f"x,Chronopost,0198,{SECOND},"))
    error: BaseException | None = refused.value
    while error:
        assert SECOND not in repr(error)
        error = error.__cause__ or error.__context__
