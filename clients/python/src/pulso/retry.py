"""What an answer means for its call, and how long to wait before it is sent again. Pure.

Must not know how calls are sent or kept.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Literal


@dataclass(frozen=True)
class Answer:
    """What came of sending a call once."""

    status: int
    body: bytes
    retry_after: str | None


@dataclass(frozen=True)
class NoAnswer:
    """There was none, and why."""

    why: str


Outcome = Answer | NoAnswer
Verdict = Literal["done", "repeat", "refused"]

REPEATED = frozenset({408, 429, 500, 502, 503, 504})
SHORTEST_S = 0.2
LONGEST_S = 5.0


def judge(outcome: Outcome, *, is_hint: bool) -> Verdict:
    """What is to be done about a call. After a 500 for a hint Pulso itself repeats."""
    if isinstance(outcome, NoAnswer):
        return "repeat"
    if 200 <= outcome.status < 300 or (outcome.status == 500 and is_hint):
        return "done"
    return "repeat" if outcome.status in REPEATED else "refused"


def backoff(attempts: int, longest: float = LONGEST_S) -> float:
    """How many seconds to wait after so many attempts: between half and all of what doubles."""
    whole = min(longest, SHORTEST_S * 2.0 ** min(attempts - 1, 30))
    return whole * random.uniform(0.5, 1)


def asked(outcome: Outcome, now: datetime | None = None) -> float | None:
    """What `Retry-After` asks for, in seconds: a number or a date."""
    if isinstance(outcome, NoAnswer) or outcome.retry_after is None:
        return None
    text = outcome.retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - (now or datetime.now(timezone.utc))).total_seconds())
