//! `POST /notify/pedido`, for the staff, and `/notify/pedido/estado`, for the kiosk that ordered.

use super::words;
use crate::broker::bridge::Producer;
use crate::feeds::call::{Call, Rejection, Reply, negocio};
use crate::feeds::definition::{Hook, Key, Repetition};
use crate::feeds::hearing::{Hearing, Place};
use crate::json::{Fields, quoted};
use crate::model::Channel;
use crate::publication::Draft;

pub(super) const NEW_ORDER: Hook = Hook {
    path: "/notify/pedido",
    id: Some("negocio_id"),
    reaches_tokens: true,
    key: Key::Always,
    repetition: Repetition::Remembered,
    answer: |call| Box::pin(new_order(call)),
};

pub(super) const STATUS_CHANGED: Hook = Hook {
    path: "/notify/pedido/estado",
    id: None,
    reaches_tokens: false,
    key: Key::Always,
    repetition: Repetition::Remembered,
    answer: |call| Box::pin(status_changed(call)),
};

/// What the name of a device's group begins with; behind it stands its id.
const DEVICE: &str = "device_";

/// From Django's own producers, by the groups of its consumers.
pub(super) const HEARD: [Hearing; 2] = [
    Hearing {
        producer: Producer::Django,
        name: words::NEW_ORDER,
        hook: &NEW_ORDER,
        at: Place::One("staff_orders"),
        hear: |call, _| Box::pin(new_order(call)),
    },
    Hearing {
        producer: Producer::Django,
        name: words::STATUS_CHANGED,
        hook: &STATUS_CHANGED,
        at: Place::Joined(DEVICE, group),
        hear: |call, group| Box::pin(status_heard(call, group)),
    },
];

fn group(channel: &Channel) -> Option<String> {
    if let Channel::Device(device) = channel { Some(format!("{DEVICE}{}", device.as_str())) } else { None }
}

/// The group names the device, whatever the message says.
async fn status_heard(call: &mut Call, group: &str) -> Result<Reply, Rejection> {
    let device = quoted(group.strip_prefix(DEVICE).unwrap_or_default());
    let body = Fields::read(&call.body)?.without(&["device_uid", "device_id"]);
    let body = Fields::read(body.as_bytes())?.with(&[("device_id", &device)]);
    call.body = body.into();
    status_changed(call).await
}

async fn new_order(call: &mut Call) -> Result<Reply, Rejection> {
    let order = words::decode_new_order(&call.body)?;
    let clinic = order.negocio.map(|named| negocio(&named)).transpose()?;
    call.publish(vec![Draft::new(Channel::StaffOrders(clinic), order.message)]).await
}

async fn status_changed(call: &mut Call) -> Result<Reply, Rejection> {
    let change = words::decode_status_change(&call.body)?;
    let device = call.context.device(change.device, call.deadline).await?;
    call.publish(vec![Draft::new(Channel::Device(device), change.message)]).await
}
