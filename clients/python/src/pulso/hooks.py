"""Every hook as a method, for those who wait and for those who do not.

Must not know how calls are repeated, nor on what thread.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar
from uuid import uuid4

from pulso.body import BadFieldError, encode
from pulso.calls import CALLS, CITA, CONSULTA, lane
from pulso.errors import PulsoError
from pulso.job import Job
from pulso.options import PRINTABLE, Settings, to_the_log
from pulso.wire import (
    BatchedMessage,
    Change,
    ClinicStatusChange,
    Disconnect,
    Id,
    ItemStatusChange,
    NewClinicOrder,
    NewRestaurantOrder,
    OrderStatusChange,
    Product,
    Promotion,
    Reached,
    Sale,
    Table,
)

Told = TypeVar("Told")
"""What a call that is handed in gives: what to wait for."""

Action = Literal["created", "updated", "deleted", "status_changed"]
Payload = Mapping[str, Any]

MAX_KEY = 255


class Hooks(ABC, Generic[Told]):
    """One for a process. A hint never raises and is never waited for; neither is an event, unless you do."""

    def __init__(
        self,
        *,
        url: str,
        key: str | None,
        timeout: float = 5,
        retry_for: float = 60,
        max_queued: int = 1_000,
        max_bytes: int = 16_384,
        on_error: Callable[[PulsoError], None] = to_the_log,
    ) -> None:
        """`key` is Pulso's `NOTIFY_API_KEY`, `None` where it has none and only hints are taken. `max_bytes` is its
        `HOOK_MAX_BODY_BYTES`. `on_error` hears of every call that was not carried out; without it the log does.
        """
        self._settings = Settings(url, key, timeout, retry_for, max_queued, max_bytes, on_error)
        self._begin()

    def cita(self, negocio: Id, *, action: Action | None = None, xid: int | str | None = None) -> None:
        """The appointments of a business changed. `xid`: `pg_current_xact_id()`, where this is said before the commit."""
        payload = {"negocio_id": negocio, "action": action, "xid": xid}
        self._hint("cita", CITA, lambda: lane("cita", negocio), payload)

    def consulta(
        self, names: str | Sequence[str], key: Id | Sequence[Id] | None = None, *, xid: int | str | None = None
    ) -> None:
        """What these live queries say of these keys changed; without a key where a query has none."""
        payload = {
            "name" if isinstance(names, str) else "names": names,
            "key" if key is None or isinstance(key, (str, int)) else "keys": key,
            "xid": xid,
        }

        def merged() -> str:
            of = key if key is None or isinstance(key, (str, int)) else [str(one) for one in key]
            return lane("consulta", json.dumps([names, of], default=str))

        self._hint("consulta", CONSULTA, merged, payload)

    def venta(self, event: Sale | Payload, *, idempotency_key: str | None = None) -> Told:
        """A sale was made."""
        return self._event("venta", event, idempotency_key)

    def producto(self, event: Product | Payload, *, idempotency_key: str | None = None) -> Told:
        """A product changed."""
        return self._event("producto", event, idempotency_key)

    def promocion(self, event: Promotion | Payload, *, idempotency_key: str | None = None) -> Told:
        """A promotion changed."""
        return self._event("promocion", event, idempotency_key)

    def mesa(self, event: Table | Payload, *, idempotency_key: str | None = None) -> Told:
        """A table changed."""
        return self._event("mesa", event, idempotency_key)

    def order_new(self, event: NewRestaurantOrder | Payload, *, idempotency_key: str | None = None) -> Told:
        """A restaurant has a new order."""
        return self._event("order_new", event, idempotency_key)

    def order_status(self, event: OrderStatusChange | Payload, *, idempotency_key: str | None = None) -> Told:
        """The status of a restaurant's order changed."""
        return self._event("order_status", event, idempotency_key)

    def item_status(self, event: ItemStatusChange | Payload, *, idempotency_key: str | None = None) -> Told:
        """The status of an item of a restaurant's order changed."""
        return self._event("item_status", event, idempotency_key)

    def pedido(self, event: NewClinicOrder, *, idempotency_key: str | None = None) -> Told:
        """A clinic has a new order."""
        return self._event("pedido", event, idempotency_key)

    def pedido_estado(self, event: ClinicStatusChange, *, idempotency_key: str | None = None) -> Told:
        """The state of a clinic's order changed."""
        return self._event("pedido_estado", event, idempotency_key)

    def sync(self, change: Change | Payload, *, idempotency_key: str | None = None) -> Told:
        """Something changed that a back end has to pull; with `tenant` where there are several."""
        return self._event("sync", change, idempotency_key)

    def publish(
        self, messages: BatchedMessage | Sequence[BatchedMessage], *, idempotency_key: str | None = None
    ) -> Told:
        """Messages to channels of your own: all or none."""
        return self._event("publish", messages, idempotency_key)

    def disconnect(self, whom: Disconnect, *, idempotency_key: str | None = None) -> Told:
        """Ends all connections of a user or a device."""
        return self._event("disconnect", whom, idempotency_key)

    @abstractmethod
    def _begin(self) -> None:
        """The last step of making one."""

    @abstractmethod
    def _hand_in(self, job: Job) -> None:
        """Puts `job` into the queue."""

    @abstractmethod
    def _promise(self) -> tuple[Told, Callable[[Reached], None], Callable[[PulsoError], None]]:
        """What its caller may wait for, and how it is told."""

    def _hint(self, call: str, path: str, merged: Callable[[], str], payload: Mapping[str, object]) -> None:
        def settle(end: bytes | PulsoError) -> None:
            if isinstance(end, PulsoError):
                self._settings.report(end)

        is_merged = payload["xid"] is None
        # A hint with a transaction is for that one alone, and waits for none.
        try:
            said = {name: value for name, value in payload.items() if value is not None}
            body = encode(said, "hint", self._settings.max_bytes)
            lanes = (merged(),) if is_merged else ()
        except Exception as cause:  # noqa: BLE001: whoever says that something changed must not fail of it
            self._settings.report(_unsendable(call, cause))
            return
        self._hand_in(Job(call, path, body, lanes, settle, is_hint=True, is_merged=is_merged))

    def _event(self, call: str, payload: object, idempotency_key: str | None) -> Told:
        told, resolve, reject = self._promise()

        def settle(end: bytes | PulsoError) -> None:
            reached = None if isinstance(end, PulsoError) else _reached(end)
            if reached is not None:
                resolve(reached)
                return
            error = end if isinstance(end, PulsoError) else PulsoError("refused", call, "what answered is not Pulso")
            reject(error)
            self._settings.report(error)

        path, lanes = CALLS[call]
        key = str(uuid4()) if idempotency_key is None else idempotency_key
        try:
            if not isinstance(key, str) or not PRINTABLE.fullmatch(key) or len(key) > MAX_KEY:
                raise BadFieldError("idempotency_key", f"must be 1 to {MAX_KEY} printable characters")
            body = encode(payload, "event", self._settings.max_bytes)
            job = Job(call, path, body, lanes(payload), settle, idempotency_key=key)
        except Exception as cause:  # noqa: BLE001: it is told like all that goes wrong with a call
            settle(_unsendable(call, cause))
            return told
        self._hand_in(job)
        return told


def _unsendable(call: str, cause: Exception) -> PulsoError:
    if isinstance(cause, BadFieldError):
        return PulsoError("bad_payload", call, str(cause), field=cause.field)
    return PulsoError("bad_payload", call, f"it cannot be read ({type(cause).__name__})")


def _reached(answer: bytes) -> Reached | None:
    try:
        said = json.loads(answer)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("ok") is not True or not isinstance(said.get("clients"), int):
        return None
    reached: Reached = {"ok": True, "clients": said["clients"]}
    if said.get("scope") == "node":
        reached["scope"] = "node"
    return reached
