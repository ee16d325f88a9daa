"""Timestamps of the chain of custody, by an authority that is `openssl ts` behind a server."""

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recours.core.custody import Stamp
from recours.operations.verify import TokenError
from recours.sandbox import Scenario
from recours.timestamps import read_roots, request_token, verify_token
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.fakes.tsa import NEEDS_OPENSSL, Authority, authority_in, make_authority, openssl

pytestmark = NEEDS_OPENSSL
HASH = hashlib.sha256(b"a record").hexdigest()
WRONG = {
    "another nonce": "the token answers another request: its nonce differs",
    "another imprint": "the token is for another hash",
    "endless": "sent more than",
    "slow": "did not (finish its )?answer in time",
    "garbage": "the answer is no timestamp",
    "cut": "the answer is no timestamp",
    "empty": "the answer is no timestamp",
    "refused": "the authority refused it",
    "HTTP 500": "it answered with status 500",
}


@pytest.fixture(scope="module")
def _authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with authority_in(tmp_path_factory.mktemp("tsa") / "authority") as authority:
        yield authority


@pytest.fixture
def authority(_authority: Authority) -> Authority:
    _authority.manner = "right"
    _authority.asked.clear()
    return _authority


@pytest.fixture
def root(authority: Authority) -> Path:
    return authority.folder / "root.pem"


def test_a_right_token(authority: Authority, root: Path) -> None:
    token, nonce, made_at = request_token(authority.url, HASH)
    assert abs(made_at - datetime.now(UTC)) < timedelta(seconds=30)
    assert hashlib.sha256(HASH.encode()).digest() in authority.asked[0]
    stamp = Stamp("2026-02-02", 1, HASH, nonce, token, made_at, authority.url)
    assert verify_token(stamp, read_roots(root)) == verify_token(stamp, None) == made_at
    (authority.folder / "token").write_bytes(token)
    (authority.folder / "hash").write_text(HASH)
    openssl(authority.folder, "ts", "-verify", "-in", "token", "-data", "hash", "-CAfile", "root.pem")


@pytest.mark.parametrize("manner", WRONG)
def test_a_wrong_answer_is_no_timestamp(authority: Authority, manner: str) -> None:
    authority.manner = manner
    start = time.monotonic()
    with pytest.raises(TokenError, match=WRONG[manner]):
        request_token(authority.url, HASH, patience_s=2)
    assert time.monotonic() - start < 20


def test_a_forged_signature_is_none_of_the_authority(authority: Authority, root: Path) -> None:
    authority.manner = "a forged signature"
    token, nonce, made_at = request_token(authority.url, HASH)
    stamp = Stamp("2026-02-02", 1, HASH, nonce, token, made_at, authority.url)
    with pytest.raises(TokenError, match="its signature is not one of the configured authority"):
        verify_token(stamp, read_roots(root))


def test_the_signature_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    make_authority(tmp_path / "other")
    token, nonce, made_at = request_token(authority.url, HASH)
    stamp = Stamp("2026-02-02", 1, HASH, nonce, token, made_at, authority.url)
    with pytest.raises(TokenError, match="its signature"):
        verify_token(stamp, read_roots(tmp_path / "other" / "root.pem"))


def test_nobody_answers() -> None:
    with pytest.raises(TokenError):
        request_token("http://127.0.0.1:9/tsr", HASH, patience_s=2)


@pytest.mark.parametrize("content", [b"", b"no certificate", None])
def test_a_certificate_that_is_none_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "root.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TokenError, match="RECOURS_TSA_CERT"):
        read_roots(path)


# ---------------------------------------------------------------- runs


@pytest.fixture
def stamped(service: Service, authority: Authority, root: Path) -> Service:
    service.environment |= {"RECOURS_TSA_URL": authority.url, "RECOURS_TSA_CERT": str(root)}
    return service


def days(service: Service) -> list[tuple[Any, ...]]:
    return service.sql("SELECT day, sequence FROM recours_timestamps ORDER BY day")


def test_the_chain_is_stamped_once_a_day_if_it_has_grown(
    stamped: Service, authority: Authority, url: str
) -> None:
    stamped.run()
    assert authority.asked == []  # there is nothing to stamp
    stamped.add(Scenario.DELIVERED)
    stamped.run()
    stamped.add(Scenario.DELIVERED)
    stamped.run()
    assert days(stamped) == [("2026-02-02", 1)]
    stamped.clock.advance(timedelta(days=1))
    stamped.run()
    stamped.clock.advance(timedelta(days=1))
    stamped.run()
    assert days(stamped) == [("2026-02-02", 1), ("2026-02-03", 2)]
    assert len(authority.asked) == 2
    shown = Person.of(stamped, url).does("verify")
    assert "Timestamps: 2. Up to record 2 the chain was there on" in shown
    assert "not verified" not in shown


@pytest.mark.parametrize("manner", ["HTTP 500", "a forged signature", "garbage"])
def test_a_failure_is_a_warning_and_the_next_run_tries_again(
    stamped: Service, authority: Authority, manner: str, caplog: pytest.LogCaptureFixture
) -> None:
    stamped.add(Scenario.DELIVERED)
    authority.manner = manner
    assert stamped.run().exit_status == 0
    assert days(stamped) == []
    warned = [record.message for record in caplog.records if "No timestamp of record 1" in record.message]
    assert len(warned) == 1
    authority.manner = "right"
    assert stamped.run().exit_status == 0
    assert days(stamped) == [("2026-02-02", 1)]
    assert stamped.sql("SELECT count(*) FROM recours_leases") == [(0,)]


def test_a_stamp_from_the_future_does_not_end_stamping(stamped: Service) -> None:
    """A run whose clock was years ahead made it."""
    stamped.add(Scenario.DELIVERED)
    stamped.run()
    stamped.sql("UPDATE recours_timestamps SET day = '2036-02-02'")
    stamped.add(Scenario.DELIVERED)
    stamped.run()
    assert days(stamped) == [("2026-02-02", 2), ("2036-02-02", 1)]


def test_a_chain_that_was_rewritten_is_not_the_one_that_was_stamped(
    stamped: Service, authority: Authority, url: str
) -> None:
    """Every hash is computed anew, and the end of the chain too: only the token knows."""
    stamped.add(Scenario.DELIVERED)
    stamped.run()
    (entry,) = stamped.sql("SELECT entry FROM recours_custody")[0]
    forged = entry.replace("CLM-0001", "CLM-0009")
    digest = hashlib.sha256(f"{'0' * 64}\n{forged}".encode()).hexdigest()
    stamped.sql("UPDATE recours_custody SET entry = ?, hash = ?", forged, digest)
    stamped.sql("UPDATE recours_custody_head SET hash = ?", digest)
    person = Person.of(stamped, url)
    done = person.types("verify")
    assert done.returncode == 1
    assert "Record 1 is not the one that was stamped on 2026-02-02." in done.stdout.replace(
        "was not", "is not"
    )
    stamped.sql("UPDATE recours_timestamps SET hash = ?", digest)
    assert "the token is for another hash" in person.types("verify").stdout


def test_a_token_that_is_changed_in_the_database_proves_nothing(stamped: Service, url: str) -> None:
    stamped.add(Scenario.DELIVERED)
    stamped.run()
    for column, value in (
        ("token", "AAAA"),
        ("token", "\x00!" if url.startswith("sqlite") else "!"),
        ("nonce", "12"),
    ):
        stamped.sql(f"UPDATE recours_timestamps SET {column} = ?", value)
        done = Person.of(stamped, url).types("verify")
        assert done.returncode == 1
        assert "timestamp of record 1 proves nothing" in done.stdout


def test_the_time_is_the_tokens_and_not_the_one_beside_it(stamped: Service, url: str) -> None:
    """Else anyone who can write to the database could say since when the chain has been there."""
    stamped.add(Scenario.DELIVERED)
    stamped.run()
    stamped.sql("UPDATE recours_timestamps SET stamped_at = '2020-01-01 10:00:00.000000'")
    done = Person.of(stamped, url).types("verify")
    assert done.returncode == 1
    assert "not at the time beside it" in done.stdout
    assert "the chain was there on 2020" not in done.stdout
