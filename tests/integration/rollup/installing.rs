//! An operator installs the rollup, and removes it; nobody else does.

use pulso::config::{DatabaseConfig, DatabaseUrl, Secret};
use pulso::store::StoreError;
use pulso_harness::postgres::PASSWORD;
use pulso_harness::{Database, Postgres, Pulso};
use sqlx::{Executor as _, Row as _};

use super::{RollupChange, book, change, counted, differences, figures, founded, open, rollup_config};
use crate::backend::{self, Prepared, postgres_config};

/// Whatever of it is there.
async fn parts(database: &Database) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM pg_class WHERE relname LIKE 'pulso\\_stats%')
                    + (SELECT count(*) FROM pg_proc WHERE proname LIKE 'pulso\\_stats%')
                    + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pulso\\_stats%')";
    database.rows(sql).await[0].get(0)
}

#[tokio::test]
async fn it_is_created_once_rebuilt_at_will_and_removed_without_a_trace() {
    let database = founded().await;
    book(&database, &[(1, "2026-11-22", "atendida"), (1, "2026-11-21", "pendiente"), (2, "2026-11-22", "cancelada")])
        .await;
    assert!(change(&database, RollupChange::Create).await);
    assert!(!change(&database, RollupChange::Create).await, "nothing to do");
    assert_eq!(differences(&database).await, [""; 0], "what was there before is counted");
    database.execute("UPDATE pulso_stats_total SET citas = 77; DELETE FROM pulso_stats_day").await;
    assert_eq!(differences(&database).await.len(), 6);
    assert!(change(&database, RollupChange::Rebuild).await);
    assert_eq!(differences(&database).await, [""; 0]);
    assert!(change(&database, RollupChange::Remove).await);
    assert!(!change(&database, RollupChange::Remove).await, "nothing to do");
    assert_eq!(parts(&database).await, 0);
    book(&database, &[(1, "2026-11-22", "atendida")]).await;
    assert!(change(&database, RollupChange::Create).await);
    assert_eq!(differences(&database).await, [""; 0]);
}

#[tokio::test]
async fn a_trigger_that_was_switched_off_is_missed_and_rebuilt() {
    let database = counted().await;
    let store = open(&rollup_config(&database.url())).unwrap();
    figures(&*store, 1).await;
    assert!(store.reads_rollup());
    database.execute("ALTER TABLE citas DISABLE TRIGGER pulso_stats_insert").await;
    book(&database, &[(1, "2026-11-22", "atendida")]).await;
    let later = open(&rollup_config(&database.url())).unwrap();
    assert_eq!(figures(&*later, 1).await, backend::figures(1, 1, 1, 0));
    assert!(!later.reads_rollup());
    assert!(change(&database, RollupChange::Create).await, "what is not complete is to be created");
    assert_eq!(figures(&*later, 1).await, backend::figures(1, 1, 1, 0));
    assert!(later.reads_rollup(), "contact finds it again");
    book(&database, &[(1, "2026-11-22", "atendida")]).await;
    assert_eq!(figures(&*later, 1).await, backend::figures(2, 2, 2, 0));
}

#[tokio::test]
async fn ids_of_any_type_days_as_text_and_nothing_at_all_are_counted() {
    for (id, one) in [("text", "a"), ("bigint", "41"), ("varchar(10)", "b"), ("smallint", "3")] {
        let database = Postgres::shared().empty_database().await;
        let tables = format!(
            "CREATE TABLE negocios (id {id} PRIMARY KEY, admin_negocio_id text);
             CREATE TABLE citas (negocio_id {id}, fecha text, estado char(20));
             INSERT INTO citas VALUES ('{one}', '2026-11-22', 'atendida'), ('{one}', NULL, 'cancelada'),
                                      ('{one}', '2026-11-22', NULL), (NULL, '2026-11-22', 'atendida')"
        );
        database.execute(&tables).await;
        change(&database, RollupChange::Create).await;
        database
            .execute(&format!(
                "INSERT INTO citas VALUES ('{one}', NULL, NULL), (NULL, NULL, NULL), ('{one}', '2026-11-22', 'cancelada');
                 UPDATE citas SET negocio_id = NULL WHERE estado = 'atendida' AND negocio_id IS NOT NULL;
                 UPDATE citas SET fecha = NULL WHERE estado IS NULL AND negocio_id IS NOT NULL"
            ))
            .await;
        let (plain, rollup) =
            (open(&postgres_config(&database.url())).unwrap(), open(&rollup_config(&database.url())).unwrap());
        let negocio = plain.contact().await.unwrap().parse(one).unwrap();
        rollup.contact().await.unwrap();
        let truth = plain.figures(&negocio, backend::TODAY).await.unwrap();
        assert_eq!(truth, backend::figures(4, 1, 0, 2));
        assert_eq!(rollup.figures(&negocio, backend::TODAY).await.unwrap(), truth, "{id}");
        assert!(rollup.reads_rollup());
    }
}

#[tokio::test]
async fn a_column_whose_type_changed_stops_the_counters_from_being_read() {
    let database = Postgres::shared().empty_database().await;
    database.execute("CREATE TABLE negocios (id int, admin_negocio_id int); CREATE TABLE citas (negocio_id int, fecha date, estado text)").await;
    change(&database, RollupChange::Create).await;
    database.execute("ALTER TABLE citas ALTER negocio_id TYPE bigint").await;
    let store = open(&rollup_config(&database.url())).unwrap();
    store.contact().await.unwrap();
    assert!(!store.reads_rollup());
    change(&database, RollupChange::Remove).await;
    change(&database, RollupChange::Create).await;
    store.contact().await.unwrap();
    assert!(store.reads_rollup());
}

#[tokio::test]
async fn writers_need_no_right_to_the_counters_and_have_none() {
    let database = counted().await;
    database.execute("CREATE ROLE api LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON citas TO api; GRANT SELECT ON negocios TO api").await;
    let mut api = database.connect().await;
    api.execute("SET ROLE api; SET search_path = pg_temp").await.unwrap();
    for _ in 0..80 {
        let into = super::INTO.replace("citas", "public.citas");
        let sql = format!("{into} VALUES {}", super::row(1, "2026-11-22", "pendiente"));
        api.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
    }
    assert_eq!(differences(&database).await, [""; 0]);
    for forbidden in [
        "UPDATE public.pulso_stats_total SET citas = 0",
        "SELECT public.pulso_stats_fold(ARRAY[1])",
        "CREATE TEMP TABLE mine (negocio_id uuid, fecha date, estado text);
         CREATE TRIGGER forged AFTER INSERT ON mine REFERENCING NEW TABLE AS new_rows
             FOR EACH STATEMENT EXECUTE FUNCTION public.pulso_stats_count()",
    ] {
        let error = api.execute(sqlx::raw_sql(forbidden)).await.unwrap_err().to_string();
        assert!(error.contains("permission denied"), "{error}");
    }
}

#[tokio::test]
async fn who_may_not_install_or_read_it_is_told_what_to_do() {
    let database = founded().await;
    let as_reader = database.url().replace("pulso@", &format!("lectora:{PASSWORD}@"));
    let refused = open(&postgres_config(&as_reader)).unwrap().change_rollup(RollupChange::Create).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Refused(text) if text.contains("owner of citas")), "{refused}");
    let nothing = Postgres::shared().empty_database().await;
    let refused =
        open(&postgres_config(&nothing.url())).unwrap().change_rollup(RollupChange::Create).await.unwrap_err();
    assert!(refused.to_string().contains("counts the table citas"), "{refused}");
    change(&database, RollupChange::Create).await;
    database.execute("CREATE ROLE mira LOGIN; GRANT SELECT ON citas, negocios TO mira").await;
    let store = open(&rollup_config(&database.url().replace("pulso@", "mira@"))).unwrap();
    assert_eq!(figures(&*store, 1).await, backend::figures(0, 0, 0, 0));
    assert!(!store.reads_rollup());
    database.execute("GRANT SELECT ON pulso_stats_total, pulso_stats_day, pulso_stats_delta TO mira").await;
    figures(&*store, 1).await;
    assert!(store.reads_rollup());
    change(&database, RollupChange::Rebuild).await;
    figures(&*store, 1).await;
    assert!(store.reads_rollup(), "a rebuilt one keeps its grants");
}

#[tokio::test]
async fn a_transaction_that_holds_the_appointments_is_not_waited_for_for_ever() {
    let database = founded().await;
    let mut holder = database.connect().await;
    holder.execute("BEGIN; LOCK TABLE citas IN ROW EXCLUSIVE MODE").await.unwrap();
    let refused =
        open(&postgres_config(&database.url())).unwrap().change_rollup(RollupChange::Create).await.unwrap_err();
    assert!(refused.to_string().contains("has held citas"), "{refused}");
    assert_eq!(parts(&database).await, 0);
}

#[tokio::test]
async fn sqlite_has_no_rollup() {
    let prepared = Prepared::sqlite().await.with_schema().await;
    let refused = prepared.store().change_rollup(RollupChange::Create).await.unwrap_err();
    assert!(refused.to_string().contains("needs PostgreSQL"), "{refused}");
    let config = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new(prepared.url())));
    assert!(!open(&config).unwrap().reads_rollup());
}

#[tokio::test]
async fn the_command_installs_it_when_asked_and_when_configured() {
    let database = founded().await;
    let server = Pulso::new(env!("CARGO_BIN_EXE_pulso"), &database.url());
    let said = |text: &str| (0, format!("{text}\n"), String::new());
    assert_eq!(
        server.run(&["migrate"]).await,
        said("applied 0001_outbox\napplied 0002_idempotency\napplied 0003_handed")
    );
    assert_eq!(parts(&database).await, 0, "nobody asked for it");
    assert_eq!(server.run(&["migrate", "--rollup"]).await, said("created the rollup"));
    assert_eq!(server.run(&["migrate", "--rollup"]).await, said("nothing to do"));
    assert_eq!(server.run(&["migrate", "--rollup", "rebuild"]).await, said("rebuilt the rollup"));
    assert_eq!(server.run(&["migrate", "--rollup", "remove"]).await, said("removed the rollup"));
    assert_eq!(server.run(&["migrate", "--rollup", "remove"]).await, said("nothing to do"));
    let configured = server.with("STATS_SOURCE", "rollup");
    assert_eq!(configured.run(&["migrate"]).await, said("created the rollup"));
    assert_eq!(configured.run(&["migrate"]).await, said("nothing to do"));
}
