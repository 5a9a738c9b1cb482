//! Who names the transaction that made a change is answered by a read that shows it.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use tokio::time::sleep;

use super::{Restaurants, result, subscribe};
use crate::business::{NEGOCIO, owner};

const CHANNEL: &str = "consulta:cocina:r-1";

async fn begin(connection: &mut PgConnection, sql: &str) -> String {
    sqlx::raw_sql("BEGIN").execute(&mut *connection).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut *connection).await.unwrap();
    let row = sqlx::raw_sql("SELECT pg_current_xact_id()::text").fetch_one(&mut *connection).await.unwrap();
    row.get(0)
}

#[tokio::test]
async fn a_call_before_its_commit_is_answered_by_what_shows_it() {
    let restaurants = Restaurants::open().await;
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, CHANNEL).await;
    result(&mut screen, CHANNEL).await;
    let mut connection = restaurants.database.connect().await;
    for (round, end) in ["COMMIT", "ROLLBACK", "COMMIT"].into_iter().enumerate() {
        let insert = "INSERT INTO pedidos (restaurante, estado) VALUES ('r-1', 'PENDING')";
        let xid = begin(&mut connection, insert).await;
        let said: Value = if round == 0 { json!(xid) } else { json!(xid.parse::<u64>().unwrap()) };
        let call = json!({ "name": "cocina", "key": "r-1", "xid": said });
        let ends = async {
            sleep(Duration::from_millis(100)).await;
            sqlx::raw_sql(end).execute(&mut connection).await.unwrap();
        };
        let (answer, ()) = tokio::join!(restaurants.announce(&call), ends);
        assert_eq!(answer.status, 200, "{answer:?}");
        let wanted = [1, 1, 2][round];
        // States before it may have been sent, too.
        while let frame = screen.next().await
            && frame["seq"] != answer.json()["seq"]
        {
            assert!(frame["data"]["todos"].as_u64().unwrap() <= wanted, "{frame}");
        }
        subscribe(&mut screen, CHANNEL).await;
        assert_eq!(result(&mut screen, CHANNEL).await["todos"], wanted);
    }
}

#[tokio::test]
async fn what_is_no_transaction_of_an_application_is_refused() {
    let restaurants = Restaurants::open().await;
    for xid in [
        json!(0),
        json!(2),
        json!("2"),
        json!("18446744073709551616"),
        json!("12x"),
        json!("010"),
        json!(-3),
        json!(true),
    ] {
        let call = json!({ "name": "cocina", "key": "r-1", "xid": xid });
        assert_eq!(restaurants.announce(&call).await.status, 400, "{xid}");
        let call = json!({ "negocio_id": NEGOCIO, "xid": xid });
        assert_eq!(restaurants.pulso.post("/notify/cita", &call.to_string()).await.status, 400, "{xid}");
    }
    let none = json!({ "name": "cocina", "key": "r-1", "xid": null });
    assert_eq!(restaurants.announce(&none).await.status, 200);
}

#[tokio::test]
async fn the_figures_know_their_callers_transaction_too() {
    let restaurants = Restaurants::open().await;
    let mut dashboard = restaurants.pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let mut connection = restaurants.database.connect().await;
    let insert = format!(
        "INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
         VALUES (gen_random_uuid(), '{NEGOCIO}', gen_random_uuid(), '2020-01-01', '10:00', '10:30', 'pendiente')"
    );
    let xid = begin(&mut connection, &insert).await;
    let call = json!({ "negocio_id": NEGOCIO, "xid": xid }).to_string();
    let commit = async {
        sleep(Duration::from_millis(100)).await;
        sqlx::raw_sql("COMMIT").execute(&mut connection).await.unwrap();
    };
    let (answer, ()) = tokio::join!(restaurants.pulso.post("/notify/cita", &call), commit);
    assert_eq!(answer.status, 200, "{answer:?}");
    let seq = answer.json()["seq"].as_u64();
    let stats = dashboard.stats_until(|stats| stats.seq >= seq.unwrap()).await;
    assert_eq!(stats.total, 1);
}
