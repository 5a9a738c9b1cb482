"""What a call failed of, in words that hold neither the key nor anything of the payload.

Must not know how calls are repeated.
"""

from typing import Literal

ErrorCode = Literal["queue_full", "bad_payload", "refused", "unavailable"]
"""
- `queue_full`: too many calls wait; this one was never sent.
- `bad_payload`: it cannot be sent as it is; `field` names what is wrong.
- `refused`: Pulso, or what stands before it, said no; repeating it as it is will not help.
- `unavailable`: nothing accepted it for as long as it was tried.
"""


class PulsoError(Exception):
    """Why a call was not carried out."""

    def __init__(
        self,
        code: ErrorCode,
        call: str,
        says: str,
        *,
        status: int | None = None,
        word: str | None = None,
        field: str | None = None,
        attempts: int = 0,
    ) -> None:
        super().__init__(f"{call}: {says}")
        self.code: ErrorCode = code
        self.call = call
        """The method that was called: `venta`, `cita`, …"""
        self.status = status
        """The last answer's status."""
        self.word = word
        """The last answer's own word: `busy`, `not_configured`, …"""
        self.field = field
        """The field that is wrong, where something could not be sent."""
        self.attempts = attempts
        """How often it was sent."""
