"""Tells Pulso what changed or happened, from a back end in Python."""

from pulso.aio import AsyncPulso
from pulso.blocking import Pulso
from pulso.errors import ErrorCode, PulsoError

__all__ = ["AsyncPulso", "ErrorCode", "Pulso", "PulsoError"]
