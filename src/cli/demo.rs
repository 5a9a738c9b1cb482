//! `pulso demo`: the real server on a database in memory, with little businesses at work in it.

mod invitation;
mod keys;
mod links;
mod queries;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use jiff::tz::TimeZone;
use pulso_demo::{Api, Business, Demo, Hooks, QUERIES};
use serde_json::json;

use super::destination::destination;
use super::signals::{self, HangUp};
use super::{block_on, cannot_start, complain, or_complain};
use crate::clock::Clock;
use crate::config::{
    AuthConfig, ClientLimits, ClinicConfig, Config, ConnectionLimits, DEFAULT_SHUTDOWN_GRACE, DatabaseConfig,
    DatabaseUrl, Feeds, HookConfig, ListenConfig, MIN_SECRET_BYTES, PageConfig, PublishConfig, QueriesConfig, Secret,
    StatsConfig, SyncConfig, env,
};
use crate::http::mount::{self, Mount};
use crate::model::Tenant;
use crate::server::Server;
use crate::store;
use crate::telemetry::log;

use invitation::Invitation;
use keys::Keys;
use links::{Board, Links};

/// WebSockets at once: plenty for a demo, and no reason to warn of a low descriptor limit.
const VISITORS: usize = 1_000;

/// Show every feed at work on an embedded SQLite: nothing configured, nothing installed, nothing left behind
///
/// Its ids and keys are those of the documents' examples, so that every example works against it, and the same at each
/// start. Honours PORT (8080) and LISTEN_ADDR (127.0.0.1); with another address the links lead to this machine from others.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Open the page in this machine's browser.
    #[arg(long)]
    open: bool,
    /// Other ids, and another past of the businesses: the same at each start with the same number (0 to 2^64 - 1).
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Other keys, the same at each start with the same text: what signs its tokens, and what its hooks' keys are made of.
    #[arg(long, value_name = "TEXT", value_parser = parse_secret)]
    secret: Option<Secret>,
}

/// As `JWT_SECRET` wants it.
fn parse_secret(text: &str) -> Result<Secret, String> {
    let is_long = text.len() >= MIN_SECRET_BYTES;
    let problem = || {
        format!(
            "it is shorter than {MIN_SECRET_BYTES} bytes: write a random one, such as the output of `openssl rand -base64 48`"
        )
    };
    is_long.then(|| Secret::new(text)).ok_or_else(problem)
}

pub(super) fn run(args: &DemoArgs) -> ExitCode {
    let listen = match or_complain(env::load_demo_listen()) {
        Ok(listen) => listen,
        Err(code) => return code,
    };
    let settings = env::load_log();
    if let Err(error) = log::init(settings.format, &settings.level) {
        return cannot_start(&error);
    }
    block_on(async {
        match show(args, listen).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&[error]);
                ExitCode::FAILURE
            }
        }
    })
}

async fn show(args: &DemoArgs, listen: ListenConfig) -> Result<(), Box<dyn std::error::Error>> {
    // Ended by whatever ends the terminal that it was started from.
    let stop = signals::stop_on_signals(HangUp::Stops)?;
    let clock = Clock::system(TimeZone::UTC);
    let business = Business::create(args.seed, &calendar(clock.clone())).await?;
    let keys = args.secret.as_ref().map_or_else(Keys::documented, |secret| Keys::of(secret.expose()));
    let links = Links::new(&business, &keys.jwt, clock.clone());
    let config = config(listen, &keys, &business)?;
    let store = store::open(&config.database)?;
    if let Some(outbox) = store.outbox() {
        outbox.migrate().await?;
    }
    let server = Server::bind(config, store)?;
    let address = server.address();
    let (host, is_for_others) = links::host(address);
    let invitation =
        Invitation { host: &host, is_for_others, links: &links, keys: &keys, business: &business }.text()?;
    let page = args.open.then(|| format!("{host}{}", Board::Everything.path()));
    let hooks = Hooks::new(&format!("http://{}", destination(address)), keys.hook.expose());
    let demo = Demo::new(business, keys.jwt.expose(), hooks, calendar(clock));
    let server = server.with_mount(mount(demo.api(), links));
    let ready = server.until_ready();
    let life = tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::select! {
                () = ready => {}
                () = stop.cancelled() => return,
            }
            say(invitation);
            if let Some(page) = page
                && let Err(error) = open::that_detached(&page)
            {
                tracing::warn!(%error, "demo: no browser could be opened; follow the link by hand");
            }
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

/// The customers' own APIs and the short links, on the same port.
fn mount(api: Arc<Api>, links: Links) -> Mount {
    let links = Arc::new(links);
    Mount::new(
        |path| Api::owns(path) || Links::board(path).is_some(),
        move |mount::Call { method, path, headers, body }| {
            let (api, links) = (Arc::clone(&api), Arc::clone(&links));
            Box::pin(async move {
                let Some(board) = Links::board(&path) else {
                    let call = pulso_demo::Call { method, path, headers, body };
                    let pulso_demo::Answer { status, body } = api.answer(&call).await;
                    return mount::Answer::Json(status, body);
                };
                match links.long(board).ok().and_then(|link| HeaderValue::try_from(link).ok()) {
                    Some(link) => mount::Answer::Elsewhere(link),
                    None => mount::Answer::Json(StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": "unavailable" })),
                }
            })
        },
    )
}

fn config(listen: ListenConfig, keys: &Keys, business: &Business) -> Result<Config, queries::BadQuery> {
    let database = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new(business.database_url.as_str())));
    let stats = StatsConfig::default();
    let defined = queries::defined(&QUERIES, &stats.zone)?;
    let page = PageConfig { name: Some(queries::names()?), ..PageConfig::default() };
    Ok(Config {
        feeds: Feeds::all(),
        listen,
        page,
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
        traces: None,
        io_uring: true,
        shutdown_delay: Duration::ZERO,
        shutdown_grace: DEFAULT_SHUTDOWN_GRACE,
    })
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
        assert_eq!(names, ["cocina", "sala-de-espera", "ventas-por-hora", "pedidos-abiertos", "pedidos-clinica"]);
        assert!(queries::names().is_ok());
    }
}
