"""An imagined run says nothing, in its own thread alone."""

import logging
import threading

import pytest

from recours.runs.log import log, silence


def test_only_the_thread_that_imagines_a_run_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "__main__"):
        with silence():
            log.info("imagined")
            log.error("imagined")
            other = threading.Thread(target=log.info, args=("of the page",))
            other.start()
            other.join()
        log.info("real")
    assert caplog.messages == ["of the page", "real"]


def test_it_says_something_again_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ZeroDivisionError), silence():
        _ = 1 / 0
    log.warning("real")
    assert caplog.messages == ["real"]
