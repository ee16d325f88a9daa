"""The email about proofs has the files attached if it has no link to the claim: real runs, a real mail server."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, Service
from tests.fakes.smtp import MailServer, html_of, text_of

S = Scenario


@pytest.fixture
def service(url: str, tmp_path: Path, smtp: MailServer) -> Iterator[Service]:
    clock = SimulatedClock(FAILED_AT + timedelta(minutes=1))
    with Sandbox(now=clock.now) as box:
        service = Service(tmp_path, box, clock, url=url, **smtp.settings)
        for number in (1, 2):
            service.sql("INSERT INTO clients (id, email) VALUES (?, ?)", number, f"c{number}@shop.example")
        yield service
        service.close()


def log_of(service: Service) -> str:
    return (service.folder / "logs" / "email_sender.log").read_text(encoding="utf-8")


def files_of(message: EmailMessage) -> list[tuple[str, str, bytes]]:
    return [
        (part.get_filename() or "", part.get_content_type(), content)
        for part in message.iter_attachments()
        if isinstance(content := part.get_payload(decode=True), bytes)
    ]


def stored_files(service: Service) -> dict[str, bytes]:
    """The contents of the claims' files, by name."""
    rows = service.sql("SELECT path FROM recours_evidence WHERE refused IS NULL AND kind <> 'record'")
    return {Path(path).name: Path(path).read_bytes() for (path,) in rows}


def fetch_while_the_server_is_away(service: Service, *scenarios: S) -> None:
    """Obtain proofs while the mail server is down, so that their email waits."""
    service.environment["SMTP_PORT"] = "9"
    for scenario in scenarios or (S.DELIVERED,):
        service.add(scenario, client_id=1)
    service.run_hourly(1)
    assert service.sql("SELECT state FROM recours_mails") == [("ready",)]


def send(service: Service, smtp: MailServer) -> EmailMessage:
    service.environment["SMTP_PORT"] = str(smtp.port)
    service.run_hourly(1)
    assert service.sql("SELECT state FROM recours_mails") == [("sent",)]
    ((_, message),) = smtp.taken
    return message


def test_each_proof_is_attached_as_it_was_stored(service: Service, smtp: MailServer) -> None:
    for client in (1, 1, 2):
        service.add(S.DELIVERED, client_id=client)
    service.run_hourly(1)
    assert len(smtp.taken) == 2
    sent = [files_of(message) for _, message in smtp.taken]
    assert {to: len(files_of(message)) for to, message in smtp.taken} == {
        "c1@shop.example": 2,
        "c2@shop.example": 1,
    }
    found = {name: content for files in sent for name, _, content in files}
    assert found == stored_files(service)
    assert {media_type for files in sent for _, media_type, _ in files} == {"application/pdf"}


def test_an_email_with_links_has_no_attachments(service: Service, smtp: MailServer) -> None:
    service.environment["RECOURS_CLAIM_URL"] = "https://shop.example/c/{reference}"
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(1)
    ((_, message),) = smtp.taken
    assert message.get_content_type() == "multipart/alternative"
    assert "https://shop.example/c/CLM-0001" in text_of(message)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_link(path: Path) -> None:
    other = path.with_name("other.pdf")
    path.rename(other)
    path.symlink_to(other)


@pytest.mark.skipif(os.name == "nt", reason="pipes and links of POSIX")
@pytest.mark.parametrize("spoil", [Path.unlink, a_pipe, a_link])
def test_an_unreadable_file_is_left_out_and_the_email_is_sent(
    service: Service, smtp: MailServer, spoil: Callable[[Path], None]
) -> None:
    fetch_while_the_server_is_away(service, S.DELIVERED, S.DELIVERED)
    (path, kept), *_ = service.sql(
        "SELECT path, claim_id FROM recours_evidence WHERE kind <> 'record' ORDER BY id"
    )
    spoil(Path(path))
    message = send(service, smtp)
    assert len(files_of(message)) == 1
    assert f"CLM-000{kept}" in text_of(message)
    assert f"{path} is not attached: " in log_of(service)


def test_no_file_outside_the_document_folder_is_attached(
    service: Service, smtp: MailServer, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.pdf"
    secret.write_bytes(b"%PDF-1.4 the server's key")
    fetch_while_the_server_is_away(service)
    service.sql("UPDATE claims SET pod_url = ?", str(secret))
    assert files_of(send(service, smtp)) == []
    assert "it is not in RECOURS_POD_DIR" in log_of(service)


@pytest.mark.parametrize("change", ["client_id = 2", "tracking_number = 'XY000000099FR'"])
def test_documents_of_another_client_or_parcel_are_not_attached(
    service: Service, smtp: MailServer, change: str
) -> None:
    fetch_while_the_server_is_away(service)
    service.sql(f"UPDATE claims SET {change}")
    assert files_of(send(service, smtp)) == []


def test_files_that_make_the_email_too_large_are_not_attached(service: Service, smtp: MailServer) -> None:
    fetch_while_the_server_is_away(service, *[S.DELIVERED] * 3)
    paths = [Path(path) for (path,) in service.sql("SELECT pod_url FROM claims ORDER BY id")]
    for path, size in zip(paths, (1_500_000, 600_000, 500_000), strict=True):
        path.write_bytes(b"%PDF-1.4".ljust(size, b"\xff"))
    assert [len(content) for *_, content in files_of(send(service, smtp))] == [1_500_000, 500_000]
    assert f"{paths[1]} is not attached: the email would be too large" in log_of(service)


@pytest.mark.parametrize(
    "refusal", ["552 5.3.4 too large", "552 5.7.0 this message has a dangerous attachment", ""]
)
def test_a_server_that_rejects_attachments_gets_the_email_without_them(
    service: Service, smtp: MailServer, refusal: str
) -> None:
    fetch_while_the_server_is_away(service)
    small = MailServer(refuse_files=refusal) if refusal else MailServer(largest=6000)
    with small as server:
        message = send(service, server)
    assert files_of(message) == []
    assert "sent without its attachments, because the server" in log_of(service)
    assert smtp.taken == []


def test_a_web_page_is_attached_as_a_download_and_its_name_forges_no_header(
    service: Service, smtp: MailServer
) -> None:
    fetch_while_the_server_is_away(service)
    ((path,),) = service.sql("SELECT pod_url FROM claims")
    page = Path(path).with_name("a\r\nBcc: é@x.html")
    page.write_bytes(b"<script>alert(1)</script>\xff")
    service.sql("UPDATE claims SET pod_url = ?", str(page))
    message = send(service, smtp)
    assert files_of(message) == [("a-Bcc-x.html", "text/html", page.read_bytes())]
    (part,) = message.iter_attachments()
    assert part.get_content_disposition() == "attachment"
    assert message["Bcc"] is None
    assert "<script>" not in html_of(message)
