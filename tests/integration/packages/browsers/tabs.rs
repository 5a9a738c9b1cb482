//! Tabs: loaded anew, out of the browser's cache, that nobody looks at, several of one person.

use pulso_harness::Running;
use serde_json::json;

use super::{SALES, listens, page, sale, seller};
use crate::feeds::open;
use crate::tab::Browser;

super::in_each_browser! {
    what_happened_while_a_page_was_loaded_anew_is_there_once
    a_page_that_is_gone_back_to_has_what_happened_meanwhile_on_one_line
    a_page_that_nobody_looked_at_for_ten_minutes_has_kept_its_line
    two_tabs_with_one_store_hear_everything_once_each
}

async fn sell(pulso: &Running, id: u64) {
    assert_eq!(pulso.post("/notify/venta", &sale(&id.to_string(), "1.00")).await.status, 200);
}

async fn what_happened_while_a_page_was_loaded_anew_is_there_once(browser: Browser) {
    let (pulso, _database) = open().await;
    let (mut tab, address) = page(browser, pulso.port(), &seller(), json!({ "keep": "local" })).await;
    tab.open(&address).await;
    listens(&mut tab).await;
    sell(&pulso, 1).await;
    tab.wait_eval(SALES, json!(["1 1.00"])).await;
    tab.open("about:blank").await;
    sell(&pulso, 2).await;
    tab.open(&address).await;
    tab.wait_eval(SALES, json!(["2 1.00"])).await;
}

async fn a_page_that_is_gone_back_to_has_what_happened_meanwhile_on_one_line(browser: Browser) {
    let (pulso, _database) = open().await;
    let (mut tab, address) = page(browser, pulso.port(), &seller(), json!({ "keep": "tab" })).await;
    tab.open(&address).await;
    listens(&mut tab).await;
    sell(&pulso, 1).await;
    tab.wait_eval(SALES, json!(["1 1.00"])).await;
    tab.ask(json!({ "do": "goto", "url": address.replace("index.html", "client/index.js") })).await;
    sell(&pulso, 2).await;
    tab.ask(json!({ "do": "back" })).await;
    // Chromium has kept the page, whose socket is gone; Firefox loads it anew while something drives it.
    let before = if browser == Browser::Chromium { vec!["1 1.00"] } else { vec![] };
    tab.wait_eval(SALES, json!([&before[..], &["2 1.00"]].concat())).await;
    sell(&pulso, 3).await;
    tab.wait_eval(SALES, json!([&before[..], &["2 1.00", "3 1.00"]].concat())).await;
    pulso.until_count("pulso_connections", 1).await;
}

async fn a_page_that_nobody_looked_at_for_ten_minutes_has_kept_its_line(browser: Browser) {
    let (pulso, _database) = open().await;
    let options = json!({ "hasten": 60, "answerWithin": 120_000 });
    let (mut tab, address) = page(browser, pulso.port(), &seller(), options).await;
    tab.open(&address).await;
    listens(&mut tab).await;
    tab.ask(json!({ "do": "hide" })).await;
    tab.eval("window.hiddenAt = clock.now(), null").await;
    tab.wait_eval("clock.now() - hiddenAt > 600_000", true).await;
    sell(&pulso, 1).await;
    tab.wait_eval(SALES, json!(["1 1.00"])).await;
    tab.ask(json!({ "do": "show" })).await;
    sell(&pulso, 2).await;
    tab.wait_eval(SALES, json!(["1 1.00", "2 1.00"])).await;
    assert_eq!(tab.eval("[sockets.length, pulso.status.state]").await, json!([1, "connected"]));
}

async fn two_tabs_with_one_store_hear_everything_once_each(browser: Browser) {
    let (pulso, _database) = open().await;
    let options = json!({ "keep": "local", "backoff": { "min": 50, "max": 200 }, "transports": ["websocket"] });
    let (mut tab, address) = page(browser, pulso.port(), &seller(), options).await;
    for _ in 0..2 {
        tab.open(&address).await;
        listens(&mut tab).await;
        tab.beside().await;
    }
    sell(&pulso, 1).await;
    for _ in 0..2 {
        tab.wait_eval(SALES, json!(["1 1.00"])).await;
        tab.beside().await;
    }
    // While one is away the other goes on, and writes down how far it is.
    tab.eval("window.isAway = true, sockets.at(-1).close()").await;
    tab.wait_eval("pulso.status.state === 'waiting' && sockets.length > 1", true).await;
    tab.beside().await;
    for id in 2..=4 {
        sell(&pulso, id).await;
    }
    let all = json!(["1 1.00", "2 1.00", "3 1.00", "4 1.00"]);
    tab.wait_eval(SALES, all.clone()).await;
    tab.beside().await;
    assert_eq!(tab.eval(SALES).await, json!(["1 1.00"]));
    tab.eval("window.isAway = false").await;
    tab.wait_eval(SALES, all).await;
    assert_eq!(tab.eval("pulso.status.state").await, "connected");
}
