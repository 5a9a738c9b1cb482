"""For those who have an event loop.

Must not know how calls are repeated.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType

from pulso.attempt import Sender
from pulso.errors import PulsoError
from pulso.hooks import Hooks
from pulso.job import Job
from pulso.queue import Queue
from pulso.wire import Reached


class AsyncPulso(Hooks["asyncio.Future[Reached]"]):
    """One for an event loop. What an event gives need not be awaited: it is sent all the same."""

    def _begin(self) -> None:
        self._at: tuple[asyncio.AbstractEventLoop, Sender, Queue] | None = None

    async def flush(self, timeout: float = 3) -> int:
        """For SIGTERM: tries what waits at once, and waits until all is told or the time is over. Gives how many calls
        are left.
        """
        return await self._queue().flush(timeout)

    async def aclose(self, timeout: float = 3) -> int:
        """As `flush`; then forgets what is left and closes its connections."""
        left = await self.flush(timeout)
        if self._at is not None:
            _, sender, queue = self._at
            self._at = None
            queue.stop()
            await sender.close()
        return left

    async def __aenter__(self) -> "AsyncPulso":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _queue(self) -> Queue:
        loop = asyncio.get_running_loop()
        if self._at is not None:
            of, _, queue = self._at
            if of is loop:
                return queue
            if not of.is_closed():
                raise RuntimeError("an AsyncPulso belongs to one event loop: make another one here")
        sender = Sender(self._settings)
        queue = Queue(sender.send, self._settings)
        self._at = (loop, sender, queue)
        return queue

    def _hand_in(self, job: Job) -> None:
        self._queue().add(job)

    def _promise(
        self,
    ) -> tuple["asyncio.Future[Reached]", Callable[[Reached], None], Callable[[PulsoError], None]]:
        told: asyncio.Future[Reached] = asyncio.get_running_loop().create_future()
        # Who does not wait has it in `on_error`, and asyncio need not complain.
        told.add_done_callback(lambda done: done.cancelled() or done.exception())

        def resolve(reached: Reached) -> None:
            if not told.done():
                told.set_result(reached)

        def reject(error: PulsoError) -> None:
            if not told.done():
                told.set_exception(error)

        return told, resolve, reject
