//! The shipped trigger and the listener, together.

mod hints;

use pulso::config::{ListenSource, Secret};
use pulso::store::listen::{ListenEvent, listen, probe};
use pulso_harness::pgbouncer::Options;
use pulso_harness::{ChaosProxy, Database, PgBouncer, Postgres, wait};
use std::collections::BTreeSet;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

const ALTA: &str = "9f1c2b3a-0000-4000-8000-00000000abcd";
const OTRA: &str = "11111111-0000-4000-8000-000000000001";
const TERCERA: &str = "22222222-0000-4000-8000-000000000002";

/// A running listener and what it heard.
struct Ear {
    /// But that it is deaf.
    events: mpsc::Receiver<ListenEvent>,
    is_due: watch::Sender<bool>,
    stop: DropGuard,
}

impl Ear {
    fn on(url: &str) -> Self {
        Self::of(source(url))
    }

    fn of(source: ListenSource) -> Self {
        let (sender, events) = mpsc::channel(10_000);
        let stop = CancellationToken::new();
        let is_due = watch::Sender::new(true);
        let (due, token) = (is_due.subscribe(), stop.clone());
        tokio::spawn(async move {
            let on = |event| {
                if event != ListenEvent::Deaf {
                    sender.try_send(event).unwrap();
                }
            };
            listen(&source, due, on, token).await;
        });
        Self { events, is_due, stop: stop.drop_guard() }
    }

    async fn next(&mut self) -> ListenEvent {
        let limit = std::time::Duration::from_secs(30);
        tokio::time::timeout(limit, self.events.recv()).await.expect("an event").expect("a listener")
    }

    /// What is told up to `last`, which must be told, each once.
    async fn notices_until(&mut self, last: &str) -> BTreeSet<String> {
        let mut heard = BTreeSet::new();
        loop {
            match self.next().await {
                ListenEvent::Notice(id) if id == last => return heard,
                ListenEvent::Notice(id) => assert!(heard.insert(id.clone()), "{id} was told twice"),
                other => panic!("{other:?} without a reconnect"),
            }
        }
    }
}

fn source(url: &str) -> ListenSource {
    ListenSource { channel: "pulso_citas".to_owned(), url: Secret::new(url) }
}

async fn with_trigger() -> Database {
    let database = Postgres::shared().database().await;
    database.execute(include_str!("../../sql/listen.postgres.sql")).await;
    for negocio in [ALTA, OTRA, TERCERA] {
        database.execute(&format!("INSERT INTO negocios (id, nombre) VALUES ('{negocio}', 'n')")).await;
    }
    database
}

async fn citas(database: &Database, negocio: &str, count: u32) {
    database
        .execute(&format!(
            "INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin)
             SELECT gen_random_uuid(), '{negocio}', gen_random_uuid(), '2026-11-22', '09:00', '09:30'
               FROM generate_series(1, {count})"
        ))
        .await;
}

async fn done(database: &Database) {
    database.execute("NOTIFY pulso_citas, 'done'").await;
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[tokio::test]
async fn every_statement_tells_each_touched_negocio_once() {
    let database = with_trigger().await;
    let mut ear = Ear::on(&database.url());
    assert_eq!(ear.next().await, ListenEvent::Gap, "what came before is unknown");
    citas(&database, ALTA, 50).await;
    done(&database).await;
    assert_eq!(ear.notices_until("done").await, set(&[ALTA]));
    citas(&database, OTRA, 1).await;
    done(&database).await;
    assert_eq!(ear.notices_until("done").await, set(&[OTRA]));
    database.execute("UPDATE citas SET estado = 'atendida'").await;
    done(&database).await;
    assert_eq!(ear.notices_until("done").await, set(&[ALTA, OTRA]));
    database.execute(&format!("DELETE FROM citas WHERE negocio_id = '{OTRA}'")).await;
    done(&database).await;
    assert_eq!(ear.notices_until("done").await, set(&[OTRA]));
}

#[tokio::test]
async fn it_is_there_only_while_it_is_due_and_begins_anew_with_a_gap() {
    let database = with_trigger().await;
    let mut ear = Ear::on(&database.url());
    let connections = async || {
        let listening = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'";
        database.rows(listening).await.len()
    };
    for _ in 0..2 {
        assert_eq!(ear.next().await, ListenEvent::Gap);
        assert_eq!(connections().await, 1);
        ear.is_due.send_replace(false);
        wait::until(async || connections().await == 0, "it has let go of its connection").await;
        citas(&database, ALTA, 1).await;
        ear.is_due.send_replace(true);
    }
}

#[tokio::test]
async fn rows_that_move_between_negocios_tell_the_old_and_the_new() {
    let database = with_trigger().await;
    citas(&database, ALTA, 3).await;
    citas(&database, OTRA, 3).await;
    let mut ear = Ear::on(&database.url());
    assert_eq!(ear.next().await, ListenEvent::Gap);
    database
        .execute(&format!("UPDATE citas SET negocio_id = '{TERCERA}' WHERE negocio_id IN ('{ALTA}', '{OTRA}')"))
        .await;
    done(&database).await;
    assert_eq!(ear.notices_until("done").await, set(&[ALTA, OTRA, TERCERA]));
}

#[tokio::test]
async fn a_change_rolled_back_tells_nobody() {
    let database = with_trigger().await;
    let mut ear = Ear::on(&database.url());
    assert_eq!(ear.next().await, ListenEvent::Gap);
    database.execute(&format!("BEGIN; DELETE FROM negocios WHERE id = '{ALTA}'; DELETE FROM citas; ROLLBACK")).await;
    done(&database).await;
    assert_eq!(ear.notices_until("done").await, set(&[]));
}

#[tokio::test]
async fn the_trigger_never_fails_the_apis_transaction() {
    let database = Postgres::shared().empty_database().await;
    database.execute("CREATE TABLE citas (negocio_id text, fecha date, estado text)").await;
    database.execute(include_str!("../../sql/listen.postgres.sql")).await;
    // Twice is once.
    database.execute(include_str!("../../sql/listen.postgres.sql")).await;
    let mut ear = Ear::on(&database.url());
    assert_eq!(ear.next().await, ListenEvent::Gap);
    database.execute("INSERT INTO citas (negocio_id) VALUES (NULL), (repeat('x', 9000)), ('negocio_1')").await;
    database.execute("NOTIFY pulso_citas; NOTIFY pulso_citas, E'a\\nb'").await;
    done(&database).await;
    assert_eq!(ear.notices_until("done").await, set(&["negocio_1"]));
}

#[tokio::test]
async fn a_lost_connection_is_a_gap_and_listening_goes_on() {
    let database = with_trigger().await;
    let line = ChaosProxy::start(database.port()).await;
    let mut ear = Ear::on(&database.url_at(line.port()));
    assert_eq!(ear.next().await, ListenEvent::Gap);
    for round in 0..2 {
        if round == 0 {
            assert!(database.terminate_connections().await > 0);
        } else {
            line.refuse().await;
            line.restore().await;
        }
        assert_eq!(ear.next().await, ListenEvent::Gap);
        citas(&database, ALTA, 1).await;
        assert_eq!(ear.next().await, ListenEvent::Notice(ALTA.to_owned()));
    }
}

#[tokio::test]
async fn several_listeners_do_not_hear_each_others_proofs() {
    let database = with_trigger().await;
    let mut first = Ear::on(&database.url());
    assert_eq!(first.next().await, ListenEvent::Gap);
    let mut second = Ear::on(&database.url());
    assert_eq!(second.next().await, ListenEvent::Gap);
    done(&database).await;
    assert_eq!(first.notices_until("done").await, set(&[]));
    assert_eq!(second.notices_until("done").await, set(&[]));
}

#[tokio::test]
async fn deafness_behind_a_transaction_pooler_is_found_out() {
    let database = with_trigger().await;
    let pooler = PgBouncer::start(&database, Options::default());
    for _ in 0..3 {
        let reason = probe(&source(&pooler.url(&database))).await.unwrap_err();
        assert!(reason.contains("LISTEN_DATABASE_URL"), "{reason}");
    }
    assert_eq!(probe(&source(&database.url())).await, Ok(()));
}

#[tokio::test]
async fn stopping_ends_the_listener() {
    let database = with_trigger().await;
    let mut ear = Ear::on(&database.url());
    assert_eq!(ear.next().await, ListenEvent::Gap);
    let Ear { mut events, stop, .. } = ear;
    drop(stop);
    assert_eq!(events.recv().await, None);
    let sessions = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pulso'";
    wait::until(async || database.rows(sessions).await.is_empty(), "the listener's connection is closed").await;
}
