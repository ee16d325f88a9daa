"""`recours sandbox`: simulated carriers on loopback."""

import threading
from datetime import UTC, datetime

import click

from recours.sandbox import Sandbox, scenario_table


@click.command("sandbox")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8017, show_default=True, help="0: any free one."
)
@click.option(
    "--latency", type=click.FloatRange(0, 60), default=0.0, show_default=True, help="Seconds an answer takes."
)
def command(port: int, latency: float) -> None:
    """Serve simulated carriers on this machine until Ctrl-C. Nothing leaves it."""
    try:
        box = Sandbox(now=lambda: datetime.now(UTC), latency=latency, port=port)
        box.start()
    except OSError as error:
        click.echo(
            f"Error: port {port} cannot be used: {error.strerror}. Choose another with --port.", err=True
        )
        raise SystemExit(1) from error
    try:
        click.echo(
            f"Chronopost is simulated. Put these into .env or the environment:\n\n  CHRONOPOST_BASE_URL={box.url}"
        )
        for account, password in box.accounts.items():
            click.echo(f"  CHRONOPOST_ACCOUNT={account}\n  CHRONOPOST_PASSWORD={password}")
        click.echo("\nA tracking number's first two digits choose what happens to its parcel:\n")
        for number, words in scenario_table():
            click.echo(f"  {number}  {words}")
        click.echo("\nCtrl-C ends it.")
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("\nEnded.")
    finally:
        box.stop()
