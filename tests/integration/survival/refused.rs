//! What a database refuses for ever: its connections stay within their bound, and nobody takes it for an outage.

use std::time::Duration;

use pulso::model::IdType;
use pulso::model::{Change, Confirmation, Entity};
use pulso::store::outbox::Handed;
use pulso::store::{StoreError, open};
use pulso_harness::{Claims, Database, Postgres, Running, wait};
use sqlx::Row as _;

use crate::backend::{TODAY, figures, owns, postgres_config};
use crate::business::{NEGOCIO, citas, database, owner, pulso};

const KIOSKS: usize = 60;

/// Pulso's connections to this database just now.
async fn connections(database: &Database) -> i64 {
    let counted =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pulso' AND datname = current_database()";
    database.rows(counted).await[0].get(0)
}

/// The most connections there were while `work` went on.
async fn at_most_while<T>(database: &Database, work: impl Future<Output = T>) -> (i64, T) {
    let mut most = 0;
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            // What was opened meanwhile is still there.
            done = &mut work => return (most.max(connections(database).await), done),
            now = connections(database) => most = most.max(now),
        }
    }
}

async fn sixty_kiosks_are_refused(pulso: &Running) {
    let mut kiosks = Vec::new();
    for _ in 0..KIOSKS {
        kiosks.push(pulso.open("/ws/kiosk/orders/?device_uid=ipad-room-101").await);
    }
    for mut kiosk in kiosks {
        assert_eq!(kiosk.closed().await.code, 1013);
    }
}

#[tokio::test]
async fn refused_devices_use_no_more_connections_than_allowed_and_are_no_outage() {
    for (prepare, missing) in [
        ("SELECT 1", "table devices does not exist yet"),
        (
            "CREATE TABLE devices (id integer, device_uid text, is_active boolean)",
            "permission denied for table devices",
        ),
    ] {
        let database = database().await;
        citas(&database, NEGOCIO, 3, "pendiente", "'2020-01-01'").await;
        database.execute(prepare).await;
        database
            .execute(
                "DO $$ BEGIN CREATE ROLE sin_equipos LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
                 GRANT SELECT ON citas, negocios TO sin_equipos",
            )
            .await;
        let url = database.url().replace("pulso@", "sin_equipos@");
        let pulso = pulso(&url).with("DB_MAX_CONNECTIONS", "2").with("DEVICE_RECHECK", "100ms").ready().await;
        let mut dashboard = pulso.connect(&owner()).await;
        dashboard.watch(NEGOCIO).await;
        let (most, ()) = at_most_while(&database, sixty_kiosks_are_refused(&pulso)).await;
        assert!((1..=2).contains(&most), "{most} connections");
        assert_eq!(pulso.get("/ready").await.status, 200);
        assert_eq!(pulso.count("pulso_breaker_opened_total").await, 0);
        assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
        dashboard.stats().await;
        let log = pulso.log();
        assert_eq!(
            log.iter().filter(|line| line.contains("WARN") && line.contains(missing)).count(),
            1,
            "{missing}: said once\n{log:#?}"
        );
    }
}

/// Another database on the shared cluster, whose encoding lacks most characters.
async fn latin1() -> (Database, String) {
    let database = Postgres::shared().empty_database().await;
    let name = format!("{}_latin1", database.name());
    database.execute(&format!("CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0")).await;
    let url = database.url().replace(database.name(), &name);
    let mut inside = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "CREATE TABLE negocios (id text PRIMARY KEY, admin_negocio_id text);
         CREATE TABLE citas (negocio_id text NOT NULL, fecha date, estado text);
         CREATE TABLE devices (id text PRIMARY KEY, device_uid text, is_active boolean);
         INSERT INTO negocios VALUES ('peña', 'eva'), ('uno', 'eva');
         INSERT INTO citas VALUES ('peña', '2026-11-22', 'atendida');
         INSERT INTO devices VALUES ('1', 'pasillo-ñ', true)",
    )
    .execute(&mut inside)
    .await
    .unwrap();
    (database, url)
}

#[tokio::test]
async fn an_id_that_the_encoding_cannot_hold_is_nobodys_and_the_others_have_their_answers() {
    let (_beside, url) = latin1().await;
    let store = open(&postgres_config(&url)).unwrap();
    let id_type = store.contact().await.unwrap();
    assert_eq!(id_type, IdType::Text);
    let id = |text: &str| id_type.parse(text).unwrap();
    let good = [owns("eva", &id("peña")), owns("eva", &id("uno"))];
    let asked = [good.as_slice(), &[owns("eva", &id("x€")), owns("日本", &id("uno"))]].concat();
    assert_eq!(store.owners(&asked).await, Ok(good.into()));
    let uids = ["日本", "pasillo-ñ", "x€"].map(str::to_owned);
    let found = store.devices(&uids, &["€".to_owned()]).await.unwrap();
    assert_eq!(found.iter().map(|device| device.uid.as_str()).collect::<Vec<_>>(), ["pasillo-ñ"]);
    assert_eq!(store.figures(&id("x€"), TODAY).await, Ok(figures(0, 0, 0, 0)));
    let several = store.figures_of(&[id("peña"), id("x€")], TODAY).await;
    assert_eq!(several, Ok(vec![figures(1, 1, 1, 0).into(), figures(0, 0, 0, 0).into()]));
}

#[tokio::test]
async fn a_confirmation_of_such_an_id_leaves_the_others_be_and_such_a_change_is_refused_for_good() {
    let (_beside, url) = latin1().await;
    let store = open(&postgres_config(&url)).unwrap();
    let outbox = store.outbox().unwrap();
    outbox.migrate().await.unwrap();
    let order = |id: &str, payload: &str| Change {
        tenant: String::new(),
        entity: Entity::Order,
        id: id.to_owned(),
        payload: payload.to_owned(),
    };
    outbox.keep(&order("ñ", "{}"), None).await.unwrap();
    assert!(matches!(outbox.keep(&order("€", "{}"), None).await, Err(StoreError::Data(_))));
    assert!(matches!(outbox.keep(&order("a", "{\"€\":1}"), None).await, Err(StoreError::Data(_))));
    assert_eq!(outbox.pull("", &[], Handed::Answer("GET"), None, 10).await.unwrap().len(), 1);
    let confirm = |id: &str| Confirmation { entity: Entity::Order, id: id.to_owned(), version: None };
    let both = [confirm("€"), confirm("ñ")];
    assert_eq!(outbox.pull("", &both, Handed::Answer("POST"), None, 10).await, Ok(Vec::new()));
}

#[tokio::test]
async fn who_asks_for_such_an_id_is_refused_once_and_costs_no_connection() {
    let (beside, url) = latin1().await;
    let name = url.rsplit('/').next().unwrap();
    let pulso = pulso(&url).ready().await;
    let mut dashboard = pulso.connect(&Claims::user("eva")).await;
    dashboard.subscribe("x€").await;
    assert_eq!(dashboard.error().await, "not allowed to subscribe to this channel");
    assert_eq!(dashboard.watch("peña").await.total, 1);
    let counted =
        format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pulso' AND datname = '{name}'");
    let now: i64 = beside.rows(&counted).await[0].get(0);
    assert!(now <= 2, "{now} connections");
    assert_eq!(pulso.get("/ready").await.status, 200);
}

#[tokio::test]
async fn callers_that_leave_in_the_middle_of_a_question_leave_no_connection_behind() {
    let database = database().await;
    let mut config = postgres_config(&database.url());
    config.max_connections = 2;
    let store = open(&config).unwrap();
    store.contact().await.unwrap();
    let mut locked = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas, negocios").execute(&mut locked).await.unwrap();
    let negocio = IdType::Uuid.parse(NEGOCIO).unwrap();
    let leaving = async {
        for _ in 0..6 {
            let asked = store.figures(&negocio, TODAY);
            let _ = tokio::time::timeout(Duration::from_millis(60), asked).await;
        }
    };
    let (most, ()) = at_most_while(&database, leaving).await;
    assert!(most <= 2, "{most} connections");
    drop(locked);
    wait::until(async || store.figures(&negocio, TODAY).await.is_ok(), "the connections are free again").await;
}
