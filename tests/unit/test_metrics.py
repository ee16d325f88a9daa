"""What `make metrics` counts."""

from pathlib import Path

import pytest

from tests.metrics import Code, rows_of, way_of_a_result

pytestmark = pytest.mark.full("our own tools: a fault of theirs shows when they are used")

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "__init__.py": '"""A package."""\n',
    "top.py": "from recours.mail import send\n\n\ndef main():\n    send()\n    send()\n",
    "mail/__init__.py": '"""Mails."""\n',
    "mail/send.py": "import recours.wire\nfrom recours.core import text\n\n\ndef send():\n    recours.wire._open()\n",
    "wire.py": "def _open():\n    return _once() + _twice() + _twice()\n\n\ndef _once():\n    ...\n\n\ndef _twice():\n    ...\n",
    "core/text.py": "class Text:\n    def __init__(self):\n        self._clean()\n\n    def _clean(self):\n        ...\n",
    "core/claim.py": "from recours.core import text\n",
}


@pytest.fixture
def code(tmp_path: Path) -> Code:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return Code(tmp_path)


def test_lines_are_counted_by_folder(code: Code) -> None:
    assert sum(code.lines.values()) == 31
    assert code.lines_by_folder() == {"files at the top": 17, "mail/": 7, "core/": 7}


def test_functions_are_counted_with_their_lines(code: Code) -> None:
    assert [lines for lines, _ in code.functions] == [2, 2, 2, 2, 2, 2, 3]
    assert code.functions[-1] == (3, "top.py: main")
    assert code.private_used_once() == 2  # _once and _clean; _open is used in another file, _twice twice


def test_a_feature_has_its_named_files_and_what_only_they_import(code: Code) -> None:
    assert code.files_of("mail") == {Path("mail/send.py"), Path("wire.py")}
    assert code.files_of("prune") == set()


def test_the_way_of_a_result_is_that_of_a_real_run() -> None:
    lines, functions, modules = way_of_a_result(ROOT)
    assert lines > functions > modules > 20


def test_a_row_of_one_version_alone_stands_where_it_belongs() -> None:
    assert rows_of([["lines", "  desk", "  runs", "tests"], ["lines", "  core", "  runs", "time"]]) == [
        "lines",
        "  core",
        "  desk",
        "  runs",
        "time",
        "tests",
    ]
