//! The triggers of live queries' hints: what each statement tells, and that none fails because of them.

use std::collections::BTreeSet;

use pulso::config::{ListenSource, Secret};
use pulso::store::listen::ListenEvent;
use pulso::store::{HintChange, HintTrigger, Store, StoreError};
use pulso_harness::{Database, Postgres, Pulso};
use std::sync::Arc;

use crate::backend::{Prepared, postgres_config};

struct Ear {
    ear: super::Ear,
    database: Database,
}

/// `subject key`, or the subject alone.
type Heard = BTreeSet<String>;

impl Ear {
    async fn on(database: Database) -> Self {
        let source = ListenSource { channel: "pulso_hints".to_owned(), url: Secret::new(database.url()) };
        let mut ear = super::Ear::of(source);
        assert_eq!(ear.next().await, ListenEvent::Gap);
        Self { ear, database }
    }

    /// What `sql` tells.
    async fn after(&mut self, sql: &str) -> Heard {
        self.database.execute(sql).await;
        self.database.execute("NOTIFY pulso_hints, 'done'").await;
        self.ear.notices_until("done").await
    }
}

fn trigger(table: &str, column: &str, subject: &str) -> HintTrigger {
    let [table, column, subject] = [table, column, subject].map(str::to_owned);
    HintTrigger { table, column, subject, channel: "pulso_hints".to_owned() }
}

fn store(database: &Database) -> Arc<dyn Store> {
    pulso::store::open(&postgres_config(&database.url())).unwrap()
}

async fn install(database: &Database, table: &str, column: &str, subject: &str) {
    let store = store(database);
    assert!(store.change_hints(&trigger(table, column, subject), HintChange::Create).await.unwrap());
}

/// Orders with their items, and an ear.
async fn orders() -> Ear {
    let database = Postgres::shared().empty_database().await;
    database
        .execute(
            "CREATE TABLE pedidos (id integer PRIMARY KEY, sala text, total integer DEFAULT 0);
             CREATE TABLE lineas (pedido integer REFERENCES pedidos (id) ON DELETE CASCADE ON UPDATE CASCADE, sala text)",
        )
        .await;
    install(&database, "pedidos", "sala", "pedidos").await;
    install(&database, "public.lineas", "sala", "lineas").await;
    Ear::on(database).await
}

fn set(told: &[&str]) -> Heard {
    told.iter().map(|told| (*told).to_owned()).collect()
}

#[tokio::test]
async fn each_key_is_told_once_a_statement_old_and_new() {
    let mut ear = orders().await;
    let insert = "INSERT INTO pedidos (id, sala) SELECT n, CASE WHEN n % 2 = 0 THEN 'a b' ELSE 'c' END FROM generate_series(1, 100) AS n";
    assert_eq!(ear.after(insert).await, set(&["pedidos a b", "pedidos c"]));
    assert_eq!(ear.after("UPDATE pedidos SET total = 1 WHERE id = 1").await, set(&["pedidos c"]));
    assert_eq!(
        ear.after("UPDATE pedidos SET sala = 'd' WHERE id <= 2").await,
        set(&["pedidos a b", "pedidos c", "pedidos d"])
    );
    assert_eq!(ear.after("DELETE FROM pedidos WHERE sala = 'd'").await, set(&["pedidos d"]));
    assert_eq!(ear.after("DELETE FROM pedidos WHERE sala = 'nadie'").await, set(&[]));
    assert_eq!(ear.after("BEGIN; DELETE FROM pedidos; ROLLBACK").await, set(&[]));
    assert_eq!(
        ear.after("INSERT INTO pedidos (id, sala) VALUES (500, NULL)").await,
        set(&[]),
        "a null key is nobody's"
    );
    assert_eq!(ear.after("UPDATE pedidos SET sala = 'e' WHERE id = 500").await, set(&["pedidos e"]));
}

#[tokio::test]
async fn upserts_merges_and_cascades_tell_all_that_they_touch() {
    let mut ear = orders().await;
    ear.after("INSERT INTO pedidos (id, sala) VALUES (1, 'a'), (2, 'b'), (3, 'c')").await;
    let upsert =
        "INSERT INTO pedidos (id, sala) VALUES (1, 'x'), (9, 'y') ON CONFLICT (id) DO UPDATE SET sala = excluded.sala";
    assert_eq!(ear.after(upsert).await, set(&["pedidos a", "pedidos x", "pedidos y"]));
    let nothing = "INSERT INTO pedidos (id, sala) VALUES (1, 'z') ON CONFLICT DO NOTHING";
    assert_eq!(ear.after(nothing).await, set(&[]));
    let merge = "MERGE INTO pedidos AS p USING (VALUES (2, 'm'), (3, NULL), (20, 'n')) AS v (id, sala) ON p.id = v.id
                 WHEN MATCHED AND v.sala IS NULL THEN DELETE
                 WHEN MATCHED THEN UPDATE SET sala = v.sala
                 WHEN NOT MATCHED THEN INSERT (id, sala) VALUES (v.id, v.sala)";
    assert_eq!(ear.after(merge).await, set(&["pedidos b", "pedidos c", "pedidos m", "pedidos n"]));
    ear.after("INSERT INTO lineas VALUES (20, 'n'), (20, 'o')").await;
    assert_eq!(ear.after("DELETE FROM pedidos WHERE id = 20").await, set(&["pedidos n", "lineas n", "lineas o"]));
    ear.after("INSERT INTO lineas VALUES (1, 'x')").await;
    assert_eq!(ear.after("UPDATE pedidos SET id = 100 WHERE id = 1").await, set(&["pedidos x", "lineas x"]));
    let both = ear.after("TRUNCATE pedidos CASCADE").await;
    assert_eq!(both, set(&["pedidos", "lineas"]), "all of their keys");
}

#[tokio::test]
async fn what_cannot_be_told_key_by_key_is_told_of_all_keys() {
    let mut ear = orders().await;
    let many = "INSERT INTO pedidos (id, sala) SELECT n, 'sala ' || n FROM generate_series(1, 100000) AS n";
    assert_eq!(ear.after(many).await, set(&["pedidos"]));
    let thousand = ear.after("UPDATE pedidos SET total = 2 WHERE id <= 1000").await;
    assert_eq!(thousand.len(), 1_000);
    assert!(thousand.contains("pedidos sala 77"));
    assert_eq!(ear.after("UPDATE pedidos SET total = 3 WHERE id <= 1001").await, set(&["pedidos"]));
    let long = "INSERT INTO pedidos (id, sala) VALUES (-1, repeat('x', 9000)), (-2, 'corta')";
    assert_eq!(ear.after(long).await, set(&["pedidos"]));
    assert_eq!(ear.after("UPDATE pedidos SET sala = repeat('ñ', 100) WHERE id = -2").await.len(), 2);
}

#[tokio::test]
async fn no_statement_of_the_application_fails_because_of_it() {
    let mut ear = orders().await;
    ear.database.execute("ALTER TABLE pedidos RENAME COLUMN sala TO local").await;
    assert_eq!(ear.after("INSERT INTO pedidos (id, local) VALUES (1, 'a')").await, set(&["pedidos"]), "all keys, then");
    install(&ear.database, "pedidos", "local", "pedidos").await;
    assert_eq!(ear.after("UPDATE pedidos SET local = 'b'").await, set(&["pedidos", "pedidos a", "pedidos b"]));
    // Names that lead elsewhere.
    ear.database
        .execute(
            "CREATE SCHEMA trampa; CREATE FUNCTION trampa.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT 1/0';
             CREATE FUNCTION trampa.octet_length(text) RETURNS integer LANGUAGE sql AS 'SELECT 1/0'",
        )
        .await;
    let trapped = "SET search_path = trampa, public, pg_catalog; UPDATE pedidos SET local = 'c'; RESET search_path";
    assert_eq!(ear.after(trapped).await, set(&["pedidos", "pedidos b", "pedidos c"]));
    let unseen =
        "SET session_replication_role = replica; UPDATE pedidos SET local = 'd'; RESET session_replication_role";
    assert_eq!(ear.after(unseen).await, set(&[]), "as `pulso migrate --listen` says");
}

#[tokio::test]
async fn rows_of_a_partitioned_table_are_told_where_they_are_written_by_its_name() {
    let database = Postgres::shared().empty_database().await;
    database
        .execute(
            "CREATE TABLE medidas (sala text, n integer) PARTITION BY LIST (sala);
             CREATE TABLE medidas_a PARTITION OF medidas FOR VALUES IN ('a');
             CREATE TABLE medidas_b PARTITION OF medidas FOR VALUES IN ('b')",
        )
        .await;
    install(&database, "medidas", "sala", "medidas").await;
    let mut ear = Ear::on(database).await;
    assert_eq!(ear.after("INSERT INTO medidas VALUES ('a', 1)").await, set(&["medidas a"]));
    assert_eq!(ear.after("UPDATE medidas SET sala = 'b'").await, set(&["medidas a", "medidas b"]), "a row that moves");
    assert_eq!(ear.after("INSERT INTO medidas_a VALUES ('a', 2)").await, set(&[]), "as `pulso migrate --listen` says");
}

#[tokio::test]
async fn several_on_one_table_are_installed_twice_and_removed_one_by_one() {
    let database = Postgres::shared().empty_database().await;
    database.execute(r#"CREATE SCHEMA "Otro"; CREATE TABLE "Otro"."Mesas" ("Sala" uuid, zona integer)"#).await;
    let store = store(&database);
    let by_room = trigger(r#""Otro"."Mesas""#, "Sala", "mesas.sala");
    let by_zone = trigger(r#""Otro"."Mesas""#, "zona", "mesas-zona");
    for each in [&by_room, &by_zone, &by_room] {
        assert!(store.change_hints(each, HintChange::Create).await.unwrap());
    }
    let mut ear = Ear::on(database).await;
    let insert = r#"INSERT INTO "Otro"."Mesas" VALUES ('9F1C2B3A-0000-4000-8000-00000000ABCD', 7)"#;
    let told = "mesas.sala 9f1c2b3a-0000-4000-8000-00000000abcd";
    assert_eq!(ear.after(insert).await, set(&[told, "mesas-zona 7"]));
    assert!(store.change_hints(&by_zone, HintChange::Remove).await.unwrap());
    assert_eq!(ear.after(insert).await, set(&[told]));
    assert!(store.change_hints(&by_room, HintChange::Remove).await.unwrap());
    assert_eq!(ear.after(insert).await, set(&[]));
    assert!(!store.change_hints(&by_room, HintChange::Remove).await.unwrap(), "nothing to do");
    let left = ear.database.rows("SELECT proname FROM pg_proc WHERE proname LIKE 'pulso%'").await;
    assert!(left.is_empty());
}

#[tokio::test]
async fn what_cannot_be_installed_is_refused_with_the_reason() {
    let database = Postgres::shared().empty_database().await;
    database.execute("CREATE TABLE pedidos (sala text); CREATE VIEW vista AS SELECT * FROM pedidos").await;
    let postgres = store(&database);
    for (trigger, part) in [
        (trigger("nada", "sala", "s"), "nada"),
        (trigger("pedidos", "nada", "s"), "no column"),
        (trigger("pedidos'; DROP TABLE pedidos; --", "sala", "s"), "name the table as SQL would"),
        (trigger("vista", "sala", "s"), "not of a view"),
        (trigger("pedidos", "sala", "dos palabras"), "no subject"),
        (trigger("pedidos", "sala", ""), "no subject"),
    ] {
        let refused = postgres.change_hints(&trigger, HintChange::Create).await;
        assert!(
            matches!(&refused, Err(StoreError::Refused(reason)) if reason.contains(part)),
            "{trigger:?}: {refused:?}"
        );
    }
    assert_eq!(database.rows("SELECT 1 FROM pg_trigger").await.len(), 0);
    let sqlite = Prepared::sqlite().await.store();
    let refused = sqlite.change_hints(&trigger("pedidos", "sala", "s"), HintChange::Create).await;
    assert!(matches!(refused, Err(StoreError::Refused(reason)) if reason.contains("NOTIFY")));
}

#[tokio::test]
async fn the_command_installs_and_removes_one_and_says_what_it_cannot_see() {
    let database = Postgres::shared().empty_database().await;
    database.execute("CREATE TABLE pedidos (sala text)").await;
    let server = Pulso::new(env!("CARGO_BIN_EXE_pulso"), &database.url());
    let named = ["migrate", "--listen", "pedidos", "sala", "pedidos"];
    let (code, said, complaints) = server.run(&named).await;
    assert_eq!((code, complaints.as_str()), (0, ""), "{said}");
    assert!(said.contains("hints: listen/pedidos") && said.contains("session_replication_role"), "{said}");
    let other = Pulso::new(env!("CARGO_BIN_EXE_pulso"), &database.url()).with("HINTS_CHANNEL", "otro_canal");
    let (_, said, _) = other.run(&["migrate", "--listen", "pedidos", "sala", "aparte"]).await;
    assert!(said.contains("otro_canal"), "{said}");
    let mut ear = Ear::on(database).await;
    assert_eq!(ear.after("INSERT INTO pedidos VALUES ('a')").await, set(&["pedidos a"]), "the other goes elsewhere");
    let remove = [named.as_slice(), &["--remove"]].concat();
    assert!(other.run(&remove).await.1.starts_with("removed the trigger"));
    assert_eq!(other.run(&remove).await.1, "nothing to do\n");
    assert_eq!(ear.after("INSERT INTO pedidos VALUES ('b')").await, set(&[]));
    let (code, _, complaints) = server.run(&["migrate", "--listen", "nada", "sala", "pedidos"]).await;
    assert!(code == 1 && complaints.contains("nada"), "{code}: {complaints}");
    assert_eq!(server.run(&["migrate", "--remove"]).await.0, 2, "of what?");
}
