//! The actor over a pipe, with time standing still until everybody waits.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

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
use tokio_util::sync::CancellationToken;

use super::*;
use crate::access::grant::Grant;
use crate::access::ownership::Access;
use crate::access::token::TokenVerifier;
use crate::access::token::{Holder, Identity, mint};
use crate::address::Address;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::{AuthConfig, DatabaseConfig, DatabaseUrl, Secret, StatsConfig};
use crate::config::{ClientLimits, Feeds};
use crate::database::Database;
use crate::feeds::clinic::devices::Devices;
use crate::feeds::clinic::listen;
use crate::hub::Hub;
use crate::model::{Channel, IdType, NegocioId};
use crate::model::{ConnectionId, Figures, Ownership};
use crate::publication::Encoding;
use crate::refresh::Refresher;
use crate::session::Purpose;
use crate::store::{ContactError, Store, StoreError};
use crate::telemetry::metrics::Metrics;

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

fn context(limits: ClientLimits) -> Arc<SessionContext> {
    environment_at(limits, Clock::system(TimeZone::UTC))
}

fn environment_at(limits: ClientLimits, clock: Clock) -> Arc<SessionContext> {
    let metrics = Arc::new(Metrics::new());
    let config = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new("sqlite://nowhere")));
    let database = Arc::new(Database::new(Arc::new(Nowhere), &config, Arc::clone(&metrics)));
    let hub = Arc::new(Hub::new(Arc::clone(&metrics)));
    let auth = AuthConfig::new(Secret::new(SECRET));
    let tokens = TokenVerifier::new(&auth);
    let broker = Arc::new(Broker::of_one_node(Arc::clone(&hub), Arc::clone(tokens.dismissed()), &clock));
    let (access, _) = Access::new(&auth, &limits, Arc::clone(&metrics));
    let devices = Devices::new(30);
    tokio::spawn(Arc::clone(&devices).answer_questions(Arc::clone(&database), CancellationToken::new()));
    let refresher = Refresher::new(
        Arc::clone(&database),
        broker,
        clock.clone(),
        StatsConfig::default(),
        Arc::default(),
        Arc::clone(&metrics),
    );
    Arc::new(SessionContext {
        hub,
        queries: Arc::default(),
        refresher,
        access,
        database,
        tokens,
        clock,
        feeds: Feeds::all(),
        single_business: false,
        devices,
        limits,
        recheck: auth.recheck,
        since: Instant::now(),
        goodbye: CancellationToken::new(),
        goodbye_spread: Duration::from_secs(3),
        metrics,
    })
}

/// A broker of the hub that these sessions listen to.
fn broker(context: &SessionContext) -> Arc<Broker> {
    Arc::new(Broker::of_one_node(Arc::clone(&context.hub), Arc::clone(context.tokens.dismissed()), &context.clock))
}

struct Peer {
    socket: WebSocketStream<DuplexStream>,
    served: JoinHandle<()>,
}

fn admitted(identity: Option<Identity>) -> Admitted {
    let purpose = match identity {
        Some(identity) => Purpose::Listen(Ok(Grant::to_ask(identity, Vec::new()))),
        None => Purpose::Newcomer(None),
    };
    Admitted { purpose, since: None, feed: None }
}

fn line() -> Connection {
    Connection { id: ConnectionId::new(), address: Address::of([127, 0, 0, 1].into()) }
}

/// Connects over a pipe that holds `pipe` bytes in each direction.
async fn connect(context: &Arc<SessionContext>, identity: Option<Identity>, pipe: usize) -> Peer {
    connect_as(context, admitted(identity), pipe).await
}

/// Without an outlet: a pipe has none.
fn mailbox(context: &SessionContext) -> Arc<Mailbox> {
    Arc::new(Mailbox::new(context.limits.outbound_buffer, Encoding::Frames { with_ids: false }))
}

async fn connect_as(context: &Arc<SessionContext>, admitted: Admitted, pipe: usize) -> Peer {
    let (ours, theirs) = duplex(pipe);
    let context = Arc::clone(context);
    let served = tokio::spawn(async move {
        if let Some(client) = enter_with(theirs, mailbox(&context), Vec::new(), line(), admitted, context).await {
            client.serve(()).await;
        }
    });
    Peer { socket: WebSocketStream::from_raw_socket(ours, Role::Client, None).await, served }
}

fn token(context: &SessionContext, user: &str) -> String {
    mint(&Secret::new(SECRET), &Holder::user(user), Duration::from_hours(1), context.clock.now()).unwrap()
}

fn identity(context: &SessionContext, user: &str) -> Identity {
    context.tokens.verify(&token(context, user), context.clock.now()).unwrap()
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
    let context = context(ClientLimits { message_burst: 10_000, ..ClientLimits::default() });
    let identity = identity(&context, "ana");
    let Peer { socket, served } = connect(&context, Some(identity), 64).await;
    let (mut sink, mut stream) = socket.split();
    let talking = tokio::spawn(async move {
        // Stuck as soon as the pipe is full and the server has given up reading.
        while sink.send(Message::text(r#"{"type":"ping"}"#)).await.is_ok() {}
    });
    while context.metrics.slow_closes.get() == 0 {
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
    assert_eq!(context.metrics.slow_closes.get(), 1);
    assert_eq!(context.metrics.clients.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_blocked_past_its_timeout_ends_the_connection() {
    let context = context(ClientLimits::default());
    let identity = identity(&context, "ana");
    let mut peer = connect(&context, Some(identity), 16).await;
    for _ in 0..5 {
        peer.say(json!({ "type": "ping" })).await;
    }
    let since = Instant::now();
    peer.served.await.unwrap();
    assert!(since.elapsed() >= context.limits.write_timeout);
    assert!(since.elapsed() < context.limits.ping_interval);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_nothing_is_gone_within_a_minute_and_one_that_answers_stays() {
    let context = context(ClientLimits::default());
    let dead = connect(&context, Some(identity(&context, "ana")), 4_096).await;
    let mut alive = connect(&context, Some(identity(&context, "eva")), 4_096).await;
    let since = Instant::now();
    let listening = tokio::spawn(async move { while alive.socket.next().await.is_some() {} });
    dead.served.await.unwrap();
    assert!(since.elapsed() <= Duration::from_mins(1));
    sleep(Duration::from_mins(10)).await;
    assert!(!listening.is_finished());
    assert_eq!(context.metrics.clients.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_token_only_auth_is_understood_and_time_runs_out() {
    let context = context(ClientLimits::default());
    let mut peer = connect(&context, None, 4_096).await;
    peer.say(json!({ "type": "ping" })).await;
    assert_eq!(peer.hear_json().await["message"], "authenticate first");
    peer.say(json!({ "type": "subscribe", "channel": "estadisticas:a" })).await;
    assert_eq!(peer.hear_json().await["message"], "authenticate first");
    assert_eq!(context.metrics.unauthenticated.get(), 1);
    assert_eq!(peer.close_code().await, 4001);
    peer.served.await.unwrap();
    assert_eq!(context.metrics.unauthenticated.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_good_token_is_answered_with_nothing_and_another_users_ends_the_connection() {
    let context = context(ClientLimits::default());
    let mut peer = connect(&context, None, 4_096).await;
    peer.say(json!({ "type": "auth", "token": token(&context, "ana") })).await;
    peer.say(json!({ "type": "ping" })).await;
    assert_eq!(peer.hear_json().await, json!({ "type": "pong" }));
    assert_eq!(context.metrics.unauthenticated.get(), 0);
    peer.say(json!({ "type": "auth", "token": "rubbish" })).await;
    assert_eq!(peer.hear_json().await["type"], "error");
    peer.say(json!({ "type": "auth", "token": token(&context, "eva") })).await;
    assert_eq!(peer.close_code().await, 4001);
}

#[tokio::test(start_paused = true)]
async fn more_messages_than_allowed_end_the_connection() {
    let context = context(ClientLimits { message_burst: 5, message_rate: 1, ..ClientLimits::default() });
    let identity = identity(&context, "ana");
    let mut peer = connect(&context, Some(identity), 4_096).await;
    for _ in 0..6 {
        peer.say(json!({ "type": "ping" })).await;
    }
    assert_eq!(peer.close_code().await, 1008);
}

#[tokio::test(start_paused = true)]
async fn who_was_told_to_go_and_talks_without_end_is_left() {
    let context = context(ClientLimits { message_burst: 5, message_rate: 1, ..ClientLimits::default() });
    let identity = identity(&context, "ana");
    let Peer { socket, served } = connect(&context, Some(identity), 4_096).await;
    let (mut sink, stream) = socket.split();
    // Time stands still while somebody talks: nothing here ends by waiting.
    let talking = tokio::spawn(async move { while sink.send(Message::text(r#"{"type":"ping"}"#)).await.is_ok() {} });
    let reading = tokio::spawn(stream.for_each(|_| async {}));
    served.await.unwrap();
    talking.await.unwrap();
    reading.await.unwrap();
    assert_eq!(context.metrics.clients.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn goodbyes_are_spread_and_carry_the_code() {
    let context = context(ClientLimits::default());
    let mut peers = Vec::new();
    for _ in 0..50 {
        peers.push(connect(&context, Some(identity(&context, "ana")), 4_096).await);
    }
    let since = Instant::now();
    context.goodbye.cancel();
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
    Admitted { purpose, since: None, feed: None }
}

fn nurse(expires_at: i64) -> Admitted {
    let everybodys = Grant::without_token(vec![Channel::StaffOrders(None)], Vec::new());
    listener(Purpose::Listen(Ok(Grant { expires_at: Some(expires_at), ..everybodys })))
}

#[tokio::test(start_paused = true)]
async fn staff_is_closed_when_its_token_expires_and_not_before() {
    let (clock, wall) = Clock::manual(TimeZone::UTC, Timestamp::from_second(1_000_000).unwrap());
    let context = environment_at(ClientLimits::default(), clock);
    let mut peer = connect_as(&context, nurse(1_003_600), 4_096).await;
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
    let context = environment_at(ClientLimits::default(), clock);
    let mut peer = connect_as(&context, nurse(1_003_600), 4_096).await;
    peer.say(json!({ "type": "ping" })).await;
    assert_eq!(peer.hear_json().await, json!({ "type": "pong" }));
    wall.fetch_add(7_200_000, Ordering::SeqCst);
    let since = Instant::now();
    assert_eq!(peer.close_code().await, 4001);
    assert!(since.elapsed() <= Duration::from_secs(30), "{:?}", since.elapsed());
}

fn kiosk(context: &SessionContext, uid: Option<&'static str>) -> Admitted {
    let (devices, address) = (Arc::clone(&context.devices), Address::of([127, 0, 0, 1].into()));
    listener(Purpose::Ask(Box::pin(async move { listen::kiosk(uid, address, &devices).await })))
}

#[tokio::test(start_paused = true)]
async fn a_kiosk_that_cannot_be_looked_up_is_told_to_come_back_and_counts_as_no_bad_one() {
    let context = context(ClientLimits::default());
    for _ in 0..100 {
        let mut kiosk = connect_as(&context, kiosk(&context, Some("ipad")), 4_096).await;
        assert_eq!(kiosk.close_code().await, 1013);
    }
    assert!(!context.devices.are_too_many(Address::of([127, 0, 0, 1].into())));
    for _ in 0..30 {
        let mut kiosk = connect_as(&context, kiosk(&context, None), 4_096).await;
        assert_eq!(kiosk.close_code().await, 4001);
    }
    assert!(context.devices.are_too_many(Address::of([127, 0, 0, 1].into())));
}

#[tokio::test(start_paused = true)]
async fn an_echo_says_back_what_it_hears_as_it_hears_it() {
    let context = context(ClientLimits::default());
    let mut peer = connect_as(&context, listener(Purpose::Echo), 4 * 1024).await;
    for message in [Message::text("ñandú"), Message::binary(vec![0, 0xff, 0x80])] {
        peer.socket.send(message.clone()).await.unwrap();
        assert_eq!(peer.hear().await, message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pong_never_lands_in_the_middle_of_a_frame() {
    let context = context(ClientLimits { message_burst: 10_000, ..ClientLimits::default() });
    let identity = identity(&context, "ana");
    // So narrow that every frame is cut, with pings coming in between the pieces.
    let mut peer = connect(&context, Some(identity), 7).await;
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
    let context = context(ClientLimits::default());
    let (_ours, theirs) = duplex(16);
    let client = enter_with(theirs, mailbox(&context), Vec::new(), line(), admitted(None), context).await.unwrap();
    let task = client.serve(());
    // With the connection's places and what the runtime adds: 896 bytes, a whole number of its steps of 128.
    assert!(size_of_val(&task) <= 768, "{} bytes, for every idle dashboard", size_of_val(&task));
}
