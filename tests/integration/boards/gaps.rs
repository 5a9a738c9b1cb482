//! What happens while a screen has no line: it is there afterwards, once; or the screen says that it may not be.

use pulso_harness::ChaosProxy;
use pulso_harness::process::steady_port;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    ALL_GOOD, ARRIVALS, CARDS, DEVICE, ITEMS, RESTAURANT, SALES, Stage, TICKETS, arrival, everything, everything_in,
    furnished, item_status, new_order, order_status, sale, seller, signed, ticket, wait_tones,
};
use crate::business::NEGOCIO;
use crate::tab::{Tab, address};

/// More than the server keeps of one channel.
const TOO_MANY: u64 = 260;

/// Waits until a board says what may be missing, and what to do about it.
async fn wait_for_word(tab: &mut Tab, board: &str, what_to_do: &str) {
    let said = format!("document.querySelector('#{board} .status-text').textContent.replace(/[0-9:]+/g, '…')");
    let moment = format!("{said}.replace(/entre las … y las …|hacia las …/, '…')");
    tab.wait_eval(&moment, format!("Puede faltar algo de lo ocurrido …. {what_to_do}")).await;
}

/// One event on every line, so that each knows where it is.
async fn begin(stage: &Stage, tab: &mut Tab) {
    stage.tell("/notify/order/new", new_order(RESTAURANT, "o-1")).await;
    stage.tell("/notify/pedido", arrival(Some(NEGOCIO), 1, Some("101"))).await;
    stage.tell("/notify/pedido/estado", ticket(DEVICE, 1, "PLACED", "PREPARING")).await;
    stage.tell("/notify/venta", sale(NEGOCIO, 1, "10.00")).await;
    tab.wait_eval(CARDS, json!(["confirmados o-1 CONFIRMED"])).await;
    tab.wait_eval(ARRIVALS, json!(["1 Habitación 101"])).await;
    tab.wait_eval(TICKETS, json!(["1 PREPARING En preparación"])).await;
    tab.wait_text("ventas-total", "10,00").await;
}

/// What happens while nobody looks.
async fn go_on(stage: &Stage) {
    for (path, body) in [
        ("/notify/order/item-status", item_status(RESTAURANT, "o-1", "o-1-a", "READY").to_string()),
        ("/notify/order/status", order_status(RESTAURANT, "o-1", "CONFIRMED", "IN_PROGRESS").to_string()),
        ("/notify/order/new", new_order(RESTAURANT, "o-2").to_string()),
        ("/notify/pedido", arrival(Some(NEGOCIO), 2, Some("102")).to_string()),
        ("/notify/pedido/estado", ticket(DEVICE, 1, "PREPARING", "READY").to_string()),
        ("/notify/pedido/estado", ticket(DEVICE, 2, "PLACED", "PREPARING").to_string()),
        ("/notify/venta", sale(NEGOCIO, 2, "45.50")),
        ("/notify/venta", sale(NEGOCIO, 3, "0.05")),
    ] {
        assert_eq!(stage.call(path, &body).await, 0, "{path} {body}");
    }
}

/// All of it, each once.
async fn wait_for_all(tab: &mut Tab) {
    tab.wait_eval(CARDS, json!(["confirmados o-2 CONFIRMED", "cocina o-1 IN_PROGRESS"])).await;
    tab.wait_eval(ITEMS, json!(["o-2-a PENDING", "o-2-b PENDING", "o-1-a READY", "o-1-b PENDING"])).await;
    tab.wait_eval(&format!("{ARRIVALS}.sort()"), json!(["1 Habitación 101", "2 Habitación 102"])).await;
    tab.wait_eval(TICKETS, json!(["1 READY Listo", "2 PREPARING En preparación"])).await;
    let sales = json!([
        "venta | Venta #3 | Mesa 5 | 0,05",
        "venta | Venta #2 | Mesa 5 | 45,50",
        "venta | Venta #1 | Mesa 5 | 10,00"
    ]);
    tab.wait_eval(SALES, sales).await;
    tab.wait_text("ventas-total", "55,55").await;
    wait_tones(tab, &ALL_GOOD).await;
}

#[tokio::test]
async fn what_happened_while_the_line_was_cut_is_there_afterwards_once() {
    let stage = Stage::open().await;
    let proxy = ChaosProxy::start(stage.port()).await;
    let mut tab = Tab::new().await;
    let token = signed(&everything());
    everything_in(&mut tab, proxy.port(), &token).await;
    begin(&stage, &mut tab).await;
    proxy.refuse().await;
    wait_tones(&mut tab, &["restaurante wait", "kiosko wait", "clinica wait", "ventas wait"]).await;
    stage.running.until_count("pulso_connections", 0).await;
    go_on(&stage).await;
    tab.portraits("boards-reconnecting").await;
    proxy.restore().await;
    wait_for_all(&mut tab).await;
    // A line that is only cut comes back by itself, with nothing twice.
    proxy.cut();
    stage.call("/notify/venta", &sale(NEGOCIO, 4, "0.05")).await;
    tab.wait_text("ventas-total", "55,60").await;
    wait_tones(&mut tab, &ALL_GOOD).await;
    tab.wait_eval(CARDS, json!(["confirmados o-2 CONFIRMED", "cocina o-1 IN_PROGRESS"])).await;
    assert_eq!(tab.own_complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_happened_while_the_page_was_loaded_anew_is_there_too() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    everything_in(&mut tab, stage.port(), &signed(&everything())).await;
    begin(&stage, &mut tab).await;
    tab.ask(json!({ "do": "goto", "url": "about:blank" })).await;
    stage.running.until_count("pulso_connections", 0).await;
    go_on(&stage).await;
    // The tab remembers who it is.
    tab.ask(json!({ "do": "goto", "url": address(stage.port(), &[]) })).await;
    wait_for_all(&mut tab).await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_gap_that_nobody_can_fill_is_said_plainly() {
    let (pulso, database) = furnished().await;
    let pulso = pulso.with("PORT", &steady_port().to_string());
    let mut stage = Stage { running: pulso.ready().await, database };
    let mut tab = Tab::new().await;
    everything_in(&mut tab, stage.port(), &signed(&everything())).await;
    begin(&stage, &mut tab).await;

    // A server that starts knows nothing of what another one has sent.
    stage.running.signal(Signal::KILL);
    stage.running.ended().await;
    wait_tones(&mut tab, &["restaurante wait", "kiosko wait", "clinica wait", "ventas wait"]).await;
    stage.running = pulso.ready().await;
    wait_tones(&mut tab, &["restaurante missed", "kiosko missed", "clinica missed", "ventas missed"]).await;
    for board in ["restaurante", "clinica", "ventas"] {
        wait_for_word(&mut tab, board, "Compruébalo en tu sistema.").await;
    }
    // Guests have no system.
    wait_for_word(&mut tab, "kiosko", "Si tu pedido no aparece, pregunta al personal.").await;
    tab.wait_eval(CARDS, json!(["confirmados o-1 CONFIRMED"])).await;
    tab.portraits("boards-missed").await;
    stage.tell("/notify/venta", sale(NEGOCIO, 2, "1.00")).await;
    tab.wait_text("ventas-total", "11,00").await;
    tab.eval("document.querySelector('#ventas .status button').click()").await;
    wait_tones(&mut tab, &["restaurante missed", "kiosko missed", "clinica missed", "ventas good"]).await;
    assert_eq!(tab.own_complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn more_events_than_are_kept_are_a_gap_too() {
    let stage = Stage::open().await;
    let proxy = ChaosProxy::start(stage.port()).await;
    let mut tab = Tab::new().await;
    tab.open(&address(proxy.port(), &[("token", &signed(&seller()))])).await;
    wait_tones(&mut tab, &["ventas good"]).await;
    stage.tell("/notify/venta", sale(NEGOCIO, 1, "10.00")).await;
    tab.wait_text("ventas-total", "10,00").await;
    proxy.refuse().await;
    wait_tones(&mut tab, &["ventas wait"]).await;
    stage.running.until_count("pulso_connections", 0).await;
    for id in 0..TOO_MANY {
        assert_eq!(stage.call("/notify/venta", &sale(NEGOCIO, 1_000 + id, "1.00")).await, 0);
    }
    proxy.restore().await;
    wait_tones(&mut tab, &["ventas missed"]).await;
    wait_for_word(&mut tab, "ventas", "Compruébalo en tu sistema.").await;
    stage.tell("/notify/venta", sale(NEGOCIO, 2, "5.00")).await;
    tab.wait_eval(&format!("{SALES}[0]"), "venta | Venta #2 | Mesa 5 | 5,00").await;
}
