"""`recours sandbox`: simulated carriers on loopback."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from recours.carriers.registry import CATALOG
from recours.cli.operations import home
from recours.sandbox import MailSandbox, Sandbox, scenario_table

MAILS = Path("data") / "sandbox-mails"


@click.command("sandbox")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8017, show_default=True, help="0: any free one."
)
@click.option(
    "--latency", type=click.FloatRange(0, 60), default=0.0, show_default=True, help="Seconds an answer takes."
)
@click.option(
    "--mail-port",
    type=click.IntRange(0, 65535),
    default=8025,
    show_default=True,
    help="Of the mail server; 0: any free one.",
)
@click.option("--carrier", metavar="NAME", help="Print the settings and example numbers of this one alone.")
def command(port: int, latency: float, mail_port: int, carrier: str | None) -> None:
    """Serve simulated carriers, and a mail server that keeps what it gets, until Ctrl-C. Nothing leaves this machine."""
    key = _key_of(carrier)
    box = Sandbox(now=lambda: datetime.now(UTC), latency=latency, port=port)
    post = MailSandbox(home() / MAILS, port=mail_port)
    _start(box.start, "--port", port)
    _start(post.start, "--mail-port", mail_port)
    try:
        for line in _lines(box, post, key):
            click.echo(line)
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("\nEnded.")
    finally:
        box.stop()
        post.stop()


def _start(start: Callable[[], None], option: str, port: int) -> None:
    try:
        start()
    except OSError as error:
        click.echo(
            f"Error: port {port} cannot be used: {error.strerror}. Choose another with {option}.", err=True
        )
        raise SystemExit(1) from error


def _key_of(name: str | None) -> str | None:
    if name is None:
        return None
    if key := CATALOG.resolve(name):
        return key
    raise click.BadParameter(CATALOG.no_such(name), param_hint="--carrier")


def _lines(box: Sandbox, post: MailSandbox, key: str | None) -> Iterator[str]:
    """What a person needs to use the simulated carriers, or one of them."""
    yield "The carriers are simulated. Put these into .env or the environment:\n"
    for name, value in box.environment(*([key] if key else [])).items():
        yield f"  {name}={value}"
    for name, value in post.environment().items():
        yield f"  {name}={value}"
    yield f"\nMails become files in {post.folder}."
    if key is None:
        yield "\nTwo digits of a tracking number, 00 in these, choose what happens to its parcel:\n"
        for spec in CATALOG.specs.values():
            yield f"  {spec.name:<14}  {box.example(spec.key, '00')}"
        yield "\nWhat they choose (--carrier NAME prints whole numbers, their check digits included):\n"
    else:
        yield "\nWhat happens to a parcel is chosen by two digits of its number:\n"
    for digits, words in scenario_table():
        yield f"  {box.example(key, digits) if key else digits}  {words}"
    yield "\nCtrl-C ends it."
