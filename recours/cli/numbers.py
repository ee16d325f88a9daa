"""Numbers on the command line, whose faults are told in plain words."""

from typing import Any

import click


class WholeNumber(click.ParamType):  # type: ignore[type-arg]  # click 8.2, which we allow, takes no type argument here
    """A whole number from `low` to `high`."""

    name = "whole number"

    def __init__(self, low: int, high: int) -> None:
        """Both bounds are allowed."""
        self.low = low
        self.high = high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse what was typed."""
        text = str(value).strip()
        if not (text.isascii() and text.isdigit()) or not self.low <= int(text[:12]) <= self.high:
            self.fail(f"'{text[:40]}' is not a whole number from {self.low} to {self.high}.", param, ctx)
        return int(text)


class Minutes(click.ParamType):  # type: ignore[type-arg]  # click 8.2, which we allow, takes no type argument here
    """A number of minutes, more than none, up to `high`."""

    name = "minutes"

    def __init__(self, high: float) -> None:
        """`high` is allowed."""
        self.high = high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse what was typed."""
        try:
            minutes = float(value)
        except ValueError:
            minutes = 0.0
        if not 0 < minutes <= self.high:
            self.fail(
                f"'{str(value)[:40]}' is not a number of minutes above 0 and up to {self.high:g}.", param, ctx
            )
        return minutes
