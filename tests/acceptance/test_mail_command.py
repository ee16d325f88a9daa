"""`recours mail`, and mail servers with encryption: real sockets, real certificates."""

import getpass
import json
import sqlite3
import ssl
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from recours.core.mail import MailKind
from recours.core.translations import LANGUAGES
from recours.database.schema.creation import create_file
from tests.acceptance.person import Person, QuickPerson
from tests.fakes.smtp import MailServer
from tests.phrases import matches


@pytest.fixture
def person(tmp_path: Path) -> Person:
    create_file(tmp_path / "claims.db")
    return Person(tmp_path, f"sqlite:///{tmp_path / 'claims.db'}")


def sql(person: Person, statement: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(person.folder / "claims.db")) as connection, connection:
        return connection.execute(statement, values).fetchall()


def recorded(person: Person) -> list[tuple[object, object, dict[str, object]]]:
    """The recorded actions, with their persons and details."""
    rows = sql(person, "SELECT what, by, details FROM recours_actions WHERE subject = 'mails' ORDER BY id")
    return [(what, by, json.loads(str(details))) for what, by, details in rows]


def test_a_test_email_is_sent_and_the_response_printed(person: Person, smtp: MailServer) -> None:
    settings = smtp.settings | {"RECOURS_MAIL_REDIRECT": "you@shop.example"}
    done = person.types("mail", "test", "me@shop.example", **settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"Email to me@shop.example accepted by 127.0.0.1:{smtp.port} (from service@shop.example, no encryption).\n"
    )
    assert smtp.recipients() == ["me@shop.example"]
    assert recorded(person) == [("tested", getpass.getuser(), {"to": "me@shop.example"})]


def test_responses_of_the_mail_server_are_reported(person: Person, smtp: MailServer) -> None:
    smtp.refuse_recipients = {"me@shop.example": "550 no such user"}
    done = person.types("mail", "test", "me@shop.example", **smtp.settings)
    assert (
        done.returncode,
        "Not sent: the server rejects the recipient: 550 no such user." in done.stderr,
    ) == (1, True)
    ((_, _, details),) = recorded(person)
    assert details["error"] == "the server rejects the recipient: 550 no such user"
    smtp.refuse_sender = "553 unknown sender"
    done = person.types("mail", "test", "me@shop.example", **smtp.settings)
    assert "rejects the sender service@shop.example: 553 unknown sender" in done.stderr
    dead = person.types("mail", "test", "me@shop.example", **smtp.settings | {"SMTP_PORT": "9"})
    assert (dead.returncode, "The mail server 127.0.0.1:9 cannot be used" in dead.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("test", "me@shop.example"), "No mail server is set: set SMTP_HOST"),
        (("preview", "pod_lost"), "'pod_lost' is not one of"),
        (("preview",), "Missing argument 'KIND'. Choose from: pod_failed, pod_retrieved, "),
    ],
)
def test_a_mistyped_command_gets_a_clear_error(person: Person, arguments: tuple[str, ...], says: str) -> None:
    done = person.types("mail", *arguments)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_release_makes_held_emails_ready(person: Person) -> None:
    assert person.types("mail", "release").stdout == "No email is held.\n"
    row = (
        "(id, message_id, kind, recipient, language, subject, plain, html, state, run_id, created_at, tries)"
    )
    for number, state in enumerate(("held", "held", "sent"), 1):
        sql(
            person,
            f"INSERT INTO recours_mails {row} VALUES (?, ?, 'pod_failed', 'a@b.example', 'fr', 's', 'p', 'h', ?, 'r', ?, 0)",
            number, f"<{number}@x>", state, "2026-02-02 08:00:00.000000",
        )  # fmt: skip
    assert person.types("mail", "release").stdout == "2 emails released: the next run sends them.\n"
    assert sql(person, "SELECT state FROM recours_mails ORDER BY id") == [
        ("ready",),
        ("ready",),
        ("sent",),
    ]


def test_a_preview_prints_an_email_and_changes_nothing(person: Person) -> None:
    text = person.types("mail", "preview", "pod_failed", "--language", "en")
    assert (text.returncode, text.stderr) == (0, "")
    assert text.stdout.startswith("Claim CLM-2026-0001: tracking number needs correction\n\nHello,\n")
    page = person.types("mail", "preview", "pod_retrieved", "--html")
    assert page.returncode == 0, page.stderr
    assert '<html lang="fr">' in page.stdout
    assert "CLM-2026-0001" in page.stdout
    assert sql(person, "SELECT count(*) FROM recours_mails") == [(0,)]
    assert recorded(person) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", MailKind)
def test_each_kind_of_email_is_shown_without_phrases_to_avoid(
    person: Person, kind: MailKind, language: str
) -> None:
    quick = QuickPerson(person.folder, person.url)
    shown = quick.types("mail", "preview", kind.value, "--language", language)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert len(shown.stdout.splitlines()) > 5
    sections = ("french",) if language == "fr" else ("everywhere", "users", "operators")
    assert list(matches(shown.stdout, *sections)) == []


# ---------------------------------------------------------------- encryption


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """The certificate of a server on loopback, and the file to trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    command_line = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(command_line.public_bytes(pem) + secret)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context, path


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encryption_is_used_and_certificates_are_checked(
    person: Person, certificate: tuple[ssl.SSLContext, Path], security: str
) -> None:
    context, trusted = certificate
    with MailServer(certificate=context, starttls=security == "starttls") as smtp:
        settings = smtp.settings | {"SMTP_SECURITY": security}
        done = person.types("mail", "test", "me@shop.example", **settings, SSL_CERT_FILE=str(trusted))
        assert done.returncode == 0, done.stderr
        assert smtp.recipients() == ["me@shop.example"]
        strange = person.types("mail", "test", "me@shop.example", **settings)
        assert strange.returncode == 1
        assert "cannot be reached securely" in strange.stderr
        assert len(smtp.taken) == 1


def test_a_server_without_starttls_gets_no_email(person: Person, smtp: MailServer) -> None:
    done = person.types("mail", "test", "me@shop.example", **smtp.settings | {"SMTP_SECURITY": "starttls"})
    assert (done.returncode, "does not support a required feature" in done.stderr) == (1, True)
    assert smtp.taken == []
