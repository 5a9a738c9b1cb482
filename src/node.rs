//! What a node has: every part once. Other parts are given what they need of it, never the whole.
//!
//! Must not know how anything is served: `server` starts and stops what is here.

mod several;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::ownership::{Access, Questions};
use crate::access::token::TokenVerifier;
use crate::broker::Broker;
use crate::broker::bridge::{Bridges, Ear};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::Database;
use crate::feeds;
use crate::feeds::call::CallContext;
use crate::feeds::clinic::devices::Devices;
use crate::feeds::definition::Table;
use crate::feeds::hearing::Listener;
use crate::http::departure::Departure;
use crate::http::places::Places;
use crate::hub::Hub;
use crate::idempotency::Idempotency;
use crate::model::{Channel, QueryName};
use crate::queries::names::Names;
use crate::queries::{Consequences, Queries};
use crate::refresh::Refresher;
use crate::session::{SessionContext, words};
use crate::store::Store;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Tracer;
use crate::transport::socketio::SocketIo;

/// Goodbyes are spread over this long, so that a restart is not answered by everybody at once.
const LONGEST_SPREAD: Duration = Duration::from_secs(3);

/// One node.
#[derive(Debug)]
pub struct Node {
    pub hub: Arc<Hub>,
    pub broker: Arc<Broker>,
    pub database: Arc<Database>,
    pub queries: Arc<Queries>,
    /// Of businesses.
    pub names: Arc<Names>,
    pub refresher: Arc<Refresher>,
    pub access: Arc<Access>,
    pub devices: Arc<Devices>,
    /// What its sessions work with.
    pub sessions: Arc<SessionContext>,
    /// What the feeds' calls work with.
    pub calls: Arc<CallContext>,
    pub idempotency: Arc<Idempotency>,
    /// `None` while no feed needs Socket.IO.
    pub socketio: Option<SocketIo>,
    pub places: Arc<Places>,
    pub departure: Arc<Departure>,
    /// `None` where no call is followed.
    pub tracer: Option<Arc<Tracer>>,
    /// `None` where no other producer is listened to.
    pub bridges: Option<Bridges>,
    /// The tasks of all clients.
    pub clients: TaskTracker,
    /// Cancelled when the HTTP connections have to end.
    pub hang_up: CancellationToken,
}

impl Node {
    /// Builds every part around `store`; nothing runs yet. With it comes the queue of questions about ownership.
    pub fn new(config: &Config, store: Arc<dyn Store>) -> (Self, Questions) {
        let metrics = Arc::new(Metrics::new());
        let clock = Clock::system(config.stats.zone.clone());
        let hub = Arc::new(Hub::new(Arc::clone(&metrics)));
        // A reload may bring live queries that ask for other claims.
        let tokens = TokenVerifier::new(&config.auth)
            .keeping_claims(config.queries.folder.is_some() || !config.queries.defined.is_empty());
        let database = Arc::new(Database::new(store, &config.database, Arc::clone(&metrics)));
        let tables = config.feeds.ask(Table::Outbox).then(|| Arc::clone(&database));
        let idempotency = Arc::new(Idempotency::new(tables));
        let clients = TaskTracker::new();
        let dismissed = Arc::clone(tokens.dismissed());
        let broker = Arc::new(match &config.redis {
            None => Broker::of_one_node(Arc::clone(&hub), dismissed, &clock),
            Some(redis) => Broker::of_several_nodes(
                several::several(config, redis, &clients),
                Arc::clone(&hub),
                dismissed,
                Arc::clone(idempotency.answers()),
                &clock,
                Arc::clone(&metrics),
            ),
        });
        let (access, questions) = Access::new(&config.auth, &config.client, Arc::clone(&metrics));
        let devices = Devices::new(config.clinic.bad_devices_per_minute);
        let names = Arc::new(Names::new(config.page.name.clone(), Arc::clone(&database), clock.clone()));
        let queries = Arc::new(Queries::new(config.queries.defined.iter().cloned()));
        let refresher = Refresher::new(
            Arc::clone(&database),
            Arc::clone(&broker),
            clock.clone(),
            config.stats.clone(),
            Arc::clone(&queries),
            Arc::clone(&metrics),
        );
        let tracer = config.traces.clone().map(|traces| Tracer::new(traces, clock.clone(), Arc::clone(&metrics)));
        let calls = Arc::new(CallContext {
            broker: Arc::clone(&broker),
            database: Arc::clone(&database),
            refresher: Arc::clone(&refresher),
            queries: Arc::clone(&queries),
            clock: clock.clone(),
            publish: config.publish.clone(),
            sync: config.sync.clone(),
            reserved: words::TYPES.into_iter().chain(feeds::types()).collect(),
            tasks: TaskTracker::new(),
        });
        let sessions = Arc::new(SessionContext {
            hub: Arc::clone(&hub),
            queries: Arc::clone(&queries),
            refresher: Arc::clone(&refresher),
            access: Arc::clone(&access),
            database: Arc::clone(&database),
            tokens,
            clock,
            feeds: config.feeds,
            single_business: config.publish.single_business,
            devices: Arc::clone(&devices),
            limits: config.client.clone(),
            recheck: config.auth.recheck,
            since: Instant::now(),
            goodbye: CancellationToken::new(),
            goodbye_spread: LONGEST_SPREAD.min(config.shutdown_grace * 3 / 8),
            metrics: Arc::clone(&metrics),
        });
        queries.heed(consequences(&hub, &refresher));
        let listener = Listener {
            feeds: config.feeds,
            context: Arc::clone(&calls),
            idempotency: Arc::clone(&idempotency),
            timeout: config.hooks.timeout,
        };
        let bridges = config.redis.as_ref().filter(|_| !config.bridges.is_empty()).map(|redis| Bridges {
            on: config.bridges.clone(),
            redis: redis.clone(),
            hub: Arc::clone(&hub),
            groups: feeds::groups(config.feeds),
            ear: ear(listener),
            most: config.hooks.max_body_bytes,
            metrics: Arc::clone(&metrics),
        });
        let node = Self {
            bridges,
            socketio: SocketIo::new(&sessions, &config.sync, &clients),
            places: Arc::new(Places::new(&config.connections, config.hooks.max_concurrent, &metrics)),
            hub,
            broker,
            database,
            queries,
            names,
            refresher,
            access,
            devices,
            sessions,
            calls,
            idempotency,
            departure: Arc::default(),
            tracer: tracer.map(Arc::new),
            clients,
            hang_up: CancellationToken::new(),
        };
        (node, questions)
    }
}

/// Of live queries that are defined otherwise: nobody hears of them who has not passed what they ask of a watcher now.
fn consequences(hub: &Arc<Hub>, refresher: &Arc<Refresher>) -> Consequences {
    let (hub, refresher) = (Arc::downgrade(hub), Arc::downgrade(refresher));
    let silence = move |changed: &HashSet<QueryName>| {
        if let Some(hub) = hub.upgrade() {
            hub.silence(|channel| matches!(channel, Channel::Consulta(one) if changed.contains(one.query())));
        }
    };
    let forget = move |changed: &HashSet<QueryName>| {
        if let Some(refresher) = refresher.upgrade() {
            for query in changed {
                refresher.forget(query);
            }
        }
    };
    Consequences { silence: Box::new(silence), forget: Box::new(forget) }
}

fn ear(listener: Listener) -> Ear {
    let listener = Arc::new(listener);
    Arc::new(move |told| {
        let listener = Arc::clone(&listener);
        Box::pin(async move { listener.hear(told).await })
    })
}
