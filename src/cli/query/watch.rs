//! `pulso query --watch`: what a subscriber would get, and why each read was made.
//!
//! The parts of a node that keep a state current, without a port: what the hooks of a server are called with is not heard here.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::{DatabaseConfig, StatsConfig};
use crate::database::Database;
use crate::hub::Hub;
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::model::{Channel, Consulta};
use crate::publication::Encoding;
use crate::queries::{Hint, LiveQuery, Queries, keeper};
use crate::refresh::Refresher;
use crate::store::Store;
use crate::store::listen::{ListenEvent, listen, subject_and_key};
use crate::telemetry::metrics::{Metrics, QueryRead, ReadReason};
use crate::workers::Workers;

/// How often it is looked whether a read was made that said nothing new.
const LOOK: Duration = Duration::from_millis(50);
/// Results that wait to be printed; a newer one takes the place of an older.
const WAITING: usize = 16;

/// Prints until `stop`, to the output what is sent, to the error output why it was read.
pub(super) async fn watch(
    (store, database): (Arc<dyn Store>, &DatabaseConfig),
    (query, consulta): (&Arc<LiveQuery>, Consulta),
    (stats, clock): (StatsConfig, Clock),
    stop: CancellationToken,
) -> io::Result<()> {
    let (metrics, workers) = (Arc::new(Metrics::new()), Workers::default());
    let _stopping = stop.clone().drop_guard();
    let hub = Arc::new(Hub::new(Arc::clone(&metrics)));
    hub.start(false, workers.watch("the fan-out thread", &stop))?;
    let broker = Arc::new(Broker::of_one_node(Arc::clone(&hub), Arc::default(), &clock));
    let hints = database.hints.clone();
    let database = Arc::new(Database::new(store, database, Arc::clone(&metrics)));
    let queries = Arc::new(Queries::new([Arc::clone(query)]));
    let refresher =
        Refresher::new(Arc::clone(&database), broker, clock.clone(), stats, Arc::clone(&queries), Arc::clone(&metrics));
    // What is not there yet, the monitor and the keeper wait for.
    let _ = database.contact().await;
    keeper::learn(&queries, &database, queries.all()).await;
    workers.spawn("the database's monitor", &stop, |stop| {
        let database = Arc::clone(&database);
        async move { database.monitor(stop).await }
    });
    workers.spawn("the keeper of live queries", &stop, |stop| {
        keeper::keep(Arc::clone(&queries), Arc::clone(&database), stop)
    });
    workers.spawn("the upkeep of live queries", &stop, |stop| Arc::clone(&refresher).keep_up(database.state(), stop));
    let channel = Channel::Consulta(consulta);
    let is_listening = query.hints.iter().any(|hint| matches!(hint, Hint::Listen(_)));
    if let Some(source) = hints.filter(|_| is_listening) {
        workers.spawn("the listener", &stop, |stop| {
            let (queries, refresher, channel) = (Arc::clone(&queries), Arc::clone(&refresher), channel.clone());
            async move {
                let hear = |event| {
                    if is_about(&queries, &channel, event) {
                        refresher.hint(&channel);
                    }
                };
                let always = tokio::sync::watch::Sender::new(true).subscribe();
                listen(&source, always, hear, stop).await;
            }
        });
    }
    let mailbox = Arc::new(Mailbox::new(WAITING, Encoding::Frames { with_ids: false }));
    let _membership = hub.join(channel.clone(), &mailbox);
    say("hooks are heard by `pulso serve` only; this hears triggers, the clock, `every` and the sentinel")?;
    let mut reasons = Reasons::new(query, &metrics);
    // What cannot be read now is sent as soon as it can be.
    let first = refresher.snapshot(&channel).await.ok();
    reasons.tell(&clock)?;
    if let Some(reading) = first {
        mailbox.push_again(&reading);
    }
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            fallen = workers.fallen() => return Err(io::Error::other(fallen)),
            _ = looks.tick() => reasons.tell(&clock)?,
            next = poll_fn(|cx| mailbox.poll_next(cx, true)) => match next {
                Next::Message(Outgoing::Published(publication), _) => {
                    reasons.tell(&clock)?;
                    writeln!(io::stdout().lock(), "{}", publication.payload)?;
                }
                Next::Message(..) => {}
                Next::Overflowed | Next::Dismissed(_) => return Ok(()),
            },
        }
    }
}

/// Whether something heard of the database may have changed what is watched.
fn is_about(queries: &Queries, channel: &Channel, event: ListenEvent) -> bool {
    let Channel::Consulta(consulta) = channel else { return false };
    match event {
        ListenEvent::Gap => true,
        ListenEvent::Deaf => false,
        ListenEvent::Notice(payload) => {
            let (subject, key) = subject_and_key(&payload);
            queries
                .listening_to(subject)
                .iter()
                .any(|live| key.is_none() || !live.query.is_keyed || live.consulta(key).as_ref() == Some(consulta))
        }
    }
}

/// What has been read, and why, as far as it was told.
struct Reasons<'a> {
    query: &'a LiveQuery,
    metrics: &'a Metrics,
    told: Vec<u64>,
}

impl<'a> Reasons<'a> {
    fn new(query: &'a LiveQuery, metrics: &'a Metrics) -> Self {
        Self { query, metrics, told: vec![0; ReadReason::ALL.len()] }
    }

    /// Says which reads were made since the last time.
    fn tell(&mut self, clock: &Clock) -> io::Result<()> {
        for (reason, told) in ReadReason::ALL.iter().zip(&mut self.told) {
            let read = QueryRead::of(&self.query.name, *reason);
            let made = self.metrics.live.reads.get_or_create(&read).get();
            for _ in *told..made {
                say(&format!("{} read: {}", clock.now().strftime("%H:%M:%S%.3f"), why(*reason)))?;
            }
            *told = made;
        }
        Ok(())
    }
}

fn why(reason: ReadReason) -> &'static str {
    match reason {
        ReadReason::Notice => "a call of /notify/consulta",
        ReadReason::Transaction => "a call that names its transaction",
        ReadReason::Newcomer => "somebody subscribes",
        ReadReason::Hint => "hints",
        ReadReason::Clock => "next_change_at",
        ReadReason::Interval => "every",
        ReadReason::Trailing => "once more, for a commit that came after its hint",
        ReadReason::Rollover => "another day",
        ReadReason::Recovery => "the database is back",
        ReadReason::Told => "another node has read it",
        ReadReason::Freshness => "once more: what the newcomer was given was not quite new",
        ReadReason::Sentinel => "the sentinel",
    }
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "-- {text}")
}
