//! A board that is opened late begins with what is open, by a live query of the orders; so does one that has missed something.

use pulso_harness::Scratch;
use serde_json::json;

use super::{
    CARDS, COUNTS, ITEMS, OTHER_RESTAURANT, RESTAURANT, Stage, furnished, item_status, new_order, order_status, signed,
    wait_tones, waiter,
};
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
