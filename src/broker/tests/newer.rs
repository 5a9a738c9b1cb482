//! What a newer version writes is passed over and counted, and nothing else suffers from it: tried over every engine.

use bytes::Bytes;

use super::*;
use crate::broker::entry::{self, Entry, Events, FORMATS};
use crate::broker::log::{Append, Engine, Line, NodeId, Position, Stream};
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::model::RestauranteId;
use crate::publication::Encoding;
use crate::telemetry::metrics::{EntryKind, EntryLabel};

/// A node, and somebody who listens there.
struct Listened {
    node: Node,
    mailbox: Arc<Mailbox>,
    _membership: crate::hub::Membership,
}

fn channel() -> Channel {
    Channel::Restaurante(RestauranteId::new("r"))
}

impl Listened {
    async fn start(engine: &Arc<dyn Engine>, number: usize, stop: &CancellationToken) -> Self {
        let node = Node::start(member_by(Arc::clone(engine), number), stop).await;
        let mailbox = Arc::new(Mailbox::new(100, Encoding::Lines));
        let membership = node.hub.join(channel(), &mailbox);
        Self { node, mailbox, _membership: membership }
    }

    /// Until it is taken.
    async fn publish(&self, text: &str) {
        while self.node.broker.publish(vec![Draft::new(channel(), text)], None).await.is_err() {
            sleep(LOOK).await;
        }
    }

    /// The next events: their ids, if they are these.
    async fn hears(&self, wanted: &[&str]) -> Vec<u64> {
        let mut heard = Vec::new();
        while heard.len() < wanted.len() {
            match self.mailbox.try_next() {
                Some(Next::Message(Outgoing::Published(event), _)) => heard.push(event),
                Some(other) => panic!("unexpected {other:?}"),
                None => sleep(LOOK).await,
            }
        }
        assert_eq!(heard.iter().map(|event| event.payload.to_string()).collect::<Vec<_>>(), wanted);
        heard.iter().map(|event| event.version).collect()
    }

    fn entries(&self, kind: EntryKind) -> u64 {
        self.node.metrics.broker.entries.get_or_create(&EntryLabel { kind }).get()
    }
}

/// Appends what this version does not know: of a later number, and of another kind. Returns the last of their ids.
async fn write_newer(line: &dyn Line, stream: Stream) -> u64 {
    let born = line.identity().await.unwrap().born;
    let drafts = vec![Draft::new(channel(), "new"); 3];
    let ours = entry::write(*FORMATS.end(), NodeId(7), 7, &Entry::Events(Events { call: None, drafts }));
    let mut last = 0;
    for (at, value) in [(0, FORMATS.end() + 1), (1, b'z')] {
        let mut newer = ours.to_vec();
        newer[at] = value;
        let (body, ids) = (Bytes::from(newer), 3);
        let append = Append { stream, body: &body, ids, floor: 0, born: &born, call: None, watched: None };
        match line.append(append).await.unwrap() {
            log::Appended::At { first, .. } => last = first + ids - 1,
            repeated @ log::Appended::Repeated(_) => panic!("{repeated:?}"),
        }
    }
    last
}

/// The events that the log has.
async fn logged(line: &dyn Line) -> Vec<String> {
    let (mut position, mut texts) = (Position::default(), Vec::new());
    loop {
        let page = line.read(position, 100, Duration::ZERO).await.unwrap();
        if page.is_empty() {
            return texts;
        }
        position = page.iter().fold(position, Position::behind);
        for read in page.iter().filter_map(|logged| entry::read(&logged.body, &[]).ok()) {
            if let Entry::Events(Events { drafts, .. }) = read.entry {
                texts.extend(drafts.iter().map(|draft| draft.payload.to_string()));
            }
        }
    }
}

/// `lose`: the log is away, and back without so many of its newest entries of events.
pub(in crate::broker) async fn what_a_newer_version_writes_is_passed_over(
    engine: Arc<dyn Engine>,
    lose: impl AsyncFnOnce(usize),
) {
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let line = engine.dial().await.unwrap();
    let nodes = [Listened::start(&engine, 0, &stop).await, Listened::start(&engine, 1, &stop).await];
    nodes[0].publish("1").await;
    write_newer(&*line, Stream::Now).await;
    let newest = write_newer(&*line, Stream::Events).await;
    nodes[1].publish("2").await;
    for node in &nodes {
        let ids = node.hears(&["1", "2"]).await;
        assert!(ids[0] < newest && newest < ids[1], "{ids:?} around {newest}");
        until(|| node.entries(EntryKind::Unknown) == 4).await;
        assert_eq!(node.entries(EntryKind::Garbage), 0);
    }

    // It goes on to be heard, and to hear itself.
    for node in &nodes {
        let beats = node.entries(EntryKind::Beat);
        until(|| node.entries(EntryKind::Beat) >= beats + 4).await;
        assert_eq!(node.node.broker.degraded(), None);
        assert_eq!(node.node.broker.census().map(|census| census.nodes.len()), Some(2));
    }

    // What the log loses is put back once, and what is known is told from what is not.
    nodes[0].publish("3").await;
    write_newer(&*line, Stream::Events).await;
    for node in &nodes {
        node.hears(&["3"]).await;
        until(|| node.entries(EntryKind::Unknown) == 6).await;
    }
    drop(line);
    lose(3).await;
    nodes[1].publish("4").await;
    for node in &nodes {
        node.hears(&["4"]).await;
        assert_eq!(node.node.metrics.broker.gaps.get(), 0);
    }
    let put_back = || nodes.iter().map(|node| node.node.metrics.broker.put_back.get()).sum::<u64>();
    until(|| put_back() == 1).await;
    let line = engine.dial().await.unwrap();
    assert_eq!(logged(&*line).await, ["1", "2", "3", "4"]);

    let late = Listened::start(&engine, 2, &stop).await;
    late.publish("5").await;
    for node in nodes.iter().chain([&late]) {
        node.hears(&["5"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_newer_version_writes_is_passed_over_in_memory() {
    let memory = memory::Memory::new(1);
    let lose = async |forgets| {
        memory.stop();
        sleep(Duration::from_millis(300)).await;
        memory.restart(forgets);
    };
    what_a_newer_version_writes_is_passed_over(Arc::new(memory.way(0)), lose).await;
}
