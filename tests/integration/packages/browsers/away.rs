//! The server away, the network away, a line that swallows everything, a proxy that lets no socket through.

use pulso_harness::process::steady_port;
use pulso_harness::{ChaosProxy, Nginx};
use serde_json::json;

use super::{SALES, listens, page, sale, seller};
use crate::feeds::open;
use crate::tab::Browser;

super::in_each_browser! {
    a_page_whose_server_was_away_or_whose_line_swallows_everything_is_back_by_itself
    a_page_that_was_offline_is_back_at_once_with_what_happened_meanwhile
    behind_a_proxy_that_drops_upgrades_a_stream_takes_over
}

async fn a_page_whose_server_was_away_or_whose_line_swallows_everything_is_back_by_itself(browser: Browser) {
    let (pulso, _database) = open().await;
    let line = ChaosProxy::start(pulso.port()).await;
    let options = json!({ "backoff": { "min": 50, "max": 200 }, "answerWithin": 500 });
    let (mut tab, address) = page(browser, line.port(), &seller(), options).await;
    tab.open(&address).await;
    listens(&mut tab).await;
    line.refuse().await;
    tab.wait_eval("pulso.status.state === 'waiting'", true).await;
    line.restore().await;
    tab.wait_eval("pulso.status.state", "connected").await;
    line.silence();
    tab.ask(json!({ "do": "hide" })).await;
    tab.ask(json!({ "do": "show" })).await;
    // Looked at again it proves its line, which is none.
    tab.wait_eval("states.filter((state) => state === 'waiting').length > 1", true).await;
    line.restore().await;
    tab.wait_eval("pulso.status.state", "connected").await;
    assert_eq!(pulso.post("/notify/venta", &sale("1", "1.00")).await.status, 200);
    tab.wait_text("sales", "1 1.00").await;
}

async fn a_page_that_was_offline_is_back_at_once_with_what_happened_meanwhile(browser: Browser) {
    let (pulso, _database) = open().await;
    // Left to itself it would wait for half an hour.
    let options = json!({ "backoff": { "min": 1_800_000, "max": 3_600_000 }, "answerWithin": 500 });
    let (mut tab, address) = page(browser, pulso.port(), &seller(), options).await;
    tab.open(&address).await;
    listens(&mut tab).await;
    assert_eq!(pulso.post("/notify/venta", &sale("1", "1.00")).await.status, 200);
    tab.wait_text("sales", "1 1.00").await;
    tab.ask(json!({ "do": "offline" })).await;
    tab.wait_eval("pulso.status.online", false).await;
    // A browser that says so may leave the socket alone; a network that is gone does not.
    tab.eval("sockets.at(-1).close()").await;
    tab.wait_eval("pulso.status.state", "waiting").await;
    assert_eq!(pulso.post("/notify/venta", &sale("2", "2.00")).await.status, 200);
    tab.ask(json!({ "do": "online" })).await;
    tab.wait_eval(SALES, json!(["1 1.00", "2 2.00"])).await;
    assert_eq!(tab.eval("pulso.status.online").await, true);
}

async fn behind_a_proxy_that_drops_upgrades_a_stream_takes_over(browser: Browser) {
    let (pulso, _database) = open().await;
    let port = steady_port();
    let forward = format!("location / {{ proxy_pass http://127.0.0.1:{}; proxy_buffering off; }}", pulso.port());
    let site = format!("access_log off;\nserver {{\nlisten 127.0.0.1:{port};\n{forward}\n}}\n");
    let _nginx = Nginx::start("events {}\nhttp {\ninclude /etc/nginx/conf.d/*.conf;\n}\n", &site, port).await;
    let options = json!({ "backoff": { "min": 50, "max": 200 } });
    let (mut tab, address) = page(browser, port, &seller(), options).await;
    tab.open(&address).await;
    tab.wait_text("line", "connected sse").await;
    listens(&mut tab).await;
    assert_eq!(pulso.post("/notify/venta", &sale("1", "45.50")).await.status, 200);
    tab.wait_eval(SALES, json!(["1 45.50"])).await;
}
