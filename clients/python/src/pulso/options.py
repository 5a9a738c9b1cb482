"""What a `Pulso` is made with, looked at once.

Must not know what is done with it.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from urllib.parse import urlsplit

from pulso.errors import PulsoError

PRINTABLE = re.compile(r"[!-~]([ -~]*[!-~])?")
"""What fits in a header as it is."""

log = logging.getLogger("pulso")


def to_the_log(error: PulsoError) -> None:
    log.error("%s", error)


@dataclass(frozen=True)
class Settings:
    """Times are in seconds."""

    url: str
    key: str | None = field(repr=False)
    timeout: float
    retry_for: float
    max_queued: int
    max_bytes: int
    on_error: Callable[[PulsoError], None]

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _base(self.url))
        _check_key(self.key)
        for name in ("timeout", "retry_for"):
            value = getattr(self, name)
            least = "more than 0" if name == "timeout" else "0 or more"
            if not _is_number(value) or not isfinite(value) or value < 0 or (value == 0 and name == "timeout"):
                raise ValueError(f"{name} must be {least} seconds")
        for name in ("max_queued", "max_bytes"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number, 1 or more")
        if not callable(self.on_error):
            raise TypeError("on_error must be a function")

    def report(self, error: PulsoError) -> None:
        try:
            self.on_error(error)
        except Exception as cause:  # noqa: BLE001: whatever it is, no call may suffer from it
            log.error("on_error raised %s", type(cause).__name__)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _base(url: object) -> str:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        is_good = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_good, parts = False, None
    if not is_good or parts is None:
        raise ValueError("url must begin with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url must not hold a name or a password: the key has its own option")
    if parts.query or parts.fragment:
        raise ValueError("url must end with its path")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _check_key(key: object) -> None:
    if key is None:
        return
    if not isinstance(key, str) or not key.strip():
        raise ValueError("key must be what Pulso has as NOTIFY_API_KEY, or None where it has none")
    if not PRINTABLE.fullmatch(key):
        raise ValueError("key must be of printable characters, without a line break or a blank at its ends")
