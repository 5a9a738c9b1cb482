//! Files of live queries, and what becomes of them at the start, at a reload, and with `pulso query`.

use std::io::{BufRead as _, BufReader, Read};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;

use pulso_harness::process::spawn;
use pulso_harness::scratch::Scratch;
use pulso_harness::{Database, Pulso, Running, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::business;

const ORDERS: &str = "CREATE TABLE pedidos (id bigint PRIMARY KEY, restaurante text NOT NULL, estado text NOT NULL)";
const KITCHEN: &str = "-- access: claim restaurantId\n-- hints: order/new\n\
                       SELECT count(*) AS total, count(*) FILTER (WHERE estado = 'PENDING') AS pendientes\n\
                       FROM pedidos WHERE restaurante = $1\n";

/// The server on a database of its own that has orders, with a folder of live queries.
async fn furnished() -> (Pulso, Database, Scratch) {
    let (database, folder) = (business::database().await, Scratch::new());
    database.execute(ORDERS).await;
    let pulso = business::pulso(&database.url()).with_hook_key();
    (pulso.with("QUERIES_DIR", folder.path().to_str().unwrap()), database, folder)
}

/// The names of those that `/ready` says are off.
async fn off(pulso: &Running) -> Value {
    let answer = pulso.get("/ready").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut body: Value = serde_json::from_str(&answer.body).unwrap();
    body["queries_off"].take()
}

#[tokio::test]
async fn every_mistake_of_every_file_ends_the_start_with_64() {
    let (pulso, _database, folder) = furnished().await;
    folder.write("buena.sql", KITCHEN);
    folder.write("Mala.sql", KITCHEN);
    folder.write("cocina.sql", "-- acess: user\nDELETE FROM pedidos WHERE restaurante = $1");
    folder.write("nula.sql", &KITCHEN.replace("FROM", "\0FROM"));
    let (code, _, said) = pulso.run(&["serve"]).await;
    assert_eq!(code, 64, "{said}");
    for part in [
        "Mala.sql: ",
        "cocina.sql:1: \"acess\"",
        "cocina.sql:1: nothing says",
        "cocina.sql:2: DELETE begins",
        "nula.sql:4: a NUL character",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!said.contains("buena"), "{said}");
}

#[tokio::test]
async fn columns_that_no_object_can_have_end_the_start_too() {
    let (pulso, _database, folder) = furnished().await;
    folder.write(
        "doble.sql",
        "-- access: user\nSELECT estado, restaurante AS estado FROM pedidos WHERE restaurante = $1",
    );
    folder.write("sin.sql", "-- access: user\nSELECT count(*), 1 FROM pedidos WHERE restaurante = $1");
    let (code, _, said) = pulso.run(&["serve"]).await;
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("doble.sql") && said.contains("sin.sql"), "{said}");
}

#[tokio::test]
async fn a_table_that_is_missing_turns_off_one_query_alone_until_it_is_there() {
    let (pulso, database, folder) = furnished().await;
    folder.write("cocina.sql", KITCHEN);
    folder.write("mesas.sql", "-- access: user\nSELECT count(*) AS libres FROM mesas WHERE local = $1");
    let pulso = pulso.ready().await;
    wait::until(async || off(&pulso).await == json!(["mesas"]), "one is off").await;
    database.execute("CREATE TABLE mesas (local text)").await;
    // Not to wait for as long as it is left alone.
    pulso.signal(Signal::HUP);
    wait::until(async || off(&pulso).await == Value::Null, "none is off").await;
}

#[tokio::test]
async fn a_folder_is_read_again_as_a_whole_or_not_at_all() {
    let (pulso, database, folder) = furnished().await;
    folder.write("cocina.sql", KITCHEN);
    let pulso = pulso.ready().await;
    wait::until(async || off(&pulso).await == Value::Null, "it is known").await;

    folder.write("cocina.sql", &KITCHEN.replace("FROM pedidos", "FROM pedido"));
    folder.write("rota.sql", "-- access: user\nSELECT");
    folder.write("ajena.sql", "-- access: user\nSELECT $1; SELECT 2");
    pulso.signal(Signal::HUP);
    pulso.until_logged("the live queries stay as they were").await;
    pulso.until_logged("ajena.sql:2: a second statement begins here").await;
    assert_eq!(off(&pulso).await, Value::Null, "the table that is not there is not asked for");

    std::fs::remove_file(folder.path().join("ajena.sql")).unwrap();
    folder.write("rota.sql", "-- access: user\nSELECT $1 AS a, 2 AS a");
    pulso.signal(Signal::HUP);
    wait::until(async || said(&pulso, "the live queries stay as they were") == 2, "the database has its say, too")
        .await;

    std::fs::remove_file(folder.path().join("rota.sql")).unwrap();
    pulso.signal(Signal::HUP);
    wait::until(async || off(&pulso).await == json!(["cocina"]), "what was read last holds").await;
    database.execute("ALTER TABLE pedidos RENAME TO pedido").await;
    pulso.signal(Signal::HUP);
    wait::until(async || off(&pulso).await == Value::Null, "it is found").await;
}

#[tokio::test]
async fn a_reload_while_the_database_is_away_holds_once_it_is_back() {
    let folder = Scratch::new();
    folder.write("cocina.sql", KITCHEN);
    let pulso = business::pulso("postgres://nobody@127.0.0.1:1/nothing");
    let pulso = pulso.with("QUERIES_DIR", folder.path().to_str().unwrap()).start().await;
    pulso.until_logged("the database does not answer").await;
    folder.write("mesas.sql", "-- access: user\nSELECT $1 AS local");
    pulso.signal(Signal::HUP);
    pulso.until_logged("the live queries are read again").await;
    assert_eq!(pulso.exit_code(), None);
}

fn said(pulso: &Running, text: &str) -> usize {
    pulso.log().iter().filter(|line| line.contains(text)).count()
}

#[tokio::test]
async fn a_query_is_run_by_hand_with_what_it_costs() {
    let (pulso, database, folder) = furnished().await;
    folder.write("cocina.sql", KITCHEN);
    folder.write("mesas.sql", "-- access: user\nSELECT count(*) AS libres FROM mesas WHERE local = $1");
    database
        .execute("INSERT INTO pedidos VALUES (1, 'r''1', 'PENDING'), (2, 'r''1', 'READY'), (3, 'r2', 'READY')")
        .await;
    let (code, printed, said) = pulso.run(&["query", "cocina", "r'1"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(printed.lines().next(), Some("{\"total\":2,\"pendientes\":1}"));
    assert!(printed.contains("1 row, 26 bytes, ") && printed.contains("Scan on pedidos"), "{printed}");

    for (arguments, wanted, why) in [
        (&["query", "cocin", "r1"][..], 64, "Did you mean cocina?"),
        (&["query", "cocina"], 64, "pulso query cocina <key>"),
        (&["query", "cocina", "a\u{1}"], 64, "cannot be a key of cocina, which is of type text"),
        (&["query", "mesas", "r1"], 1, "mesas"),
    ] {
        let (code, _, said) = pulso.run(arguments).await;
        assert!(code == wanted && said.contains(why), "{arguments:?}: {code} {said}");
    }
}

/// What a program writes, a line each, as far as it has.
fn lines(from: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&told);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
        }
    });
    told
}

#[tokio::test]
async fn a_query_that_is_watched_prints_what_a_subscriber_gets_and_why_it_was_read() {
    let (pulso, database, folder) = furnished().await;
    folder.write("cocina.sql", &KITCHEN.replace("order/new", "listen/pedidos"));
    let mut command = pulso.command(&["query", "cocina", "r1", "--watch"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command);
    let (printed, said) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
    let has = |lines: &Mutex<Vec<String>>, text: &str| lines.lock().unwrap().iter().any(|line| line.contains(text));
    wait::until(async || has(&printed, "\"data\":{\"total\":0,\"pendientes\":0}"), "what is there").await;
    wait::until(async || has(&said, "read: somebody subscribes"), "why it was read").await;
    database
        .execute("INSERT INTO pedidos VALUES (1, 'r1', 'PENDING'); SELECT pg_notify('pulso_hints', 'pedidos r1')")
        .await;
    wait::until(async || has(&printed, "\"data\":{\"total\":1,\"pendientes\":1}"), "what has changed").await;
    wait::until(async || has(&said, "read: hints"), "why it was read again").await;
    child.kill().unwrap();
    child.wait().unwrap();
}
