"""Only `recours.database.border` accesses the service's tables: no other module knows their structure."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BORDER = "recours/database/border.py"
# It simulates the service, whose claims it creates.
PLAYS_THE_SERVICE = "recours/cli/demo.py"
TABLES = ("claims", "clients", "notifications", "system_settings")
COLUMNS = frozenset(
    {
        "claim_reference", "tracking_number", "response_deadline", "amount_requested", "pod_fetch_status", "pod_url",
        "pod_fetched_at", "pod_fetch_error", "pod_delivery_person", "pod_signature_url", "pod_retry_count",
        "pod_last_retry_at",
    }
)  # fmt: skip
# Outside `recours/database`: names in texts for people or programs that do not refer to a column.
SAID = {
    "recours/admin/claim_file.py": "the columns of the file that people give it",
    "recours/cli/documents.py": "a key of its JSON",
    "recours/core/outcome.py": "a field of the record of a delivery",
    "recours/reporting/explain.py": "keys of its JSON",
    "recours/runs/eligibility.py": "a name that it asks the border by",
    "recours/reporting/export.py": "the columns of its file",
    "recours/admin/backup.py": "a name that it asks the border by",
    "recours/reporting/claim_search.py": "names that it asks the border by",
    "recours/reporting/reader.py": "names that it asks the border by",
    "recours/reporting/system_reader.py": "names that it asks the border by",
}
SQL = re.compile(rf'\b(?:FROM|JOIN|INTO|UPDATE|TABLE|REFERENCES)\s+"?(?:{"|".join(TABLES)})\b')


def faults_in(path: str, source: str) -> Iterator[str]:
    """A module's uses of the service's tables, each with its line."""
    tree = ast.parse(source)
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "c" and isinstance(node.value, ast.Attribute):
            if node.value.attr in TABLES:
                yield f"{path}:{node.lineno} knows columns of the service's: {ast.unparse(node)}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            if path != PLAYS_THE_SERVICE and SQL.search(node.value):
                yield f"{path}:{node.lineno} writes SQL for a table of the service's"
            if node.value in COLUMNS and not path.startswith("recours/database/") and path not in SAID:
                yield f"{path}:{node.lineno} names a column of the service's: {node.value}"


def test_only_the_border_names_the_services_tables() -> None:
    paths = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "recours").rglob("*.py"))]
    assert BORDER in paths
    others = [path for path in paths if path != BORDER]
    faults = [
        fault for path in others for fault in faults_in(path, (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert faults == []


def test_exempted_modules_still_name_columns_of_the_service() -> None:
    for path in SAID:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert any(f'"{name}"' in source for name in COLUMNS), path


@pytest.mark.parametrize(
    "source",
    [
        'text("SELECT id FROM claims")',
        "text('UPDATE \"claims\" SET status = 1')",
        "select(self.border.claims.c.tracking_number)",
        "border.clients.c['email']",
        'row["tracking_number"]',
    ],
)
def test_another_module_that_knows_them_is_a_fault(source: str) -> None:
    assert list(faults_in("recours/runs/worker.py", source))


@pytest.mark.parametrize(
    "source", ['"""UPDATE claims, and so on."""', "claims.c.stage", 'text("SELECT * FROM recours_claims")']
)
def test_comments_and_our_own_tables_are_allowed(source: str) -> None:
    assert not list(faults_in("recours/runs/worker.py", source))
