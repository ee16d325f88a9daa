"""The files beside the code describe a long-lived worker correctly."""

import inspect
import re
from pathlib import Path

from recours.cli import worker
from recours.fleet import procrastinate_queue

ROOT = Path(__file__).resolve().parents[3]


COMPOSE = (ROOT / "deploy" / "compose.fleet.yaml").read_text(encoding="utf-8")


def test_the_containers_ask_for_health_where_the_worker_answers() -> None:
    (port,) = (option.default for option in worker.command.params if option.name == "port")
    assert f"http://127.0.0.1:{port}/health" in COMPOSE


def test_the_containers_make_the_schema_once_the_final_server_answers_and_try_again() -> None:
    """At its first start, the image runs a temporary server for setup, which listens only on the socket."""
    assert re.search(r"pg_isready, --host=127\.0\.0\.1", COMPOSE)
    schema = COMPOSE.partition("\n  schema:\n")[2].partition("\n\n")[0]
    assert "\n    restart: on-failure" in schema


def test_one_short_module_knows_the_job_queue() -> None:
    path = Path(inspect.getsourcefile(procrastinate_queue) or "")
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 150
    knowing = [
        module
        for module in (ROOT / "recours").rglob("*.py")
        if re.search(r"^\s*(import|from) procrastinate\b", module.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert knowing == [path]
