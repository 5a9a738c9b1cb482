"""For those who have threads.

Must not know how calls are repeated.
"""

import asyncio
import atexit
import os
import socket
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from pulso.attempt import Sender
from pulso.errors import PulsoError
from pulso.hooks import Hooks
from pulso.job import Job
from pulso.options import Settings
from pulso.queue import Queue
from pulso.wire import Reached


class Pulso(Hooks["Future[Reached]"]):
    """One for a process, for all its threads; after a fork each process has its own. What an event gives need not be
    waited for (`.result()`): it is sent all the same, by a thread that begins with the first call.
    """

    def _begin(self) -> None:
        self._worker: _Worker | None = None
        self._starting = threading.Lock()
        forget, flush = weakref.WeakMethod(self._forget), weakref.WeakMethod(self.flush)
        os.register_at_fork(after_in_child=lambda: _call(forget))
        atexit.register(_call, flush)

    def flush(self, timeout: float = 3) -> int:
        """For SIGTERM, and by itself when the process ends: tries what waits at once, and waits until all is told or the
        time is over. Gives how many calls are left.
        """
        worker = self._worker
        return 0 if worker is None else worker.flush(timeout)

    def _forget(self) -> None:
        """In a process that was forked: the thread is another's."""
        self._worker = None
        self._starting = threading.Lock()

    def _hand_in(self, job: Job) -> None:
        with self._starting:
            worker = self._worker
            if worker is None:
                worker = self._worker = _Worker(self._settings)
        worker.add(job)

    def _promise(self) -> tuple["Future[Reached]", Callable[[Reached], None], Callable[[PulsoError], None]]:
        told: Future[Reached] = Future()
        # It is on its way, and cannot be called back.
        told.set_running_or_notify_cancel()
        return told, told.set_result, told.set_exception


def _call(method: "weakref.WeakMethod[Any]") -> None:
    alive = method()
    if alive is not None:
        alive()


class _Loop(asyncio.SelectorEventLoop):
    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """On this thread: when the process ends no other can be begun."""
        return socket.getaddrinfo(host, port, **options)


class _Worker:
    """A thread with an event loop of its own."""

    def __init__(self, settings: Settings) -> None:
        self._loop = _Loop()
        self._sender: Sender
        self._queue: Queue
        self._settings = settings
        self._loop.call_soon(self._open)
        threading.Thread(target=self._loop.run_forever, name="pulso", daemon=True).start()

    def _open(self) -> None:
        self._sender = Sender(self._settings)
        self._queue = Queue(self._sender.send, self._settings)

    def add(self, job: Job) -> None:
        self._loop.call_soon_threadsafe(lambda: self._queue.add(job))

    def flush(self, timeout: float) -> int:
        async def flushed() -> int:
            return await self._queue.flush(timeout)

        return asyncio.run_coroutine_threadsafe(flushed(), self._loop).result()
