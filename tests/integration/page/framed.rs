//! The page in a frame of another website's, in a real browser.

use pulso_harness::SECRET;
use serde_json::json;

use crate::business::{NEGOCIO, citas, database, owner, pulso};
use crate::tab::{Tab, link};

const PATIENCE_MS: u64 = 30_000;

#[tokio::test]
async fn a_browser_shows_the_page_in_a_frame_of_an_allowed_website_and_of_no_other() {
    let database = database().await;
    citas(&database, NEGOCIO, 3, "pendiente", "CURRENT_DATE").await;
    let mut tab = Tab::new().await;
    // The same pages are found at two addresses, which are two websites.
    let around = tab.ask(json!({ "do": "serve", "path": "/", "body": "<!doctype html>" })).await;
    let allowed = around["url"].as_str().unwrap().trim_end_matches('/').to_owned();
    let other = allowed.replace("localhost", "127.0.0.1");
    let pulso = pulso(&database.url()).with("EMBED_ORIGINS", &allowed).ready().await;
    let page = link(&pulso, NEGOCIO, &owner().sign(SECRET)).replace('&', "&amp;");
    let around = format!("<!doctype html><title>Panel</title><iframe src=\"{page}\" width=900 height=600></iframe>");
    tab.ask(json!({ "do": "serve", "path": "/", "body": around })).await;

    tab.open(&allowed).await;
    let figure = "document.getElementById('total-citas')?.value";
    tab.ask(json!({ "do": "waitEval", "framed": true, "js": figure, "equals": "3", "timeout_ms": PATIENCE_MS })).await;
    assert_eq!(tab.own_complaints().await, [json!(null); 0]);

    tab.renew().await;
    tab.open(&other).await;
    let refused = tab.complaints().await;
    assert!(refused.iter().any(|said| said["text"].as_str().unwrap().contains("frame-ancestors")), "{refused:?}");
    let asked = tab.ask(json!({ "do": "requests" })).await["urls"].to_string();
    assert!(asked.contains(&pulso.port().to_string()) && !asked.contains("app.js"), "{asked}");
}
