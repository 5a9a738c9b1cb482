//! The promises: one order for everybody, nothing lost or twice where a client comes back, no state that goes back, and a
//! word where there is a gap. Tried over random scripts, while others publish from threads of their own.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::client::{Claim, Client};
use super::{Keyed, Node, Published, Reach};
use crate::hub::Membership;
use crate::hub::history::KEPT_EVENTS;
use crate::hub::mailbox::{Mailbox, Next};
use crate::idempotency::Turn;
use crate::model::{Answered, Channel, CloseReason, IdType, RestauranteId, Tenant, UserId};
use crate::publication::{Draft, Encoding, Publication};

/// Channels of events.
const EVENTS: usize = 3;
/// A mailbox of this capacity is never full here.
const ROOMY: usize = 100_000;
/// For counts to be everywhere.
const TOLD_WITHIN: Duration = Duration::from_secs(20);
/// More than are served by whoever publishes.
const CROWD: usize = 80;

/// What the promises are tried on: made anew for each try, within a runtime.
pub(super) trait Nodes: Sync {
    async fn make() -> Self;

    fn each(&self) -> &[Node];

    /// Returns when all that was published until now is in the mailboxes of every node.
    async fn settle(&self);
}

/// All of them for one kind of nodes; over so many random scripts.
macro_rules! promises {
    ($nodes:ty, $scripts:expr) => {
        proptest! {
            #![proptest_config(ProptestConfig {
                cases: $scripts, failure_persistence: None, ..ProptestConfig::default()
            })]

            #[test]
            fn nothing_is_lost_nor_comes_twice_nor_goes_back(script in $crate::broker::tests::promises::script()) {
                $crate::broker::tests::promises::everybody_has_one_order::<$nodes>(&script);
            }
        }

        $crate::broker::tests::promises::promises! { @each $nodes;
            who_was_away_for_too_long_is_told_of_a_gap,
            a_call_with_a_key_is_settled_with_its_events,
            who_is_dismissed_is_gone_everywhere,
            a_listener_is_known_everywhere_while_it_is_there,
        }
    };
    (@each $nodes:ty; $($promise:ident,)*) => {
        $(#[test]
        fn $promise() {
            $crate::broker::tests::promises::$promise::<$nodes>();
        })*
    };
}
pub(super) use promises;

fn events(number: usize) -> Channel {
    match number % EVENTS {
        0 => Channel::Negocio(None),
        1 => Channel::StaffOrders(None),
        _ => Channel::Restaurante(RestauranteId::new("r")),
    }
}

fn figures() -> Channel {
    Channel::Estadisticas(IdType::Text.parse("a").unwrap())
}

pub(super) fn tenant() -> Tenant {
    Tenant::new("t")
}

#[derive(Clone, Debug)]
enum Op {
    /// One call that publishes an event on each of these.
    Publish {
        node: usize,
        channels: Vec<usize>,
    },
    /// Two reads of the figures, told in the one order or the other.
    Tell {
        backwards: bool,
    },
    Ring {
        node: usize,
    },
    Come {
        node: usize,
        events: Vec<usize>,
        with_states: bool,
        capacity: usize,
    },
    Read {
        client: usize,
    },
    Leave {
        client: usize,
    },
    ComeBack {
        client: usize,
        node: usize,
        claim: Claim,
    },
    Settle,
}

#[derive(Clone, Debug)]
pub(super) struct Script {
    ops: Vec<Op>,
    /// What others publish at the same time, each one event after the other.
    others: Vec<Vec<usize>>,
    has_crowd: bool,
}

pub(super) fn script() -> impl Strategy<Value = Script> {
    let (channels, node, client) = (vec(0..EVENTS, 1..4), 0..4_usize, 0..8_usize);
    let claim = prop_oneof![
        9 => Just(Claim::Position),
        1 => Just(Claim::Nonsense),
        1 => Just(Claim::AnotherRun),
    ];
    let op = prop_oneof![
        6 => (node.clone(), channels.clone()).prop_map(|(node, channels)| Op::Publish { node, channels }),
        2 => any::<bool>().prop_map(|backwards| Op::Tell { backwards }),
        1 => node.clone().prop_map(|node| Op::Ring { node }),
        3 => (node.clone(), channels, any::<bool>(), prop_oneof![1..6_usize, Just(ROOMY)])
            .prop_map(|(node, events, with_states, capacity)| Op::Come { node, events, with_states, capacity }),
        3 => client.clone().prop_map(|client| Op::Read { client }),
        1 => client.clone().prop_map(|client| Op::Leave { client }),
        4 => (client, node, claim).prop_map(|(client, node, claim)| Op::ComeBack { client, node, claim }),
        1 => Just(Op::Settle),
    ];
    let others = vec(vec(0..EVENTS, 0..40), 0..3);
    (vec(op, 1..60), others, any::<bool>()).prop_map(|(ops, others, has_crowd)| Script { ops, others, has_crowd })
}

struct World<N> {
    nodes: N,
    runtime: Runtime,
    /// Every call's events: an event's number is its place among all, and says nothing of its id.
    calls: Mutex<Vec<Vec<(usize, Channel)>>>,
}

impl<N: Nodes> World<N> {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let nodes = runtime.block_on(N::make());
        Self { nodes, runtime, calls: Mutex::default() }
    }

    fn node(&self, number: usize) -> &Node {
        let nodes = self.nodes.each();
        &nodes[number % nodes.len()]
    }

    fn settle(&self) {
        self.runtime.block_on(self.nodes.settle());
    }

    fn publish(&self, node: usize, channels: &[usize]) {
        let drafts = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            let first: usize = calls.iter().map(Vec::len).sum();
            let call: Vec<_> = (first..).zip(channels.iter().map(|channel| events(*channel))).collect();
            let draft = |(number, channel): &(usize, Channel)| Draft::new(channel.clone(), number.to_string());
            let drafts = call.iter().map(draft).collect();
            calls.push(call);
            drafts
        };
        self.runtime.block_on(self.node(node).broker.publish(drafts, None)).unwrap();
    }

    fn crowd(&self) -> Vec<Membership> {
        let hub = &self.node(0).hub;
        let join = |_| hub.join(events(0), &Arc::new(Mailbox::new(ROOMY, Encoding::Lines)));
        (0..CROWD).map(join).collect()
    }

    /// One client a node that listens to all events from the beginning.
    fn auditors(&self) -> Vec<Client> {
        let audit = |node: &Node| {
            let mut auditor = Client::new((0..EVENTS).map(events).collect(), ROOMY);
            auditor.connect(node, Claim::Position);
            auditor
        };
        self.nodes.each().iter().map(audit).collect()
    }

    fn act(&self, op: &Op, clients: &mut Vec<Client>) {
        let chosen = |client: usize| client % clients.len().max(1);
        match op {
            Op::Publish { node, channels } => self.publish(*node, channels),
            Op::Settle => self.settle(),
            Op::Tell { backwards } => self.tell(*backwards, clients),
            Op::Ring { node } => {
                for client in clients.iter_mut() {
                    client.owe_a_ring(&Channel::Sync(tenant()));
                }
                self.node(*node).broker.ring(tenant());
            }
            Op::Come { node, events: heard, with_states, capacity } => {
                let mut channels: Vec<Channel> = heard.iter().map(|channel| events(*channel)).collect();
                channels.dedup();
                if *with_states {
                    channels.extend([figures(), Channel::Sync(tenant())]);
                }
                let mut client = Client::new(distinct(channels), *capacity);
                client.connect(self.node(*node), Claim::Position);
                clients.push(client);
            }
            Op::Read { client } | Op::Leave { client } | Op::ComeBack { client, .. } => {
                let at = chosen(*client);
                let Some(client) = clients.get_mut(at) else { return };
                match op {
                    Op::Read { .. } => client.read(),
                    Op::Leave { .. } => client.leave(),
                    Op::ComeBack { node, claim, .. } => {
                        client.leave();
                        client.connect(self.node(*node), *claim);
                    }
                    _ => {}
                }
            }
        }
    }

    /// What one node has read every node tells its own.
    fn tell(&self, backwards: bool, clients: &mut [Client]) {
        let broker = &self.node(0).broker;
        let mut versions = [broker.next_version(), broker.next_version()];
        for client in clients.iter_mut() {
            client.owe(&figures(), versions[1]);
        }
        if backwards {
            versions.reverse();
        }
        for version in versions {
            let state = Arc::new(Publication::state(figures(), version, "{}", None));
            for node in self.nodes.each() {
                node.broker.tell(&state);
            }
        }
    }

    /// Lets everybody have everything.
    fn finish(&self, clients: &mut [Client]) {
        self.settle();
        for client in clients {
            client.read();
            while !client.is_here() {
                client.connect(self.node(0), Claim::Position);
                client.read();
            }
        }
    }
}

/// Each once, in its order.
fn distinct(channels: Vec<Channel>) -> Vec<Channel> {
    let mut distinct = Vec::new();
    for channel in channels {
        if !distinct.contains(&channel) {
            distinct.push(channel);
        }
    }
    distinct
}

pub(super) fn everybody_has_one_order<N: Nodes>(script: &Script) {
    let world = World::<N>::new();
    let _crowd = script.has_crowd.then(|| world.crowd());
    let mut auditors = world.auditors();
    let mut clients = Vec::new();
    thread::scope(|scope| {
        for (node, channels) in script.others.iter().enumerate() {
            let world = &world;
            scope.spawn(move || channels.iter().for_each(|channel| world.publish(node, &[*channel])));
        }
        script.ops.iter().for_each(|op| world.act(op, &mut clients));
    });
    world.finish(&mut auditors);
    world.finish(&mut clients);

    let order = &auditors[0].seen;
    assert!(auditors.iter().all(|auditor| auditor.seen == *order), "the nodes differ");
    let calls = world.calls.lock().unwrap();
    assert_eq!(order.len(), calls.iter().map(Vec::len).sum::<usize>());
    for call in calls.iter() {
        let (first, _) = call[0];
        let at = order.iter().position(|(_, number)| *number == first).unwrap();
        let together = order[at..].iter().take(call.len()).map(|(_, number)| *number);
        assert!(together.eq(call.iter().map(|(number, _)| *number)), "something came between the events of one call");
    }
    let all: Vec<_> = calls.iter().flatten().collect();
    let channel_of = |number: usize| all[number].1.clone();
    for client in &clients {
        client.check(order, channel_of);
    }
}

pub(super) fn who_was_away_for_too_long_is_told_of_a_gap<N: Nodes>() {
    let world = World::<N>::new();
    let mut clients = [Client::new(vec![events(0)], ROOMY), Client::new(vec![events(1)], ROOMY)];
    let [gone, quiet] = &mut clients;
    for client in [&mut *gone, &mut *quiet] {
        client.connect(world.node(0), Claim::Position);
        client.read();
        client.leave();
    }
    (0..=KEPT_EVENTS).for_each(|_| world.publish(0, &[0]));
    world.publish(0, &[1]);
    world.settle();
    gone.connect(world.node(1), Claim::ForgottenPosition);
    gone.read();
    // What happened on another channel is no gap in this one.
    quiet.connect(world.node(1), Claim::Position);
    quiet.read();
    world.publish(0, &[0, 1]);
    world.finish(&mut clients);
    let seen = clients.map(|client| client.seen.iter().map(|(_, number)| *number).collect::<Vec<_>>());
    assert_eq!(seen, [vec![KEPT_EVENTS + 2], vec![KEPT_EVENTS + 1, KEPT_EVENTS + 3]]);
}

pub(super) fn a_call_with_a_key_is_settled_with_its_events<N: Nodes>() {
    let world = World::<N>::new();
    let begin = |node: &Node| world.runtime.block_on(node.calls.begin("/notify/venta", "k")).unwrap();
    let Turn::First(ticket) = begin(world.node(0)) else { panic!("nobody has called before") };
    let listening = Arc::new(Mailbox::new(ROOMY, Encoding::Lines));
    let _membership = world.node(0).hub.join(events(0), &listening);
    let answer = |reach: &Reach| Answered { status: 200, body: format!("{:?}", reach.each) };
    let drafts = vec![Draft::new(events(0), "1"), Draft::new(events(1), "2")];
    let keyed = Keyed { ticket: &ticket, answer: &answer };
    world.runtime.block_on(world.node(0).broker.publish(drafts, Some(&keyed))).unwrap();
    drop(ticket);
    world.settle();
    for node in world.nodes.each() {
        assert!(matches!(begin(node), Turn::Repeated(answered) if answered.body == "[1, 0]"));
    }
}

pub(super) fn who_is_dismissed_is_gone_everywhere<N: Nodes>() {
    let world = World::<N>::new();
    let (ana, luis) = (UserId::new("ana"), UserId::new("luis"));
    let at = "2026-03-01T12:00:05Z".parse().unwrap();
    let join = |node: &Node, user: &UserId| {
        let mailbox = Arc::new(Mailbox::new(4, Encoding::Lines));
        let membership = node.hub.join(Channel::User(user.clone()), &mailbox);
        (mailbox, membership)
    };
    let connections: Vec<_> = world.nodes.each().iter().map(|node| (join(node, &ana), join(node, &luis))).collect();
    let dismissed = world.runtime.block_on(world.node(0).broker.dismiss_user(ana.clone(), at, None));
    assert!(matches!(dismissed, Ok(Published::For(reach)) if reach.each == [1]));
    world.settle();
    for ((hers, _), (his, _)) in &connections {
        assert!(matches!(hers.try_next(), Some(Next::Dismissed(CloseReason::SessionEnded))));
        assert!(his.try_next().is_none());
    }
    for node in world.nodes.each() {
        assert!(node.tokens.has_dismissed([&ana], Some(at.as_second())));
        assert!(!node.tokens.has_dismissed([&ana], Some(at.as_second() + 1)));
        assert!(!node.tokens.has_dismissed([&luis], None));
    }
}

pub(super) fn a_listener_is_known_everywhere_while_it_is_there<N: Nodes>() {
    let world = World::<N>::new();
    let channels = [events(0), figures(), Channel::Sync(tenant())];
    let count = |node: &Node, channel: &Channel| world.runtime.block_on(node.broker.reach(channel)).each[0];
    // They are told a little late.
    let all_count = |wanted: usize| {
        let begun = Instant::now();
        let nodes = || world.nodes.each().iter();
        while !nodes().all(|node| channels.iter().all(|channel| count(node, channel) == wanted)) {
            assert!(begun.elapsed() < TOLD_WITHIN, "not all count {wanted}");
            thread::sleep(Duration::from_millis(5));
        }
    };
    all_count(0);
    let mailbox = Arc::new(Mailbox::new(4, Encoding::Lines));
    let memberships: Vec<_> =
        channels.iter().map(|channel| world.node(0).hub.join(channel.clone(), &mailbox)).collect();
    assert!(channels.iter().all(|channel| world.node(0).broker.has_listeners(channel)), "it knows its own at once");
    all_count(1);
    drop(memberships);
    assert!(channels.iter().all(|channel| !world.node(0).broker.has_listeners(channel)));
    all_count(0);
}
