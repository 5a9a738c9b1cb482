//! Keeps connected kiosks honest: one that is switched off in the database is disconnected within a minute.
//!
//! Must not know connections: it ends them through the hub.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::channel::Channel;
use crate::close::CloseReason;
use crate::database::Database;
use crate::hub::Hub;

/// Devices looked up at once.
const BATCH: usize = 500;

/// Looks up all connected kiosks every `period` until stopped. A look-up that cannot be made ends nobody's connection.
pub async fn keep_watch(hub: Arc<Hub>, database: Arc<Database>, period: Duration, stop: CancellationToken) {
    loop {
        let next = Instant::now() + period;
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(next) => {}
        }
        let connected: Vec<Channel> =
            hub.watched().into_iter().filter(|channel| matches!(channel, Channel::Device(_))).collect();
        for batch in connected.chunks(BATCH) {
            dismiss_inactive(&hub, &database, batch).await;
        }
    }
}

async fn dismiss_inactive(hub: &Hub, database: &Database, channels: &[Channel]) {
    let id = |channel: &Channel| match channel {
        Channel::Device(id) => Some(id.as_str().to_owned()),
        _ => None,
    };
    let ids: Vec<String> = channels.iter().filter_map(id).collect();
    let known = match database.devices(&[], &ids).await {
        Ok(known) => known,
        Err(failure) => {
            debug!(%failure, "kiosks not looked up");
            return;
        }
    };
    let active: HashSet<String> = known.into_iter().filter(|device| device.is_active).map(|device| device.id).collect();
    for channel in channels {
        if id(channel).is_some_and(|id| !active.contains(&id)) {
            hub.dismiss(channel, CloseReason::DeviceRefused);
        }
    }
}
