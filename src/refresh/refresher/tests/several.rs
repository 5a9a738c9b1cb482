//! Three nodes with one database and a log between them: a change is read once, and every screen shows it.

mod happenings;

use super::*;
use crate::access::token::TokenVerifier;
use crate::broker::tests::memory::{Memory, Weather};
use crate::broker::tests::{member, without_registering_first};
use crate::config::{AuthConfig, Secret};
use crate::idempotency::Idempotency;

const NODES: usize = 3;
/// Long enough for what is told to arrive, and shorter than until the re-read.
const SOON: Duration = Duration::from_millis(100);
/// All that was put off is done.
const HEALED: Duration = Duration::from_secs(20);

struct Nodes {
    memory: Memory,
    model: Arc<Model>,
    worlds: Vec<World>,
}

impl Nodes {
    async fn new() -> Self {
        Self::with_order(Some(1_000_000)).await
    }

    async fn with_order(completed: Option<u64>) -> Self {
        let (memory, model) = (Memory::new(7), Arc::new(Model::default()));
        memory.set_weather(Weather { delay: Duration::from_millis(2), ..Weather::default() });
        model.state().is_shared = true;
        model.state().completed = completed;
        let mut nodes = Self { memory, model, worlds: Vec::new() };
        for number in 0..NODES {
            nodes.worlds.push(nodes.start(number, query("q")).await);
        }
        nodes
    }

    async fn start(&self, number: usize, query: Arc<LiveQuery>) -> World {
        let several = member(&self.memory, number);
        let broker = |hub: &Arc<Hub>, clock: &Clock, metrics: &Arc<Metrics>| {
            let tokens = TokenVerifier::new(&AuthConfig::new(Secret::new("a secret for tests, longer than 32 bytes")));
            let (dismissed, answers) = (Arc::clone(tokens.dismissed()), Arc::clone(Idempotency::new(None).answers()));
            Broker::of_several_nodes(several, Arc::clone(hub), dismissed, answers, clock, Arc::clone(metrics))
        };
        let world = World::around(Arc::clone(&self.model), 8, true, vec![query], broker).await;
        let (broker, stop) = (Arc::clone(&world.refresher.broker), world.stop.clone());
        tokio::spawn(async move { broker.run(stop).await });
        world.refresher.broker.until_level().await;
        world.refresher.broker.open();
        world
    }

    fn queries(&self) -> usize {
        self.model.state().queries
    }

    async fn notice(&self, node: usize, channel: &Channel) -> bool {
        self.worlds[node].refresher.notice(channel).await.unwrap().is_some()
    }
}

/// What a screen shows.
fn shown(screen: &mut Subscriber) -> Option<i64> {
    screen.read();
    screen.seen.last().map(|seen| seen.total)
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_is_watched_on_three_nodes_costs_one_query() {
    for kind in [figures_of as Kind, live_of] {
        costs_one_query(&kind("n")).await;
    }
}

async fn costs_one_query(n: &Channel) {
    let nodes = Nodes::new().await;
    let mut screens: Vec<Subscriber> = nodes.worlds.iter().map(|world| world.subscribe(n)).collect();
    sleep(HEALED).await;
    let before = nodes.queries();
    nodes.model.commit(n);
    assert!(nodes.notice(1, n).await);
    sleep(SOON).await;
    assert_eq!(nodes.queries() - before, 1);
    assert!(screens.iter_mut().all(|screen| shown(screen) == Some(1)));
    sleep(HEALED).await;
    assert_eq!(nodes.queries() - before, 2, "one more looks for a late commit");
    let seqs: Vec<u64> = screens.iter().map(|screen| screen.version).collect();
    assert!(seqs.iter().all(|seq| *seq == seqs[0]), "one seq on all nodes: {seqs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_told_on_all_nodes_though_no_transaction_came_in_between() {
    for kind in [figures_of as Kind, live_of] {
        let nodes = Nodes::new().await;
        let n = kind("n");
        let mut screens: Vec<Subscriber> = nodes.worlds[1..].iter().map(|world| world.subscribe(&n)).collect();
        sleep(HEALED).await;
        screens.iter_mut().for_each(Subscriber::read);
        // The first where it is watched, the second where it is not.
        for (told, node) in [(1, 1), (2, 0)] {
            let before = nodes.queries();
            assert!(nodes.notice(node, &n).await);
            sleep(SOON).await;
            for screen in &mut screens {
                screen.read();
                assert_eq!(screen.seen.len(), 1 + told, "changed or not");
            }
            sleep(HEALED).await;
            assert_eq!(nodes.queries() - before, 2, "one, and one more looks for a late commit");
        }
        assert!(screens.iter_mut().all(|screen| shown(screen) == Some(0) && screen.seen.len() == 3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_is_watched_nowhere_costs_none() {
    let nodes = Nodes::new().await;
    let n = figures_of("n");
    let screens: Vec<Subscriber> = nodes.worlds.iter().map(|world| world.subscribe(&n)).collect();
    sleep(HEALED).await;
    drop(screens);
    sleep(HEALED).await;
    let before = nodes.queries();
    for node in 0..NODES {
        nodes.model.commit(&n);
        assert!(!nodes.notice(node, &n).await);
    }
    sleep(HEALED).await;
    assert_eq!(nodes.queries(), before);
    let mut screen = nodes.worlds[2].subscribe(&n);
    sleep(SOON).await;
    assert_eq!(shown(&mut screen), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_is_watched_elsewhere_is_read_where_it_came() {
    let nodes = Nodes::new().await;
    let n = figures_of("n");
    let mut screen = nodes.worlds[2].subscribe(&n);
    sleep(HEALED).await;
    let (before, theirs) = (nodes.queries(), nodes.worlds[2].refresher.metrics.queries.get());
    nodes.model.commit(&n);
    assert!(nodes.notice(0, &n).await);
    sleep(SOON).await;
    assert_eq!((nodes.queries() - before, shown(&mut screen)), (1, Some(1)));
    nodes.model.commit(&n);
    sleep(HEALED).await;
    assert_eq!((nodes.queries() - before, shown(&mut screen)), (2, Some(2)), "a late commit is looked for there too");
    assert_eq!(nodes.worlds[2].refresher.metrics.queries.get(), theirs);
}

#[tokio::test(start_paused = true)]
async fn an_early_notice_on_one_node_and_a_late_subscriber_on_another_are_brought_together() {
    let nodes = Nodes::new().await;
    let n = figures_of("n");
    assert!(!nodes.notice(0, &n).await);
    sleep(Duration::from_millis(50)).await;
    let mut screen = nodes.worlds[1].subscribe(&n);
    sleep(Duration::from_millis(50)).await;
    assert_eq!(shown(&mut screen), Some(0));
    nodes.model.commit(&n);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(shown(&mut screen), Some(1));
}

#[tokio::test(start_paused = true)]
async fn who_rang_and_never_said_what_it_read_is_not_waited_for() {
    let nodes = Nodes::new().await;
    let n = figures_of("n");
    let mut screen = nodes.worlds[1].subscribe(&n);
    sleep(HEALED).await;
    nodes.model.commit(&n);
    let watching = nodes.worlds[0].refresher.broker.ring_watchers(&n).await;
    assert_eq!(watching, 1);
    sleep(Duration::from_millis(1_200)).await;
    assert_eq!(shown(&mut screen), Some(1));
}

#[tokio::test(start_paused = true)]
async fn without_the_log_own_screens_move_and_the_others_as_soon_as_it_is_back() {
    let nodes = Nodes::new().await;
    let (n, unwatched) = (figures_of("n"), figures_of("u"));
    let mut screens: Vec<Subscriber> = nodes.worlds.iter().map(|world| world.subscribe(&n)).collect();
    let mut theirs = nodes.worlds[2].subscribe(&unwatched);
    sleep(HEALED).await;
    nodes.memory.stop();
    sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    for channel in [&n, &unwatched] {
        nodes.model.commit(channel);
        nodes.notice(0, channel).await;
    }
    assert!(begun.elapsed() < Duration::from_millis(100), "nobody waits for a log that is known to be away");
    let shows =
        |screens: &mut Vec<Subscriber>| screens.iter_mut().map(|screen| shown(screen).unwrap()).collect::<Vec<_>>();
    assert_eq!(shows(&mut screens), [1, 0, 0]);
    sleep(Duration::from_secs(2)).await;
    nodes.memory.restart(usize::MAX);
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!((shows(&mut screens), shown(&mut theirs)), (vec![1, 1, 1], Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_comes_back_over_three_nodes_costs_a_query_a_business_and_node() {
    let nodes = Nodes::new().await;
    let channels: Vec<Channel> = (0..20).map(|number| figures_of(&format!("n{number}"))).collect();
    let before = nodes.queries();
    let crowd: Vec<Subscriber> =
        (0..3_000).map(|number| nodes.worlds[number % NODES].subscribe(&channels[number % channels.len()])).collect();
    sleep(Duration::from_secs(4)).await;
    assert!(nodes.queries() - before <= channels.len() * NODES, "{} queries", nodes.queries() - before);
    for mut screen in crowd {
        assert_eq!(shown(&mut screen), Some(0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_has_lost_transactions_moves_the_screens_of_all_nodes() {
    let nodes = Nodes::new().await;
    let (a, b) = (figures_of("a"), figures_of("b"));
    let mut screens: Vec<Subscriber> =
        nodes.worlds.iter().flat_map(|world| [world.subscribe(&a), world.subscribe(&b)]).collect();
    for _ in 0..9 {
        nodes.model.commit(&a);
        nodes.model.commit(&b);
    }
    for channel in [&a, &b] {
        nodes.notice(0, channel).await;
    }
    sleep(HEALED).await;
    {
        let mut state = nodes.model.state();
        state.completed = state.completed.map(|completed| completed - 500);
        state.committed.insert(a.clone(), 4);
        state.committed.insert(b.clone(), 5);
    }
    nodes.notice(1, &a).await;
    sleep(Duration::from_secs(2)).await;
    for (at, screen) in screens.iter_mut().enumerate() {
        assert_eq!(shown(screen), Some(if at % 2 == 0 { 4 } else { 5 }));
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_forged_is_mended_by_the_next_notice() {
    let nodes = Nodes::new().await;
    let n = figures_of("n");
    let mut screens: Vec<Subscriber> = nodes.worlds.iter().map(|world| world.subscribe(&n)).collect();
    sleep(HEALED).await;
    screens[0].read();
    let now = screens[0].version;
    for said in [
        String::new(),
        "no figures".to_owned(),
        format!(
            r#"{{"era":{},"completed":900000000,"day":"2026-03-01","second":1,"total_citas":7,"citas_hoy":7,"citas_completadas":7,"citas_canceladas":7}}"#,
            now - 1_000_000
        ),
        format!(
            r#"{{"era":{},"completed":1,"day":"2026-03-01","second":1,"total_citas":8,"citas_hoy":8,"citas_completadas":8,"citas_canceladas":8}}"#,
            1_u64 << 52
        ),
    ] {
        nodes.worlds[0].refresher.broker.tell_state(&n, said).await;
        sleep(SOON).await;
    }
    nodes.model.commit(&n);
    nodes.notice(2, &n).await;
    sleep(HEALED).await;
    let shows: Vec<_> = screens.iter_mut().map(shown).collect();
    assert_eq!(shows, [Some(1); NODES]);
}

#[tokio::test(start_paused = true)]
async fn where_the_database_tells_no_order_every_node_reads_for_itself() {
    let nodes = Nodes::with_order(None).await;
    let n = figures_of("n");
    let mut screens: Vec<Subscriber> = nodes.worlds.iter().map(|world| world.subscribe(&n)).collect();
    sleep(HEALED).await;
    let before = nodes.queries();
    nodes.model.commit(&n);
    nodes.notice(1, &n).await;
    sleep(SOON).await;
    assert_eq!(nodes.queries() - before, NODES);
    assert!(screens.iter_mut().all(|screen| shown(screen) == Some(1)));
}

#[tokio::test(start_paused = true)]
async fn who_has_another_query_of_that_name_reads_for_itself() {
    let mut nodes = Nodes::new().await;
    let mut other = LiveQuery::clone(&query("q"));
    other.fingerprint += 1;
    nodes.worlds[2].stop.cancel();
    nodes.worlds[2] = nodes.start(NODES, Arc::new(other)).await;
    let n = live_of("n");
    let mut screens: Vec<Subscriber> = nodes.worlds.iter().map(|world| world.subscribe(&n)).collect();
    sleep(HEALED).await;
    let before = nodes.queries();
    nodes.model.commit(&n);
    assert!(nodes.notice(0, &n).await);
    sleep(SOON).await;
    assert_eq!(nodes.queries() - before, 2);
    assert!(screens.iter_mut().all(|screen| shown(screen) == Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_what_is_watched_elsewhere_is_read_where_it_came() {
    let nodes = Nodes::new().await;
    let n = live_of("n");
    let mut screen = nodes.worlds[2].subscribe(&n);
    sleep(HEALED).await;
    let before = nodes.queries();
    nodes.model.commit(&n);
    nodes.worlds[0].refresher.hint(&n);
    sleep(SOON).await;
    assert_eq!((nodes.queries() - before, shown(&mut screen)), (1, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_transaction_of_what_is_watched_elsewhere_is_waited_for_where_it_came() {
    let nodes = Nodes::new().await;
    let n = live_of("n");
    let mut screen = nodes.worlds[2].subscribe(&n);
    sleep(HEALED).await;
    nodes.model.state().open.insert(500);
    let (refresher, key) = (Arc::clone(&nodes.worlds[0].refresher), n.clone());
    let deadline = Instant::now() + Duration::from_secs(5);
    let waits = tokio::spawn(async move { refresher.notice_seen(&key, 500, deadline).await });
    sleep(Duration::from_secs(1)).await;
    assert!(!waits.is_finished());
    nodes.model.commit(&n);
    nodes.model.state().open.remove(&500);
    assert!(matches!(waits.await.unwrap(), Ok(Noticed::Read(_))));
    sleep(SOON).await;
    assert_eq!(shown(&mut screen), Some(1));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_before_what_was_announced_is_committed_leaves_no_other_node_behind() {
    for (kind, is_transaction) in [(figures_of as Kind, false), (live_of, false), (live_of, true)] {
        let nodes = Nodes::new().await;
        let n = kind("n");
        let (here, mut there) = (nodes.worlds[0].subscribe(&n), nodes.worlds[2].subscribe(&n));
        sleep(HEALED).await;
        let (refresher, key) = (Arc::clone(&nodes.worlds[0].refresher), n.clone());
        if is_transaction {
            nodes.model.state().open.insert(500);
            let deadline = Instant::now() + Duration::from_secs(5);
            tokio::spawn(async move { refresher.notice_seen(&key, 500, deadline).await });
        } else {
            refresher.notice(&key).await.unwrap();
        }
        sleep(SOON).await;
        drop(here);
        nodes.model.commit(&n);
        nodes.model.state().open.remove(&500);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(shown(&mut there), Some(1), "{n:?}, a transaction: {is_transaction}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_before_what_a_trigger_told_is_read_leaves_no_other_node_behind() {
    let nodes = Nodes::new().await;
    let n = live_of("n");
    let (here, mut there) = (nodes.worlds[0].subscribe(&n), nodes.worlds[2].subscribe(&n));
    sleep(HEALED).await;
    nodes.model.commit(&n);
    nodes.worlds[0].refresher.triggered(&n);
    // Before its read begins.
    drop(here);
    sleep(SOON).await;
    assert_eq!(shown(&mut there), Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_a_trigger_tells_is_read_where_it_is_watched() {
    let nodes = Nodes::new().await;
    let n = live_of("n");
    let mut there = nodes.worlds[2].subscribe(&n);
    sleep(HEALED).await;
    for (orders, all_keys) in [(1, false), (2, true)] {
        let before = nodes.worlds[0].refresher.metrics.queries.get();
        nodes.model.commit(&n);
        if all_keys {
            nodes.worlds[0].refresher.all_triggered(&QueryName::parse("q").unwrap());
        } else {
            nodes.worlds[0].refresher.triggered(&n);
        }
        sleep(SOON).await;
        assert_eq!(shown(&mut there), Some(orders));
        assert_eq!(nodes.worlds[0].refresher.metrics.queries.get(), before, "not where it was heard");
    }
}

/// What a screen shows soon after a change that was announced elsewhere right behind its own first read.
fn shown_after_a_change_behind_the_first_read() -> Option<i64> {
    let mut came = None;
    run_paused(async {
        let nodes = Nodes::new().await;
        let n = figures_of("n");
        let mut screen = nodes.worlds[0].subscribe(&n);
        sleep(SOON).await;
        assert_eq!(shown(&mut screen), Some(0));
        nodes.model.commit(&n);
        nodes.notice(1, &n).await;
        sleep(SOON).await;
        came = shown(&mut screen);
    });
    came
}

#[test]
fn it_is_noticed_if_a_node_reads_before_it_says_that_it_watches() {
    assert_eq!(shown_after_a_change_behind_the_first_read(), Some(1));
    assert_eq!(without_registering_first(shown_after_a_change_behind_the_first_read), Some(0));
}
