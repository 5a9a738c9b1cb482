//! Keeps connected kiosks honest: one that is switched off in the database, or whose name belongs to another device by
//! now, is disconnected within a minute.
//!
//! Must not know connections: it ends them through the broker.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::broker::Broker;
use crate::database::Database;
use crate::hub::Hub;
use crate::model::CloseReason;
use crate::model::{Channel, Kiosk};

/// Devices looked up at once.
const BATCH: usize = 500;

/// Looks up all connected kiosks every `period` until stopped, by the names they gave. A look-up that cannot be made ends
/// nobody's connection.
pub(super) async fn keep_watch(
    hub: Arc<Hub>,
    broker: Arc<Broker>,
    database: Arc<Database>,
    period: Duration,
    stop: CancellationToken,
) {
    loop {
        let next = Instant::now() + period;
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(next) => {}
        }
        let kiosk = |channel| if let Channel::Kiosk(kiosk) = channel { Some(kiosk) } else { None };
        let connected: Vec<Kiosk> = hub.watched().into_iter().filter_map(kiosk).collect();
        for batch in connected.chunks(BATCH) {
            dismiss_refused(&broker, &database, batch).await;
        }
    }
}

async fn dismiss_refused(broker: &Broker, database: &Database, kiosks: &[Kiosk]) {
    let uids: Vec<String> = kiosks.iter().map(|kiosk| kiosk.uid().to_owned()).collect();
    let known = match database.devices(&uids, &[]).await {
        Ok(known) => known,
        Err(failure) => {
            debug!(%failure, "kiosks not looked up");
            return;
        }
    };
    let active: HashSet<(&str, &str)> = known
        .iter()
        .filter(|device| device.is_active)
        .map(|device| (device.id.as_str(), device.uid.as_str()))
        .collect();
    for kiosk in kiosks {
        if !active.contains(&(kiosk.device().as_str(), kiosk.uid())) {
            broker.dismiss(&Channel::Kiosk(kiosk.clone()), CloseReason::DeviceRefused);
        }
    }
}
