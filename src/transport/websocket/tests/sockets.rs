//! The actor on real sockets, with publications sent to them from everywhere at once: from the fan-out thread by
//! io_uring or by one call each, from whoever publishes, and from the client's own task.

use pulso_harness::machine;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::broker::{Published, Reach, Scope};
use crate::config::Feed;
use crate::model::Channel;
use crate::publication::{Draft, Publication};

/// More than are served by whoever publishes.
const MANY: usize = 100;
/// More than the fan-out thread takes to set up its ring.
const SETTING_UP: Duration = Duration::from_mins(1);
const EVENTS: usize = 200;
const STATES: u64 = 150;

fn events_channel() -> Channel {
    Channel::StaffOrders(None)
}

fn states_channel() -> Channel {
    Channel::Sync(crate::model::Tenant::new("r"))
}

/// A client of both channels on a real connection with small buffers; its peer's end.
async fn join(context: &Arc<SessionContext>, buffer: u32) -> (TcpStream, JoinHandle<()>) {
    let listening = TcpSocket::new_v4().unwrap();
    listening.set_send_buffer_size(buffer).unwrap();
    listening.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener: TcpListener = listening.listen(1).unwrap();
    let connecting = TcpSocket::new_v4().unwrap();
    connecting.set_recv_buffer_size(buffer).unwrap();
    let peer = connecting.connect(listener.local_addr().unwrap()).await.unwrap();
    let stream = listener.accept().await.unwrap().0;
    let channels = vec![events_channel(), states_channel()];
    let purpose = Purpose::Listen(Ok(Grant::without_token(channels, Vec::new())));
    let admitted = Admitted { purpose, since: None, feed: None };
    let context = Arc::clone(context);
    let served = tokio::spawn(async move {
        if let Some(client) = enter(stream, Vec::new(), line(), admitted, Wording::First, context).await {
            client.serve(()).await;
        }
    });
    (peer, served)
}

/// What one peer has seen.
#[derive(Default)]
struct Seen {
    events: Vec<usize>,
    states: Vec<u64>,
    pongs: usize,
    code: Option<u16>,
}

/// Reads until the connection ends or `last` was seen of both; now and then it pauses, and it pings in between.
async fn watch(peer: TcpStream, pause: Duration) -> Seen {
    let mut socket = WebSocketStream::from_raw_socket(peer, Role::Client, None).await;
    let mut seen = Seen::default();
    for turn in 0_usize.. {
        if turn % 10 == 0 {
            // The line may be closing.
            let _ = socket.send(Message::Ping(vec![7; turn % 100].into())).await;
            sleep(pause).await;
        }
        let Some(Ok(message)) = socket.next().await else { return seen };
        match message {
            Message::Text(text) => {
                let value: Value = serde_json::from_str(&text).unwrap();
                if let Some(event) = value.get("event") {
                    seen.events.push(usize::try_from(event.as_u64().unwrap()).unwrap());
                } else {
                    seen.states.push(value["state"].as_u64().unwrap());
                }
            }
            Message::Pong(_) => seen.pongs += 1,
            Message::Close(frame) => seen.code = frame.map(|frame| frame.code.into()),
            other => panic!("unexpected {other:?}"),
        }
        let is_done = seen.events.len() == EVENTS && seen.states.last() == Some(&STATES);
        if is_done && seen.code.is_none() {
            let _ = socket.close(None).await;
            return seen;
        }
    }
    seen
}

/// Starts the fan-out thread. Where the machine has io_uring and that is asked for, it is what sends.
async fn start(context: &Arc<SessionContext>, io_uring: bool) {
    context.hub.start(io_uring, ()).unwrap();
    if io_uring && machine::has_io_uring() {
        let set_up = async {
            while !machine::holds_a_ring() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(SETTING_UP, set_up).await.expect("this machine has io_uring, and it is not used");
    }
}

fn padding(number: usize) -> String {
    "x".repeat(number * 37 % 900)
}

async fn publish_all(context: &SessionContext) {
    let events = {
        let broker = broker(context);
        tokio::spawn(async move {
            for number in 0..EVENTS {
                let payload = json!({ "event": number, "padding": padding(number) }).to_string();
                let draft = Draft::new(events_channel(), payload);
                assert!(broker.publish(vec![draft], None).await.is_ok());
                tokio::task::yield_now().await;
            }
        })
    };
    let states = {
        let broker = broker(context);
        tokio::task::spawn_blocking(move || {
            for version in 1..=STATES {
                let payload =
                    json!({ "state": version, "padding": padding(usize::try_from(version).unwrap()) }).to_string();
                let state = Publication::state(states_channel(), version, payload, None);
                broker.tell(&Arc::new(state));
                std::thread::yield_now();
            }
        })
    };
    events.await.unwrap();
    states.await.unwrap();
    context.hub.until_handed_out().await;
}

async fn everybody_sees_whole_frames_in_their_order(io_uring: bool, clients: usize) {
    let limits = ClientLimits { outbound_buffer: EVENTS * 2, message_burst: 100_000, ..ClientLimits::default() };
    let context = context(limits);
    assert!(context.feeds.has(Feed::Clinic));
    start(&context, io_uring).await;
    let (mut watching, mut served) = (Vec::new(), Vec::new());
    for number in 0..clients {
        let (peer, task) = join(&context, if number % 3 == 0 { 1 } else { 65_536 }).await;
        served.push(task);
        let pause = Duration::from_millis(if number % 5 == 0 { 2 } else { 0 });
        watching.push(tokio::spawn(watch(peer, pause)));
    }
    while context.hub.subscribers(&states_channel()) < clients {
        tokio::task::yield_now().await;
    }
    publish_all(&context).await;
    for watching in watching {
        let seen = timeout(Duration::from_mins(1), watching).await.expect("all arrives").unwrap();
        assert_eq!(seen.code, None);
        assert_eq!(seen.events, (0..EVENTS).collect::<Vec<_>>());
        assert!(seen.states.is_sorted_by(|one, other| one < other));
        assert_eq!(seen.states.last(), Some(&STATES));
        assert!(seen.pongs > 0);
    }
    for task in served {
        timeout(Duration::from_mins(1), task).await.expect("every client ends").unwrap();
    }
    assert_eq!(context.metrics.clients.count(), 0);
    assert!(context.hub.watched().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_see_whole_frames_in_their_order_by_one_call_for_many() {
    everybody_sees_whole_frames_in_their_order(true, MANY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_see_whole_frames_in_their_order_by_one_call_each() {
    everybody_sees_whole_frames_in_their_order(false, MANY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_clients_see_whole_frames_in_their_order_from_whoever_publishes() {
    everybody_sees_whole_frames_in_their_order(true, 5).await;
}

/// Who does not read is closed with the code, and everybody else has everything.
async fn a_client_that_does_not_read_is_cut(io_uring: bool) {
    let limits = ClientLimits { outbound_buffer: 16, ..ClientLimits::default() };
    let context = context(limits);
    start(&context, io_uring).await;
    let (stuck, stuck_task) = join(&context, 1).await;
    let mut others = Vec::new();
    for _ in 0..MANY {
        others.push(join(&context, 65_536).await.0);
    }
    let mut socket = WebSocketStream::from_raw_socket(others.remove(0), Role::Client, None).await;
    while context.hub.subscribers(&events_channel()) <= MANY {
        tokio::task::yield_now().await;
    }
    let (broker, mut published) = (broker(&context), 0);
    while context.metrics.slow_closes.get() == 0 {
        let payload = json!({ "event": published, "padding": "x".repeat(900) }).to_string();
        let draft = Draft::new(events_channel(), payload);
        assert!(broker.publish(vec![draft], None).await.is_ok());
        // In step with one that reads.
        let heard = timeout(Duration::from_secs(30), socket.next()).await.expect("others still receive");
        let value: Value = serde_json::from_str(heard.unwrap().unwrap().to_text().unwrap()).unwrap();
        assert_eq!(value["event"], published);
        published += 1;
        assert!(published < 10_000, "a client that never reads is never full");
    }
    let seen = watch(stuck, Duration::ZERO).await;
    assert_eq!(seen.code, Some(1013));
    assert_eq!(seen.events, (0..seen.events.len()).collect::<Vec<_>>());
    assert!(seen.events.len() < published);
    timeout(Duration::from_secs(30), stuck_task).await.expect("it ends").unwrap();
    assert_eq!(context.metrics.slow_closes.get(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_cut_by_one_call_for_many() {
    a_client_that_does_not_read_is_cut(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_cut_by_one_call_each() {
    a_client_that_does_not_read_is_cut(false).await;
}

/// Of these many wait behind a full line, and are less than the bytes that may.
const WAITING: u64 = 500;

/// A client whose line is full, dismissed: its end of the line, its task, and how many events it should have had.
async fn stuck_and_dismissed() -> (TcpStream, JoinHandle<()>, usize) {
    let context = context(ClientLimits { outbound_buffer: 10_000, ..ClientLimits::default() });
    let (stuck, task) = join(&context, 1).await;
    while context.hub.subscribers(&events_channel()) == 0 {
        tokio::task::yield_now().await;
    }
    let (broker, mut sent) = (broker(&context), 0_u64);
    while sent - context.metrics.deliveries.get().min(sent) < WAITING {
        let payload = json!({ "event": sent, "padding": "x".repeat(900) }).to_string();
        let draft = Draft::new(events_channel(), payload);
        let published = broker.publish(vec![draft], None).await;
        assert_eq!(published, Ok(Published::For(Reach { each: vec![1], scope: Scope::All })));
        sent += 1;
    }
    assert_eq!(broker.dismiss(&events_channel(), CloseReason::SessionEnded), 1);
    while context.hub.subscribers(&events_channel()) > 0 {
        tokio::task::yield_now().await;
    }
    (stuck, task, usize::try_from(sent).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_dismissed_gets_nothing_of_what_waited() {
    let (stuck, task, sent) = stuck_and_dismissed().await;
    let seen = watch(stuck, Duration::ZERO).await;
    assert_eq!(seen.code, Some(CloseReason::SessionEnded.code()));
    assert_eq!(seen.events, (0..seen.events.len()).collect::<Vec<_>>());
    assert!(seen.events.len() < sent);
    timeout(Duration::from_secs(30), task).await.expect("it ends").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_why_either_sees_the_line_end_without_a_word() {
    let (stuck, task, _) = stuck_and_dismissed().await;
    timeout(Duration::from_secs(30), task).await.expect("it ends").unwrap();
    assert_eq!(watch(stuck, Duration::ZERO).await.code, None);
}
