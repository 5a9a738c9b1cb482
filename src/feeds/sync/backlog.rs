//! How many changes wait to be confirmed, for operators: asked at a beat, however often anybody looks.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::database::Database;
use crate::telemetry::metrics::Metrics;

const BEAT: Duration = Duration::from_secs(5);

/// Counts until `stop`. While the database does not answer the last count stands.
pub(super) async fn count(database: Arc<Database>, metrics: Arc<Metrics>, stop: CancellationToken) {
    let counting = async {
        loop {
            if let Ok(backlog) = database.backlog().await {
                metrics.outbox_pending.set(backlog.changes);
                metrics.outbox_oldest_seconds.set(backlog.seconds);
            }
            sleep(BEAT).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = counting => {}
    }
}
