"""`recours mail`: releases held emails, tests the mail server, previews an email."""

import click

from recours.cli.common import database_option, say, with_actions, with_app
from recours.cli.console import echo
from recours.core.mail import MailKind
from recours.core.translations import LANGUAGES
from recours.mail.service import example_mail


@click.group("mail")
@database_option
@click.pass_context
def command(context: click.Context, database_url: str | None) -> None:
    """Release held emails, test the mail server, or preview an email."""
    context.obj = database_url


@command.command("release")
@click.pass_obj
def release(database_url: str | None) -> None:
    """Release the emails held by the send limit.

    The next run sends them.
    """
    with with_actions(database_url) as actions:
        echo(actions.release_mails().sentence)


@command.command("test")
@click.argument("address")
@click.pass_obj
def test(database_url: str | None, address: str) -> None:
    """Send a test email to ADDRESS and show the mail server's answer.

    RECOURS_MAIL_REDIRECT does not apply to the test email.
    """
    with with_actions(database_url) as actions:
        say(actions.send_test_mail(address))


@command.command("preview")
@click.argument("kind", metavar="KIND", type=click.Choice([kind.value for kind in MailKind]))
@click.option(
    "--language", type=click.Choice(LANGUAGES), help="Use this language; default: RECOURS_LANGUAGE."
)
@click.option("--html", is_flag=True, help="Print the HTML part instead of the plain text.")
@click.pass_obj
def preview(database_url: str | None, kind: str, language: str | None, *, html: bool) -> None:
    """Print an example email, or the last weekly report.

    KIND is pod_failed, pod_retrieved, account_refused, operator_summary or weekly_report. The example is about a made-up
    claim. Nothing is sent or recorded.
    """
    with with_app(database_url) as app:
        mail = example_mail(app, MailKind(kind), language or app.settings.mail.language)
    if html:
        click.echo(mail.html, nl=False)
    else:
        echo(f"{mail.subject}\n\n{mail.plain.rstrip()}")
