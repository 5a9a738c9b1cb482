//! The book's lines for a browser, in Chromium, on a page of the server's own origin.

use pulso_harness::{Claims, SECRET};
use serde_json::json;

use super::blocks::block;
use crate::boards::Stage;
use crate::business::{NEGOCIO, OWNER};
use crate::tab::Tab;

#[tokio::test]
async fn an_event_source_shows_the_sales_and_says_why_it_ends() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    tab.open(&format!("http://127.0.0.1:{}/", stage.port())).await;
    let token = Claims::naming(OWNER, &[NEGOCIO]).sign(SECRET);
    let around = format!(
        "window.shown = []; window.warned = []; console.warn = (what) => warned.push(what); \
         window.negocio = '{NEGOCIO}'; window.token = '{token}'; window.show = (event) => shown.push(event.data.saleId); 0"
    );
    tab.eval(&around).await;
    let block = block("sse");
    assert_eq!(block.language, "js");
    tab.eval(&format!("(() => {{ {} window.stream = stream; }})(); 0", block.text)).await;
    tab.wait_eval("stream.readyState", 1).await;
    let sale = |id: u64| json!({ "negocio_id": NEGOCIO, "saleId": id, "tableId": 5, "total": "45.50", "timestamp": "2025-07-20T10:30:00Z" });
    stage.tell("/notify/venta", sale(123)).await;
    stage.tell("/notify/venta", sale(124)).await;
    tab.wait_eval("shown", json!([123, 124])).await;
    stage.tell("/api/disconnect", json!({ "user": OWNER })).await;
    tab.wait_eval("warned", json!([{ "code": 4001, "reason": "session ended" }])).await;
    // It knocks once more, is refused, and stays away.
    tab.wait_eval("stream.readyState", 2).await;
}
