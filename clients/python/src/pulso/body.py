"""A payload as the text that is sent: a `Decimal` with all its digits, and what JSON cannot say refused and named.

Must not know what the payload is for.
"""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

MAX_DEPTH = 64
"""Pulso reads no deeper."""
MAX_DIGITS = 400
"""Of a number; more is no number that anybody meant."""
SHORTEST_QUOTED = 4
"""A shorter text stands in any sentence."""


class BadFieldError(Exception):
    """What cannot be sent, and where it stands."""

    def __init__(self, field: str, says: str) -> None:
        super().__init__(f"{field} {says}")
        self.field = field


def encode(value: object, name: str, max_bytes: int) -> bytes:
    """The text of `value`; `name` is what its caller calls it."""
    text = _written(value, "", name, ()).encode()
    if len(text) > max_bytes:
        says = f"makes the call {len(text)} bytes long, of at most {max_bytes}"
        raise BadFieldError(_largest(value, name), says)
    return text


def _largest(value: object, name: str) -> str:
    """The field that takes most of the room."""
    if isinstance(value, Mapping):
        members = [(str(key), member) for key, member in value.items()]
    elif isinstance(value, (list, tuple)):
        members = [(f"[{place}]", member) for place, member in enumerate(value)]
    else:
        return name
    return max(members, key=lambda member: len(_written(member[1], "", name, ())), default=(name, None))[0]


def _inside(path: str, name: str) -> str:
    if not name.isidentifier():
        return f"{path}[{json.dumps(name)}]"
    return f"{path}.{name}" if path else name


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        # Half of a pair; escaped it passes as it is.
        return json.dumps(value)
    return json.dumps(value, ensure_ascii=False)


def _number(value: int | float | Decimal, at: str) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadFieldError(at, f"is {value!r}, which JSON cannot say")
        return float.__repr__(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise BadFieldError(at, f"is {value}, which JSON cannot say")
        if abs(value.adjusted()) > MAX_DIGITS or len(value.as_tuple().digits) > MAX_DIGITS:
            raise BadFieldError(at, f"is a number of more than {MAX_DIGITS} digits")
        return format(value, "f")
    if value.bit_length() > MAX_DIGITS * 4:
        raise BadFieldError(at, f"is a number of more than {MAX_DIGITS} digits")
    return int.__repr__(value)


def _written(value: object, path: str, name: str, around: tuple[int, ...]) -> str:
    at = path or name
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Enum():
            return _written(value.value, path, name, around)
        case str():
            return _text(value)
        case int() | float() | Decimal():
            return _number(value, at)
        case datetime() | date() | time():
            return json.dumps(value.isoformat())
        case UUID():
            return f'"{value}"'
        case Mapping() | list() | tuple():
            pass
        case _:
            raise BadFieldError(at, f"is of the type {type(value).__name__}, which JSON cannot say")
    if id(value) in around:
        raise BadFieldError(at, "holds itself")
    if len(around) >= MAX_DEPTH:
        raise BadFieldError(at, f"is nested more than {MAX_DEPTH} deep")
    within = (*around, id(value))
    if not isinstance(value, Mapping):
        items = (_written(item, f"{path}[{place}]", name, within) for place, item in enumerate(value))
        return f"[{','.join(items)}]"
    members = []
    for key, member in value.items():
        if not isinstance(key, str):
            raise BadFieldError(at, "has a name that is no text")
        members.append(f"{_text(key)}:{_written(member, _inside(path, key), name, within)}")
    return f"{{{','.join(members)}}}"


def quotes(says: str, body: bytes) -> bool:
    """Whether something of `body` is quoted in `says`, so that it must not be told."""
    sent = json.loads(body, parse_float=str, parse_int=str)
    return any(len(text) >= SHORTEST_QUOTED and text in says for text in _leaves(sent))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _leaves(member)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
