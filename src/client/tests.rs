//! The actor over a pipe, with time standing still until everybody waits.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::auth::token::{Holder, Identity, StaffIdentity, mint};
use crate::config::{AuthConfig, DatabaseConfig, DatabaseUrl, Secret, StatsConfig};
use crate::negocio::{IdType, NegocioId};
use crate::store::{ContactError, Figures, Ownership, Store, StoreError};

mod sockets;

const SECRET: &str = "a secret for tests, longer than 32 bytes";

/// A database that is never there: these tests are about the connection.
struct Nowhere;

#[async_trait]
impl Store for Nowhere {
    async fn contact(&self) -> Result<IdType, ContactError> {
        Err(self.ping().await.unwrap_err().into())
    }

    async fn figures(&self, _: &NegocioId, _: Date) -> Result<Figures, StoreError> {
        Err(StoreError::Unreachable("nowhere".into()))
    }

    async fn owners(&self, _: &[Ownership]) -> Result<HashSet<Ownership>, StoreError> {
        Err(StoreError::Unreachable("nowhere".into()))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Err(StoreError::Unreachable("nowhere".into()))
    }
}

fn environment(limits: ClientLimits) -> Arc<Environment> {
    environment_at(limits, Clock::system(TimeZone::UTC))
}

fn environment_at(limits: ClientLimits, clock: Clock) -> Arc<Environment> {
    let metrics = Arc::new(Metrics::new());
    let config = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new("sqlite://nowhere")));
    let database = Arc::new(Database::new(Arc::new(Nowhere), &config, Arc::clone(&metrics)));
    let hub = Arc::new(Hub::new(0, Arc::clone(&metrics)));
    let auth = AuthConfig::new(Secret::new(SECRET));
    let (access, _) = Access::new(&auth, Arc::clone(&metrics));
    let refresher = Refresher::new(
        Arc::clone(&database),
        Arc::clone(&hub),
        clock.clone(),
        StatsConfig::default(),
        Arc::clone(&metrics),
    );
    Arc::new(Environment {
        hub,
        refresher,
        access,
        database,
        tokens: TokenVerifier::new(&auth),
        clock,
        feeds: Feeds::all(),
        single_business: false,
        bad_devices: Attempts::new(30),
        limits,
        recheck: auth.recheck,
        since: Instant::now(),
        goodbye: CancellationToken::new(),
        goodbye_spread: Duration::from_secs(3),
        metrics,
    })
}

struct Peer {
    socket: WebSocketStream<DuplexStream>,
    served: JoinHandle<()>,
}

fn admitted(identity: Option<Identity>) -> Admitted {
    let purpose = Purpose::Dashboard { identity, place: None };
    Admitted { purpose, since: None, address: [127, 0, 0, 1].into() }
}

/// Connects over a pipe that holds `pipe` bytes in each direction.
async fn connect(environment: &Arc<Environment>, identity: Option<Identity>, pipe: usize) -> Peer {
    connect_as(environment, admitted(identity), pipe).await
}

/// Without an outlet: a pipe has none.
fn mailbox(environment: &Environment) -> Arc<Mailbox> {
    Arc::new(Mailbox::new(environment.limits.outbound_buffer))
}

async fn connect_as(environment: &Arc<Environment>, admitted: Admitted, pipe: usize) -> Peer {
    let (ours, theirs) = duplex(pipe);
    let environment = Arc::clone(environment);
    let served = tokio::spawn(async move {
        if let Some(client) = enter_with(theirs, mailbox(&environment), Vec::new(), admitted, environment).await {
            serve(client, ()).await;
        }
    });
    Peer { socket: WebSocketStream::from_raw_socket(ours, Role::Client, None).await, served }
}

fn token(environment: &Environment, user: &str) -> String {
    mint(&Secret::new(SECRET), &Holder::user(user), Duration::from_hours(1), environment.clock.now()).unwrap()
}

fn identity(environment: &Environment, user: &str) -> Identity {
    environment.tokens.verify(&token(environment, user), environment.clock.now()).unwrap()
}

impl Peer {
    async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message that is no ping.
    async fn hear(&mut self) -> Message {
        let hear = async {
            loop {
                match self.socket.next().await.unwrap().unwrap() {
                    Message::Ping(_) => {}
                    message => return message,
                }
            }
        };
        // Time stands still: without an end, waiting for what never comes would ping for ever.
        timeout(Duration::from_mins(10), hear).await.expect("a message")
    }

    async fn hear_json(&mut self) -> Value {
        serde_json::from_str(self.hear().await.to_text().unwrap()).unwrap()
    }

    /// Reads on until the connection is closed; the code.
    async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.hear().await {
                return frame.unwrap().code.into();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_slow_once_the_buffer_is_full_and_reads_the_code() {
    let environment = environment(ClientLimits { message_burst: 10_000, ..ClientLimits::default() });
    let identity = identity(&environment, "ana");
    let Peer { socket, served } = connect(&environment, Some(identity), 64).await;
    let (mut sink, mut stream) = socket.split();
    let talking = tokio::spawn(async move {
        // Stuck as soon as the pipe is full and the server has given up reading.
        while sink.send(Message::text(r#"{"type":"ping"}"#)).await.is_ok() {}
    });
    while environment.metrics.slow_closes.get() == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    let code = loop {
        if let Message::Close(frame) = stream.next().await.unwrap().unwrap() {
            break u16::from(frame.unwrap().code);
        }
    };
    assert_eq!(code, 1013);
    served.await.unwrap();
    talking.abort();
    assert_eq!(environment.metrics.slow_closes.get(), 1);
    assert_eq!(environment.metrics.connections.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_blocked_past_its_timeout_ends_the_connection() {
    let environment = environment(ClientLimits::default());
    let identity = identity(&environment, "ana");
    let mut peer = connect(&environment, Some(identity), 16).await;
    for _ in 0..5 {
        peer.say(json!({ "type": "ping" })).await;
    }
    let since = Instant::now();
    peer.served.await.unwrap();
    assert!(since.elapsed() >= environment.limits.write_timeout);
    assert!(since.elapsed() < environment.limits.ping_interval);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_nothing_is_gone_within_a_minute_and_one_that_answers_stays() {
    let environment = environment(ClientLimits::default());
    let dead = connect(&environment, Some(identity(&environment, "ana")), 4_096).await;
    let mut alive = connect(&environment, Some(identity(&environment, "eva")), 4_096).await;
    let since = Instant::now();
    let listening = tokio::spawn(async move { while alive.socket.next().await.is_some() {} });
    dead.served.await.unwrap();
    assert!(since.elapsed() <= Duration::from_mins(1));
    sleep(Duration::from_mins(10)).await;
    assert!(!listening.is_finished());
    assert_eq!(environment.metrics.connections.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_token_only_auth_is_understood_and_time_runs_out() {
    let environment = environment(ClientLimits::default());
    let mut peer = connect(&environment, None, 4_096).await;
    peer.say(json!({ "type": "ping" })).await;
    assert_eq!(peer.hear_json().await["message"], "authenticate first");
    peer.say(json!({ "type": "subscribe", "channel": "estadisticas:a" })).await;
    assert_eq!(peer.hear_json().await["message"], "authenticate first");
    assert_eq!(environment.metrics.unauthenticated.get(), 1);
    assert_eq!(peer.close_code().await, 4001);
    peer.served.await.unwrap();
    assert_eq!(environment.metrics.unauthenticated.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_good_token_is_answered_with_nothing_and_another_users_ends_the_connection() {
    let environment = environment(ClientLimits::default());
    let mut peer = connect(&environment, None, 4_096).await;
    peer.say(json!({ "type": "auth", "token": token(&environment, "ana") })).await;
    peer.say(json!({ "type": "ping" })).await;
    assert_eq!(peer.hear_json().await, json!({ "type": "pong" }));
    assert_eq!(environment.metrics.unauthenticated.get(), 0);
    peer.say(json!({ "type": "auth", "token": "rubbish" })).await;
    assert_eq!(peer.hear_json().await["type"], "error");
    peer.say(json!({ "type": "auth", "token": token(&environment, "eva") })).await;
    assert_eq!(peer.close_code().await, 4001);
}

#[tokio::test(start_paused = true)]
async fn more_messages_than_allowed_end_the_connection() {
    let environment = environment(ClientLimits { message_burst: 5, message_rate: 1, ..ClientLimits::default() });
    let identity = identity(&environment, "ana");
    let mut peer = connect(&environment, Some(identity), 4_096).await;
    for _ in 0..6 {
        peer.say(json!({ "type": "ping" })).await;
    }
    assert_eq!(peer.close_code().await, 1008);
}

#[tokio::test(start_paused = true)]
async fn goodbyes_are_spread_and_carry_the_code() {
    let environment = environment(ClientLimits::default());
    let mut peers = Vec::new();
    for _ in 0..50 {
        peers.push(connect(&environment, Some(identity(&environment, "ana")), 4_096).await);
    }
    let since = Instant::now();
    environment.goodbye.cancel();
    let mut moments = Vec::new();
    for mut peer in peers {
        moments.push(tokio::spawn(async move { (peer.close_code().await, since.elapsed()) }));
    }
    let mut last = Duration::ZERO;
    let mut early = 0;
    for moment in moments {
        let (code, elapsed) = moment.await.unwrap();
        assert_eq!(code, 1001);
        last = last.max(elapsed);
        early += usize::from(elapsed < Duration::from_millis(1_500));
    }
    assert!(last <= Duration::from_secs(3));
    assert!((5..=45).contains(&early), "{early} of 50 in the first half");
}

fn listener(purpose: Purpose) -> Admitted {
    Admitted { purpose, since: None, address: [127, 0, 0, 1].into() }
}

fn nurse(expires_at: i64) -> Admitted {
    listener(Purpose::Staff(Ok(StaffIdentity { user: None, negocios: Vec::new(), expires_at, issued_at: None })))
}

#[tokio::test(start_paused = true)]
async fn staff_is_closed_when_its_token_expires_and_not_before() {
    let (clock, wall) = Clock::manual(TimeZone::UTC, Timestamp::from_second(1_000_000).unwrap());
    let environment = environment_at(ClientLimits::default(), clock);
    let mut peer = connect_as(&environment, nurse(1_003_600), 4_096).await;
    let since = Instant::now();
    let ticking = tokio::spawn({
        let wall = Arc::clone(&wall);
        async move {
            loop {
                sleep(Duration::from_millis(500)).await;
                wall.fetch_add(500, Ordering::SeqCst);
            }
        }
    });
    let close = loop {
        // Nothing but pings, which are answered by reading.
        if let Message::Close(frame) = peer.socket.next().await.unwrap().unwrap() {
            break frame.unwrap();
        }
    };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (4001, "token expired"));
    assert!((3_600..=3_601).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    ticking.abort();
}

#[tokio::test(start_paused = true)]
async fn staff_whose_token_expired_while_the_machine_slept_is_closed_soon_after() {
    let (clock, wall) = Clock::manual(TimeZone::UTC, Timestamp::from_second(1_000_000).unwrap());
    let environment = environment_at(ClientLimits::default(), clock);
    let mut peer = connect_as(&environment, nurse(1_003_600), 4_096).await;
    peer.say(json!({ "type": "ping" })).await;
    assert_eq!(peer.hear_json().await, json!({ "type": "pong" }));
    wall.fetch_add(7_200_000, Ordering::SeqCst);
    let since = Instant::now();
    assert_eq!(peer.close_code().await, 4001);
    assert!(since.elapsed() <= Duration::from_secs(30), "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_kiosk_that_cannot_be_looked_up_is_told_to_come_back_and_counts_as_no_bad_one() {
    let environment = environment(ClientLimits::default());
    for _ in 0..100 {
        let mut kiosk = connect_as(&environment, listener(Purpose::Kiosk(Some("ipad".into()))), 4_096).await;
        assert_eq!(kiosk.close_code().await, 1013);
    }
    assert!(!environment.bad_devices.are_too_many([127, 0, 0, 1].into()));
    for _ in 0..30 {
        let mut kiosk = connect_as(&environment, listener(Purpose::Kiosk(None)), 4_096).await;
        assert_eq!(kiosk.close_code().await, 4001);
    }
    assert!(environment.bad_devices.are_too_many([127, 0, 0, 1].into()));
}

#[tokio::test(start_paused = true)]
async fn an_echo_says_back_what_it_hears_as_it_hears_it() {
    let environment = environment(ClientLimits::default());
    let mut peer = connect_as(&environment, listener(Purpose::Echo), 4 * 1024).await;
    for message in [Message::text("ñandú"), Message::binary(vec![0, 0xff, 0x80])] {
        peer.socket.send(message.clone()).await.unwrap();
        assert_eq!(peer.hear().await, message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pong_never_lands_in_the_middle_of_a_frame() {
    let environment = environment(ClientLimits { message_burst: 10_000, ..ClientLimits::default() });
    let identity = identity(&environment, "ana");
    // So narrow that every frame is cut, with pings coming in between the pieces.
    let mut peer = connect(&environment, Some(identity), 7).await;
    let (mut sink, mut stream) = {
        for _ in 0..2 {
            peer.say(json!({ "type": "ping" })).await;
        }
        peer.socket.split()
    };
    let talking = tokio::spawn(async move {
        for turn in 0..200_u8 {
            sink.send(Message::Ping(vec![turn; usize::from(turn % 100)].into())).await.unwrap();
            sink.send(Message::text(r#"{"type":"ping"}"#)).await.unwrap();
        }
        sink
    });
    let (mut texts, mut pongs) = (0, 0);
    while texts < 202 {
        match stream.next().await.unwrap().unwrap() {
            Message::Text(text) => {
                assert_eq!(text.as_str(), r#"{"type":"pong"}"#);
                texts += 1;
            }
            Message::Pong(_) => pongs += 1,
            other => panic!("unexpected {other:?}"),
        }
    }
    // A pong may answer the newest of several pings.
    assert!(pongs > 0);
    drop(talking.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_task_of_a_client_is_small() {
    let environment = environment(ClientLimits::default());
    let (_ours, theirs) = duplex(16);
    let client = enter_with(theirs, mailbox(&environment), Vec::new(), admitted(None), environment).await.unwrap();
    let task = serve(client, ());
    assert!(size_of_val(&task) <= 1_024, "{} bytes, for every idle dashboard", size_of_val(&task));
}
