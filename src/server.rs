//! The composition root: builds every part, starts it, stops it in order. The only file that names them all.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::auth::access::{Access, Questions};
use crate::auth::attempts::Attempts;
use crate::auth::origin::OriginPolicy;
use crate::auth::token::TokenVerifier;
use crate::client::Environment;
use crate::clock::Clock;
use crate::config::{Config, Feed, ListenSource};
use crate::database::Database;
use crate::devices;
use crate::http::annex::{Additions, Annex};
use crate::http::places::Places;
use crate::http::{Gate, accept};
use crate::hub::Hub;
use crate::idempotency::Idempotency;
use crate::socketio::Namespaces;
use crate::stats::Refresher;
use crate::store::listen::{ListenEvent, listen};
use crate::store::{ContactError, SettingError, Store};
use crate::telemetry::metrics::Metrics;

/// Goodbyes are spread over this long, so that a restart is not answered by everybody at once.
const LONGEST_SPREAD: Duration = Duration::from_secs(3);
/// How long reads that are still owed may keep a stopping server.
const LONGEST_SETTLE: Duration = Duration::from_secs(1);
/// Kept back from the grace for the last steps.
const LAST_STEPS: Duration = Duration::from_millis(300);
/// How often events that are too old to be replayed are forgotten.
const SWEEP: Duration = Duration::from_mins(1);
/// Descriptors beside connections: the database's, the runtime's, the standard streams.
const SPARE_DESCRIPTORS: u64 = 64;

/// A server that listens but does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    gate: Arc<Gate>,
    questions: Questions,
    listen: Option<ListenSource>,
    device_recheck: Duration,
    keeps_outbox: bool,
    io_uring: bool,
    grace: Duration,
    additions: Additions,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {source}. Set PORT or LISTEN_ADDR to one that is free")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("{0}")]
    WrongQuery(ContactError),
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    /// Whether another try makes no sense before the operator has mended something.
    pub fn is_the_operators(&self) -> bool {
        matches!(self, Self::Setting(_) | Self::WrongQuery(_))
    }
}

impl Server {
    /// Builds every part around `store` and takes the address. Needs a running runtime.
    pub fn bind(config: Config, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let address = SocketAddr::new(config.listen.address, config.listen.port);
        let listener = accept::listen(address).map_err(|source| StartError::Listen { address, source })?;
        let address = listener.local_addr()?;
        announce(&config);
        raise_descriptor_limit(config.connections.max_websockets.saturating_add(config.connections.max_http));

        let metrics = Arc::new(Metrics::new());
        let clock = Clock::system(config.stats.zone.clone());
        // Counting from the wall clock keeps ids growing across a restart.
        let first_event = u64::try_from(clock.now().as_microsecond()).unwrap_or_default();
        let hub = Arc::new(Hub::new(first_event, Arc::clone(&metrics)));
        let database = Arc::new(Database::new(store, &config.database, Arc::clone(&metrics)));
        let (access, questions) = Access::new(&config.auth, Arc::clone(&metrics));
        let refresher =
            Refresher::new(Arc::clone(&database), Arc::clone(&hub), clock.clone(), config.stats, Arc::clone(&metrics));
        let environment = Arc::new(Environment {
            hub,
            refresher,
            access,
            database,
            tokens: TokenVerifier::new(&config.auth),
            clock,
            feeds: config.feeds,
            single_business: config.publish.single_business,
            bad_devices: Attempts::new(config.clinic.bad_devices_per_minute),
            limits: config.client,
            recheck: config.auth.recheck,
            since: Instant::now(),
            goodbye: CancellationToken::new(),
            goodbye_spread: LONGEST_SPREAD.min(config.shutdown_grace * 3 / 8),
            metrics,
        });
        let tables = config.feeds.has(Feed::Sync).then(|| Arc::clone(&environment.database));
        let clients = TaskTracker::new();
        let gate = Arc::new(Gate {
            namespaces: Namespaces::new(&environment, &config.sync, &clients),
            environment,
            origins: OriginPolicy::new(config.listen.origins),
            trusted_proxies: config.listen.trusted_proxies,
            places: Places::new(&config.connections, config.hooks.max_concurrent),
            hooks: config.hooks,
            publish: config.publish,
            sync: config.sync,
            idempotency: Arc::new(Idempotency::new(tables)),
            announced: AtomicU64::new(0),
            limits: config.connections,
            clients,
            is_stopping: AtomicBool::new(false),
            hang_up: CancellationToken::new(),
        });
        let (listen, grace) = (config.database.listen, config.shutdown_grace);
        Ok(Self {
            listener,
            address,
            gate,
            questions,
            listen,
            device_recheck: config.clinic.device_recheck,
            keeps_outbox: config.database.keeps_outbox,
            io_uring: config.io_uring,
            grace,
            additions: Additions::default(),
        })
    }

    /// Somebody else's API on the same port.
    #[must_use]
    pub fn with_annex(mut self, annex: Annex) -> Self {
        self.additions.annex = Some(annex);
        self
    }

    /// A WebSocket at `/echo` that says back what it hears, for those who test how this server speaks the protocol.
    #[must_use]
    pub fn with_echo(mut self) -> Self {
        self.additions.has_echo = true;
        self
    }

    /// Resolves once the database has been contacted; to be polled beside [`Self::run`].
    pub fn until_ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut state = self.gate.environment.database.state();
        // A server that ends before leaves nobody who waits.
        async move { drop(state.wait_for(|state| state.down.is_none()).await) }
    }

    /// Where it listens, with the port that was really taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then stops in order within the grace. Returns early only when a query file is wrong.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StartError> {
        let Self {
            listener,
            address,
            gate,
            questions,
            listen: source,
            device_recheck,
            keeps_outbox,
            io_uring,
            grace,
            additions,
        } = self;
        let environment = Arc::clone(&gate.environment);
        let (connections, background) = (TaskTracker::new(), TaskTracker::new());
        let halt = CancellationToken::new();
        let accepting = CancellationToken::new();
        let fan_out_ended = environment.hub.start(io_uring)?;
        background.spawn(accept::accept(
            listener,
            Arc::clone(&gate),
            additions,
            connections.clone(),
            accepting.clone(),
        ));
        info!(%address, "listening");

        // Reachable but wrong is a mistake to mend now; not reachable is only a matter of time.
        tokio::select! {
            contact = environment.database.contact() => if let Err(wrong @ ContactError::WrongQuery { .. }) = contact {
                return Err(StartError::WrongQuery(wrong));
            },
            // A database that does not answer must not keep a server that is to stop.
            () = stop.cancelled() => {}
        }
        background.spawn({
            let (database, halt) = (Arc::clone(&environment.database), halt.clone());
            async move { database.monitor(halt).await }
        });
        background.spawn(Arc::clone(&environment.refresher).keep_up(environment.database.state(), halt.clone()));
        let (access, database) = (Arc::clone(&environment.access), Arc::clone(&environment.database));
        background.spawn(access.answer_questions(questions, database, halt.clone()));
        let (hub, database) = (Arc::clone(&environment.hub), Arc::clone(&environment.database));
        background.spawn(devices::keep_watch(hub, database, device_recheck, halt.clone()));
        background.spawn(Arc::clone(&gate.idempotency).keep_bounds(halt.clone()));
        if keeps_outbox {
            background.spawn(look_for_tables(Arc::clone(&environment.database)));
        }
        background.spawn(sweep(Arc::clone(&environment.hub), halt.clone()));
        if let Some(source) = source {
            let (environment, halt) = (Arc::clone(&environment), halt.clone());
            background.spawn(async move {
                listen(&source, |event| on_listen(&environment, event), halt).await;
            });
        }

        let is_told_to = tokio::select! {
            () = stop.cancelled() => true,
            _ = fan_out_ended => false,
        };
        let deadline = Instant::now() + grace.saturating_sub(LAST_STEPS);
        accepting.cancel();
        stop_in_order(&gate, &connections, deadline).await;
        halt.cancel();
        background.close();
        // What hangs here hangs on the database; nobody waits for it any more.
        let _ = timeout_at(deadline + LAST_STEPS / 2, background.wait()).await;
        environment.hub.stop();
        info!("stopped");
        // Without it nobody would be told anything any more: whoever runs this process starts it again.
        if is_told_to { Ok(()) } else { Err(io::Error::other("the fan-out thread has ended").into()) }
    }
}

/// Says which feeds there are not, and which cannot work yet.
fn announce(config: &Config) {
    for feed in Feed::ALL {
        let name = feed.word();
        if !config.feeds.has(feed) {
            info!(feed = name, "this feed is switched off (FEEDS): it answers 404");
        } else if let Some(variable) = config.lacks(feed) {
            info!(feed = name, "this feed answers 503 until {variable} is set");
        }
    }
}

/// Says it if order synchronisation lacks its tables.
async fn look_for_tables(database: Arc<Database>) {
    if database.is_migrated().await == Ok(false) {
        warn!(feed = Feed::Sync.word(), "this feed answers 503 until its tables are there: run pulso migrate");
    }
}

/// Gives the memory of old events back, also of channels where nothing happens any more.
async fn sweep(hub: Arc<Hub>, halt: CancellationToken) {
    loop {
        tokio::select! {
            () = halt.cancelled() => return,
            () = sleep(SWEEP) => hub.sweep(),
        }
    }
}

/// Hooks first, then their figures, then the goodbyes, then the rest of HTTP.
async fn stop_in_order(gate: &Gate, connections: &TaskTracker, deadline: Instant) {
    gate.is_stopping.store(true, Ordering::Relaxed);
    let spread = gate.environment.goodbye_spread;
    let hooks_until = (deadline - spread).max(Instant::now());
    if timeout_at(hooks_until, gate.places.hooks_done()).await.is_err() {
        warn!("hook calls still under way are given up");
    }
    let settle_until = (Instant::now() + LONGEST_SETTLE).min(hooks_until.max(Instant::now()));
    gate.environment.refresher.settle(settle_until).await;
    let _ = timeout_at(settle_until, gate.environment.hub.until_handed_out()).await;
    gate.environment.goodbye.cancel();
    gate.clients.close();
    if timeout_at(deadline, gate.clients.wait()).await.is_err() {
        warn!(clients = gate.clients.len(), "clients that do not take their goodbye are left behind");
    }
    if let Some(namespaces) = &gate.namespaces {
        namespaces.close();
    }
    gate.hang_up.cancel();
    connections.close();
    let _ = timeout_at(deadline + LAST_STEPS / 3, connections.wait()).await;
}

fn on_listen(environment: &Environment, event: ListenEvent) {
    match event {
        ListenEvent::Notice(id) => {
            // Before the first contact nobody watches anything.
            let Some(id_type) = environment.database.id_type() else { return };
            if let Some(negocio) = id_type.parse(&id) {
                environment.refresher.triggered(&negocio);
            } else {
                error!(payload = ?id, "the trigger sent what is no id of a business");
            }
        }
        ListenEvent::Gap => {
            environment.metrics.listen_gaps.inc();
            environment.refresher.recover();
        }
    }
}

/// Takes all the descriptors this process may have, and says so if that is fewer than the connections it may have.
fn raise_descriptor_limit(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        warn!(%error, "cannot raise the descriptor limit");
    }
    let wanted = connections as u64 + SPARE_DESCRIPTORS;
    if let Some(limit) = getrlimit(Resource::Nofile).current.filter(|limit| *limit < wanted) {
        warn!(
            limit,
            wanted, "the descriptor limit is lower than MAX_CONNECTIONS and MAX_HTTP_CONNECTIONS need (see ulimit -n)"
        );
    }
}
