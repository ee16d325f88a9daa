"""Numbers on the command line, whose faults are explained in plain words: types of options."""

from collections.abc import Callable

import click


def whole_number(low: int, high: int) -> Callable[[object], int]:
    """A whole number from `low` to `high`; both are allowed."""

    def parse(value: object) -> int:
        text = str(value).strip()
        if not (text.isascii() and text.isdigit()) or not low <= int(text[:12]) <= high:
            raise click.BadParameter(f"'{text[:40]}' is not a whole number from {low} to {high}.")
        return int(text)

    return parse


def minutes(high: float) -> Callable[[object], float]:
    """A number of minutes, more than none, up to `high`, which is allowed."""

    def parse(value: object) -> float:
        text = str(value)
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not 0 < number <= high:
            raise click.BadParameter(f"'{text[:40]}' is not a number of minutes above 0 and up to {high:g}.")
        return number

    return parse
