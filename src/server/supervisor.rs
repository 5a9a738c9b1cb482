//! What systemd is told of this server: that it serves, that it lives, that it goes away (`Type=notify`, `WatchdogSec`).
//!
//! By datagrams to a socket that the environment names; without one nobody is told anything. Must not know what is served.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Who started this process and wants to know how it is.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that this process lives, at least.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// As systemd says to each process that it starts.
    pub fn of_environment() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let socket = connect(&name).inspect_err(|error| warn!(%error, "systemd cannot be told anything")).ok();
        let number = |name: &str| env::var_os(name)?.to_str()?.parse::<u64>().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| is_ours && *micros > 0).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    /// It serves.
    pub(super) fn on_serving(&self) {
        self.tell("READY=1");
    }

    /// It is on its way out.
    pub(super) fn on_leaving(&self) {
        self.tell("STOPPING=1");
    }

    /// Says that this process lives for as long as its tasks have their turns, until `stop`.
    pub(super) async fn keep_telling(self: Arc<Self>, stop: CancellationToken) {
        let telling = async {
            let Some(watchdog) = self.watchdog else { return std::future::pending().await };
            let mut beat = interval(watchdog / 3);
            loop {
                beat.tick().await;
                self.tell("WATCHDOG=1");
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = telling => {}
        }
    }

    /// Never waits: a supervisor that does not listen is its own trouble.
    fn tell(&self, words: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(words.as_bytes());
        }
    }
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.connect_addr(&abstract_address(name)?)?,
        None => socket.connect(name)?,
    }
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}
