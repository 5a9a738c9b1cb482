"""Who waits for whom: what shares a lane goes one after the other, in the order in which it came.

Must not know what is waiting.
"""

from typing import Generic, Protocol, TypeVar


class Laned(Protocol):
    @property
    def lanes(self) -> tuple[str, ...]: ...


T = TypeVar("T", bound=Laned)


class Lanes(Generic[T]):
    def __init__(self) -> None:
        self._waiting: dict[str, list[T]] = {}

    def enter(self, one: T) -> None:
        """Puts `one` behind what is there."""
        for lane in one.lanes:
            self._waiting.setdefault(lane, []).append(one)

    def is_next(self, one: T) -> bool:
        """Whether nothing stands before `one`."""
        return all(self._waiting[lane][0] is one for lane in one.lanes)

    def last(self, lane: str) -> T | None:
        """Who came last."""
        waiting = self._waiting.get(lane)
        return waiting[-1] if waiting else None

    def behind(self, one: T, lane: str) -> T | None:
        """Who stands right behind `one`."""
        waiting = self._waiting[lane]
        place = waiting.index(one) + 1
        return waiting[place] if place < len(waiting) else None

    def leave(self, one: T) -> list[T]:
        """Takes `one` out; gives those whose turn it is now."""
        following: list[T] = []
        for lane in one.lanes:
            waiting = self._waiting[lane]
            waiting.remove(one)
            if not waiting:
                del self._waiting[lane]
            elif not any(waiting[0] is other for other in following):
                following.append(waiting[0])
        return [other for other in following if self.is_next(other)]
