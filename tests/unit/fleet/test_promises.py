"""What the files beside the code say of a long-lived worker is what it does."""

import inspect
from pathlib import Path

from recours.cli import worker
from recours.fleet import procrastinate_queue
from recours.fleet.jobs import JobQueue

ROOT = Path(__file__).resolve().parents[3]


def test_the_containers_ask_for_health_where_the_worker_answers() -> None:
    (port,) = (option.default for option in worker.command.params if option.name == "port")
    compose = (ROOT / "deploy" / "compose.fleet.yaml").read_text(encoding="utf-8")
    assert f"http://127.0.0.1:{port}/health" in compose


def test_one_short_module_knows_the_job_queue() -> None:
    path = Path(inspect.getsourcefile(procrastinate_queue) or "")
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 150
    others = [
        module
        for module in (ROOT / "recours").rglob("*.py")
        if module != path and "import procrastinate" in module.read_text(encoding="utf-8")
    ]
    assert others == []


def test_it_does_what_recours_asks_of_a_queue() -> None:
    asked = {name for name, _ in inspect.getmembers(JobQueue, inspect.isfunction) if not name.startswith("_")}
    assert asked <= set(dir(procrastinate_queue.ProcrastinateQueue))
