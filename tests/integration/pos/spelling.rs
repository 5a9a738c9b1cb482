//! One spelling of a business, whenever the database was first seen: who came before it hears what who comes later hears.

use pulso_harness::{ChaosProxy, Dashboard, EventStream, Postgres, Running};
use serde_json::json;

use super::{body, naming};
use crate::business::pulso;
use crate::feeds::{assert_reached, signed};

const SALE: &str = r#"{"saleId":1,"tableId":5,"total":45.50,"timestamp":"t"}"#;
/// As a token and a call may spell them; the last two differ by letter alone.
const SPELLINGS: [[&str; 2]; 5] = [
    ["9f1c2b3a00004000800000000000abcd", "9f1c2b3a-0000-4000-8000-00000000abcd"],
    ["9F1C2B3A-0000-4000-8000-00000000ABCE", "9f1c2b3a-0000-4000-8000-00000000abce"],
    ["tienda-1", "tienda-1"],
    ["7", "7"],
    ["007", "007"],
];

/// A screen of the business by each way, as `spelling` has it.
struct Screens {
    socket: Dashboard,
    stream: EventStream,
    staff: Dashboard,
}

impl Screens {
    async fn open(pulso: &Running, spelling: &str) -> Self {
        let claims = naming(spelling).with("role", json!("STAFF"));
        let mut socket = pulso.connect(&naming(spelling)).await;
        socket.ping().await;
        let path = format!("{}&channel=negocio:{spelling}", signed("/sse", &naming(spelling)));
        let mut stream = pulso.events(&path).await;
        stream.next_block().await.unwrap();
        let mut staff = pulso.open(&signed("/ws/staff/orders/", &claims)).await;
        staff.ping().await;
        Self { socket, stream, staff }
    }

    async fn hear(&mut self) {
        assert!(self.socket.text().await.contains("newSale"));
        assert_eq!(self.stream.next().await.unwrap().json()["type"], "newSale");
        assert!(self.staff.text().await.contains("new_order"));
    }
}

fn order(negocio: &str) -> String {
    format!(r#"{{"negocio_id":"{negocio}","order_id":1,"room_code":"1","device_uid":"x","placed_at":"t"}}"#)
}

async fn the_first_contact_changes_nobody(kind: &str) {
    let database = Postgres::shared().empty_database().await;
    database
        .execute(&format!(
            "CREATE TABLE negocios (id {kind} PRIMARY KEY, admin_negocio_id text);
             CREATE TABLE citas (negocio_id {kind} NOT NULL, fecha date, estado text)"
        ))
        .await;
    let line = ChaosProxy::start(database.port()).await;
    line.refuse().await;
    let pulso = pulso(&database.url_at(line.port())).with_hook_key().start().await;
    let mut screens = Vec::new();
    for spellings in SPELLINGS {
        screens.push(Screens::open(&pulso, spellings[0]).await);
    }
    for (spellings, screens) in SPELLINGS.iter().zip(&mut screens) {
        assert_reached(&pulso.post("/notify/venta", &body(SALE, spellings[1])).await, 2);
        assert_reached(&pulso.post("/notify/pedido", &order(spellings[1])).await, 1);
        screens.hear().await;
    }
    line.restore().await;
    pulso.until_ready().await;
    for (spellings, screens) in SPELLINGS.iter().zip(&mut screens) {
        let mut late = Screens::open(&pulso, spellings[1]).await;
        for spelling in spellings {
            assert_reached(&pulso.post("/notify/venta", &body(SALE, spelling)).await, 4);
            assert_reached(&pulso.post("/notify/pedido", &order(spelling)).await, 2);
            screens.hear().await;
            late.hear().await;
        }
    }
}

#[tokio::test]
async fn who_came_before_the_database_hears_what_who_comes_later_hears() {
    for kind in ["text", "uuid", "integer"] {
        the_first_contact_changes_nobody(kind).await;
    }
}

#[tokio::test]
async fn what_was_missed_before_the_first_contact_is_made_up_for_after_it() {
    let database = Postgres::shared().database().await;
    let line = ChaosProxy::start(database.port()).await;
    line.refuse().await;
    let pulso = pulso(&database.url_at(line.port())).with_hook_key().start().await;
    let [early, later] = SPELLINGS[0];
    let mut stream = pulso.events(&format!("{}&channel=negocio:{early}", signed("/sse", &naming(early)))).await;
    stream.next_block().await.unwrap();
    assert_reached(&pulso.post("/notify/venta", &body(SALE, early)).await, 1);
    let id = stream.next().await.unwrap().id.unwrap();
    drop(stream);
    assert_eq!(pulso.post("/notify/venta", &body(SALE, early)).await.status, 200);
    line.restore().await;
    pulso.until_ready().await;
    let mut back = pulso.open(&format!("{}&since={id}", signed("/ws", &naming(later)))).await;
    assert!(back.text().await.contains("newSale"), "what it missed, under the other spelling");
}
