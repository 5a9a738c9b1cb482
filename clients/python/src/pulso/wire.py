"""What is sent to Pulso's hooks, and what they answer. Generated from docs/openapi.yaml by scripts/wire.mjs of the
Node.js package.

Must not be changed by hand.
"""

import sys
from decimal import Decimal
from typing import Any, Literal, TypeAlias, TypedDict

if sys.version_info >= (3, 11):
    from typing import NotRequired
else:
    from typing_extensions import NotRequired

Xid: TypeAlias = str | int | None


class Notice(TypedDict):
    """Fields that are not named here are ignored."""

    negocio_id: str
    xid: NotRequired[Xid]
    action: NotRequired[Literal["created", "updated", "deleted", "status_changed"] | None]


class NoticeAccepted(TypedDict):
    ok: Literal[True]
    negocio_id: str
    subscribers: int
    scope: NotRequired[Literal["node"]]
    seq: int | None


QueryName: TypeAlias = str

TextId: TypeAlias = str

Id: TypeAlias = int | TextId

QueryKey: TypeAlias = Id


class Announcement(TypedDict):
    """Fields that are not named here are ignored. One of `name` and `names`, and at most one of `key` and `keys`."""

    name: NotRequired[QueryName]
    names: NotRequired[list[QueryName] | None]
    key: NotRequired[QueryKey | None]
    keys: NotRequired[list[QueryKey] | None]
    xid: NotRequired[Xid]


class AnnouncementAccepted(TypedDict):
    ok: Literal[True]
    subscribers: int
    scope: NotRequired[Literal["node"]]
    seq: int | None


IdOrNull: TypeAlias = Id | None


class Sale(TypedDict):
    """Fields that are not named here are passed on."""

    negocio_id: Id
    saleId: Id
    tableId: IdOrNull
    total: Decimal | int | str
    timestamp: str


class Reached(TypedDict):
    ok: Literal[True]
    clients: int
    scope: NotRequired[Literal["node"]]


class Product(TypedDict):
    """Fields that are not named here are passed on."""

    negocio_id: Id
    productId: Id
    action: str
    newStock: NotRequired[Decimal | int | float | None]


class Promotion(TypedDict):
    """Fields that are not named here are passed on."""

    negocio_id: Id
    promotionId: Id
    action: str
    enabled: NotRequired[bool | None]


class Table(TypedDict):
    """Fields that are not named here are passed on."""

    negocio_id: Id
    tableId: IdOrNull
    action: str
    status: NotRequired[str | None]


class NewRestaurantOrder(TypedDict):
    """Fields that are not named here are passed on."""

    orderId: Id
    restaurantId: Id
    tableSessionId: Id
    status: str
    createdAt: str
    items: NotRequired[list[dict[str, Any]] | None]


class OrderStatusChange(TypedDict):
    """Fields that are not named here are passed on."""

    orderId: Id
    restaurantId: Id
    previousStatus: NotRequired[str | None]
    newStatus: str
    updatedAt: NotRequired[str | None]


class ItemStatusChange(TypedDict):
    """Fields that are not named here are passed on."""

    orderId: Id
    itemId: Id
    restaurantId: Id
    previousStatus: NotRequired[str | None]
    newStatus: str
    updatedAt: NotRequired[str | None]


class NewClinicOrder(TypedDict):
    """Fields that are not named here are ignored."""

    type: NotRequired[Literal["new_order"] | None]
    negocio_id: NotRequired[IdOrNull]
    order_id: int
    room_code: NotRequired[str | None]
    device_uid: TextId
    placed_at: str


ClinicStatus: TypeAlias = Literal["PLACED", "PREPARING", "READY", "DELIVERED", "CANCELLED"]


class ClinicStatusChange(TypedDict):
    """Fields that are not named here are ignored."""

    type: NotRequired[Literal["order_status_changed"] | None]
    order_id: int
    status: ClinicStatus
    from_status: ClinicStatus
    changed_at: str
    device_uid: NotRequired[TextId]
    device_id: NotRequired[Id]


class Change(TypedDict):
    entity: Literal["order", "customer"]
    id: Id
    payload: dict[str, Any]


class BatchedMessage(TypedDict):
    """Fields that are not named here are ignored."""

    channel: str
    type: str
    data: Any


class Message(TypedDict):
    channel: str
    type: str
    data: Any
    messages: NotRequired[None]


Messages: TypeAlias = list[BatchedMessage]

Publication: TypeAlias = Message | dict[str, Any] | Messages


class Disconnect(TypedDict):
    """Whom it names; the two others are missing or null."""

    user: NotRequired[Id]
    device_uid: NotRequired[TextId]
    device_id: NotRequired[Id]
