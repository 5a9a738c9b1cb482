//! SIGTERM and SIGINT: the first stops in order, the second at once.

use std::io;
use std::process::exit;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// A token that the first signal cancels. The second ends the process.
pub(super) fn stop_on_signals() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopping = stop.clone();
    tokio::spawn(async move {
        let first = next(&mut terminate, &mut interrupt).await;
        info!(signal = first.name, "stopping");
        stopping.cancel();
        let second = next(&mut terminate, &mut interrupt).await;
        warn!(signal = second.name, "stopping at once");
        exit(128 + second.number);
    });
    Ok(stop)
}

struct Received {
    name: &'static str,
    number: i32,
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> Received {
    tokio::select! {
        _ = terminate.recv() => Received { name: "SIGTERM", number: 15 },
        _ = interrupt.recv() => Received { name: "SIGINT", number: 2 },
    }
}
