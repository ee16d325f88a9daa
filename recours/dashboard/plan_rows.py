"""The tables of a plan, as the page and `recours plan` show them."""

from collections.abc import Sequence
from math import ceil

from recours.core.text import clean
from recours.dashboard.texts import PageTexts
from recours.operations.plan import CarrierPlan, Day, Plan

# Keys of the columns' heads.
DAYS = ("day", "tries", "calls_made", "still_due")
CARRIERS = ("carrier", "due", "tries", "calls_made", "still_due", "empty_at")


def day_row(day: Day, texts: PageTexts) -> Sequence[str]:
    counts = (day.attempts.total(), day.calls.total(), day.due.total())
    return [texts.weekday(day.on), *map(texts.number, counts)]


def carrier_row(carrier: CarrierPlan, plan: Plan, texts: PageTexts) -> Sequence[str]:
    if carrier.empty_on:
        end = texts("not_before", day=texts.weekday(carrier.empty_on))
    elif not carrier.left:
        end = texts("nothing_due")
    elif carrier.days_left is None:
        end = texts("no_end")
    else:
        end = texts.counted("days_left", ceil(carrier.days_left))
    counts = (carrier.due, carrier.attempts, carrier.calls, carrier.left)
    return [_name(carrier.key, plan, texts), *map(texts.number, counts), end]


def _name(key: str, plan: Plan, texts: PageTexts) -> str:
    return clean(plan.accounts[key].name, 80) if key else texts("no_carrier")
