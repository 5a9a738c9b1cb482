//! A board that is opened late begins with what is open, by a live query of the orders; so does one that has missed something.

use pulso_harness::{Claims, Scratch};
use serde_json::json;

use super::{
    ARRIVALS, CARDS, COUNTS, ITEMS, OTHER_RESTAURANT, RESTAURANT, Stage, TONES, arrival, furnished, item_status,
    new_order, order_status, signed, wait_tones, waiter,
};
use crate::business::{NEGOCIO, OTHER_NEGOCIO};
use crate::tab::{Tab, address};

const OPEN: &str = "-- access: claim restaurantId
-- hints: order/new order/status order/item-status
-- result: rows
SELECT pedido ->> 'orderId' AS \"orderId\", pedido ->> 'tableSessionId' AS \"tableSessionId\", estado AS status,
       pedido ->> 'createdAt' AS \"createdAt\", pedido -> 'items' AS items
  FROM abiertos WHERE restaurante_id = $1 ORDER BY 1";
const WITHOUT_DETAIL: &str =
    "[...document.querySelectorAll('#restaurante .order .hint')].map(({ textContent }) => textContent)";

async fn write(stage: &Stage, restaurant: &str, order: &str, estado: &str) {
    let pedido = new_order(restaurant, order).to_string().replace('\'', "''");
    let row = format!("INSERT INTO abiertos VALUES ('{restaurant}', '{order}', '{estado}', '{pedido}')");
    stage.database.execute(&row).await;
}

#[tokio::test]
async fn a_board_that_is_opened_late_begins_with_what_is_open_and_each_column_counts_its_cards() {
    let (pulso, database) = furnished().await;
    database
        .execute("CREATE TABLE abiertos (restaurante_id text, id text PRIMARY KEY, estado text, pedido jsonb)")
        .await;
    let folder = Scratch::new();
    folder.write("abiertos.sql", OPEN);
    let running = pulso.with("QUERIES_DIR", folder.path().to_str().unwrap()).ready().await;
    let stage = Stage { running, database };
    write(&stage, RESTAURANT, "o-1", "CONFIRMED").await;
    write(&stage, RESTAURANT, "o-2", "IN_PROGRESS").await;
    write(&stage, OTHER_RESTAURANT, "foreign", "CONFIRMED").await;

    let mut tab = Tab::new().await;
    let token = signed(&waiter());
    let name = format!("abiertos:{RESTAURANT}");
    tab.open(&address(stage.port(), &[("token", &token), ("abiertos", &name)])).await;
    wait_tones(&mut tab, &["restaurante good"]).await;
    tab.wait_eval(CARDS, json!(["confirmados o-1 CONFIRMED", "cocina o-2 IN_PROGRESS"])).await;
    tab.wait_eval(WITHOUT_DETAIL, json!([])).await;
    // From there on events move them as ever.
    stage.database.execute("UPDATE abiertos SET estado = 'IN_PROGRESS' WHERE id = 'o-1'").await;
    stage.tell("/notify/order/status", order_status(RESTAURANT, "o-1", "CONFIRMED", "IN_PROGRESS")).await;
    stage.tell("/notify/order/item-status", item_status(RESTAURANT, "o-2", "o-2-a", "READY")).await;
    tab.wait_eval(CARDS, json!(["cocina o-1 IN_PROGRESS", "cocina o-2 IN_PROGRESS"])).await;
    tab.wait_eval(COUNTS, "0 2 0").await;
    // What has ended without a word of it goes once the state says so.
    stage.database.execute("DELETE FROM abiertos WHERE id = 'o-1'").await;
    tab.eval("new Promise((resume) => { setTimeout(resume, 5_500); })").await;
    stage.database.execute("UPDATE abiertos SET estado = 'READY' WHERE id = 'o-2'").await;
    stage.tell("/notify/order/status", order_status(RESTAURANT, "o-2", "IN_PROGRESS", "READY")).await;
    tab.wait_eval(CARDS, json!(["listos o-2 READY"])).await;
    // What was served is still shown for a while, and counted as it is shown.
    stage.database.execute("DELETE FROM abiertos").await;
    stage.tell("/notify/order/status", order_status(RESTAURANT, "o-2", "READY", "DELIVERED")).await;
    tab.wait_eval(CARDS, json!(["listos o-2 DELIVERED"])).await;
    tab.wait_eval(COUNTS, "0 0 1").await;

    // The tab remembers the query; somebody else's shows nothing.
    write(&stage, RESTAURANT, "o-3", "CONFIRMED").await;
    tab.ask(json!({ "do": "reload" })).await;
    tab.wait_eval(&format!("{CARDS}.filter((card) => card.includes('o-3'))"), json!(["confirmados o-3 CONFIRMED"]))
        .await;
    tab.renew().await;
    let theirs = format!("abiertos:{OTHER_RESTAURANT}");
    tab.open(&address(stage.port(), &[("token", &token), ("abiertos", &theirs)])).await;
    wait_tones(&mut tab, &["restaurante good"]).await;
    stage.tell("/notify/order/new", new_order(RESTAURANT, "o-4")).await;
    tab.wait_eval(CARDS, json!(["confirmados o-4 CONFIRMED"])).await;
    tab.wait_eval(ITEMS, json!(["o-4-a PENDING", "o-4-b PENDING"])).await;
}

const OPEN_IN_THE_CLINIC: &str = "-- access: negocio
-- hints: pedido
-- result: rows
SELECT id AS order_id, habitacion AS room_code, 'ipad' AS device_uid, to_json(pedido_en) #>> '{}' AS placed_at
  FROM pedidos_clinica WHERE negocio_id = $1 ORDER BY 1";

#[tokio::test]
async fn the_clinics_board_begins_with_what_is_open_and_lets_go_of_what_has_ended() {
    let (pulso, database) = furnished().await;
    database
        .execute("CREATE TABLE pedidos_clinica (negocio_id text, id bigint, habitacion text, pedido_en timestamptz)")
        .await;
    let folder = Scratch::new();
    folder.write("llegadas.sql", OPEN_IN_THE_CLINIC);
    let running = pulso.with("QUERIES_DIR", folder.path().to_str().unwrap()).ready().await;
    let stage = Stage { running, database };
    let place = async |negocio: &str, order: u64, room: &str, minutes: u32| {
        let placed = format!("now() - interval '{minutes} minutes'");
        let row = format!("INSERT INTO pedidos_clinica VALUES ('{negocio}', {order}, '{room}', {placed})");
        stage.database.execute(&row).await;
    };
    place(NEGOCIO, 1, "101", 9).await;
    place(NEGOCIO, 2, "102", 4).await;
    place(OTHER_NEGOCIO, 3, "303", 2).await;

    let mut tab = Tab::new().await;
    let token = signed(&Claims::naming("7", &[NEGOCIO]).with("role", json!("STAFF")));
    let name = format!("llegadas:{NEGOCIO}");
    let link = address(stage.port(), &[("token", &token), ("llegadas", &name)]);
    tab.open(&link).await;
    tab.wait_eval(ARRIVALS, json!(["2 Habitación 102", "1 Habitación 101"])).await;
    let news = "[...document.querySelectorAll('#clinica .arrival')].map(({ dataset }) => dataset.new)";
    assert_eq!(tab.eval(news).await, json!(["false", "false"]), "what was there is no news");
    // From there on events add to them, and what is no longer among the open ones goes.
    stage.database.execute("DELETE FROM pedidos_clinica WHERE id = 1").await;
    place(NEGOCIO, 4, "104", 0).await;
    stage.tell("/notify/pedido", arrival(Some(NEGOCIO), 4, Some("104"))).await;
    tab.wait_eval(ARRIVALS, json!(["4 Habitación 104", "2 Habitación 102"])).await;

    // The tab remembers the query; somebody else's shows nothing.
    tab.ask(json!({ "do": "reload" })).await;
    tab.wait_eval(ARRIVALS, json!(["4 Habitación 104", "2 Habitación 102"])).await;
    tab.renew().await;
    let theirs = format!("llegadas:{OTHER_NEGOCIO}");
    tab.open(&address(stage.port(), &[("token", &token), ("llegadas", &theirs)])).await;
    tab.wait_eval(&format!("{TONES}.includes('clinica good')"), true).await;
    stage.tell("/notify/pedido", arrival(Some(NEGOCIO), 5, Some("105"))).await;
    tab.wait_eval(ARRIVALS, json!(["5 Habitación 105"])).await;
}
