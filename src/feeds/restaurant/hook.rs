//! `POST /notify/order/new`, `/notify/order/status`, `/notify/order/item-status`.

use super::words::{EVENTS, Emission, Kind, decode};
use crate::broker::bridge::Producer;
use crate::feeds::call::{Call, Rejection, Reply};
use crate::feeds::definition::{Answer, Hook, Key, Repetition};
use crate::feeds::hearing::{Hear, Hearing, Place};
use crate::model::{Channel, RestauranteId};
use crate::publication::Draft;

pub(super) const ALL: [Hook; 3] = [
    hook(Kind::OrderNew, |call| Box::pin(order(call, Kind::OrderNew))),
    hook(Kind::OrderStatus, |call| Box::pin(order(call, Kind::OrderStatus))),
    hook(Kind::ItemStatus, |call| Box::pin(order(call, Kind::ItemStatus))),
];

/// From a Socket.IO server's own producers: each of the three events by itself, for they say both of a new order.
pub(super) const HEARD: [Hearing; 3] = [
    hearing(EVENTS[0], &ALL[0], |call, room| Box::pin(heard(call, room, Kind::OrderNew))),
    hearing(EVENTS[1], &ALL[1], |call, room| Box::pin(heard(call, room, Kind::OrderStatus))),
    hearing(EVENTS[2], &ALL[2], |call, room| Box::pin(heard(call, room, Kind::ItemStatus))),
];

/// What the name of a restaurant's room begins with.
const ROOM: &str = "restaurant:";

const fn hook(kind: Kind, answer: Answer) -> Hook {
    Hook {
        path: kind.path(),
        id: Some("restaurantId"),
        reaches_tokens: true,
        key: Key::Always,
        repetition: Repetition::Remembered,
        answer,
    }
}

const fn hearing(name: &'static str, hook: &'static Hook, hear: Hear) -> Hearing {
    Hearing { producer: Producer::SocketIo, name, hook, at: Place::Each(ROOM), hear }
}

async fn heard(call: &mut Call, room: &str, kind: Kind) -> Result<Reply, Rejection> {
    let events = decode(kind, &call.body)?;
    let named = RestauranteId::named(&events.restaurant);
    let restaurant =
        named.filter(|named| room.strip_prefix(ROOM).and_then(RestauranteId::named).as_ref() == Some(named));
    let restaurant = restaurant.ok_or_else(|| Rejection::bad("restaurantId is not the room's"))?;
    let channel = Channel::Restaurante(restaurant);
    let draft = |Emission { event, payload }| Draft::named(channel.clone(), event, payload);
    call.publish(events.emissions.into_iter().take(1).map(draft).collect()).await
}

async fn order(call: &mut Call, kind: Kind) -> Result<Reply, Rejection> {
    let events = decode(kind, &call.body)?;
    let restaurant = RestauranteId::named(&events.restaurant).ok_or_else(|| Rejection::bad("restaurantId is no id"))?;
    let channel = Channel::Restaurante(restaurant);
    let draft = |Emission { event, payload }| Draft::named(channel.clone(), event, payload);
    call.publish(events.emissions.into_iter().map(draft).collect()).await
}
