"""`recours mail`: release held ones, try the mail server, see how a mail looks."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from recours.cli.console import FAILED, USAGE, harmless, say_error
from recours.cli.operations import database_option, person, report_faults, settings_for
from recours.core.mail import LANGUAGES, MailKind, is_address
from recours.core.text import plural
from recours.database.claims import ClaimRepository
from recours.notifications.sender import Envelope, message_of
from recours.operations.actions import SENTENCES
from recours.settings.model import Settings
from recours.wiring.carriers import catalog_of, directory_of
from recours.wiring.databases import open_database
from recours.wiring.mail import MailService
from recours.wiring.mail_trials import ABOUT_CLAIMS, MailNotSentError, MailTrials, NoMailServerError

_NOBODY = "nobody@recours.invalid"
_NO_ADDRESS = "it must be one mail address, such as someone@example.com"


@click.group("mail")
@database_option
@click.pass_context
def command(context: click.Context, database_url: str | None) -> None:
    """Mails: those that are held, the mail server, how a mail looks."""
    context.obj = settings_for(database_url)


@contextmanager
def _trials(settings: Settings) -> Iterator[tuple[MailTrials, ClaimRepository]]:
    """The mails and claims of the configured database; its faults become a sentence and exit status 1."""
    with report_faults():
        opened = open_database(settings)
        database, schema = opened.database, opened.schema
        try:
            mail_service = MailService(settings, database, schema, opened.clock, uuid.uuid4().hex)
            catalog = catalog_of(settings, directory_of(database))
            yield (
                MailTrials(mail_service, settings),
                ClaimRepository(database, catalog, schema.columns, "", ""),
            )
        finally:
            database.close()


@command.command("release")
@click.pass_obj
def release(settings: Settings) -> None:
    """Release the mails that the send limit holds; the next run sends them."""
    with _trials(settings) as (trials, _):
        released = trials.service.outbox.release(person(), trials.service.clock.now())
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
    with _trials(settings) as (trials, _), _told():
        sent = trials.send_test(address, person())
    click.echo(sent.sentence("en"))


@contextmanager
def _told() -> Iterator[None]:
    """Why a mail was not sent becomes a sentence."""
    try:
        yield
    except NoMailServerError as error:
        say_error(SENTENCES["en"]["no_mail_server"])
        raise SystemExit(USAGE) from error
    except MailNotSentError as error:
        say_error(harmless(SENTENCES["en"]["mail_not_sent"].format(error=error)))
        raise SystemExit(FAILED) from error


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
    with _trials(settings) as (trials, _), _told():
        sent = trials.send_report(recipient, person(), settings.mail.language, so_far=so_far)
    click.echo(sent.sentence("en"))


@command.command("preview")
@click.argument(
    "kind", type=click.Choice([*(kind.value for kind in ABOUT_CLAIMS), MailKind.WEEKLY_REPORT.value])
)
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
    with _trials(settings) as (trials, claims):
        if reference is None:
            mail = trials.report(language, so_far=so_far)
        elif claim := claims.find(reference):
            mail = trials.about(MailKind(kind), claim, language)
        else:
            raise click.BadParameter(f"there is no claim '{harmless(reference)}'", param_hint="--claim")
        attached = trials.service.attached_to(mail)
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
