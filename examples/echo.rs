//! Says back whatever it hears on `ws://127.0.0.1:PORT/echo`, by the server's own accept loop, handshake, reader and
//! mailbox: what a protocol test suite finds here holds for every client. `tests/autobahn/run` is one.
//!
//!     cargo run --example echo            # on a free port, which it prints
//!     cargo run --example echo -- 9001

use std::error::Error;

use pulso::config::Config;
use pulso::server::Server;
use pulso::store;
use pulso::telemetry::log;
use tokio_util::sync::CancellationToken;

/// As large as a message may be configured.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// Of a message of 4 MiB in frames of 64 bytes, one may come empty at the end.
const MAX_MESSAGE_FRAGMENTS: usize = 4 * 1024 * 1024 / 64 + 1;
/// Messages at once: no test says more on one connection.
const MESSAGE_BURST: u32 = 10_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "0".to_owned());
    // A feed that has neither tokens nor figures: it needs no key and no table.
    let settings = |name: &str| match name {
        "DATABASE_URL" => Some("sqlite::memory:".to_owned()),
        "FEEDS" => Some("sync".to_owned()),
        "LISTEN_ADDR" => Some("127.0.0.1".to_owned()),
        "PORT" => Some(port.clone()),
        _ => None,
    };
    let (mut config, _) = Config::from_env(&settings).map_err(|mistakes| format!("{mistakes:?}"))?;
    log::init(config.log.format, "warn")?;
    // What a client has no use for and a test suite tries; the rest is as the server has it.
    config.client.max_message_bytes = MAX_MESSAGE_BYTES;
    config.client.max_message_fragments = MAX_MESSAGE_FRAGMENTS;
    config.client.message_burst = MESSAGE_BURST;
    let store = store::open(&config.database)?;
    let server = Server::bind(config, store)?.with_echo();
    println!("ws://{}/echo", server.address());
    let stop = CancellationToken::new();
    let until_told = {
        let stop = stop.clone();
        async move {
            // If it cannot be told, it stops at once.
            let _ = tokio::signal::ctrl_c().await;
            stop.cancel();
        }
    };
    let (ended, ()) = tokio::join!(server.run(stop), until_told);
    Ok(ended?)
}
