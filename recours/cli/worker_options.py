"""The options of the two workers, and what a run is asked for by them."""

from datetime import timedelta
from typing import Any

import click

from recours import __version__
from recours.carriers.registry import CATALOG
from recours.cli.numbers import minutes, whole_number
from recours.core.carrier import Catalog
from recours.runs.worker import Options


def scheduler_options() -> list[click.Parameter]:
    """Those that only the scheduler has."""
    return [
        click.Option(
            ["--max-retries"],
            type=whole_number(1, 20),
            default=4,
            show_default=True,
            metavar="N",
            help="Turns of the timetable before a claim gives up, 1 to 20.",
        ),
        click.Option(
            ["--claim", "claims"],
            multiple=True,
            metavar="REF",
            help="Fetch this claim now, whatever its timetable; repeatable.",
        ),
    ]


def common_options(batch: int) -> list[click.Parameter]:
    """Those of both; `batch`: the usual size of a batch."""
    return [
        click.Option(
            ["--batch-size"],
            type=whole_number(1, 10000),
            default=batch,
            show_default=True,
            metavar="N",
            help="Claims to process in this run, 1 to 10000.",
        ),
        click.Option(
            ["--carrier", "carriers"],
            multiple=True,
            metavar="NAME",
            callback=_known_carriers,
            help="Only claims of this carrier; repeatable.",
        ),
        click.Option(
            ["--dry-run"],
            is_flag=True,
            help="Show what would be taken and why the rest waits; change nothing.",
        ),
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Print the summary as one JSON object on stdout."
        ),
        click.Option(
            ["--concurrency"],
            type=whole_number(1, 64),
            default=8,
            show_default=True,
            metavar="N",
            help="Claims fetched at the same time, 1 to 64.",
        ),
        click.Option(
            ["--max-runtime"],
            type=minutes(1440),
            default=55,
            show_default=True,
            metavar="MINUTES",
            help="Begin no new claim after this time.",
        ),
        click.Option(["--database-url"], metavar="URL", help="The database, instead of the configured one."),
        click.Option(
            ["-v", "--verbose"], is_flag=True, help="Log each claim's calls and units of quota too."
        ),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        ),
    ]


def _print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"recours {__version__}")
        context.exit()


def _known_carriers(
    context: click.Context, parameter: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    for name in names:
        if not CATALOG.keys_of(name):
            raise click.BadParameter(CATALOG.no_such(name), context, parameter)
    return names


def asked_of(options: dict[str, Any], catalog: Catalog) -> Options:
    """What was asked for on the command line. A carrier's name stands for every account that serves its claims."""
    keys = [key for name in options["carriers"] for key in catalog.keys_of(name)]
    return Options(
        batch_size=options["batch_size"],
        concurrency=options["concurrency"],
        max_runtime=timedelta(minutes=options["max_runtime"]),
        carriers=tuple(dict.fromkeys(keys)),
        claims=options.get("claims", ()),
    )
