"""Threads that process a queue of jobs, and report if one of them has died."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from queue import SimpleQueue
from typing import Generic, TypeVar

Job = TypeVar("Job")


class ThreadPool(AbstractContextManager["ThreadPool[Job]"], Generic[Job]):
    """Up to `most` threads that call `work` with each job. Leaving the context waits for the submitted jobs.

    `ThreadPoolExecutor` does not show that a thread has died, which happens when memory runs out: a caller that waits
    for the thread's job would wait forever.
    """

    def __init__(self, most: int, work: Callable[[Job], None], name: str) -> None:
        self._most = most
        self._work = work
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, job: Job) -> None:
        """Pass a job to the first idle thread. Raises RuntimeError if no thread can be started."""
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._run, name=f"{self._name}_{len(self._threads)}")
            thread.start()
            self._threads.append(thread)
        self._jobs.put(job)

    def check(self) -> None:
        """Raise RuntimeError if a thread has died, because its job may never end."""
        for thread in self._threads:
            if not thread.is_alive():
                raise RuntimeError(f"thread {thread.name} died; this machine may be short of memory")

    def __exit__(self, *_: object) -> None:
        for _thread in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._work(job)
