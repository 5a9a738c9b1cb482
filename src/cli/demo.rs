//! `pulso demo`: the real server on a database in memory, with little businesses at work in it.

mod queries;

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::tz::TimeZone;
use pulso_demo::{ADMIN, Api, Business, CLINIC_PASSWORD, Demo, Hooks, KIOSK, KITCHEN, PASSWORD, QUERIES, WAITER};

use super::destination::destination;
use super::signals::{self, HangUp};
use super::{block_on, cannot_start, complain, or_complain};
use crate::access::token::{Holder, mint};
use crate::clock::Clock;
use crate::config::{
    AuthConfig, ClientLimits, ClinicConfig, Config, ConnectionLimits, DEFAULT_SHUTDOWN_GRACE, DatabaseConfig,
    DatabaseUrl, Feeds, HookConfig, ListenConfig, PublishConfig, QueriesConfig, Secret, StatsConfig, SyncConfig, env,
};
use crate::http::mount::{self, Mount};
use crate::model::Tenant;
use crate::server::Server;
use crate::store;
use crate::telemetry::log;

/// WebSockets at once: plenty for a demo, and no reason to warn of a low descriptor limit.
const VISITORS: usize = 1_000;
/// How long the printed link is good.
const LINK_LIFE: Duration = Duration::from_hours(7 * 24);

/// Made for this one run.
struct Keys {
    jwt: Secret,
    hook: Secret,
    cloud: Secret,
}

pub(super) fn run() -> ExitCode {
    let listen = match or_complain(env::load_demo_listen()) {
        Ok(listen) => listen,
        Err(code) => return code,
    };
    let settings = env::load_log();
    if let Err(error) = log::init(settings.format, &settings.level) {
        return cannot_start(&error);
    }
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
    // Ended by whatever ends the terminal that it was started from.
    let stop = signals::stop_on_signals(HangUp::Stops)?;
    let clock = Clock::system(TimeZone::UTC);
    let business = Business::create(&calendar(clock.clone())).await?;
    let keys = Keys { jwt: random_key(), hook: random_key(), cloud: random_key() };
    let everything = Holder {
        user: business.owner_id.clone(),
        negocios: vec![business.negocio_id.clone()],
        restaurant: Some(business.restaurant_id.clone()),
        role: Some("ADMIN".to_owned()),
    };
    let token = mint(&keys.jwt, &everything, LINK_LIFE, clock.now())?;
    let config = config(listen, &keys, &business)?;
    let store = store::open(&config.database)?;
    if let Some(outbox) = store.outbox() {
        outbox.migrate().await?;
    }
    let server = Server::bind(config, store)?;
    let address = server.address();
    let invitation = invitation(address, &business, &token, &keys);
    let hooks = Hooks::new(&format!("http://{}", destination(address)), keys.hook.expose());
    let demo = Demo::new(business, keys.jwt.expose(), hooks, calendar(clock));
    let server = server.with_mount(mount(demo.api()));
    let ready = server.until_ready();
    let life = tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::select! {
                () = ready => {}
                () = stop.cancelled() => return,
            }
            say(invitation);
            demo.run(stop).await;
        }
    });
    server.run(stop).await?;
    life.await?;
    Ok(())
}

/// The businesses' calendar is in the server's zone.
fn calendar(clock: Clock) -> pulso_demo::Clock {
    pulso_demo::Clock::new(move || clock.now().to_zoned(TimeZone::UTC))
}

/// The customers' own APIs, on the same port.
fn mount(api: Arc<Api>) -> Mount {
    Mount::new(Api::owns, move |mount::Call { method, path, headers, body }| {
        let api = Arc::clone(&api);
        Box::pin(async move {
            let call = pulso_demo::Call { method, path, headers, body };
            let pulso_demo::Answer { status, body } = api.answer(&call).await;
            mount::Answer { status, body }
        })
    })
}

fn config(listen: ListenConfig, keys: &Keys, business: &Business) -> Result<Config, queries::BadQuery> {
    let database = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new(business.database_url.as_str())));
    let stats = StatsConfig::default();
    let defined = queries::defined(&QUERIES, &stats.zone)?;
    Ok(Config {
        feeds: Feeds::all(),
        listen,
        database: DatabaseConfig { keeps_outbox: true, ..database },
        node_name: None,
        redis: None,
        bridges: Vec::new(),
        auth: AuthConfig::new(keys.jwt.clone()),
        // The hint needs no key, so that the printed line stays short.
        hooks: HookConfig { key: Some(keys.hook.clone()), cita_open: true, ..HookConfig::default() },
        publish: PublishConfig::default(),
        sync: SyncConfig { keys: vec![(Tenant::new(""), keys.cloud.clone())], ..SyncConfig::default() },
        clinic: ClinicConfig::default(),
        connections: ConnectionLimits { max_websockets: VISITORS, ..ConnectionLimits::default() },
        client: ClientLimits::default(),
        queries: QueriesConfig { defined, ..QueriesConfig::default() },
        stats,
        log: env::load_log(),
        io_uring: true,
        shutdown_delay: Duration::ZERO,
        shutdown_grace: DEFAULT_SHUTDOWN_GRACE,
    })
}

fn random_key() -> Secret {
    Secret::new(format!("{:032x}", rand::random::<u128>()))
}

/// The printed links, and what else to try.
fn invitation(address: SocketAddr, business: &Business, token: &str, keys: &Keys) -> String {
    // A browser's `localhost` is these; elsewhere in 127.0.0.0/8 it would find nobody.
    let is_localhost = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(&address.ip());
    let host = if is_localhost || address.ip().is_unspecified() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    };
    let (name, negocio, restaurant) = (business.name, &business.negocio_id, &business.restaurant_id);
    let (hook_key, cloud_key) = (keys.hook.expose(), keys.cloud.expose());
    format!(
        r#"{name} is open. Watch its appointments, sales, restaurant and clinic live:

  {host}/#token={token}&negocio={negocio}&consulta=cocina:{restaurant}&consulta=sala-de-espera:{negocio}&consulta=ventas-por-hora:{negocio}

and what a guest in room 101 of the clinic sees of the orders there:

  {host}/#device={KIOSK}

Rows are written to an embedded SQLite, then a hook is called, as your API would:

  curl -X POST {host}/notify/cita -H 'Content-Type: application/json' \
    -d '{{"negocio_id":"{negocio}","action":"updated"}}'

A hook that carries data wants its key:

  curl -X POST {host}/notify/mesa -H 'X-API-Key: {hook_key}' -H 'Content-Type: application/json' \
    -d '{{"negocio_id":"{negocio}","tableId":7,"action":"status_changed","status":"reserved"}}'

The walk-throughs' own APIs are played here too:

  restaurant   POST {host}/api/v1/auth/login   {WAITER} or {KITCHEN}, {PASSWORD}
  clinic       POST {host}/api/auth/login      {ADMIN}, {CLINIC_PASSWORD}
  order sync   {host}/sync                     CLOUD_API_KEY={cloud_key}

Ctrl-C ends it and leaves nothing behind.

"#
    )
}

/// On a thread of its own: whoever does not read it, or has read enough (`pulso demo | head`), or has no room for it, ends
/// nothing and keeps nobody.
fn say(invitation: String) {
    // Without a thread nothing is said, and the demo goes on.
    let _ = thread::Builder::new().name("invitation".into()).spawn(move || {
        let _ = io::stdout().lock().write_all(invitation.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_that_the_demo_brings_along_can_be_used() {
        let defined = queries::defined(&QUERIES, &TimeZone::UTC).unwrap();
        let names: Vec<&str> = defined.iter().map(|query| query.name.as_str()).collect();
        assert_eq!(names, ["cocina", "sala-de-espera", "ventas-por-hora"]);
    }
}
