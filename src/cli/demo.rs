//! `pulso demo`: the real server on a database in memory, with a little business at work in it.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use rand::RngCore as _;

use super::{block_on, complain, or_complain, signals};
use crate::auth::token::mint;
use crate::clock::Clock;
use crate::config::{
    AuthConfig, ClientLimits, ClinicConfig, Config, ConnectionLimits, DEFAULT_SHUTDOWN_GRACE, DatabaseConfig,
    DatabaseUrl, Feeds, HookConfig, ListenConfig, PublishConfig, Secret, StatsConfig, SyncConfig, env,
};
use crate::demo::{self, Business};
use crate::server::Server;
use crate::telemetry::log;
use crate::{loopback, store};

/// WebSockets at once: plenty for a demo, and no reason to warn of a low descriptor limit.
const VISITORS: usize = 1_000;
/// How long the printed link is good.
const LINK_LIFE: Duration = Duration::from_hours(7 * 24);

pub(super) fn run() -> ExitCode {
    let listen = match or_complain(env::load_demo_listen()) {
        Ok(listen) => listen,
        Err(code) => return code,
    };
    let settings = env::load_log();
    log::init(settings.format, &settings.level);
    block_on(async {
        match show(listen).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&[error]);
                ExitCode::FAILURE
            }
        }
    })
}

async fn show(listen: ListenConfig) -> Result<(), Box<dyn std::error::Error>> {
    let clock = Clock::system(TimeZone::UTC);
    let business = Business::create(&clock).await?;
    let secret = random_secret();
    let token = mint(&secret, &business.owner_id, &[], LINK_LIFE, clock.now())?;
    let config = config(listen, secret, &business);
    let store = store::open(&config.database)?;
    let stop = signals::stop_on_signals()?;
    let server = Server::bind(config, store)?;
    let address = server.address();
    invite(address, &business, &token)?;
    let life = tokio::spawn(demo::run(business, loopback::reachable(address), clock, stop.clone()));
    server.run(stop).await?;
    life.await?;
    Ok(())
}

fn config(listen: ListenConfig, secret: Secret, business: &Business) -> Config {
    Config {
        feeds: Feeds::all(),
        listen,
        database: DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new(business.database_url.as_str()))),
        auth: AuthConfig::new(secret),
        hooks: HookConfig::default(),
        publish: PublishConfig::default(),
        sync: SyncConfig::default(),
        clinic: ClinicConfig::default(),
        connections: ConnectionLimits { max_websockets: VISITORS, ..ConnectionLimits::default() },
        client: ClientLimits::default(),
        stats: StatsConfig::default(),
        log: env::load_log(),
        shutdown_grace: DEFAULT_SHUTDOWN_GRACE,
    }
}

fn random_secret() -> Secret {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    Secret::new(STANDARD.encode(bytes))
}

/// The printed link, and what else to try.
fn invite(address: SocketAddr, business: &Business, token: &str) -> io::Result<()> {
    // A browser's `localhost` is these; elsewhere in 127.0.0.0/8 it would find nobody.
    let is_localhost = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(&address.ip());
    let host = if is_localhost || address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    };
    let (name, negocio) = (business.name, &business.negocio_id);
    let mut out = io::stdout().lock();
    writeln!(out, "{name} is open. Watch its appointments live:\n")?;
    writeln!(out, "  http://{host}/#negocio={negocio}&token={token}\n")?;
    writeln!(out, "Rows are written to an embedded SQLite, then the hook is called, as your API would:\n")?;
    writeln!(out, "  curl -X POST http://{host}/notify/cita -H 'Content-Type: application/json' \\")?;
    writeln!(out, "    -d '{{\"negocio_id\":\"{negocio}\",\"action\":\"updated\"}}'\n")?;
    writeln!(out, "Ctrl-C ends it and leaves nothing behind.\n")
}
