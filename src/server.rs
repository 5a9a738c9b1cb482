//! Starts what a node has, serves on its port, and stops it in order.

mod stopping;
mod supervisor;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::access::{keys, ownership, withdrawal};
use crate::config::{ClinicConfig, Config, Feed, ListenSource};
use crate::feeds::definition::Start;
use crate::http::mount::{Additions, Mount};
use crate::http::{Port, accept};
use crate::hub::Hub;
use crate::node::Node;
use crate::queries::folder::Folder;
use crate::queries::{keeper, reload};
use crate::store::{ContactError, SettingError, Store};
use crate::telemetry::log;
use crate::workers::{Fallen, Workers};

pub use supervisor::Supervisor;

use stopping::{LAST_STEPS, announce_departure, close_the_door, stop_in_order};

/// How often events that are too old to be replayed are forgotten.
const SWEEP: Duration = Duration::from_mins(1);
/// A node that starts waits for what the others have published, but not longer.
const LONGEST_LEVEL: Duration = Duration::from_secs(10);
/// And for what the database says of its live queries.
const LONGEST_LEARNING: Duration = Duration::from_secs(10);
/// Descriptors beside connections: the database's, the runtime's, the standard streams.
const SPARE_DESCRIPTORS: u64 = 64;

/// A server that listens but does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    node: Node,
    port: Arc<Port>,
    questions: ownership::Questions,
    listen: Option<ListenSource>,
    /// Where live queries are defined, and who asks for that to be read again.
    folder: Option<Folder>,
    reload: Arc<Notify>,
    hints: Option<ListenSource>,
    clinic: ClinicConfig,
    supervisor: Arc<Supervisor>,
    io_uring: bool,
    delay: Duration,
    grace: Duration,
    additions: Additions,
}

/// Why a server does not start, or ends by itself.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {source}. Set PORT or LISTEN_ADDR to one that is free")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("{0}")]
    WrongQuery(ContactError),
    /// A line each.
    #[error("live queries must be mended:\n{0}")]
    WrongLiveQueries(String),
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    #[error(transparent)]
    Fallen(#[from] Fallen),
}

impl StartError {
    /// Whether another try makes no sense before the operator has mended something.
    pub fn is_the_operators(&self) -> bool {
        matches!(self, Self::Setting(_) | Self::WrongQuery(_) | Self::WrongLiveQueries(_))
    }
}

impl Server {
    /// Builds every part around `store` and takes the address. Needs a running runtime.
    pub fn bind(mut config: Config, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let address = SocketAddr::new(config.listen.address, config.listen.port);
        let listener = accept::listen(address).map_err(|source| StartError::Listen { address, source })?;
        let address = listener.local_addr()?;
        config.listen.port = address.port();
        announce(&config);
        raise_descriptor_limit(config.connections.max_websockets.saturating_add(config.connections.max_http));

        let (node, questions) = Node::new(&config, store);
        let name = config.node_name;
        let port = Arc::new(Port::new(&node, name, config.listen, &config.page, config.hooks, config.connections));
        let (listen, delay, grace) = (config.database.listen, config.shutdown_delay, config.shutdown_grace);
        let hints = config.database.hints.filter(|_| config.queries.folder.is_some());
        Ok(Self {
            listener,
            address,
            node,
            port,
            questions,
            listen,
            folder: config.queries.folder,
            reload: Arc::default(),
            hints,
            clinic: config.clinic,
            supervisor: Arc::default(),
            io_uring: config.io_uring,
            delay,
            grace,
            additions: Additions::default(),
        })
    }

    /// Somebody else's API on the same port.
    #[must_use]
    pub fn with_mount(mut self, mount: Mount) -> Self {
        self.additions.mount = Some(mount);
        self
    }

    /// Somebody who asks, now and then, for the files of live queries to be read again.
    #[must_use]
    pub fn with_reload(mut self, reload: Arc<Notify>) -> Self {
        self.reload = reload;
        self
    }

    /// A WebSocket at `/echo` that says back what it hears, for those who test how this server speaks the protocol.
    #[must_use]
    pub fn with_echo(mut self) -> Self {
        self.additions.has_echo = true;
        self
    }

    /// Somebody who wants to know how it is.
    #[must_use]
    pub fn with_supervisor(mut self, supervisor: Supervisor) -> Self {
        self.supervisor = Arc::new(supervisor);
        self
    }

    /// Resolves once the database has been contacted; to be polled beside [`Self::run`].
    pub fn until_ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut state = self.node.database.state();
        // A server that ends before leaves nobody who waits.
        async move { drop(state.wait_for(|state| state.down.is_none()).await) }
    }

    /// Where it listens, with the port that was really taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then stops in order within the grace. Returns early only when a query file is wrong, and with
    /// an error when something ended that it cannot do without.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StartError> {
        let Self { listener, address, node, port, questions, listen, hints, folder, reload, .. } = self;
        let Self { clinic, supervisor, io_uring, delay, grace, additions, .. } = self;
        let (connections, workers) = (TaskTracker::new(), Workers::default());
        // The doors close first, then what goes on behind them, then what hands out.
        let (accepting, halt, handed_out) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        // However this ends, nobody's end is a surprise then.
        let _told = [&accepting, &halt, &handed_out].map(|stop| stop.clone().drop_guard());
        node.hub.start(io_uring, workers.watch("the fan-out thread", &handed_out))?;
        if node.broker.is_of_several_nodes() {
            workers.spawn("the broker", &halt, |stop| {
                let broker = Arc::clone(&node.broker);
                async move { broker.run(stop).await }
            });
            // Who comes with a position is to find what it missed; without the log everybody is told of a gap.
            tokio::select! {
                level = timeout(LONGEST_LEVEL, node.broker.until_level()) => if level.is_err() {
                    warn!("the log between the nodes is not to be had: this node begins without it");
                },
                () = stop.cancelled() => {}
            }
            node.broker.open();
        }
        workers.spawn("the accept loop", &accepting, |stop| {
            accept::accept(listener, Arc::clone(&port), additions, connections.clone(), stop)
        });
        workers.spawn("the log's writer", &halt, log::keep);
        info!(%address, "listening");

        // Reachable but wrong is a mistake to mend now; not reachable is only a matter of time.
        tokio::select! {
            mistakes = first_contact(&node) => mistakes?,
            // A database that does not answer must not keep a server that is to stop.
            () = stop.cancelled() => {}
            _ = workers.fallen() => {}
        }
        supervisor.on_serving();
        workers.spawn("the watchdog", &halt, |stop| Arc::clone(&supervisor).keep_telling(stop));
        workers.spawn("the database's monitor", &halt, |stop| {
            let database = Arc::clone(&node.database);
            async move { database.monitor(stop).await }
        });
        workers.spawn("the upkeep of states", &halt, |stop| {
            Arc::clone(&node.refresher).keep_up(node.database.state(), stop)
        });
        workers.spawn("the keeper of live queries", &halt, |stop| {
            keeper::keep(Arc::clone(&node.queries), Arc::clone(&node.database), stop)
        });
        workers.spawn("the reading of live queries", &halt, |stop| {
            reload::keep_reading(folder, Arc::clone(&node.queries), Arc::clone(&node.database), reload, stop)
        });
        workers.spawn("the answering of ownership questions", &halt, |stop| {
            Arc::clone(&node.access).answer_questions(questions, Arc::clone(&node.database), stop)
        });
        let (listen, hints) = (listen.as_ref(), hints.as_ref());
        let start = Start { workers: &workers, stop: &halt, node: &node, clinic: &clinic, listen, hints };
        for feed in node.sessions.feeds.on() {
            (feed.definition().start)(&start);
        }
        workers.spawn("the keeping of issuers' keys", &halt, |stop| {
            let sessions = &node.sessions;
            keys::keep(sessions.tokens.sources(), sessions.clock.clone(), Arc::clone(&sessions.metrics), stop)
        });
        workers.spawn("the watch over withdrawn keys", &halt, |stop| {
            let (hub, broker, sessions) = (Arc::clone(&node.hub), Arc::clone(&node.broker), Arc::clone(&node.sessions));
            let changes = sessions.tokens.sources().iter().map(|source| source.changes()).collect();
            withdrawal::keep_watch(changes, move |key| sessions.tokens.holds(key), hub, broker, stop)
        });
        // What is heard counts as a call: none is begun when the doors are closed.
        for (bridges, bridge) in node.bridges.iter().flat_map(|bridges| bridges.on.iter().map(move |on| (bridges, on)))
        {
            workers.spawn("a bridge", &accepting, |stop| bridges.clone().keep(bridge.clone(), stop));
        }
        if let Some(tracer) = &node.tracer {
            workers.spawn("the sending of spans", &halt, |stop| Arc::clone(tracer).keep_sending(stop));
        }
        workers.spawn("the bounds of idempotency", &halt, |stop| Arc::clone(&node.idempotency).keep_bounds(stop));
        workers.spawn("the sweep of old events", &halt, |stop| sweep(Arc::clone(&node.hub), stop));

        let mut ended = tokio::select! {
            () = stop.cancelled() => Ok(()),
            fallen = workers.fallen() => Err(fallen),
        };
        supervisor.on_leaving();
        if ended.is_ok() {
            ended = announce_departure(&node, delay, &workers).await;
        }
        let deadline = Instant::now() + grace.saturating_sub(LAST_STEPS);
        close_the_door(&accepting, delay).await;
        stop_in_order(&node, &connections, deadline).await;
        halt.cancel();
        // What hangs here hangs on the database; nobody waits for it any more.
        let _ = timeout_at(deadline + LAST_STEPS / 2, workers.ended()).await;
        handed_out.cancel();
        node.hub.stop();
        info!("stopped");
        // Whoever runs this process starts it again.
        ended.map_err(StartError::Fallen)
    }
}

/// Makes contact, and asks about every live query: what is wrong with a file ends the start. What takes too long is the keeper's.
async fn first_contact(node: &Node) -> Result<(), StartError> {
    match node.database.contact().await {
        Err(wrong @ ContactError::WrongQuery { .. }) => return Err(StartError::WrongQuery(wrong)),
        Err(_) => return Ok(()),
        Ok(_) => {}
    }
    if let Err(wrong @ ContactError::WrongQuery { .. }) = node.names.learn().await {
        return Err(StartError::WrongQuery(wrong));
    }
    let learning = keeper::learn(&node.queries, &node.database, node.queries.all());
    match timeout(LONGEST_LEARNING, learning).await {
        Ok(wrong) if !wrong.is_empty() => Err(StartError::WrongLiveQueries(wrong.join("\n"))),
        _ => Ok(()),
    }
}

/// Says which feeds there are not, and which cannot work yet.
fn announce(config: &Config) {
    for feed in Feed::ALL {
        let name = feed.word();
        if !config.feeds.has(feed) {
            info!(feed = name, "this feed is switched off (FEEDS): it answers 404");
        } else if let Some(variable) = config.missing_setting(feed) {
            info!(feed = name, "this feed answers 503 until {variable} is set");
        }
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
