//! The optional listener: notices that the shipped trigger sends through `NOTIFY`.
//!
//! A connection that only listens can be deaf without any error (a pooler, a dead line), so it proves itself: at every
//! start by a notification of our own, sent from a second connection, and in silence by a question now and then.
//! Must not know what a notice causes.

use std::fmt;
use std::future::pending;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};
use sqlx::{Acquire, AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::hints::MAX_SUBJECT_BYTES;
use super::postgres::options::Servers;
use super::postgres::{failure, pooler};
use crate::config::ListenSource;
use crate::model::MAX_ID_BYTES;

/// For each step of opening the listener.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// For our own notification to come back.
const ECHO_TIMEOUT: Duration = Duration::from_secs(2);
/// Silence after which the connection is asked whether it is there.
const QUIET: Duration = Duration::from_secs(20);
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LAST_BACKOFF: Duration = Duration::from_secs(10);
/// A subject, a space and a key.
const MAX_PAYLOAD_BYTES: usize = MAX_SUBJECT_BYTES + 1 + MAX_ID_BYTES;
/// No id of a business begins so, and no subject.
const MARKER: &str = "pulso-selftest:";

/// What the listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenEvent {
    /// What a trigger tells of has changed. The payload's text: not empty, of bounded length, without control characters. Whether
    /// there is such an id, or such a key, nobody has looked yet.
    Notice(String),
    /// Listening has begun, or begun again; what changed before is unknown. Read everything watched.
    Gap,
    /// There is no listening just now. It is tried again.
    Deaf,
}

/// Listens whenever it `is_due`, until `stop`, through every outage. `on` must not wait.
pub async fn listen(
    source: &ListenSource,
    mut is_due: watch::Receiver<bool>,
    on: impl Fn(ListenEvent) + Send + Sync,
    stop: CancellationToken,
) {
    let ears = async {
        let mut backoff = FIRST_BACKOFF;
        let mut said = String::new();
        loop {
            until(&mut is_due, true).await;
            let hear = async {
                let mut listener = Listener::open(source, &on).await?;
                info!(channel = source.channel, "listening for changes in the database");
                on(ListenEvent::Gap);
                backoff = FIRST_BACKOFF;
                said.clear();
                Err(listener.hear(&on).await)
            };
            let heard: Result<(), Trouble> = tokio::select! {
                heard = hear => heard,
                () = until(&mut is_due, false) => Ok(()),
            };
            let Err(trouble) = heard else {
                info!(channel = source.channel, "another node listens for changes in the database");
                continue;
            };
            on(ListenEvent::Deaf);
            let text = trouble.to_string();
            if text == said {
                debug!(channel = source.channel, reason = text, "still not listening for changes in the database");
            } else {
                error!(
                    channel = source.channel,
                    reason = text,
                    "not listening for changes in the database; trying again"
                );
                said = text;
            }
            sleep(backoff).await;
            backoff = (backoff * 2).min(LAST_BACKOFF);
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = ears => {}
    }
}

async fn until(changes: &mut watch::Receiver<bool>, wanted: bool) {
    if changes.wait_for(|is| *is == wanted).await.is_err() {
        // Nobody says anything any more.
        pending::<()>().await;
    }
}

/// What a trigger of `pulso migrate --listen` tells: the key, or all keys of the subject. A key may hold spaces, a subject holds
/// none.
pub fn subject_and_key(payload: &str) -> (&str, Option<&str>) {
    payload.split_once(' ').map_or((payload, None), |(subject, key)| (subject, Some(key)))
}

/// Whether notifications arrive, or what to do about it. For `pulso check`.
pub async fn probe(source: &ListenSource) -> Result<(), String> {
    Listener::open(source, &|_| {}).await.map(drop).map_err(|trouble| trouble.to_string())
}

/// Why there is no listener.
enum Trouble {
    Setting(String),
    Unreachable(String),
    Lost(String),
    Deaf,
}

/// A connection that has proved that it hears.
struct Listener(PgListener);

impl Listener {
    async fn open(source: &ListenSource, on: &(impl Fn(ListenEvent) + Sync)) -> Result<Self, Trouble> {
        let servers =
            Servers::parse(&source.url, "LISTEN_DATABASE_URL").map_err(|error| Trouble::Setting(error.to_string()))?;
        let address = servers.address();
        let unreachable =
            |error: &sqlx::Error| Trouble::Unreachable(failure::of_connecting(error, &address).to_string());
        let silent = |_| Trouble::Unreachable(format!("Cannot connect to database: {address}: no answer"));

        // Another connection than the one that listens: a pooler passes a backend's notification on to whoever
        // holds that backend, which during one's own NOTIFY is oneself.
        let connected = servers.connect(STEP_TIMEOUT).await;
        let (mut voice, options) = connected.map_err(|error| Trouble::Unreachable(error.to_string()))?;
        let listener = timeout(STEP_TIMEOUT, connect(options.clone())).await;
        let mut listener = Self(listener.map_err(silent)?.map_err(|error| unreachable(&error))?);

        // Before LISTEN, which would stay behind on a pooler's server connection and disturb its other clients.
        let pooled = timeout(STEP_TIMEOUT, listener.shares_a_server_process_with(&mut voice)).await;
        if pooled.map_err(silent)?.map_err(|error| unreachable(&error))? {
            return Err(Trouble::Deaf);
        }
        let listening = timeout(STEP_TIMEOUT, listener.0.listen(&source.channel)).await;
        listening.map_err(silent)?.map_err(|error| unreachable(&error))?;

        let marker = format!("{MARKER}{:016x}", rand::random::<u64>());
        // The channel is an identifier and the marker is hexadecimal: nothing to escape.
        let notify = format!(r#"NOTIFY "{}", '{marker}'"#, source.channel.replace('"', ""));
        let sent = timeout(STEP_TIMEOUT, voice.execute(AssertSqlSafe(notify))).await;
        sent.map_err(silent)?.map_err(|error| match error {
            // It came to the one who sent it: both have the same server process.
            sqlx::Error::Protocol(_) => Trouble::Deaf,
            error => unreachable(&error),
        })?;
        let echo = async {
            loop {
                let notification = listener.next().await?;
                if notification.payload() == marker {
                    return Ok(());
                }
                deliver(&notification, on);
            }
        };
        timeout(ECHO_TIMEOUT, echo).await.unwrap_or(Err(Trouble::Deaf))?;
        let _ = timeout(ECHO_TIMEOUT, voice.close()).await;
        Ok(listener)
    }

    async fn shares_a_server_process_with(&mut self, voice: &mut PgConnection) -> Result<bool, sqlx::Error> {
        pooler::detect(self.0.acquire().await?, voice).await
    }

    /// Delivers notices until the connection is no good.
    async fn hear(&mut self, on: &(impl Fn(ListenEvent) + Sync)) -> Trouble {
        loop {
            match timeout(QUIET, self.next()).await {
                Ok(Ok(notification)) => deliver(&notification, on),
                Ok(Err(trouble)) => return trouble,
                Err(_) => match timeout(STEP_TIMEOUT, self.0.execute("SELECT 1")).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return Trouble::Lost(failure::plain(&error)),
                    Err(_) => return Trouble::Lost("the server is silent".to_owned()),
                },
            }
        }
    }

    /// Waits for the next notification. May be dropped while it waits.
    async fn next(&mut self) -> Result<PgNotification, Trouble> {
        match self.0.try_recv().await {
            Ok(Some(notification)) => Ok(notification),
            Ok(None) => Err(Trouble::Lost("the connection was closed".to_owned())),
            Err(error) => Err(Trouble::Lost(failure::plain(&error))),
        }
    }
}

async fn connect(options: PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    // The listener comes only with a pool; this one never opens a second connection by itself.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(STEP_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.ignore_pool_close_event(true);
    listener.eager_reconnect(false);
    Ok(listener)
}

fn deliver(notification: &PgNotification, on: &(impl Fn(ListenEvent) + Sync)) {
    let payload = notification.payload();
    // Other servers prove themselves on the same channel.
    if payload.starts_with(MARKER) {
        return;
    }
    if payload.is_empty() || payload.len() > MAX_PAYLOAD_BYTES || payload.chars().any(char::is_control) {
        debug!(bytes = payload.len(), "a notification whose payload is neither an id nor a hint was passed over");
        return;
    }
    on(ListenEvent::Notice(payload.to_owned()));
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(text) | Self::Unreachable(text) => f.write_str(text),
            Self::Lost(text) => write!(f, "the connection was lost: {text}"),
            Self::Deaf => f.write_str(
                "our own notification did not come back: LISTEN does not work through a transaction pooler; set \
                 LISTEN_DATABASE_URL to a direct connection",
            ),
        }
    }
}
