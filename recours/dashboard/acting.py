"""How an action that was asked for on the page is done, and what its notice says."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing

from recours.core.text import clean
from recours.dashboard.visit import Notice, Visit
from recours.operations.actions import ActionResult
from recours.operations.results import FetchResult, RecoursError
from recours.wiring.actions import Actions
from recours.wiring.operations import open_operations

_LONGEST = 1000


def actions_of(visit: Visit) -> Actions:
    return Actions(visit.operations, visit.visitor.name, visit.texts.language)


def done(visit: Visit, do: Callable[[Actions], ActionResult]) -> Notice:
    """Do it now. Raises RecoursError."""
    result = do(actions_of(visit))
    return Notice(result.sentence, is_good=result.is_done)


def done_with_each(visit: Visit, do: Callable[[Actions], Sequence[ActionResult]]) -> Notice:
    """Do it now with several claims, each of which has its own sentence. Raises RecoursError."""
    results = do(actions_of(visit))
    count = sum(result.is_done for result in results)
    if len(results) == 1:
        return Notice(results[0].sentence, is_good=bool(count))
    text = visit.texts("done_of", done=visit.texts.number(count), total=visit.texts.number(len(results)))
    lines = [(result.sentence, result.is_done) for result in sorted(results, key=lambda one: one.is_done)]
    return Notice(text, is_good=count == len(results), lines=lines)


def done_in_background(visit: Visit, do: Callable[[Actions], ActionResult]) -> Notice:
    """Do what takes a call, over a database connection of its own: the visitor is answered meanwhile."""
    notice = Notice(is_over=False, total=1)
    settings, name, language = visit.settings, visit.visitor.name, visit.texts.language

    def work() -> None:
        operations = open_operations(settings)
        with closing(operations.database):
            result = do(Actions(operations, name, language))
        notice.text, notice.is_good = result.sentence, result.is_done

    return _begun(work, notice)


def fetched_now(visit: Visit, references: Sequence[str], before: Sequence[tuple[str, bool]] = ()) -> Notice:
    """Have the carriers of these claims asked; the visitor is answered meanwhile. `before`: lines that come first.

    Raises RecoursError.
    """
    fetch, texts = actions_of(visit).fetch(references), visit.texts
    total = len(fetch.references)
    notice = Notice(is_over=False, total=total, done=lambda: fetch.done)

    def work() -> None:
        fetch.run()
        lines = [_line(outcome) for outcome in fetch.outcomes]
        notice.is_good = fetch.fault is None and fetch.fetched == total
        faults = [] if fetch.fault is None else [(clean(fetch.fault, _LONGEST), False)]
        if total == 1:
            notice.text = [*faults, *lines][0][0]
        else:
            notice.text = texts("results_of", fetched=texts.number(fetch.fetched), total=texts.number(total))
            notice.lines = [*faults, *before, *sorted(lines, key=lambda line: line[1])]

    return _begun(work, notice)


def _begun(work: Callable[[], None], notice: Notice) -> Notice:
    """Do it in a thread of its own; the notice is over when that has ended."""

    def run() -> None:
        try:
            work()
        except RecoursError as error:
            notice.text, notice.is_good = clean(error, _LONGEST), False
        except Exception as error:
            # Here it would not be seen; the traceback is on the server's standard error.
            notice.text, notice.is_good = f"{type(error).__name__}: {clean(error, _LONGEST)}", False
            raise
        finally:
            notice.is_over = True

    # Not a daemon: a server that is stopped waits for the call under way.
    threading.Thread(target=run, name="action").start()
    return notice


def _line(outcome: FetchResult | RecoursError) -> tuple[str, bool]:
    if isinstance(outcome, RecoursError):
        return clean(outcome, _LONGEST), False
    return clean(outcome.sentence, _LONGEST), outcome.fetched
