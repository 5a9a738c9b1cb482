//! One node around a model of a database, and who watches on it.

use super::*;
use crate::config::{DatabaseConfig, DatabaseUrl, Secret};
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::hub::{Hub, Membership};
use crate::model::{Consulta, IdType};
use crate::publication::Encoding;
use crate::store::Store;

/// A subscriber that reads everything and checks the order as it goes.
pub(super) struct Subscriber {
    pub(super) mailbox: Arc<Mailbox>,
    _membership: Membership,
    pub(super) version: u64,
    pub(super) seen: Vec<Seen>,
    /// How often it was told that there is no result.
    pub(super) errors: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) total: i64,
    pub(super) begun: i64,
}

impl Subscriber {
    pub(super) fn read(&mut self) {
        while let Some(Next::Message(Outgoing::Published(state), _)) = self.mailbox.try_next() {
            let is_newer = state.version > self.version || (state.version == self.version && state.is_again());
            assert!(is_newer, "older figures after newer ones");
            self.version = state.version;
            if is_error(&state) {
                self.errors += 1;
            } else {
                self.seen.push(seen(&state));
            }
        }
    }
}

pub(super) fn is_error(reading: &Publication) -> bool {
    reading.payload.contains(r#""type":"error""#)
}

pub(super) fn seen(reading: &Publication) -> Seen {
    let message: serde_json::Value = serde_json::from_str(&reading.payload).unwrap();
    Seen {
        total: message["data"]["total_citas"].as_i64().unwrap(),
        begun: message["data"]["citas_hoy"].as_i64().unwrap(),
    }
}

pub(super) struct World {
    pub(super) model: Arc<Model>,
    pub(super) hub: Arc<Hub>,
    pub(super) queries: Arc<Queries>,
    pub(super) refresher: Arc<Refresher>,
    pub(super) wall: Arc<AtomicI64>,
    pub(super) stop: CancellationToken,
}

impl World {
    pub(super) async fn new(shows_events: bool) -> Self {
        Self::with_connections(8, shows_events, None).await
    }

    /// `completed`: how many transactions a database has completed that tells.
    pub(super) async fn with_connections(connections: u32, shows_events: bool, completed: Option<u64>) -> Self {
        let model = Arc::new(Model::default());
        model.state().shows_events = shows_events;
        model.state().completed = completed;
        Self::around(model, connections, completed.is_some(), vec![query("q")], alone).await
    }

    /// One that has live queries.
    pub(super) async fn with_queries(queries: Vec<Arc<LiveQuery>>) -> Self {
        Self::around(Arc::default(), 8, false, queries, alone).await
    }

    /// A node of one of several.
    pub(super) async fn around(
        model: Arc<Model>,
        connections: u32,
        orders_reads: bool,
        queries: Vec<Arc<LiveQuery>>,
        broker: impl FnOnce(&Arc<Hub>, &Clock, &Arc<Metrics>) -> Broker,
    ) -> Self {
        let metrics = Arc::new(Metrics::new());
        let mut config = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new("sqlite::memory:")));
        config.max_connections = connections;
        config.orders_reads = orders_reads;
        let store: Arc<dyn Store> = model.clone();
        let database = Arc::new(Database::new(store, &config, Arc::clone(&metrics)));
        database.contact().await.unwrap();
        let queries = Arc::new(Queries::new(queries));
        learn(&queries, &database, queries.all()).await;
        let hub = Arc::new(Hub::new(Arc::clone(&metrics)));
        let zone = TimeZone::get("America/Guayaquil").unwrap();
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let (clock, wall) = Clock::manual(zone, start);
        let config =
            StatsConfig { sentinel_interval: Duration::ZERO, results_bytes: 1 << 20, ..StatsConfig::default() };
        let broker = Arc::new(broker(&hub, &clock, &metrics));
        let refresher = Refresher::new(Arc::clone(&database), broker, clock, config, Arc::clone(&queries), metrics);
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&refresher).keep_up(database.state(), stop.clone()));
        tokio::spawn({
            let stop = stop.clone();
            async move { database.monitor(stop).await }
        });
        Self { model, hub, queries, refresher, wall, stop }
    }

    /// Joins, then asks for the snapshot, as a client does.
    pub(super) fn subscribe(&self, channel: &Channel) -> Subscriber {
        let mailbox = Arc::new(Mailbox::new(256, Encoding::Frames { with_ids: false }));
        let membership = self.hub.join(channel.clone(), &mailbox);
        let (refresher, channel, theirs) = (Arc::clone(&self.refresher), channel.clone(), Arc::clone(&mailbox));
        tokio::spawn(async move {
            if let Ok(reading) = refresher.snapshot(&channel).await {
                theirs.push(&reading);
            }
        });
        Subscriber { mailbox, _membership: membership, version: 0, seen: Vec::new(), errors: 0 }
    }

    pub(super) fn queries(&self) -> usize {
        self.model.state().queries
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(super) fn alone(hub: &Arc<Hub>, clock: &Clock, _: &Arc<Metrics>) -> Broker {
    Broker::of_one_node(Arc::clone(hub), Arc::default(), clock)
}

/// A key of the live query `q`.
pub(super) fn live_of(name: &str) -> Channel {
    key_of("q", name)
}

pub(super) fn key_of(query: &str, key: &str) -> Channel {
    Channel::Consulta(Consulta::new(QueryName::parse(query).unwrap(), Some(key)))
}

pub(super) fn figures_of(name: &str) -> Channel {
    Channel::Estadisticas(IdType::Text.parse(name).unwrap())
}
