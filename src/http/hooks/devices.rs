//! Calls about one device or user: a kiosk's order, and the end of somebody's connections.

use http::StatusCode;
use tokio::time::{Instant, timeout_at};

use super::Reply;
use super::events::{draft, publish, refused};
use crate::channel::Channel;
use crate::close::CloseReason;
use crate::dialect::clinic::{self, DeviceName};
use crate::dialect::disconnect::{self, Target};
use crate::http::Gate;
use crate::http::refusal::Refusal;
use crate::negocio::{DeviceId, UserId};
use crate::telemetry::metrics::RefusalReason;

/// `POST /notify/pedido/estado`.
pub(super) async fn status_changed(gate: &Gate, body: &[u8], deadline: Instant) -> Result<Reply, Refusal> {
    let change = clinic::decode_status_change(body).map_err(|why| refused(&why))?;
    let device = device(gate, change.device, deadline).await?;
    publish(gate, vec![draft(Channel::Device(device), &change.message)])
}

/// `POST /api/disconnect`: ends all connections of a user or a device. The user's tokens issued until now are no good
/// any more.
pub(super) async fn disconnect(gate: &Gate, body: &[u8], deadline: Instant) -> Result<Reply, Refusal> {
    let environment = &gate.environment;
    let channel = match disconnect::decode(body).map_err(|why| refused(&why))? {
        Target::User(user) => {
            let user = UserId::new(&user);
            environment.tokens.dismiss(user.clone(), environment.clock.now());
            Channel::User(user)
        }
        Target::Device(name) => Channel::Device(device(gate, name, deadline).await?),
    };
    Ok(Reply::reached(environment.hub.dismiss(&channel, CloseReason::SessionEnded)))
}

/// The device that the database knows by this name.
async fn device(gate: &Gate, name: DeviceName, deadline: Instant) -> Result<DeviceId, Refusal> {
    let (uids, ids) = match name {
        DeviceName::Uid(uid) => (vec![uid], Vec::new()),
        DeviceName::Id(id) => (Vec::new(), vec![id]),
    };
    let found = timeout_at(deadline, gate.environment.database.devices(&uids, &ids)).await;
    let Ok(Ok(found)) = found else { return Err(Refusal::no_database()) };
    found.first().map(|device| DeviceId::new(&device.id)).ok_or_else(|| {
        let message = "device_uid or device_id: there is no such device";
        Refusal::new(StatusCode::NOT_FOUND, RefusalReason::Device, "unknown_device", message)
    })
}
