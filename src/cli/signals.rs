//! SIGTERM, SIGINT and SIGQUIT: the first stops in order, the second at once. SIGHUP, a terminal's farewell, ends what
//! somebody watches there; a server reads again what it can.

use std::io;
use std::process::exit;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::telemetry::log;

/// What a terminal that goes away means.
#[derive(Clone, Debug)]
pub(super) enum HangUp {
    /// Something is to be read again.
    Reads(Arc<Notify>),
    Stops,
}

/// A token that the first signal cancels. The second ends the process.
pub(super) fn stop_on_signals(hang_up: HangUp) -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut signals = Signals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
        quit: signal(SignalKind::quit())?,
        hang_up: signal(SignalKind::hangup())?,
        on_hang_up: hang_up,
    };
    // Without this task no signal is heard any more: it stops the server however it ends.
    let stopping = stop.clone().drop_guard();
    tokio::spawn(async move {
        let first = signals.next().await;
        stopping.disarm().cancel();
        info!(signal = first.name, "stopping");
        let second = signals.next().await;
        warn!(signal = second.name, "stopping at once");
        log::finish();
        exit(128 + second.number);
    });
    Ok(stop)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hang_up: Signal,
    on_hang_up: HangUp,
}

struct Received {
    name: &'static str,
    number: i32,
}

impl Signals {
    /// The next one that means an end.
    async fn next(&mut self) -> Received {
        loop {
            return tokio::select! {
                _ = self.terminate.recv() => Received { name: "SIGTERM", number: 15 },
                _ = self.interrupt.recv() => Received { name: "SIGINT", number: 2 },
                _ = self.quit.recv() => Received { name: "SIGQUIT", number: 3 },
                _ = self.hang_up.recv() => match &self.on_hang_up {
                    HangUp::Stops => Received { name: "SIGHUP", number: 1 },
                    HangUp::Reads(reload) => {
                        info!(signal = "SIGHUP", "the live queries are to be read again; SIGTERM stops this server");
                        reload.notify_one();
                        continue;
                    }
                },
            };
        }
    }
}
