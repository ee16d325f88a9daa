"""`recours mail`: release held ones, try the mail server, see how a mail looks."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from recours.cli.console import FAILED, USAGE, harmless, say_error
from recours.cli.operations import database_option, person, report_faults, settings_for
from recours.core.claim import Stage
from recours.core.errors import ErrorKind
from recours.core.last_attempt import made_at
from recours.core.mail import LANGUAGES, EventName, MailKind, OutboxEvent, OutgoingMail, is_address
from recours.core.sentences import Said, Sentence, facts_of
from recours.core.text import plural
from recours.database.claims import ClaimRepository
from recours.notifications.render import Rendered, render
from recours.notifications.sender import Envelope, message_of
from recours.notifications.smtp import (
    MailRefusedError,
    MailServerError,
    OutcomeUnknownError,
    SmtpConnection,
    SmtpSettings,
)
from recours.settings.model import Settings
from recours.wiring.carriers import catalog_of, directory_of
from recours.wiring.databases import open_database
from recours.wiring.mail import MailService

_NOBODY = "nobody@recours.invalid"
_NO_ADDRESS = "it must be one mail address, such as someone@example.com"
_KINDS = {
    MailKind.POD_FAILED: EventName.POD_FAILED,
    MailKind.POD_RETRIEVED: EventName.POD_RETRIEVED,
    MailKind.ACCOUNT_REFUSED: EventName.ACCOUNT_REFUSED,
}


@click.group("mail")
@database_option
@click.pass_context
def command(context: click.Context, database_url: str | None) -> None:
    """Mails: those that are held, the mail server, how a mail looks."""
    context.obj = settings_for(database_url)


@contextmanager
def _mail_service(settings: Settings) -> Iterator[tuple[MailService, ClaimRepository]]:
    """The mails and claims of the configured database; its faults become a sentence and exit status 1."""
    with report_faults():
        opened = open_database(settings)
        database, schema = opened.database, opened.schema
        try:
            mail_service = MailService(settings, database, schema, opened.clock, uuid.uuid4().hex)
            yield (
                mail_service,
                ClaimRepository(
                    database, catalog_of(settings, directory_of(database)), schema.columns, "", ""
                ),
            )
        finally:
            database.close()


@command.command("release")
@click.pass_obj
def release(settings: Settings) -> None:
    """Release the mails that the send limit holds; the next run sends them."""
    with _mail_service(settings) as (mail_service, _):
        released = mail_service.outbox.release(person(), mail_service.clock.now())
    click.echo(
        f"{plural(released, 'mail')} released: the next run sends them." if released else "No mail is held."
    )


@command.command("test")
@click.argument("address")
@click.pass_obj
def test(settings: Settings, address: str) -> None:
    """Send one mail to ADDRESS, RECOURS_MAIL_REDIRECT or not, and say what the server answered."""
    if not is_address(address):
        raise click.BadParameter(_NO_ADDRESS, param_hint="ADDRESS")
    with _mail_service(settings) as (mail_service, _):
        server = mail_service.server()
    text = "recours: a test\n\nIf you can read this, the mail server accepts mail from recours.\n"
    rendered = Rendered("recours: test", text, f"<p>{text}</p>")
    _send(server, settings, _mail(MailKind.OPERATOR_SUMMARY, address, rendered))


def _send(server: SmtpSettings | None, settings: Settings, mail: OutgoingMail, redirect: str = "") -> None:
    """Send a mail that is not kept, and say what the server answered. `redirect`: where it goes instead, if set."""
    if server is None:
        say_error("No mail server is set: SMTP_HOST, or smtp_host in the table system_settings.")
        raise SystemExit(USAGE)
    address = redirect or mail.recipient
    message = message_of(mail, address, Envelope(server.sender, settings.mail.reply_to, redirect))
    try:
        with SmtpConnection(server) as connection:
            connection.send(address, message, lambda: True)
    except (MailServerError, MailRefusedError, OutcomeUnknownError) as error:
        say_error(harmless(f"Not sent: {error}."))
        raise SystemExit(FAILED) from error
    instead = f" instead of {mail.recipient} (RECOURS_MAIL_REDIRECT)" if redirect else ""
    security = "no encryption" if server.security == "none" else server.security
    click.echo(
        f"E-mail to {address}{instead} accepted by {server.host}:{server.port} (from {server.sender}, {security})."
    )


@command.command("report")
@click.argument("address", required=False)
@click.option("--so-far", is_flag=True, help="This week up to now, instead of the last one that is over.")
@click.pass_obj
def report(settings: Settings, address: str | None, so_far: bool) -> None:
    """Send the weekly report now, to ADDRESS or ADMIN_EMAIL. The one that is sent on Mondays comes all the same."""
    recipient = address or settings.mail.admin
    if not is_address(recipient):
        missing = "it is needed: no ADMIN_EMAIL is set"
        raise click.BadParameter(_NO_ADDRESS if address else missing, param_hint="ADDRESS")
    with _mail_service(settings) as (mail_service, _):
        rendered = _report(mail_service, settings, settings.mail.language, so_far=so_far)
        server = mail_service.server()
    _send(server, settings, _mail(MailKind.WEEKLY_REPORT, recipient, rendered), settings.mail.redirect)


@command.command("preview")
@click.argument("kind", type=click.Choice([*(kind.value for kind in _KINDS), MailKind.WEEKLY_REPORT.value]))
@click.option(
    "--claim", "reference", metavar="REF", help="A claim to take the facts from; not for weekly_report."
)
@click.option("--so-far", is_flag=True, help="weekly_report: this week up to now, instead of the last one.")
@click.option("--language", type=click.Choice(LANGUAGES), help="Instead of the configured one.")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="A folder; default: this one.",
)
@click.pass_obj
def preview(
    settings: Settings,
    kind: str,
    reference: str | None,
    so_far: bool,
    language: str | None,
    folder: Path,
) -> None:
    """Write a mail as KIND.eml and KIND.html; nothing is sent, nothing is recorded."""
    language = language or settings.mail.language
    if reference is None and kind != MailKind.WEEKLY_REPORT:
        raise click.UsageError("Missing option '--claim': the claim that the mail is to be about.")
    if reference is not None and kind == MailKind.WEEKLY_REPORT:
        raise click.UsageError("--claim says nothing about a weekly_report.")
    if so_far and kind != MailKind.WEEKLY_REPORT:
        raise click.UsageError("--so-far says something about a weekly_report only.")
    with _mail_service(settings) as (mail_service, claims):
        if reference is None:
            rendered = _report(mail_service, settings, language, so_far=so_far)
            mail = _mail(MailKind(kind), settings.mail.admin, rendered)
        else:
            mail = _about_claim(MailKind(kind), reference, language, mail_service, claims)
        attached = mail_service.attached_to(mail)
    recipient = mail.recipient if is_address(mail.recipient) else _NOBODY
    content = message_of(mail, recipient, Envelope(settings.mail.sender or _NOBODY), attached)
    html = attached.noted_in(mail)[1]
    files = {folder / f"{kind}.eml": content, folder / f"{kind}.html": html.encode()}
    try:
        settings.access.make_folder(folder)
        for path, data in files.items():
            settings.access.create(path)
            path.write_bytes(data)
    except OSError as error:
        say_error(f"The preview cannot be written to {folder}: {error.strerror or error}.")
        raise SystemExit(FAILED) from error
    for path in files:
        click.echo(str(path))


def _about_claim(
    kind: MailKind, reference: str, language: str, mail_service: MailService, claims: ClaimRepository
) -> OutgoingMail:
    """The mail about a claim, as it would go to the claim's client."""
    claim = claims.find(reference)
    if claim is None:
        raise click.BadParameter(f"there is no claim '{harmless(reference)}'", param_hint="--claim")
    recipient = mail_service.outbox.recipient(claim.client_id)
    name, address = (recipient.name, recipient.email) if recipient else (None, None)
    facts: dict[str, Any] = {
        "reference": claim.reference,
        "kind": claim.state.kind or ErrorKind.INVALID_TRACKING,
        "error": claim.last_error,
        **facts_of(claim.said if claim.error_text else Said(Sentence.NUMBER_REJECTED)),
        "turns": claim.retries_counted,
        "attempts": claim.retries_counted + 1,
        "last_attempt": made_at(claim.state, datetime.now(UTC)) is not None,
        "final": claim.state.stage is Stage.GIVEN_UP,
    }
    if kind is MailKind.ACCOUNT_REFUSED:
        facts |= {"kind": ErrorKind.AUTH_FAILED, "words": "Invalid password"}
    carrier, number, now = claim.carrier or claim.carrier_name, claim.number or "", datetime.now(UTC)
    event = OutboxEvent(0, _KINDS[kind], claim.id, carrier, number, now, facts)
    branding, catalog = mail_service.branding(), mail_service.outbox.catalog
    blocked = mail_service.blocked()
    rendered = render(kind, [event], language, name, branding, catalog, blocked)
    mail = _mail(kind, address or "", rendered)
    return replace(mail, client_id=claim.client_id, told=(event,), language=language)


def _report(mail_service: MailService, settings: Settings, language: str, *, so_far: bool) -> Rendered:
    """The report of the last week that is over, or of this one up to now."""
    from recours.notifications.weekly import render_report  # noqa: PLC0415 (for one of the commands only)

    today = mail_service.clock.now().astimezone(settings.policy.zone).date()
    monday = today - timedelta(days=today.weekday() + (0 if so_far else 7))
    return render_report(mail_service.week(monday), language, mail_service.branding())


def _mail(kind: MailKind, recipient: str, rendered: Rendered) -> OutgoingMail:
    message_id = f"<{uuid.uuid4().hex}@recours.invalid>"
    now = datetime.now(UTC)
    return OutgoingMail(
        0, message_id, kind, None, recipient, rendered.subject, rendered.plain, rendered.html, now, ()
    )
