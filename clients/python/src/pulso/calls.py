"""Every call that Pulso takes: where it goes, and with whom it has one order.

Must not know how anything is sent.
"""

from collections.abc import Callable, Mapping

Lanes = Callable[[object], tuple[str, ...]]
"""Calls of one lane are carried out in the order in which they were made."""


def lane(kind: str, name: object) -> str:
    """7 and "7" are one id, and so is a uuid in either case."""
    return f"{kind}:{'' if name is None else name}".lower()


def _member(payload: object, field: str) -> object:
    return payload.get(field) if isinstance(payload, Mapping) else None


def _of(kind: str, *fields: str) -> Lanes:
    """Named by the first of `fields` that is there."""

    def lanes(payload: object) -> tuple[str, ...]:
        there = (value for field in fields if (value := _member(payload, field)) is not None)
        return (lane(kind, next(there, None)),)

    return lanes


def _business(channel: object) -> object:
    """Of `canal:<negocio>:<name>`: a name has no colon, a business may."""
    return channel.partition(":")[2].rpartition(":")[0] if isinstance(channel, str) else channel


def _channels(payload: object) -> tuple[str, ...]:
    """A batch is one call, and may be for several businesses."""
    messages = payload if isinstance(payload, (list, tuple)) else [payload]
    return tuple(dict.fromkeys(lane("negocio", _business(_member(message, "channel"))) for message in messages))


CITA = "/notify/cita"
CONSULTA = "/notify/consulta"

CALLS: Mapping[str, tuple[str, Lanes]] = {
    "venta": ("/notify/venta", _of("negocio", "negocio_id")),
    "producto": ("/notify/producto", _of("negocio", "negocio_id")),
    "promocion": ("/notify/promocion", _of("negocio", "negocio_id")),
    "mesa": ("/notify/mesa", _of("negocio", "negocio_id")),
    "order_new": ("/notify/order/new", _of("restaurante", "restaurantId")),
    "order_status": ("/notify/order/status", _of("restaurante", "restaurantId")),
    "item_status": ("/notify/order/item-status", _of("restaurante", "restaurantId")),
    "pedido": ("/notify/pedido", _of("negocio", "negocio_id")),
    "pedido_estado": ("/notify/pedido/estado", _of("dispositivo", "device_uid", "device_id")),
    "sync": ("/notify/sync", _of("sync", "tenant")),
    "publish": ("/api/publish", _channels),
    "disconnect": ("/api/disconnect", _of("fin", "user", "device_uid", "device_id")),
}
"""By the method's name."""
