"""Timestamps of manifests by an authority: `openssl ts` behind a server."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from recours.core.errors import RunError
from recours.evidence.timestamps import read_roots, request_token, verify_token
from recours.sandbox import Scenario
from tests.acceptance.person import QuickPerson
from tests.acceptance.simulation import Service
from tests.fakes.tsa import NEEDS_OPENSSL, Authority, authority_in, make_authority
from tests.unit.manual.pages import text_of

pytestmark = NEEDS_OPENSSL
CONTENT = b"a manifest"
WRONG = {
    "another nonce": "the token belongs to a different request",
    "endless": "sent more than",
    "slow": "did not (finish its )?answer in time",
    "garbage": "the answer is not a valid timestamp",
    "cut": "the answer is not a valid timestamp",
    "empty": "the answer is not a valid timestamp",
    "refused": "the answer is not a valid timestamp",
    "HTTP 500": "it answered with status 500",
}


@pytest.fixture(scope="module")
def _authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with authority_in(tmp_path_factory.mktemp("tsa") / "authority") as authority:
        yield authority


@pytest.fixture
def authority(_authority: Authority) -> Authority:
    _authority.manner = "right"
    _authority.queries.clear()
    return _authority


@pytest.fixture
def root(authority: Authority) -> Path:
    return authority.folder / "root.pem"


def test_a_valid_token_proves_its_content_only(authority: Authority, root: Path) -> None:
    token = request_token(authority.url, CONTENT)
    made_at = verify_token(token, CONTENT, read_roots(root))
    assert abs(made_at - datetime.now(UTC)) < timedelta(seconds=30)
    assert verify_token(token, CONTENT, ()) == made_at
    with pytest.raises(RunError, match="the token is for a different hash"):
        verify_token(token, b"another", ())


@pytest.mark.parametrize("manner", WRONG)
def test_a_wrong_answer_is_not_a_timestamp(authority: Authority, manner: str) -> None:
    authority.manner = manner
    start = time.monotonic()
    with pytest.raises(RunError, match=WRONG[manner]):
        request_token(authority.url, CONTENT, patience_s=2)
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("manner", ["a forged signature", "of another authority"])
def test_a_signature_of_another_authority_is_refused(
    authority: Authority, root: Path, tmp_path: Path, manner: str
) -> None:
    authority.manner = manner
    if manner == "of another authority":
        make_authority(tmp_path / "other")
        root = tmp_path / "other" / "root.pem"
    with pytest.raises(RunError, match="it is not signed by the configured authority"):
        verify_token(request_token(authority.url, CONTENT), CONTENT, read_roots(root))


@pytest.mark.parametrize("content", [b"", b"no certificate", None])
def test_an_invalid_certificate_is_reported(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "root.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match="RECOURS_TSA_CERT"):
        read_roots(path)


# ---------------------------------------------------------------- runs


@pytest.fixture
def stamped(service: Service, authority: Authority, root: Path) -> Service:
    service.environment |= {"RECOURS_TSA_URL": authority.url, "RECOURS_TSA_CERT": str(root)}
    return service


def stamps(service: Service) -> list[bool]:
    """Whether each manifest has a timestamp."""
    rows = service.sql("SELECT path FROM recours_manifests ORDER BY id")
    return [(service.settings.pod_dir / path).with_suffix(".tsr").exists() for (path,) in rows]


def test_each_run_timestamps_its_manifest(stamped: Service, authority: Authority, url: str) -> None:
    stamped.run()
    assert authority.queries == []  # there is nothing to timestamp
    for _ in range(2):
        stamped.add(Scenario.DELIVERED)
        stamped.run()
    stamped.run()
    assert stamps(stamped) == [True, True]
    assert len(authority.queries) == 2
    printed = QuickPerson.of(stamped, url).does("verify")
    assert "A timestamp proves that everything up to manifest 2 existed on" in printed
    assert "not verified" not in printed


def change_day(token: Path) -> None:
    content = token.read_bytes()
    stamped_at = re.search(rb"\x18\x0f(20\d{12}Z)", content)
    assert stamped_at
    token.write_bytes(content.replace(stamped_at[1], b"2001" + stamped_at[1][4:]))


@pytest.mark.parametrize(
    ("touch", "of_first", "of_last"),
    [
        (
            Path.unlink,
            "The timestamp of manifest 1 is missing",
            "Manifest 2, the last one, has no valid timestamp",
        ),
        (
            change_day,
            "The timestamp of manifest 1 was changed",
            "The timestamp of manifest 2 proves nothing (it is not signed",
        ),
    ],
)
def test_a_deleted_or_changed_timestamp_is_reported(
    stamped: Service, url: str, touch: Callable[[Path], None], of_first: str, of_last: str
) -> None:
    """The next manifest names it. RECOURS_TSA_URL and RECOURS_TSA_CERT verify the timestamp of the last one."""
    for _ in range(2):
        stamped.add(Scenario.DELIVERED)
        stamped.run()
    person = QuickPerson.of(stamped, url)
    person.does("verify")
    paths = stamped.sql("SELECT path FROM recours_manifests ORDER BY id")
    for (path,), expected in zip(paths, (of_first, of_last), strict=True):
        token = (stamped.settings.pod_dir / path).with_suffix(".tsr")
        original = token.read_bytes()
        touch(token)
        done = person.types("verify")
        assert (done.returncode, expected in done.stdout) == (1, True), done.stdout
        token.write_bytes(original)


@pytest.mark.parametrize("manner", ["HTTP 500", "a forged signature", "another imprint"])
def test_a_failure_is_a_warning_and_the_next_run_timestamps_the_newest_manifest(
    stamped: Service, authority: Authority, manner: str, caplog: pytest.LogCaptureFixture
) -> None:
    authority.manner = manner
    for _ in range(2):
        stamped.add(Scenario.DELIVERED)
        assert stamped.run().exit_status == 0
    assert stamps(stamped) == [False, False]
    warnings = [message for message in caplog.messages if "No timestamp for manifest 000001" in message]
    assert len(warnings) == 1
    authority.manner = "right"
    assert stamped.run().exit_status == 0
    assert stamps(stamped) == [False, True]


def test_a_rewritten_manifest_does_not_match_its_timestamp(
    stamped: Service, authority: Authority, url: str
) -> None:
    """Its row has the new hash: only the token reveals the change."""
    stamped.add(Scenario.DELIVERED)
    stamped.run()
    ((name,),) = stamped.sql("SELECT path FROM recours_manifests")
    path = stamped.settings.pod_dir / name
    path.write_text(path.read_text().replace("# written 2026", "# written 2025"))
    digest = sha256(path.read_bytes()).hexdigest()
    stamped.sql("UPDATE recours_manifests SET sha256 = ?", digest)
    person = QuickPerson.of(stamped, url)
    done = person.types("verify")
    assert done.returncode == 1
    assert "The timestamp of manifest 1 proves nothing (the token is for a different hash)." in done.stdout
    path.with_suffix(".tsr").write_bytes(b"AAAA")
    assert "the answer is not a valid timestamp" in person.types("verify").stdout


def test_the_commands_in_the_manual_verify_without_recours(stamped: Service, root: Path) -> None:
    for _ in range(2):
        stamped.add(Scenario.DELIVERED)
        stamped.run()
    (lines,) = re.findall(r"```text\n(cd data/pods.*?)```", text_of("docs/evidence.md"), re.DOTALL)

    def verify() -> str:
        script = lines.replace("/etc/recours/tsa-root.pem", str(root))
        done = subprocess.run(
            ["sh", "-c", script], cwd=stamped.folder, capture_output=True, text=True, check=False
        )
        return re.sub(r"Using configuration.*\n", "", done.stdout + done.stderr)

    ((first,), (last,)) = stamped.sql("SELECT path FROM recours_manifests ORDER BY id")
    digest = sha256((stamped.settings.pod_dir / last).read_bytes()).hexdigest()
    assert verify() == f"Verification: OK\nVerification: OK\nThe SHA-256 of the last manifest is {digest}\n"
    ((path,), _) = stamped.sql("SELECT path FROM recours_evidence ORDER BY id")
    Path(path).write_bytes(b"%PDF-1.4 another")
    assert ": FAILED\n" in verify()
    manifest = stamped.settings.pod_dir / first
    manifest.write_text(manifest.read_text().replace("# written 2026", "# written 2025"))
    assert f"{last} does not follow the one before" in verify()
    assert "Verification: FAILED" in verify()
