//! Whose turn it is: of one node while nothing is wrong, and never of none for long while any is there.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::memory::{Memory, Weather};
use super::*;

const NODES: usize = 3;
/// A turn runs out, and is sought again.
const LONGEST_WITHOUT: Duration = Duration::from_secs(8);
/// After this all know whose turn it is.
const CALM: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Nothing arrives from this node, nor at it.
    Cut {
        node: usize,
    },
    Stop {
        forgets: usize,
    },
    Flush,
    Pause,
    /// It ends without a word.
    Kill {
        node: usize,
    },
    /// It ends in order.
    Leave {
        node: usize,
    },
    /// It cannot do what it has its turn for.
    Pass {
        node: usize,
    },
    Weather {
        lost: u32,
    },
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (0..NODES).prop_map(|node| Fault::Cut { node }),
        prop_oneof![Just(0), Just(usize::MAX)].prop_map(|forgets| Fault::Stop { forgets }),
        Just(Fault::Flush),
        Just(Fault::Pause),
        (0..NODES).prop_map(|node| Fault::Kill { node }),
        (0..NODES).prop_map(|node| Fault::Leave { node }),
        (0..NODES).prop_map(|node| Fault::Pass { node }),
        (0..10_u32).prop_map(|lost| Fault::Weather { lost }),
    ]
}

struct Seeking {
    turn: Arc<Turn>,
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 2],
}

struct World {
    memory: Memory,
    nodes: Vec<Option<Seeking>>,
    /// Since when it is nobody's turn.
    nobodys: Option<Instant>,
}

impl World {
    async fn new(seed: u64) -> Self {
        let mut world = Self { memory: Memory::new(seed), nodes: Vec::new(), nobodys: None };
        for number in 0..NODES {
            let seeking = world.start(number).await;
            world.nodes.push(Some(seeking));
        }
        world
    }

    async fn start(&self, number: usize) -> Seeking {
        let node = Node::among(member(&self.memory, number));
        let (turn, stop) = (Arc::new(Turn::new("test")), CancellationToken::new());
        let run = node.run(CancellationToken::new());
        let broker = node.broker;
        broker.until_level().await;
        let (sought, stopped) = (Arc::clone(&turn), stop.clone());
        let seek = tokio::spawn(async move { broker.take_turns(&sought, stopped).await });
        Seeking { turn, stop, tasks: [run, seek] }
    }

    /// Whose turn it is, of those that are there.
    fn theirs(&self) -> Vec<usize> {
        let is_theirs = |number: &usize| self.nodes[*number].as_ref().is_some_and(|node| *node.turn.is_ours().borrow());
        (0..NODES).filter(is_theirs).collect()
    }

    /// Looks on.
    async fn pass_time(&mut self, length: Duration) -> TestCaseResult {
        let end = Instant::now() + length;
        while Instant::now() < end {
            sleep(LOOK).await;
            if self.theirs().is_empty() && self.nodes.iter().any(Option::is_some) {
                let since = *self.nobodys.get_or_insert_with(Instant::now);
                prop_assert!(since.elapsed() < LONGEST_WITHOUT, "it is nobody's turn");
            } else {
                self.nobodys = None;
            }
        }
        Ok(())
    }

    async fn befall(&mut self, fault: Fault) -> TestCaseResult {
        let long = Duration::from_secs(9);
        match fault {
            Fault::Cut { node } => {
                self.memory.cut(node);
                self.pass_time(long).await?;
                self.memory.mend(node);
            }
            Fault::Stop { forgets } => {
                self.memory.stop();
                self.pass_time(long).await?;
                self.memory.restart(forgets);
            }
            Fault::Flush => self.memory.flush(),
            Fault::Pause => {
                self.memory.pause(long);
                self.pass_time(long).await?;
            }
            Fault::Kill { node } | Fault::Leave { node } => {
                let gone = self.nodes[node].take().unwrap();
                if matches!(fault, Fault::Leave { .. }) {
                    gone.stop.cancel();
                    self.pass_time(Duration::from_millis(500)).await?;
                }
                gone.tasks.iter().for_each(JoinHandle::abort);
                self.pass_time(long).await?;
                let started = self.start(node).await;
                self.nodes[node] = Some(started);
            }
            Fault::Pass { node } => self.nodes[node].as_ref().unwrap().turn.pass(),
            Fault::Weather { lost } => {
                let delay = Duration::from_millis(20);
                self.memory.set_weather(Weather { delay, lost_requests: lost, lost_answers: lost });
                self.pass_time(long).await?;
                self.memory.set_weather(Weather::default());
            }
        }
        Ok(())
    }
}

/// In time that passes only where everybody waits.
fn tried(seed: u64, act: impl AsyncFnOnce(&mut World) -> TestCaseResult) -> TestCaseResult {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed).await;
        world.pass_time(CALM).await?;
        act(&mut world).await
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn it_is_one_nodes_turn_in_the_end_and_nobodys_for_no_longer_than_a_turn_lasts(
        seed in any::<u64>(), faults in vec(fault(), 1..6)
    ) {
        tried(seed, async |world| {
            for fault in faults {
                world.befall(fault).await?;
            }
            world.pass_time(CALM).await?;
            prop_assert_eq!(world.theirs().len(), 1, "{:?}", world.theirs());
            Ok(())
        })?;
    }
}

#[test]
fn who_leaves_in_order_hands_its_turn_on_before_it_runs_out() {
    tried(1, async |world| {
        let [holder] = world.theirs()[..] else { panic!("{:?}", world.theirs()) };
        let gone = world.nodes[holder].take().unwrap();
        gone.stop.cancel();
        world.pass_time(Duration::from_secs(2)).await?;
        assert_eq!(world.theirs().len(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn who_cannot_do_it_passes_it_on_and_does_it_until_another_has_it() {
    tried(1, async |world| {
        let [holder] = world.theirs()[..] else { panic!("{:?}", world.theirs()) };
        world.nodes[holder].as_ref().unwrap().turn.pass();
        let begun = Instant::now();
        while world.theirs() == [holder] {
            world.pass_time(LOOK).await?;
            assert!(begun.elapsed() < Duration::from_secs(3), "it still has it");
        }
        world.pass_time(CALM).await?;
        assert!(world.theirs().len() == 1 && world.theirs() != [holder], "{:?}", world.theirs());
        Ok(())
    })
    .unwrap();
}

#[test]
fn where_nobody_can_be_asked_it_is_everybodys_turn() {
    tried(1, async |world| {
        world.memory.stop();
        world.pass_time(Duration::from_secs(10)).await?;
        assert_eq!(world.theirs(), [0, 1, 2]);
        world.memory.restart(usize::MAX);
        world.pass_time(CALM).await?;
        assert_eq!(world.theirs().len(), 1);
        Ok(())
    })
    .unwrap();
}

#[tokio::test]
async fn of_a_node_that_is_alone_it_is_always_the_turn() {
    let alone = Node::alone();
    let (turn, stop) = (Turn::new("test"), CancellationToken::new());
    let mut is_ours = turn.is_ours();
    tokio::select! {
        () = alone.broker.take_turns(&turn, stop.clone()) => panic!("it has ended"),
        is_ours = is_ours.wait_for(|is_ours| *is_ours) => assert!(is_ours.is_ok()),
    }
}
