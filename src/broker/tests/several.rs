//! Three nodes over a log in memory that anything may befall, callers that repeat, clients that stay and clients that
//! wander: what all of them saw is judged by the one checker of histories.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;
use pulso_harness::history::{Called, Checked, Heard, History, Listener, Outcome, Wrong};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, sleep, timeout};

use super::memory::{Memory, Weather};
use super::*;
use crate::broker::spoiled::{LEFT_OUT, Rule};
use crate::hub::history::Since;
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::hub::{Membership, Words};
use crate::idempotency::Turn;
use crate::model::RestauranteId;
use crate::publication::Encoding;

const NODES: usize = 3;
const CHANNELS: usize = 3;
/// One call each.
const EVERY: Duration = Duration::from_millis(20);
const CLIENTS: usize = 9;
/// A client looks into its mailbox so often.
const LOOK: Duration = Duration::from_millis(10);
/// What is usual: no node reads at the same moment as another.
const CALM: Weather = Weather { delay: Duration::from_millis(4), lost_requests: 0, lost_answers: 0 };
/// After a fault, and at the end: everybody is level then.
const HEALED: Duration = Duration::from_secs(8);

/// What befalls the log, the ways to it, or a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// It ends, and is back after a while without its newest entries; one node may be cut off before and after.
    Restart {
        away: u64,
        forgets: usize,
        cut: Option<usize>,
    },
    /// It is emptied while everybody is connected.
    Flush,
    Pause {
        length: u64,
    },
    /// One node is cut off.
    Cut {
        node: usize,
        length: u64,
    },
    /// Another server takes over for one node first, without the newest entries; one of the others may end before they follow.
    Split {
        node: usize,
        lacks: usize,
        length: u64,
        kills: bool,
    },
    /// A node ends, and another takes its place.
    Kill {
        node: usize,
        length: u64,
    },
    /// Ways are slow, and lose.
    Weather {
        delay: u64,
        lost_requests: u32,
        lost_answers: u32,
        length: u64,
    },
    /// Its clock goes wrong, and it ends and is back empty.
    Skew {
        seconds: i64,
    },
    Full {
        length: u64,
    },
    /// Somebody else writes into it.
    Garbage,
}

pub(super) fn fault() -> impl Strategy<Value = Fault> {
    let forgets = prop_oneof![Just(0), 1..40_usize, Just(usize::MAX)];
    let (node, length) = (0..NODES, 100..4_000_u64);
    prop_oneof![
        (0..1_500_u64, forgets, proptest::option::of(node.clone())).prop_map(|(away, forgets, cut)| Fault::Restart {
            away,
            forgets,
            cut
        }),
        Just(Fault::Flush),
        length.clone().prop_map(|length| Fault::Pause { length }),
        (node.clone(), 100..6_000_u64).prop_map(|(node, length)| Fault::Cut { node, length }),
        (node.clone(), 0..30_usize, 50..1_000_u64, any::<bool>())
            .prop_map(|(node, lacks, length, kills)| Fault::Split { node, lacks, length, kills }),
        (node, length.clone()).prop_map(|(node, length)| Fault::Kill { node, length }),
        (0..30_u64, 0..6_u32, 0..6_u32, length.clone()).prop_map(|(delay, lost_requests, lost_answers, length)| {
            Fault::Weather { delay, lost_requests, lost_answers, length }
        }),
        (-5..5_i64).prop_map(|seconds| Fault::Skew { seconds }),
        length.prop_map(|length| Fault::Full { length }),
        Just(Fault::Garbage),
    ]
}

/// A node, with what a test looks at.
struct Running {
    node: Node,
    task: JoinHandle<()>,
    is_dead: Rc<Cell<bool>>,
}

struct World {
    memory: Memory,
    begun: Instant,
    nodes: RefCell<Vec<Option<Rc<Running>>>>,
    draw: RefCell<StdRng>,
    calls: RefCell<Vec<Called>>,
    /// Whether clients may go from one node to another: not while there are two logs.
    may_wander: Cell<bool>,
    is_over: Cell<bool>,
}

fn channel(number: usize) -> Channel {
    Channel::Restaurante(RestauranteId::new(&number.to_string()))
}

impl World {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap()
    }

    fn draw(&self, below: usize) -> usize {
        self.draw.borrow_mut().random_range(0..below)
    }

    async fn start(&self, number: usize) {
        let node = Node::among(member(&self.memory, number));
        let task = node.run(CancellationToken::new());
        let _ = timeout(Duration::from_secs(10), node.broker.until_level()).await;
        node.broker.open();
        self.nodes.borrow_mut()[number] = Some(Rc::new(Running { node, task, is_dead: Rc::default() }));
    }

    fn kill(&self, number: usize) {
        if let Some(running) = self.nodes.borrow_mut()[number].take() {
            running.task.abort();
            running.is_dead.set(true);
        }
    }

    /// Some node that is there.
    fn some_node(&self) -> Option<Rc<Running>> {
        let there: Vec<Rc<Running>> = self.nodes.borrow().iter().flatten().cloned().collect();
        (!there.is_empty()).then(|| Rc::clone(&there[self.draw(there.len())]))
    }

    /// One event, by a caller that repeats with its key or calls once without.
    async fn call(self: Rc<Self>, number: u64) {
        let (channel_number, is_keyed) = (self.draw(CHANNELS), self.draw(4) > 0);
        let at = self.now();
        let key = number.to_string();
        let mut outcome = Outcome::Refused;
        for _ in 0..if is_keyed { 60 } else { 1 } {
            let draft = Draft::new(channel(channel_number), number.to_string());
            let Some(running) = self.some_node() else { continue };
            let answered = try_once(&running.node, draft, is_keyed.then_some(&key)).await;
            match answered {
                // Who called has lost its line.
                _ if running.is_dead.get() => outcome = Outcome::Unknown,
                Ok(()) => {
                    outcome = Outcome::Accepted;
                    break;
                }
                Err(Refused::Unknown) => outcome = Outcome::Unknown,
                Err(_) => {}
            }
            sleep(Duration::from_millis(250)).await;
        }
        let call = Called { number, channel: channel_number.to_string(), at, outcome };
        self.calls.borrow_mut().push(call);
    }

    async fn call_on(self: Rc<Self>) {
        let mut number = 0;
        while !self.is_over.get() {
            number += 1;
            spawn_local(Rc::clone(&self).call(number));
            sleep(EVERY).await;
        }
    }

    async fn befall(self: &Rc<Self>, fault: Fault) {
        let millis = Duration::from_millis;
        match fault {
            Fault::Restart { away, forgets, cut } => {
                if let Some(node) = cut {
                    self.memory.cut(node);
                    sleep(millis(400)).await;
                }
                self.memory.stop();
                sleep(millis(away)).await;
                self.memory.restart(forgets);
                if let Some(node) = cut {
                    sleep(millis(300)).await;
                    self.memory.mend(node);
                }
            }
            Fault::Flush => self.memory.flush(),
            Fault::Garbage => {
                for body in [&b""[..], b"\x01", b"\x01E", b"\x02E", b"\x01z0123456789abcdef", &[0xff; 300]] {
                    self.memory.write(log::Stream::Events, body);
                    self.memory.write(log::Stream::Now, body);
                }
            }
            Fault::Pause { length } => {
                self.memory.pause(millis(length));
                sleep(millis(length)).await;
            }
            Fault::Cut { node, length } => {
                self.memory.cut(node);
                sleep(millis(length)).await;
                self.memory.mend(node);
            }
            Fault::Split { node, lacks, length, kills } => {
                let other = (node + 1) % NODES;
                self.may_wander.set(false);
                self.memory.split(&[node], lacks);
                sleep(millis(length)).await;
                if kills {
                    self.kill(other);
                    // The third has read what that one wrote.
                    sleep(millis(100)).await;
                }
                self.memory.join();
                sleep(HEALED).await;
                if kills {
                    self.start(other).await;
                }
                self.may_wander.set(true);
            }
            Fault::Kill { node, length } => {
                self.kill(node);
                sleep(millis(length)).await;
                self.start(node).await;
            }
            Fault::Weather { delay, lost_requests, lost_answers, length } => {
                self.memory.set_weather(Weather { delay: millis(delay), lost_requests, lost_answers });
                sleep(millis(length)).await;
                self.memory.set_weather(CALM);
            }
            Fault::Skew { seconds } => {
                self.memory.stop();
                self.memory.skew(seconds * 1_000_000);
                sleep(millis(200)).await;
                self.memory.restart(usize::MAX);
            }
            Fault::Full { length } => {
                self.memory.set_full(true);
                sleep(millis(length)).await;
                self.memory.set_full(false);
            }
        }
    }
}

async fn try_once(node: &Node, draft: Draft, key: Option<&String>) -> Result<(), Refused> {
    let Some(key) = key else { return node.broker.publish(vec![draft], None).await.map(|_| ()) };
    match node.calls.begin("/p", key).await.unwrap() {
        Turn::Repeated(_) => Ok(()),
        Turn::First(ticket) => {
            let answer = |reach: &Reach| Answered { status: 200, body: reach.each.len().to_string() };
            node.broker.publish(vec![draft], Some(&Keyed { ticket: &ticket, answer: &answer })).await.map(|_| ())
        }
    }
}

/// Listens until all is over, at one node for as long as that is there, or now here and now there.
async fn listen(world: Rc<World>, number: usize) -> Listener {
    let wanders = number % 2 == 1;
    let channels = [number % CHANNELS, (number + 1) % CHANNELS];
    let names = channels.map(|channel| channel.to_string()).to_vec();
    let (mut since, mut heard, from) = (Since::Now, Vec::new(), world.now());
    while !world.is_over.get() {
        let preferred = (!wanders).then(|| world.nodes.borrow()[number % NODES].clone()).flatten();
        let Some(running) = preferred.or_else(|| world.some_node()) else {
            sleep(LOOK).await;
            continue;
        };
        let mailbox = Arc::new(Mailbox::new(100_000, Encoding::Lines));
        let words = Words { resync: Some("resync"), position: true };
        let (memberships, _): (Vec<Membership>, _) =
            running.node.hub.join_since(&channels.map(channel), &mailbox, since, words);
        let until = wanders.then(|| Instant::now() + Duration::from_millis(100 + world.draw(900) as u64));
        let has_stayed = || until.is_some_and(|until| Instant::now() >= until) && world.may_wander.get();
        let mut is_ended = false;
        while !is_ended && !running.is_dead.get() && !has_stayed() && !world.is_over.get() {
            sleep(LOOK).await;
            while let Some(next) = mailbox.try_next() {
                match next {
                    Next::Message(Outgoing::Published(event), _) => {
                        since = Since::After(event.version);
                        let number = event.payload.parse().unwrap();
                        heard.push((world.now(), Heard::Event { number, id: event.version }));
                    }
                    Next::Message(Outgoing::Answer(text), _) => match std::str::from_utf8(&text).unwrap().trim_end() {
                        "data: resync" => heard.push((world.now(), Heard::Resync)),
                        position => since = Since::parse(position.strip_prefix("id: ").unwrap()),
                    },
                    Next::Dismissed(CloseReason::ComeAgain) => is_ended = true,
                    other => panic!("unexpected {other:?}"),
                }
                if is_ended {
                    break;
                }
            }
        }
        drop(memberships);
    }
    Listener { name: format!("{number} {}", if wanders { "wanders" } else { "stays" }), channels: names, from, heard }
}

/// What all saw while these faults came one after the other.
pub(super) fn history(seed: u64, faults: &[Fault]) -> History {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let world = Rc::new(World {
            memory: Memory::new(seed),
            begun: Instant::now(),
            nodes: RefCell::new((0..NODES).map(|_| None).collect()),
            draw: RefCell::new(StdRng::seed_from_u64(seed)),
            calls: RefCell::default(),
            may_wander: Cell::new(true),
            is_over: Cell::new(false),
        });
        world.memory.set_weather(CALM);
        for number in 0..NODES {
            world.start(number).await;
        }
        let listeners: Vec<_> = (0..CLIENTS).map(|number| spawn_local(listen(Rc::clone(&world), number))).collect();
        sleep(LOOK).await;
        let calling = spawn_local(Rc::clone(&world).call_on());
        sleep(Duration::from_secs(1)).await;
        for fault in faults {
            // Not always just after everybody has confirmed what it has.
            sleep(Duration::from_millis(world.draw(700) as u64)).await;
            world.befall(*fault).await;
            sleep(HEALED).await;
        }
        calling.abort();
        sleep(Duration::from_secs(20)).await;
        world.is_over.set(true);
        let mut history = History::default();
        for listener in listeners {
            history.listeners.push(listener.await.unwrap());
        }
        history.calls = world.calls.take();
        history
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_lost_nor_comes_twice_whatever_befalls_the_log(seed in any::<u64>(), faults in vec(fault(), 1..4)) {
        let (checked, wrong) = history(seed, &faults).check();
        prop_assert!(wrong.is_empty(), "{} wrong, first {:?}; {checked:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
        prop_assert!(checked.accepted > 200 && checked.heard > 1_000, "{checked:?}");
    }
}

#[test]
fn where_nothing_befalls_the_log_all_is_accepted_in_one_order_and_nobody_is_told_of_a_gap() {
    let quiet = Fault::Weather { delay: 5, lost_requests: 0, lost_answers: 0, length: 3_000 };
    let (Checked { unknown, refused, resyncs, .. }, wrong) = history(1, &[quiet]).check_with_one_order();
    assert_eq!((wrong, unknown, refused, resyncs), (Vec::new(), 0, 0, 0));
}

/// Whether any of several runs goes wrong without a rule.
fn fails_without(rule: Rule, is_found: fn(&Wrong) -> bool, faults: &[Fault]) -> bool {
    LEFT_OUT.set(Some(rule));
    let found = (0..6).any(|seed| history(seed, faults).check().1.iter().any(is_found));
    LEFT_OUT.set(None);
    found
}

#[test]
fn it_is_noticed_if_only_the_publisher_puts_back() {
    // Whoever published it is gone when everybody follows to a server that lacks it.
    let split = Fault::Split { node: 0, lacks: 20, length: 400, kills: true };
    assert!(fails_without(Rule::EverybodyPutsBack, |wrong| matches!(wrong, Wrong::Lost { .. }), &[split]));
}

#[test]
fn it_is_noticed_if_what_is_put_back_is_not_known_by_its_first_id() {
    let restart = Fault::Restart { away: 300, forgets: usize::MAX, cut: Some(1) };
    assert!(fails_without(Rule::FirstIds, |wrong| matches!(wrong, Wrong::Doubled { .. }), &[restart]));
}

#[test]
fn it_is_noticed_if_no_position_is_in_doubt() {
    let restart = Fault::Restart { away: 300, forgets: usize::MAX, cut: Some(1) };
    let is_found = |wrong: &Wrong| matches!(wrong, Wrong::Lost { .. } | Wrong::Doubled { .. });
    assert!(fails_without(Rule::Doubt, is_found, &[restart, restart, restart]));
}
