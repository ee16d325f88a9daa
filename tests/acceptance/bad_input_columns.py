"""Garbage in every column of `claims`, ours included, one value a row; and what a run makes of each row."""

from recours.database.tables import claims
from tests.acceptance.bad_input_world import FORGED

# As SQL, since some of it no program can hold as text.
GARBAGE = {
    "NULL": "NULL",
    "empty": "''",
    "blanks": "'   '",
    "a word": "'garbage'",
    "a forged line": f"'x' || char(10) || '{FORGED}' || char(27) || '[2J'",
    "bytes": "x'00ff1b0a'",
    "not UTF-8": "CAST(x'ff31e9' AS TEXT)",
    "NUL inside": "'a' || char(0) || 'b'",
    "a huge number": "9223372036854775807",
    "a negative number": "-9223372036854775808",
    "infinity": "9e999",
    "a number as text": "'99999999999999999999'",
    "the end of time": "'9999-12-31 23:59:59'",
    "the end of time, elsewhere": "'9999-12-31T23:59:59-12:00'",
    "the beginning of time": "'0001-01-01 00:00:00'",
    "no such day": "'2026-02-30 25:61:61'",
    "JSON": '\'{"at": 5, "signatory": []}\'',
    "a long text": "replace(hex(zeroblob(5000)), '00', 'x')",
}

# What of it is worth a run of its own, for a claim's name.
OF_A_REFERENCE = ("empty", "a forged line", "bytes", "not UTF-8", "NUL inside", "infinity", "a long text")

_SKIPPED = frozenset({"id"})  # no garbage fits into a primary key of numbers
_NEVER_NULL = frozenset({"carrier", "claim_reference", "amount_requested"})  # the service's table takes none
_UNIQUE = frozenset({"claim_reference"})
COLUMNS = tuple(column.name for column in claims.columns if column.name not in _SKIPPED)

# Columns whose value says itself that there is nothing to fetch, or that it cannot be.
LEFT_ALONE = frozenset({"pod_fetch_status"})
REFUSED = frozenset({"tracking_number", "carrier"})  # no call, and the sentence says why


# Garbage that is a value after all: a moment, a count, the sign that someone else wrote the failure just now. The claim
# has its next turn, or used it up.
_A_NEXT_RETRY = frozenset({"pod_next_retry_at", "updated_at", "pod_retry_count", "pod_seen_status"})
_USED_UP = frozenset({"pod_retry_count", "pod_interruptions"})


def has_a_retry(column: str) -> bool:
    """Tell whether garbage in this column may mean a later turn."""
    return column in _A_NEXT_RETRY


def is_used_up(column: str) -> bool:
    """Tell whether garbage in this column may mean that too much was tried."""
    return column in _USED_UP


def rows() -> list[tuple[str, str, str]]:
    """Of each row: its column, the garbage's name, the garbage as SQL."""
    return [
        (column, name, sql)
        for column in COLUMNS
        for name, sql in GARBAGE.items()
        if not (sql == "NULL" and column in _NEVER_NULL)
    ]
