//! What others have written is text, wherever a board shows it.

use serde_json::{Value, json};

use super::{
    ARRIVALS, DEVICE, Stage, arrival, everything, everything_in, item_status, new_order, of_business, order_status,
    signed, ticket,
};
use crate::business::NEGOCIO;
use crate::tab::Tab;

const HOSTILE: [&str; 9] = [
    "<img src=x onerror=\"window.harmed=1\">",
    "\"><script>window.harmed=1</script>",
    "</li></ol></section><iframe srcdoc='<script>top.harmed=1</script>'></iframe>",
    "<svg onload=window.harmed=1><style>*{display:none}</style>",
    "javascript:window.harmed=1",
    "${window.harmed=1} {{window.harmed=1}}",
    "__proto__",
    "\u{202e}ode\u{301}\u{301}\u{301}\u{301}\u{200b}",
    "'] [data-order=\\",
];
/// Elements that no board makes.
const INJECTED: &str = "document.querySelectorAll('main :is(img, script, iframe, style, a, object, embed, link, form:not(#entrada))').length";
const LONG_AGO: &str = "[...document.querySelectorAll('.order-age')].map(({ textContent }) => textContent).filter((age) => / h |días/.test(age))";
const SIDEWAYS: &str = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

#[tokio::test]
async fn hostile_words_are_words_on_every_board() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    // The restaurant's own name may be one, too.
    let restaurant = HOSTILE[0];
    let token = signed(&everything().with("restaurantId", json!(restaurant)));
    everything_in(&mut tab, stage.port(), &token).await;
    // As long as an id may be, and without a place to break.
    let long = "ancho".repeat(40);
    for (number, words) in (1..).zip(HOSTILE.into_iter().chain([long.as_str()])) {
        let mut order = new_order(restaurant, words);
        order["tableSessionId"] = json!(words);
        for item in order["items"].as_array_mut().unwrap() {
            item["orderId"] = json!(words);
            for field in ["name", "qty", "notes", "status"] {
                item[field] = json!(words);
            }
        }
        order["items"][0]["id"] = json!(words);
        order["items"][1]["id"] = json!("another");
        stage.tell("/notify/order/new", order).await;
        stage.tell("/notify/order/item-status", item_status(restaurant, words, words, &format!("{words} "))).await;
        stage.tell("/notify/order/status", order_status(restaurant, words, "CONFIRMED", words)).await;
        let mut arrived = arrival(Some(NEGOCIO), number, Some(words));
        arrived["device_uid"] = json!(words);
        stage.tell("/notify/pedido", arrived).await;
        let mut changed = ticket(DEVICE, number, "PLACED", "PREPARING");
        changed["changed_at"] = json!(words);
        stage.tell("/notify/pedido/estado", changed).await;
        let sold = json!({ "saleId": words, "tableId": words, "total": 1, "timestamp": words });
        for (path, body) in [
            ("/notify/venta", sold),
            ("/notify/producto", json!({ "productId": words, "action": words })),
            ("/notify/promocion", json!({ "promotionId": words, "action": words })),
            ("/notify/mesa", json!({ "tableId": words, "action": words, "status": words })),
        ] {
            stage.tell(path, of_business(NEGOCIO, body)).await;
        }
        // The ticker lets go of the oldest.
        let shown = format!(
            "document.querySelector('.sale-detail').textContent.startsWith({})",
            json!(words.chars().take(10).collect::<String>())
        );
        tab.wait_eval(&shown, true).await;
    }
    let last = HOSTILE.len() + 1;
    tab.wait_text("ventas-cuantas", &format!("{last} ventas")).await;
    tab.wait_eval(&format!("{ARRIVALS}.length"), last).await;
    tab.wait_eval("document.querySelectorAll('#restaurante [data-order]').length", last).await;
    tab.wait_eval("document.querySelectorAll('#kiosko .ticket').length", last).await;
    for words in HOSTILE {
        let shown = format!(
            "['.item-name', '.item-notes', '.item-state', '.order-note', '.place b', '.arrival-device'].filter((part) => \
             ![...document.querySelectorAll(part)].some((node) => node.textContent.includes({}.trim())))",
            json!(words)
        );
        tab.wait_eval(&shown, json!([])).await;
    }
    // A browser would make the first of January 2001 of "x=1".
    assert_eq!(tab.eval(LONG_AGO).await, json!([]), "no date is not a date");
    assert_eq!(tab.eval(INJECTED).await, 0);
    for (width, height) in [(1366, 768), (390, 844), (1920, 1080)] {
        tab.ask(json!({ "do": "size", "width": width, "height": height })).await;
        assert_eq!(tab.eval(SIDEWAYS).await, 0, "at {width} the page scrolls sideways");
    }
    tab.portraits("boards-hostile").await;
    // What was kept is read again, and is words again.
    tab.ask(json!({ "do": "reload" })).await;
    tab.wait_text("ventas-cuantas", &format!("{last} ventas")).await;
    assert_eq!(tab.eval(INJECTED).await, 0);
    assert_eq!(tab.eval("typeof window.harmed").await, "undefined");
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}
