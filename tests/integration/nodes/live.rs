//! Live queries on several nodes: what is announced or triggered anywhere is read once and shown everywhere.

use pulso_harness::Pulso;
use pulso_harness::wait::until;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::Instant;

use super::*;
use crate::live_queries::{Folder, KITCHEN, TABLES, result, result_is, subscribe, waiter};

const CHANNEL: &str = "consulta:cocina:r-1";
/// Of its own accord every second, and by a clock.
const BY_CLOCK: &str = "-- access: authenticated
-- every: 1s
SELECT count(*) FILTER (WHERE a <= $3) AS pasadas, min(a) FILTER (WHERE a > $3) AS next_change_at
FROM relojes WHERE sala = $1
";

/// Nodes of which each has a folder, and a screen on each that watches an order's restaurant.
struct Restaurant {
    nodes: Nodes,
    screens: Vec<Dashboard>,
    folders: Vec<Folder>,
}

impl Restaurant {
    async fn open(files: [&[(&str, &str)]; 3]) -> Self {
        let mut nodes = Nodes::start(0).await;
        nodes.database.execute(TABLES).await;
        nodes.database.execute("CREATE TABLE relojes (sala text, a timestamptz)").await;
        let command = Pulso::new(env!("CARGO_BIN_EXE_pulso"), &nodes.database.url());
        let (code, _, wrong) = command.run(&["migrate", "--listen", "pedidos", "restaurante", "pedidos"]).await;
        assert_eq!(code, 0, "{wrong}");
        let mut folders = Vec::new();
        for (number, files) in (1..).zip(files) {
            let folder = Folder::new(files);
            let node = nodes.node.clone().with("QUERIES_DIR", &folder.path()).with("SENTINEL_INTERVAL", "0");
            nodes.each.push(named(&node, number).ready().await);
            folders.push(folder);
        }
        Self { nodes, screens: Vec::new(), folders }
    }

    async fn watched(files: [&[(&str, &str)]; 3]) -> Self {
        let mut restaurant = Self::open(files).await;
        for node in &restaurant.nodes.each {
            restaurant.screens.push(watch(node, CHANNEL).await.0);
        }
        restaurant
    }

    async fn order(&self) {
        let order = "INSERT INTO pedidos (restaurante, estado) VALUES ('r-1', 'PENDING')";
        self.nodes.database.execute(order).await;
    }

    async fn all_show(&mut self, orders: u64) {
        for screen in &mut self.screens {
            result_is(screen, CHANNEL, json!({ "pendientes": orders, "todos": orders })).await;
        }
    }

    /// Reads of a query on all nodes.
    async fn reads(&self, query: &str) -> u64 {
        let mut reads = 0;
        for node in &self.nodes.each {
            let label = format!("query=\"{query}\"");
            let text = node.get("/metrics").await.body;
            let lines =
                text.lines().filter(|line| line.starts_with("pulso_live_reads_total{") && line.contains(&label));
            reads += lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>();
        }
        reads
    }

    /// How many connections listen for hints.
    async fn ears(&self) -> usize {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'";
        self.nodes.database.rows(sql).await.len()
    }

    async fn until_ears(&self, count: usize) {
        until(async || self.ears().await == count, &format!("{count} listen")).await;
    }
}

async fn watch(node: &Running, channel: &str) -> (Dashboard, Value) {
    let mut screen = node.connect(&waiter("r-1")).await;
    subscribe(&mut screen, channel).await;
    let first = result(&mut screen, channel).await;
    (screen, first)
}

#[tokio::test]
async fn what_is_announced_on_one_node_is_read_there_and_shown_on_all() {
    let untriggered = KITCHEN.replace(" listen/pedidos", "");
    let files = [("cocina.sql", untriggered.as_str())];
    let mut restaurant = Restaurant::watched([&files, &files, &files]).await;
    assert_eq!(restaurant.ears().await, 0, "no query names a subject");
    let hint = r#"{"name":"cocina","key":"r-1"}"#;
    // What is watched elsewhere is known a little late.
    let known = async || restaurant.nodes.each[0].post("/notify/consulta", hint).await.json()["subscribers"] == 3;
    until(known, "all nodes know of all screens").await;
    restaurant.all_show(0).await;
    for (orders, number) in (1..=3).zip([1, 2, 0]) {
        let before = restaurant.reads("cocina").await;
        restaurant.order().await;
        let node = &restaurant.nodes.each[number];
        let answer = node.post("/notify/consulta", hint).await;
        assert_eq!((answer.status, &answer.json()["subscribers"]), (200, &json!(3)), "{answer:?}");
        restaurant.all_show(orders).await;
        // And once more for a commit that comes late, of this change and of the one before.
        let reads = restaurant.reads("cocina").await - before;
        assert!((1..=3).contains(&reads), "{reads} reads");
    }
}

#[tokio::test]
async fn triggers_are_heard_by_one_node_for_the_screens_of_all_and_by_another_when_it_dies() {
    let files = [("cocina.sql", KITCHEN)];
    let mut restaurant = Restaurant::watched([&files, &files, &files]).await;
    restaurant.until_ears(1).await;
    restaurant.order().await;
    restaurant.all_show(1).await;
    let hears = |node: &Running| node.has_logged("listening for changes in the database");
    let ear = restaurant.nodes.each.iter().position(hears).unwrap();

    // Watched elsewhere alone.
    drop(restaurant.screens.remove(ear));
    restaurant.nodes.each[ear].until_count("pulso_connections", 0).await;
    restaurant.order().await;
    restaurant.all_show(2).await;
    // All keys at once: the key is not told.
    let many = "INSERT INTO pedidos (restaurante, estado)
                SELECT CASE n WHEN 1 THEN 'r-1' ELSE 'otra ' || n END, 'PENDING' FROM generate_series(1, 2000) AS n";
    restaurant.nodes.database.execute(many).await;
    restaurant.all_show(3).await;

    restaurant.nodes.each[ear].signal(Signal::KILL);
    restaurant.nodes.each[ear].ended().await;
    restaurant.nodes.each.remove(ear);
    restaurant.order().await;
    restaurant.all_show(4).await;
    restaurant.until_ears(1).await;
    restaurant.order().await;
    restaurant.all_show(5).await;
}

#[tokio::test]
async fn nodes_with_other_files_pass_over_what_is_not_theirs_and_hear_for_themselves() {
    let other = KITCHEN.replace("AS todos", "AS cuantos");
    let (old, new) = ([("cocina.sql", KITCHEN)], [("cocina.sql", other.as_str())]);
    let restaurant = Restaurant::open([&old, &new, &new]).await;
    let counts = |name: &str, orders: u64| json!({ "pendientes": orders, name: orders });
    let names = ["todos", "cuantos", "cuantos"];
    let mut screens = Vec::new();
    for (node, name) in restaurant.nodes.each.iter().zip(names) {
        let (screen, first) = watch(node, CHANNEL).await;
        assert_eq!(first, counts(name, 0));
        screens.push(screen);
    }
    restaurant.until_ears(2).await;
    for (orders, called) in (1..=4).zip([None, Some(2), None, Some(0)]) {
        restaurant.order().await;
        if let Some(called) = called {
            let node: &Running = &restaurant.nodes.each[called];
            let answer = node.post("/notify/consulta", r#"{"name":"cocina","key":"r-1"}"#).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        for (screen, name) in screens.iter_mut().zip(names) {
            let frame = screen.next().await;
            assert!(frame["data"].get(name).is_some(), "another node's answer: {frame}");
            if frame["data"] != counts(name, orders) {
                result_is(screen, CHANNEL, counts(name, orders)).await;
            }
        }
    }
    // The last one is replaced, too.
    restaurant.folders[0].write("cocina.sql", &other);
    restaurant.nodes.each[0].signal(Signal::HUP);
    result_is(&mut screens[0], CHANNEL, counts("cuantos", 4)).await;
    restaurant.until_ears(1).await;
    restaurant.order().await;
    for screen in &mut screens {
        result_is(screen, CHANNEL, counts("cuantos", 5)).await;
    }
}

#[tokio::test]
async fn what_a_clock_changes_is_read_by_one_node_and_shown_on_all() {
    let files = [("reloj.sql", BY_CLOCK)];
    let restaurant = Restaurant::open([&files, &files, &files]).await;
    let times =
        "INSERT INTO relojes SELECT 'a', now() + n * interval '1500 milliseconds' FROM generate_series(2, 4) AS n";
    restaurant.nodes.database.execute(times).await;
    let mut screens = Vec::new();
    for node in &restaurant.nodes.each {
        screens.push(watch(node, "consulta:reloj:a").await.0);
    }
    let (before, begun) = (restaurant.reads("reloj").await, Instant::now());
    for screen in &mut screens {
        result_is(screen, "consulta:reloj:a", json!({ "pasadas": 3 })).await;
    }
    let took = begun.elapsed();
    let reads = restaurant.reads("reloj").await - before;
    // By its three times, and every second.
    let alone = 3 + took.as_secs() + 1;
    assert!((3..2 * alone).contains(&reads), "{reads} reads by three nodes in {took:?}: as if each read for itself");
}
