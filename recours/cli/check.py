"""`recours check`: everything that runs depend on, looked at; each ok, or what to do."""

import click

from recours.carriers.registry import CATALOG
from recours.cli.check_facts import CheckContext, found, looks, looks_without_settings
from recours.cli.console import harmless
from recours.cli.operations import DONE, FAILED, USAGE, database_option, json_option, tell_json
from recours.core.text import Redactor, clean, plural
from recours.operations.check_result import CheckResult, CheckState
from recours.settings.loading import load_at_home
from recours.settings.model import SettingsError
from recours.settings.sources import process_environment
from recours.wiring.carriers import redactor

_LONGEST = 1000
_COLOURS = {CheckState.OK: "green", CheckState.REMARK: "yellow", CheckState.FAULT: "red"}


@click.command("check")
@database_option
@click.option("--offline", is_flag=True, help="Try neither the mail server nor that of RECOURS_PING_URL.")
@json_option
def command(database_url: str | None, offline: bool, as_json: bool) -> None:
    """Look at everything that runs depend on. Each line is ok, or says what to do; no carrier is called."""
    redact = Redactor([])
    try:
        settings = load_at_home(process_environment(), CATALOG, database_url=database_url)
    except SettingsError as error:
        wanted, faulty = looks_without_settings(error), USAGE
    else:
        wanted, faulty, redact = looks(CheckContext(settings, offline=offline)), FAILED, redactor(settings)
    results = []
    for raw in found(wanted):
        words, remedy = (clean(harmless(redact(text)), _LONGEST) for text in (raw.words, raw.remedy))
        results.append(CheckResult(raw.name, raw.state, words, remedy))
        if not as_json:
            _show(results[-1])
    states = [result.state for result in results]
    status = faulty if CheckState.FAULT in states else DONE
    if as_json:
        tell_json({"ok": status == DONE, "findings": [result.as_json() for result in results]})
    else:
        faults, remarks = states.count(CheckState.FAULT), states.count(CheckState.REMARK)
        click.echo(
            f"\n{plural(len(states), 'check')}: {plural(faults, 'problem')}, {plural(remarks, 'note')}."
        )
    raise SystemExit(status)


def _show(result: CheckResult) -> None:
    state = click.style(f"{result.state:<6}", fg=_COLOURS[result.state])
    click.echo(f"{state}  {result.name}: {result.words}")
    if result.remedy:
        click.echo(f"        → {result.remedy}")
