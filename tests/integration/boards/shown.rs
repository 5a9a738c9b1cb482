//! What is on the glass: everything that the bearer may see, at once, and nothing of anybody else.

use serde_json::{Value, json};

use super::{
    ARRIVALS, BOARDS, CARDS, COUNTS, DEVICE, ITEMS, OTHER_DEVICE, OTHER_RESTAURANT, RESTAURANT, SALES, Stage, TICKETS,
    arrival, everything, everything_in, item_status, new_order, of_business, order_status, sale, seller, signed, staff,
    ticket, wait_tones, waiter,
};
use crate::business::{NEGOCIO, OTHER_NEGOCIO};
use crate::tab::{Tab, address};

const LAYOUT: &str = "document.body.dataset.layout";

/// Every hook once, for others.
async fn tell_the_others(stage: &Stage) {
    let foreign = "foreign-1";
    for (path, body) in [
        ("/notify/order/new", new_order(OTHER_RESTAURANT, foreign).to_string()),
        ("/notify/order/status", order_status(OTHER_RESTAURANT, "o-1", "CONFIRMED", "CANCELLED").to_string()),
        ("/notify/order/item-status", item_status(OTHER_RESTAURANT, "o-1", "o-1-a", "CANCELLED").to_string()),
        ("/notify/pedido", arrival(Some(OTHER_NEGOCIO), 9_901, Some("FOREIGN")).to_string()),
        ("/notify/pedido", arrival(None, 9_902, Some("FOREIGN")).to_string()),
        ("/notify/pedido/estado", ticket(OTHER_DEVICE, 9_903, "PREPARING", "READY").to_string()),
        ("/notify/venta", sale(OTHER_NEGOCIO, 9_904, "9999.99")),
        (
            "/notify/producto",
            of_business(OTHER_NEGOCIO, json!({ "productId": 9_905, "action": "created" })).to_string(),
        ),
        (
            "/notify/promocion",
            of_business(OTHER_NEGOCIO, json!({ "promotionId": 9_906, "action": "created" })).to_string(),
        ),
        ("/notify/mesa", of_business(OTHER_NEGOCIO, json!({ "tableId": 9_907, "action": "created" })).to_string()),
    ] {
        assert_eq!(stage.call(path, &body).await, 0, "{path} {body}");
    }
}

#[tokio::test]
async fn who_may_see_everything_sees_every_board_move_and_nothing_of_anybody_else() {
    let stage = Stage::open().await;
    let token = signed(&everything());
    let mut tab = Tab::new().await;
    everything_in(&mut tab, stage.port(), &token).await;
    tab.wait_figures(0, 0, 0, 0).await;
    tab.wait_text("estado", "Conectado").await;
    assert_eq!(tab.eval(LAYOUT).await, "several-beside");
    // One line for all that the token opens, and the kiosk's own.
    assert_eq!(tab.sockets(stage.port()).await, ["/ws", "/ws/kiosk/orders/"]);

    stage.tell("/notify/order/new", new_order(RESTAURANT, "o-1")).await;
    tab.wait_eval(CARDS, json!(["confirmados o-1 CONFIRMED"])).await;
    tab.wait_eval(ITEMS, json!(["o-1-a PENDING", "o-1-b PENDING"])).await;
    tab.wait_eval("document.querySelector('[data-order=o-1]').dataset.new", "true").await;
    tell_the_others(&stage).await;
    stage.tell("/notify/order/item-status", item_status(RESTAURANT, "o-1", "o-1-a", "IN_PROGRESS")).await;
    tab.wait_eval(ITEMS, json!(["o-1-a IN_PROGRESS", "o-1-b PENDING"])).await;
    stage.tell("/notify/order/status", order_status(RESTAURANT, "o-1", "CONFIRMED", "IN_PROGRESS")).await;
    tab.wait_eval(CARDS, json!(["cocina o-1 IN_PROGRESS"])).await;
    stage.tell("/notify/order/new", new_order(RESTAURANT, "o-2")).await;
    stage.tell("/notify/order/status", order_status(RESTAURANT, "o-1", "IN_PROGRESS", "READY")).await;
    tab.wait_eval(CARDS, json!(["confirmados o-2 CONFIRMED", "listos o-1 READY"])).await;
    tab.wait_eval(COUNTS, "1 0 1").await;

    stage.tell("/notify/pedido", arrival(Some(NEGOCIO), 123, Some("101"))).await;
    stage.tell("/notify/pedido", arrival(Some(NEGOCIO), 124, None)).await;
    tab.wait_eval(ARRIVALS, json!(["124 Dispositivo ipad-room-101", "123 Habitación 101"])).await;

    stage.tell("/notify/pedido/estado", ticket(DEVICE, 123, "PLACED", "PREPARING")).await;
    tab.wait_eval(TICKETS, json!(["123 PREPARING En preparación"])).await;
    stage.tell("/notify/pedido/estado", ticket(DEVICE, 123, "PREPARING", "READY")).await;
    tab.wait_eval(TICKETS, json!(["123 READY Listo"])).await;

    stage.tell("/notify/venta", sale(NEGOCIO, 1, "45.50")).await;
    stage.tell("/notify/venta", sale(NEGOCIO, 2, "\"0.10\"")).await;
    stage.tell("/notify/venta", sale(NEGOCIO, 3, "1200")).await;
    for (path, body) in [
        ("/notify/producto", json!({ "productId": 456, "action": "stock_updated", "newStock": 25 })),
        ("/notify/promocion", json!({ "promotionId": 789, "action": "status_changed", "enabled": true })),
        ("/notify/mesa", json!({ "tableId": 12, "action": "status_changed", "status": "occupied" })),
    ] {
        stage.tell(path, of_business(NEGOCIO, body)).await;
    }
    let sales = json!([
        "mesa | Mesa 12 | ocupada",
        "promocion | Promoción 789 | activada",
        "producto | Producto 456 | quedan 25",
        "venta | Venta #3 | Mesa 5 | 1.200",
        "venta | Venta #2 | Mesa 5 | 0,10",
        "venta | Venta #1 | Mesa 5 | 45,50",
    ]);
    tab.wait_eval(SALES, sales).await;
    tab.wait_text("ventas-total", "1.245,60").await;
    tab.wait_text("ventas-cuantas", "3 ventas").await;

    // The others' calls lie before ours on every line, so whatever would have come has come.
    let frames = tab.ask(json!({ "do": "frames" })).await["frames"].to_string();
    for foreign in ["foreign", "FOREIGN", "9999.99", OTHER_NEGOCIO, OTHER_RESTAURANT, OTHER_DEVICE] {
        assert!(!frames.contains(foreign), "{foreign}: {frames}");
    }
    tab.wait_eval(CARDS, json!(["confirmados o-2 CONFIRMED", "listos o-1 READY"])).await;
    tab.portraits("boards").await;
    tab.keeps_the_token_to_itself(&token).await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
    assert!(!stage.running.has_logged(&token));
}

#[tokio::test]
async fn who_may_see_one_kind_sees_its_board_alone() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    for (board, access, layout) in [
        ("restaurante", ("token", signed(&waiter())), "one"),
        ("clinica", ("token", signed(&staff())), "row"),
        ("kiosko", ("device", DEVICE.to_owned()), "one"),
        ("ventas", ("token", signed(&seller())), "one-beside"),
    ] {
        tab.open(&address(stage.port(), &[(access.0, &access.1)])).await;
        // Who sells for a business also sees its figures.
        let shown = if board == "ventas" { json!(["panel", "ventas"]) } else { json!([board]) };
        tab.wait_eval(BOARDS, shown).await;
        assert_eq!(tab.eval(LAYOUT).await, layout, "{board}");
        wait_tones(&mut tab, &[&format!("{board} good")]).await;
        let (hook, body, what, line) = match board {
            "restaurante" => {
                ("/notify/order/new", new_order(RESTAURANT, "o-1").to_string(), CARDS, "confirmados o-1 CONFIRMED")
            }
            "clinica" => {
                ("/notify/pedido", arrival(None, 123, Some("101")).to_string(), ARRIVALS, "123 Habitación 101")
            }
            "kiosko" => (
                "/notify/pedido/estado",
                ticket(DEVICE, 123, "PREPARING", "READY").to_string(),
                TICKETS,
                "123 READY Listo",
            ),
            _ => ("/notify/venta", sale(NEGOCIO, 1, "45.50"), SALES, "venta | Venta #1 | Mesa 5 | 45,50"),
        };
        stage.tell(hook, body).await;
        tab.wait_eval(what, json!([line])).await;
        tab.portraits(board).await;
        // A reload keeps what was seen.
        tab.ask(json!({ "do": "reload" })).await;
        tab.wait_eval(what, json!([line])).await;
        assert_eq!(tab.complaints().await, Vec::<Value>::new(), "{board}");
        tab.renew().await;
    }
}
