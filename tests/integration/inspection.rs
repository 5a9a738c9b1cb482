//! What `pulso check` says about a database.

mod faults;
mod live;
mod tables;

use pulso::config::{DatabaseConfig, ListenSource, Secret};
use pulso::store::inspect::{Finding, Level, inspect};
use pulso_harness::pgbouncer::Options;
use pulso_harness::{Database, PgBouncer, Postgres};

use crate::backend::{Prepared, postgres_config};

struct Report(Vec<Finding>);

impl Report {
    async fn of(config: &DatabaseConfig) -> Self {
        Self(inspect(config).await)
    }

    /// The finding that says `text`.
    fn saying(&self, text: &str) -> &Finding {
        self.0
            .iter()
            .find(|finding| finding.what.contains(text))
            .unwrap_or_else(|| panic!("{text:?} is not in {:#?}", self.0))
    }

    fn advice(&self, text: &str) -> &str {
        self.saying(text).advice.as_deref().unwrap_or_else(|| panic!("no advice on {text:?}"))
    }

    fn worst(&self) -> Level {
        self.0.iter().map(|finding| finding.level).max().unwrap()
    }
}

fn as_reader(database: &Database) -> String {
    database.url().replace("pulso@", &format!("lectora:{}@", pulso_harness::postgres::PASSWORD))
}

/// Enough rows that the planner wants an index.
async fn filled() -> Database {
    let database = Postgres::shared().database().await;
    database
        .execute(
            "INSERT INTO negocios (id, nombre)
                SELECT format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid, 'n' FROM generate_series(1, 50) AS n;
             INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin)
                SELECT gen_random_uuid(), format('00000000-0000-4000-8000-%s', lpad((1 + i % 50)::text, 12, '0'))::uuid,
                       gen_random_uuid(), date '2026-01-01' + i % 300, '09:00', '09:30'
                  FROM generate_series(1, 20000) AS i",
        )
        .await;
    database
}

#[tokio::test]
async fn a_well_kept_database_has_nothing_to_mend() {
    let database = filled().await;
    database.execute("VACUUM (ANALYZE) citas").await;
    let report = Report::of(&postgres_config(&as_reader(&database))).await;
    assert_eq!(report.worst(), Level::Ok, "{:#?}", report.0);
    report.saying("connected to PostgreSQL");
    report.saying("ids are of type uuid");
    report.saying("the statistics query is index-only (citas_estadisticas)");
    report.saying("the ownership query answers, by an index");
    report.saying("the role may not change citas or negocios");
    report.saying("no transaction pooler in between");
}

#[tokio::test]
async fn a_table_without_an_index_is_told_which_to_create() {
    let database = filled().await;
    database.execute("DROP INDEX citas_estadisticas; ANALYZE citas").await;
    let config = postgres_config(&as_reader(&database));
    let report = Report::of(&config).await;
    let advice = report.advice("no index serves the statistics query");
    let (command, _) = advice.split_once(';').unwrap();
    database.execute(command).await;
    database.execute("VACUUM (ANALYZE) citas").await;
    assert_eq!(Report::of(&config).await.worst(), Level::Ok);
}

#[tokio::test]
async fn an_index_that_does_not_suffice_is_told_from_none() {
    let database = filled().await;
    database.execute("DROP INDEX citas_estadisticas; CREATE INDEX corto ON citas (negocio_id)").await;
    database.execute("VACUUM (ANALYZE) citas").await;
    let report = Report::of(&postgres_config(&as_reader(&database))).await;
    assert!(report.advice("uses an index (corto) but reads every row").starts_with("CREATE INDEX CONCURRENTLY"));
}

#[tokio::test]
async fn a_table_that_needs_vacuum_is_told_so() {
    let database = filled().await;
    database.execute("ANALYZE citas").await;
    let report = Report::of(&postgres_config(&as_reader(&database))).await;
    assert_eq!(report.advice("has not been vacuumed lately"), "VACUUM (ANALYZE) citas;");
}

#[tokio::test]
async fn a_table_too_small_for_an_index_is_no_warning() {
    let database = Postgres::shared().database().await;
    database.execute("VACUUM (ANALYZE) citas").await;
    let report = Report::of(&postgres_config(&as_reader(&database))).await;
    assert_eq!(report.worst(), Level::Ok, "{:#?}", report.0);
    report.saying("index-only (citas_estadisticas)");
}

#[tokio::test]
async fn a_transaction_pooler_is_found() {
    let database = Postgres::shared().database().await;
    for pool_size in [1, 2, 5] {
        let pooler = PgBouncer::start(&database, Options { pool_size, ..Options::default() });
        let report = Report::of(&postgres_config(&pooler.url(&database))).await;
        report.saying("behind a transaction pooler");
        assert_ne!(report.worst(), Level::Problem, "{:#?}", report.0);
    }
}

#[tokio::test]
async fn a_role_that_may_write_is_advised_against() {
    let database = Postgres::shared().database().await;
    let report = Report::of(&postgres_config(&database.url())).await;
    assert!(report.advice("the role is a superuser").contains("GRANT SELECT ON citas, negocios"));
    database
        .execute("CREATE ROLE escribe LOGIN; GRANT ALL ON citas TO escribe; GRANT SELECT ON negocios TO escribe")
        .await;
    let report = Report::of(&postgres_config(&database.url().replace("pulso@", "escribe@"))).await;
    report.advice("the role may change citas or negocios");
}

#[tokio::test]
async fn missing_tables_and_nobody_there_are_problems() {
    let database = Postgres::shared().empty_database().await;
    let report = Report::of(&postgres_config(&database.url())).await;
    assert_eq!(report.saying("table citas does not exist yet").level, Level::Problem);
    let report = Report::of(&postgres_config("postgres://ana:cl4ve@127.0.0.1:1/citas")).await;
    assert_eq!(report.worst(), Level::Problem);
    report.saying("Cannot connect to database");
    assert!(!format!("{:?}", report.0).contains("cl4ve"));
}

#[tokio::test]
async fn the_listeners_channel_and_trigger_are_checked() {
    let database = Postgres::shared().database().await;
    let pooler = PgBouncer::start(&database, Options::default());
    let mut config = postgres_config(&database.url());
    let source = |url: String| Some(ListenSource { channel: "pulso_citas".to_owned(), url: Secret::new(url) });
    config.listen = source(database.url());
    assert!(Report::of(&config).await.advice("the trigger that feeds the channel").contains("sql/listen.postgres.sql"));
    database.execute(include_str!("../../sql/listen.postgres.sql")).await;
    let report = Report::of(&config).await;
    report.saying("notifications on pulso_citas arrive");
    assert_ne!(report.worst(), Level::Problem, "{:#?}", report.0);
    config.listen = source(pooler.url(&database));
    assert_eq!(Report::of(&config).await.saying("LISTEN_DATABASE_URL").level, Level::Problem);
}

#[tokio::test]
async fn tables_to_pull_from_are_looked_for_where_they_are_needed() {
    let database = Postgres::shared().database().await;
    let mut config = postgres_config(&database.url());
    let names = "Pulso's own tables are";
    assert!(!Report::of(&config).await.0.iter().any(|finding| finding.what.contains(names)));
    config.keeps_outbox = true;
    let report = Report::of(&config).await;
    assert!(report.advice("0001_outbox").contains("pulso migrate"));
    assert_eq!(report.worst(), Level::Problem);
    pulso::store::open(&config).unwrap().outbox().unwrap().migrate().await.unwrap();
    let report = Report::of(&config).await;
    report.saying("Pulso's own tables are there");
    assert_ne!(report.worst(), Level::Problem, "{:#?}", report.0);
    config.url = postgres_config(&as_reader(&database)).url;
    assert!(Report::of(&config).await.advice("may not use Pulso's own tables").contains("GRANT USAGE ON SEQUENCE"));

    let mut prepared = Prepared::sqlite().await;
    (prepared.config.keeps_outbox, prepared.config.asks_figures) = (true, false);
    assert!(Report::of(&prepared.config).await.advice("0001_outbox").contains("pulso migrate"));
    prepared.migrated().await;
    assert_eq!(Report::of(&prepared.config).await.worst(), Level::Ok);
}

#[tokio::test]
async fn without_figures_their_tables_are_no_problem() {
    let database = Postgres::shared().empty_database().await;
    let mut config = postgres_config(&as_reader(&database));
    config.asks_figures = false;
    let report = Report::of(&config).await;
    assert_eq!(report.worst(), Level::Ok, "{:#?}", report.0);
    report.saying("nobody asks for figures");
}

#[tokio::test]
async fn sqlite_is_checked_too() {
    let prepared = Prepared::sqlite().await.with_schema().await;
    let report = Report::of(&prepared.config).await;
    assert_eq!(report.worst(), Level::Ok, "{:#?}", report.0);
    report.saying("the statistics query is index-only");
    prepared.execute("DROP INDEX citas_estadisticas").await;
    let report = Report::of(&prepared.config).await;
    assert!(report.advice("no index serves").starts_with("CREATE INDEX"));
    std::fs::remove_file(prepared.scratch.path().join("citas.db")).unwrap();
    let report = Report::of(&prepared.config).await;
    assert!(report.advice("unable to open database file").contains("Pulso creates none"));
    assert!(!prepared.scratch.path().join("citas.db").exists());
}
