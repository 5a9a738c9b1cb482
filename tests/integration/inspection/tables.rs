//! What `pulso check` says where the tables are not plain ones, or are not there.

use pulso::config::StatsSource;
use pulso::model::Ownership;
use pulso::model::{IdType, UserId};
use pulso::store::open;
use pulso_harness::Postgres;

use super::{Level, Report, as_reader, filled};
use crate::backend::{TODAY, figures, postgres_config};

#[tokio::test]
async fn an_index_is_advised_where_it_can_be() {
    let database = filled().await;
    database
        .execute("DROP INDEX citas_estadisticas; ALTER TABLE citas RENAME TO turnos; CREATE VIEW citas AS SELECT * FROM turnos")
        .await;
    let config = postgres_config(&as_reader(&database));
    let report = Report::of(&config).await;
    let advice = report.advice("no index serves the statistics query");
    assert!(advice.contains("citas is a view") && !advice.contains("CREATE INDEX"), "{advice}");

    database
        .execute(
            "DROP VIEW citas;
             CREATE TABLE citas (LIKE turnos) PARTITION BY RANGE (fecha);
             CREATE TABLE citas_a PARTITION OF citas FOR VALUES FROM ('2000-01-01') TO ('2026-06-01');
             CREATE TABLE citas_b PARTITION OF citas FOR VALUES FROM ('2026-06-01') TO ('2100-01-01');
             INSERT INTO citas SELECT * FROM turnos; ANALYZE citas",
        )
        .await;
    let report = Report::of(&config).await;
    let (command, _) = report.advice("no index serves the statistics query").split_once(';').unwrap();
    assert!(!command.contains("CONCURRENTLY"), "{command}");
    database.execute(command).await;
    database.execute("VACUUM (ANALYZE) citas").await;
    let report = Report::of(&config).await;
    report.saying("the statistics query is index-only");
}

#[tokio::test]
async fn an_index_that_begins_with_something_else_is_not_taken_for_one_that_serves() {
    let database = filled().await;
    database.execute("DROP INDEX citas_estadisticas; CREATE INDEX al_reves ON citas (fecha, estado, negocio_id)").await;
    database.execute("VACUUM (ANALYZE) citas").await;
    let report = Report::of(&postgres_config(&as_reader(&database))).await;
    let advice = report.advice("reads an index (al_reves) from end to end");
    assert!(advice.starts_with("CREATE INDEX CONCURRENTLY citas_estadisticas"), "{advice}");
}

#[tokio::test]
async fn the_kiosks_table_is_looked_for_where_there_are_kiosks() {
    let database = Postgres::shared().database().await;
    database
        .execute(
            "CREATE ROLE sin_kioscos LOGIN; GRANT SELECT ON citas, negocios TO sin_kioscos;
             DROP TABLE IF EXISTS devices;
             CREATE TABLE devices (id serial PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL)",
        )
        .await;
    let mut config = postgres_config(&as_reader(&database));
    assert!(!Report::of(&config).await.0.iter().any(|finding| finding.what.contains("devices")));
    config.asks_devices = true;
    assert_eq!(Report::of(&config).await.saying("the devices query answers, by an index").level, Level::Ok);
    config.url = postgres_config(&database.url().replace("pulso@", "sin_kioscos@")).url;
    let report = Report::of(&config).await;
    assert!(
        report.advice("kiosks cannot be looked up").contains("GRANT SELECT (id, device_uid, is_active) ON devices")
    );
    database.execute("DROP TABLE devices").await;
    let report = Report::of(&config).await;
    assert_eq!(report.saying("kiosks cannot be looked up: table devices does not exist yet").level, Level::Problem);
}

#[tokio::test]
async fn a_standby_is_no_place_to_keep_changes() {
    let cluster = Postgres::own();
    let database = cluster.database().await;
    let mut config = postgres_config(&database.url());
    pulso::store::open(&config).unwrap().outbox().unwrap().migrate().await.unwrap();
    config.keeps_outbox = true;
    assert!(!Report::of(&config).await.0.iter().any(|finding| finding.what.contains("standby")));
    cluster.become_standby();
    let report = Report::of(&config).await;
    assert_eq!(report.saying("this is a standby that only reads").level, Level::Problem);
    config.keeps_outbox = false;
    assert_ne!(Report::of(&config).await.worst(), Level::Problem, "figures are read there all the same");
}

#[tokio::test]
async fn padded_ids_are_found_by_an_index_and_nothing_asks_to_cast_the_column() {
    let database = Postgres::shared().empty_database().await;
    database
        .execute(
            "CREATE TABLE negocios (id char(40) PRIMARY KEY, admin_negocio_id char(36));
             CREATE TABLE citas (negocio_id char(40), fecha date, estado char(20));
             CREATE TABLE devices (id char(10) PRIMARY KEY, device_uid char(20) UNIQUE, is_active boolean);
             CREATE INDEX citas_estadisticas ON citas (negocio_id, fecha, estado);
             INSERT INTO negocios VALUES ('centro', 'ana'), ('norte', 'luis');
             INSERT INTO devices VALUES ('7', 'kiosco', true);
             INSERT INTO citas SELECT 'negocio ' || n % 500, date '2020-01-01' + n % 100, 'x' FROM generate_series(1, 20000) AS n;
             INSERT INTO citas VALUES ('centro', '2026-11-22', 'atendida'), ('centro', '2020-01-01', 'cancelada')",
        )
        .await;
    database.execute("VACUUM (ANALYZE) citas").await;
    for source in [StatsSource::Query, StatsSource::Rollup] {
        let mut config = postgres_config(&database.url());
        config.stats_source = source;
        config.asks_devices = true;
        let store = open(&config).unwrap();
        if source == StatsSource::Rollup {
            store.change_rollup(pulso::store::RollupChange::Create).await.unwrap();
        }
        let report = Report::of(&config).await;
        assert_ne!(report.worst(), Level::Problem, "{:#?}", report.0);
        report.saying("ids are of type char");
        report.saying("the statistics query is index-only (citas_estadisticas)");
        report.saying("the ownership query answers, by an index");
        let id_type = store.contact().await.unwrap();
        assert_eq!(id_type, IdType::Char);
        let centro = id_type.parse("centro   ").unwrap();
        assert_eq!(centro.as_str(), "centro");
        assert_eq!(store.figures(&centro, TODAY).await.unwrap(), figures(2, 1, 1, 1));
        let owns = |user: &str| Ownership { negocio: centro.clone(), user: UserId::new(user) };
        assert_eq!(store.owners(&[owns("ana"), owns("luis")]).await.unwrap(), [owns("ana")].into());
        let found = store.devices(&["kiosco".to_owned()], &[]).await.unwrap();
        assert_eq!((found.len(), found[0].id.as_str(), found[0].uid.as_str()), (1, "7", "kiosco"));
        assert_eq!(store.devices(&[], &["7".to_owned()]).await.unwrap().len(), 1);
    }
}
