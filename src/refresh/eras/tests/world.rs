//! Three nodes, one business, and a database that may be replaced by one that has less.

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};

use super::super::*;
use super::NOW;

const NODES: usize = 3;
/// Of the nodes' clocks, µs.
const SKEW: [u64; NODES] = [0, 50_000, 20_000];

/// No database is replaced within less, µs.
const RESTORING: u64 = 100_000;

/// What tells which of two reads is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Snapshots,
    /// The node's clock at the end of the read.
    WallClocks,
    /// One counter for all, asked at the end of the read.
    SharedCounter,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// A change, and its notice to a node.
    Change(usize),
    /// Some other business's.
    Elsewhere,
    /// A node's read gets its snapshot, or its answer: which of those under way.
    Look(usize, usize),
    Answer(usize, usize),
    /// A message arrives, or arrives and will do so again.
    Arrive(usize),
    Double(usize),
    /// A client joins on a node.
    Join(usize),
    /// The database loses its last transactions, more than it completes again in these tests, and every node notices that
    /// its connections end.
    Restore(u64),
    /// Somebody tells of what never was.
    Forge {
        era: i64,
        completed: i64,
    },
    Pass(u64),
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let any = any::<usize>;
    prop_oneof![
        6 => (0..NODES).prop_map(Op::Change),
        2 => Just(Op::Elsewhere),
        8 => (0..NODES, any()).prop_map(|(node, which)| Op::Look(node, which)),
        8 => (0..NODES, any()).prop_map(|(node, which)| Op::Answer(node, which)),
        8 => any().prop_map(Op::Arrive),
        2 => any().prop_map(Op::Double),
        2 => (0..NODES).prop_map(Op::Join),
        1 => (200..300_u64).prop_map(Op::Restore),
        1 => (-3..3_i64, -20..20_i64).prop_map(|(era, completed)| Op::Forge { era, completed }),
        1 => (1..200_000_u64).prop_map(Op::Pass),
    ]
}

/// How the business stands: how often the database was restored, and how often it changed since.
type Content = (u64, u64);

#[derive(Clone, Copy, Debug)]
struct Message {
    to: usize,
    version: Version,
    /// `None`: it was forged.
    content: Option<Content>,
}

#[derive(Debug)]
struct Read {
    begun: Begun,
    /// A broadcast is owed.
    owed: bool,
    /// What the snapshot shows, and how many transactions were completed.
    snapshot: Option<(Content, u64)>,
}

#[derive(Debug, Default)]
struct Node {
    eras: Eras,
    reads: Vec<Read>,
    latest: Option<(Version, Option<Content>)>,
    /// Of each screen: the seq and what it shows.
    screens: Vec<Option<(u64, Option<Content>)>>,
}

#[derive(Debug)]
pub(super) struct World {
    order: Order,
    nodes: [Node; NODES],
    messages: Vec<Message>,
    content: Content,
    completed: u64,
    now: u64,
    counter: u64,
    forged: bool,
}

impl World {
    pub(super) fn new(order: Order) -> Self {
        let mut world = Self {
            order,
            nodes: Default::default(),
            messages: Vec::new(),
            content: (0, 0),
            completed: 1_000_000,
            now: NOW,
            counter: NOW,
            forged: false,
        };
        (0..NODES).for_each(|node| world.join(node));
        world
    }

    pub(super) fn play(&mut self, op: Op) -> TestCaseResult {
        self.now += 1_000;
        match op {
            Op::Change(node) => {
                self.content.1 += 1;
                self.completed += 1;
                self.begin(node, true);
            }
            Op::Elsewhere => self.completed += 1,
            Op::Look(node, which) => self.look(node, which),
            Op::Answer(node, which) => self.answer(node, which)?,
            Op::Arrive(which) if !self.messages.is_empty() => {
                let message = self.messages.swap_remove(which % self.messages.len());
                self.arrive(message)?;
            }
            Op::Double(which) if !self.messages.is_empty() => {
                self.arrive(self.messages[which % self.messages.len()])?;
            }
            Op::Arrive(_) | Op::Double(_) => {}
            Op::Join(node) => self.join(node),
            Op::Restore(lost) => {
                self.now += RESTORING;
                self.content = (self.content.0 + 1, 0);
                self.completed = self.completed.saturating_sub(lost);
                for node in 0..NODES {
                    // What was asked on connections that have ended is asked again.
                    for read in &mut self.nodes[node].reads {
                        read.snapshot = None;
                    }
                    self.begin(node, false);
                }
            }
            Op::Forge { era, completed } => {
                let known = self.nodes[0].eras.known.map_or((0, 0), |known| (known.era(), known.completed()));
                let forged = Version::new(known.0 + era, known.1.saturating_add_signed(completed));
                for (to, version) in forged.into_iter().flat_map(|version| (0..NODES).map(move |to| (to, version))) {
                    self.messages.push(Message { to, version, content: None });
                }
                self.forged = true;
            }
            Op::Pass(time) => self.now += time,
        }
        Ok(())
    }

    /// All that is under way ends, and whoever was told of what never was reads once more: then every screen shows how it is.
    pub(super) fn end(mut self) -> TestCaseResult {
        self.settle()?;
        if self.forged {
            // As the re-read after a notice does.
            (0..NODES).for_each(|node| self.begin(node, false));
            self.settle()?;
        }
        for node in &self.nodes {
            for screen in &node.screens {
                let shown = screen.and_then(|(_, content)| content);
                prop_assert_eq!(shown, Some(self.content), "a screen is left behind: {:?}", node);
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> TestCaseResult {
        for _ in 0..1_000 {
            let Some(node) = (0..NODES).find(|node| !self.nodes[*node].reads.is_empty()) else {
                let Some(message) = self.messages.pop() else { return Ok(()) };
                self.arrive(message)?;
                continue;
            };
            self.now += 1_000;
            self.look(node, 0);
            self.answer(node, 0)?;
        }
        Err(TestCaseError::fail("they never come to rest"))
    }

    fn join(&mut self, node: usize) {
        self.nodes[node].screens.push(None);
        self.begin(node, false);
    }

    fn begin(&mut self, node: usize, owed: bool) {
        let begun = self.nodes[node].eras.begin();
        self.nodes[node].reads.push(Read { begun, owed, snapshot: None });
    }

    fn look(&mut self, node: usize, which: usize) {
        let reads = &mut self.nodes[node].reads;
        if !reads.is_empty() {
            let at = which % reads.len();
            reads[at].snapshot.get_or_insert((self.content, self.completed));
        }
    }

    fn answer(&mut self, node: usize, which: usize) -> TestCaseResult {
        let Node { reads, .. } = &mut self.nodes[node];
        let ready: Vec<usize> = (0..reads.len()).filter(|at| reads[*at].snapshot.is_some()).collect();
        if ready.is_empty() {
            return Ok(());
        }
        let read = reads.swap_remove(ready[which % ready.len()]);
        let (content, completed) = read.snapshot.unwrap_or_default();
        let stand = self.stand(node, read.begun, completed);
        let (version, begins) = match stand {
            Stand::At(version) => (version, false),
            Stand::Begins(version) => (version, true),
            Stand::Outdated => {
                self.begin(node, read.owed);
                return Ok(());
            }
        };
        let latest = self.nodes[node].latest;
        if latest.is_none_or(|(latest, _)| version >= latest) {
            self.nodes[node].latest = Some((version, Some(content)));
        }
        let moved = latest.is_some_and(|(_, before)| before != Some(content));
        if begins || read.owed || moved {
            self.tell(node, version, content);
        }
        self.show(node, true)
    }

    fn stand(&mut self, node: usize, begun: Begun, completed: u64) -> Stand {
        match self.order {
            Order::Snapshots => self.nodes[node].eras.read(begun, completed, self.now + SKEW[node]),
            Order::WallClocks => Stand::At(Version::beginning_at(self.now + SKEW[node], 0)),
            Order::SharedCounter => {
                self.counter += 1;
                Stand::At(Version::beginning_at(self.counter, 0))
            }
        }
    }

    fn tell(&mut self, node: usize, version: Version, content: Content) {
        let others = (0..NODES).filter(|to| *to != node);
        self.messages.extend(others.map(|to| Message { to, version, content: Some(content) }));
    }

    fn arrive(&mut self, Message { to, version, content }: Message) -> TestCaseResult {
        let heard = match self.order {
            Order::Snapshots => self.nodes[to].eras.hear(version, self.now + SKEW[to]),
            Order::WallClocks | Order::SharedCounter => Heard::Current,
        };
        match heard {
            Heard::Current => {
                let latest = &mut self.nodes[to].latest;
                // What is shown of an older era is read anew: that has seen more, perhaps, than this has.
                if latest.is_none_or(|(latest, _)| version.era() == latest.era() && version > latest) {
                    *latest = Some((version, content));
                    self.show(to, false)?;
                }
            }
            Heard::NewEra | Heard::Incomparable => self.begin(to, false),
        }
        Ok(())
    }

    /// Every screen takes what is newer than what it shows; of a read of its own node, the same version again.
    fn show(&mut self, node: usize, again: bool) -> TestCaseResult {
        let Node { latest: Some((version, content)), screens, .. } = &mut self.nodes[node] else { return Ok(()) };
        let seq = version.seq();
        prop_assert!(seq < 1 << 53);
        for screen in screens {
            if screen.is_some_and(|(shown, _)| shown > seq || (shown == seq && !again)) {
                continue;
            }
            // Who believes a liar may be shown anything, until the next read.
            if let (Some((_, Some(before))), Some(content), false) = (&screen, &content, self.forged) {
                prop_assert!(content >= before, "a screen goes back from {:?} to {:?}", before, content);
            }
            *screen = Some((seq, *content));
        }
        Ok(())
    }
}
