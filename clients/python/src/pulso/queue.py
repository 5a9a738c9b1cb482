"""Keeps calls until they are carried out: repeats them, one after the other where their order counts.

Must not know what the calls are, nor how one is sent. Belongs to one event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable

from pulso.errors import PulsoError
from pulso.job import Job
from pulso.lanes import Lanes
from pulso.options import Settings
from pulso.retry import LONGEST_S, Answer, NoAnswer, Outcome, asked, backoff, judge
from pulso.spoken import spoken

AT_ONCE = 32
"""Calls sent at a time; each has a connection."""
FLUSHING_S = 0.5
"""The longest pause while somebody waits for the end."""


class Waiting:
    def __init__(self, job: Job, deadline: float) -> None:
        self.job = job
        self.lanes = job.lanes
        self.deadline = deadline
        self.attempts = 0
        self.is_under_way = False
        self.last: Outcome | None = None
        self.woken = asyncio.Event()


class Queue:
    def __init__(self, send: Callable[[Job], Awaitable[Outcome]], settings: Settings) -> None:
        self._send = send
        self._settings = settings
        self._pending: set[Waiting] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: Lanes[Waiting] = Lanes()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._flushing = 0
        self._is_heard = True
        """Whether the last call was accepted or refused, rather than not answered."""
        self._empty = asyncio.Event()

    def add(self, job: Job) -> None:
        deadline = self._now() + self._settings.retry_for
        last = self._lanes.last(job.lanes[0]) if job.is_merged else None
        if last is not None and not last.is_under_way:
            last.job.body = job.body
            last.deadline = deadline
            return
        if len(self._pending) >= self._settings.max_queued:
            says = f"{self._settings.max_queued} calls wait already"
            job.settle(PulsoError("queue_full", job.call, says))
            return
        waiting = Waiting(job, deadline)
        self._pending.add(waiting)
        self._empty.clear()
        self._lanes.enter(waiting)
        if self._lanes.is_next(waiting):
            self._start(waiting)

    async def flush(self, timeout: float) -> int:
        """Waits until nothing is left, `timeout` seconds at most; gives how many calls are left."""
        if not self._pending:
            return 0
        self._flushing += 1
        for waiting in self._pending:
            waiting.woken.set()
        try:
            await asyncio.wait_for(self._empty.wait(), timeout)
        except (TimeoutError, asyncio.TimeoutError):
            pass
        finally:
            self._flushing -= 1
        return len(self._pending)

    def stop(self) -> None:
        """Forgets what waits."""
        for task in self._tasks:
            task.cancel()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _start(self, waiting: Waiting) -> None:
        task = asyncio.get_running_loop().create_task(self._run(waiting))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, waiting: Waiting) -> None:
        job = waiting.job
        while True:
            # Who waited behind others until its time was over is tried once, unless that is in vain.
            if waiting.attempts == 0 and self._now() >= waiting.deadline and not self._is_heard:
                return self._give_up(waiting)
            outcome = await self._attempt(waiting)
            verdict = judge(outcome, is_hint=job.is_hint)
            self._is_heard = verdict != "repeat"
            if isinstance(outcome, Answer) and verdict == "done":
                return self._end(waiting, outcome.body)
            if isinstance(outcome, Answer) and verdict == "refused":
                return self._end(waiting, self._failure(waiting, outcome, "refused", ""))
            newer = self._lanes.behind(waiting, job.lanes[0]) if job.is_merged else None
            if newer is not None:
                # What this one said is said by the other, which goes on where it was.
                newer.attempts = waiting.attempts
                newer.last = outcome
                return self._leave(waiting)
            pause = asked(outcome)
            left = waiting.deadline - self._now()
            if left <= 0 or (pause is not None and pause > left):
                return self._give_up(waiting)
            longest = FLUSHING_S if self._flushing else LONGEST_S
            pause_for = min(left, max(pause or 0, backoff(waiting.attempts, longest)))
            await self._rest(waiting, pause_for, can_be_woken=pause is None)

    async def _attempt(self, waiting: Waiting) -> Outcome:
        async with self._places:
            waiting.is_under_way = True
            waiting.attempts += 1
            waiting.last = await self._send(waiting.job)
            waiting.is_under_way = False
            return waiting.last

    @staticmethod
    async def _rest(waiting: Waiting, seconds: float, *, can_be_woken: bool) -> None:
        if not can_be_woken:
            await asyncio.sleep(seconds)
            return
        waiting.woken.clear()
        try:
            await asyncio.wait_for(waiting.woken.wait(), seconds)
        except (TimeoutError, asyncio.TimeoutError):
            pass

    def _give_up(self, waiting: Waiting) -> None:
        attempts = waiting.attempts
        tried = f"given up after {attempts} {'attempt' if attempts == 1 else 'attempts'}: "
        if isinstance(waiting.last, Answer):
            return self._end(waiting, self._failure(waiting, waiting.last, "unavailable", tried))
        why = waiting.last.why if isinstance(waiting.last, NoAnswer) else "calls before it were not answered"
        self._end(waiting, PulsoError("unavailable", waiting.job.call, tried + why, attempts=attempts))

    def _failure(self, waiting: Waiting, answer: Answer, code: str, tried: str) -> PulsoError:
        job = waiting.job
        word, says = spoken(answer.body, job.body, self._settings.key)
        return PulsoError(
            "refused" if code == "refused" else "unavailable",
            job.call,
            f"{tried}{answer.status}{says}",
            status=answer.status,
            word=word,
            attempts=waiting.attempts,
        )

    def _end(self, waiting: Waiting, end: bytes | PulsoError) -> None:
        # The next one goes first: whoever is told may hand in more.
        self._leave(waiting)
        waiting.job.settle(end)

    def _leave(self, waiting: Waiting) -> None:
        self._pending.discard(waiting)
        for following in self._lanes.leave(waiting):
            self._start(following)
        if not self._pending:
            self._empty.set()
