"""The `.env` and the secrets of a checkout in use do not affect its tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import own_settings

pytestmark = pytest.mark.full("our own tools: a fault of theirs shows when they are used")

POISON = {
    ".env": """
DATABASE_URL=postgresql://nobody:wrong@127.0.0.1:1/nowhere
DATABASE_PATH=/nowhere/claims.db
QUOTA_CHRONOPOST=many
QUOTA_NONSENSE=1/day
RECOURS_LANGUAGE=xx
RECOURS_BACKOFF_HOURS=soon
RECOURS_LOG_DIR=/proc/nowhere
RECOURS_POD_DIR=/proc/nowhere
CHRONOPOST_ACCOUNT=99999999
CHRONOPOST_PASSWORD=wrong
UPS_CLIENT_ID=wrong
SMTP_HOST=127.0.0.1
SMTP_PORT=1
SMTP_SECURITY=perhaps
ADMIN_EMAIL=nobody
RECOURS_PING_URL=http://127.0.0.1:1/ping
not a line
""",
    ".streamlit/secrets.toml": """
DHL_API_KEY = "wrong"
RECOURS_TIMEZONE = "Nowhere/Land"
[fedex]
client_id = "wrong"
""",
}
# Of tests that start programs of people or cron.
CHOSEN = (
    "tests/integration/test_start.py::test_a_run_without_a_console_is_a_whole_run",
    "tests/acceptance/test_commands.py::test_init_db_creates_or_completes_a_database",
)


@pytest.fixture
def in_use(tmp_path: Path) -> Path:
    """A checkout with unusable settings."""
    checkout = own_settings.copy(tmp_path / "checkout")
    for name, text in POISON.items():
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).write_text(text, encoding="utf-8")
    return checkout


def start(checkout: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


def test_the_tests_do_not_read_the_settings_of_the_checkout(in_use: Path) -> None:
    stopped = start(in_use, "recours", "status")
    assert (stopped.returncode, ".env, line" in stopped.stderr) == (2, True)  # as everyone else reads them
    done = start(in_use, "pytest", "-q", "-k", "not postgresql", *CHOSEN)
    assert done.returncode == 0, done.stdout
    assert (
        "This checkout has .env and .streamlit/secrets.toml: the tests run in a copy without" in done.stdout
    )
    assert sorted(path.name for path in (in_use / "logs").iterdir()) == [".gitkeep"]
