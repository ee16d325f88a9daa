"""The engine's threads: every job is passed on, and a dead thread is noticed."""

from queue import SimpleQueue

import pytest

from recours.runs.thread_pool import ThreadPool


def test_each_job_is_passed_to_one_thread() -> None:
    results: SimpleQueue[int] = SimpleQueue()
    with ThreadPool(3, results.put, "square") as threads:
        for job in range(1, 11):
            threads.submit(job)
        threads.check()
    assert sorted(results.get() for _ in range(10)) == list(range(1, 11))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the death is the point
def test_a_thread_that_died_is_noticed() -> None:
    started: SimpleQueue[None] = SimpleQueue()

    def run_out_of_memory(_job: int) -> None:
        started.put(None)
        raise MemoryError

    with ThreadPool(1, run_out_of_memory, "fetch") as threads:
        threads.submit(1)
        started.get()
        threads._threads[0].join()
        with pytest.raises(RuntimeError, match="thread fetch_0 died"):
            threads.check()
