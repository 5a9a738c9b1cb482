"""A call that waits to be carried out.

Must not know how it is sent or kept.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pulso.errors import PulsoError


@dataclass
class Job:
    call: str
    """The method's name."""
    path: str
    body: bytes
    lanes: tuple[str, ...]
    """Whom it must not overtake."""
    settle: Callable[[bytes | PulsoError], None]
    """Told the answer, or why there is none."""
    is_hint: bool = False
    is_merged: bool = False
    """Takes the place of one of its lane that waits."""
    idempotency_key: str | None = None
