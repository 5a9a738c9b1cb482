//! The same in a real browser, with the clients that customers' pages listen with.

use pulso_harness::{ChaosProxy, Claims, SECRET};
use serde_json::{Value, json};

use super::sales;
use crate::business::NEGOCIO;
use crate::feeds::{assert_reached, configured, signed};
use crate::tab::Tab;

/// A tab with a page of another origin in it; the origin.
async fn page() -> (Tab, String) {
    let mut tab = Tab::new().await;
    let script = json!({ "do": "serve", "path": "/streams.js", "type": "text/javascript", "bundle": ["streams.js"] });
    tab.ask(script).await;
    let body = "<!doctype html><script src='/streams.js'></script>";
    let served = tab.ask(json!({ "do": "serve", "path": "/", "body": body })).await;
    let address = served["url"].as_str().unwrap().to_owned();
    tab.open(&address).await;
    let origin = tab.eval("location.origin").await;
    (tab, origin.as_str().unwrap().to_owned())
}

fn table(number: u64) -> String {
    format!(r#"{{"tableId":{number},"action":"x","negocio_id":"{NEGOCIO}"}}"#)
}

#[tokio::test]
async fn every_client_of_streams_comes_back_by_itself_with_what_it_missed() {
    let (mut tab, origin) = page().await;
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("WS_ALLOWED_ORIGINS", &origin).ready().await;
    let happens = async |number: u64, reached| {
        assert_reached(&pulso.post("/notify/mesa", &table(number)).await, reached);
    };
    let all = [("browser", false), ("fetch", false), ("browser", true), ("fetch", true), ("polyfill", true)];
    for (client, has_heard) in all {
        let line = ChaosProxy::start(pulso.port()).await;
        let url = format!("http://127.0.0.1:{}{}", line.port(), sales());
        tab.eval(&format!("listen.{client}('{url}')")).await;
        tab.wait_eval("opened", 1).await;
        let mut heard = Vec::new();
        if has_heard {
            happens(1, 1).await;
            heard.push(1);
            tab.wait_eval("seen", json!(heard)).await;
        } else {
            // Nobody is shown the head; what is asked behind it is answered after it.
            assert_eq!(tab.eval(&format!("ask('{url}')")).await, 200);
        }
        line.refuse().await;
        pulso.until_count("pulso_connections", 0).await;
        happens(2, 0).await;
        line.restore().await;
        heard.push(2);
        tab.wait_eval("seen", json!(heard)).await;
        happens(3, 1).await;
        heard.push(3);
        tab.wait_eval("seen", json!(heard)).await;
        // The page takes its stream along.
        tab.ask(json!({ "do": "reload" })).await;
        pulso.until_count("pulso_connections", 0).await;
    }
}

#[tokio::test]
async fn a_page_may_set_headers_and_reads_why_it_is_refused() {
    let (mut tab, origin) = page().await;
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("WS_ALLOWED_ORIGINS", &origin).ready().await;
    let base = format!("http://127.0.0.1:{}", pulso.port());
    let good = Claims::user("cajera").with("negocio_id", json!(NEGOCIO)).sign(SECRET);
    for (path, headers, status) in [
        (sales(), json!({}), 200),
        (sales(), json!({ "Last-Event-ID": "1" }), 200),
        (format!("/sse?channel=negocio:{NEGOCIO}"), json!({ "Authorization": format!("Bearer {good}") }), 200),
        (sales(), json!({ "ngrok-skip-browser-warning": "1", "X-Tenant": "a" }), 200),
        (format!("/sse?channel=negocio:{NEGOCIO}"), json!({}), 401),
        (format!("/sse?channel=negocio:{NEGOCIO}"), json!({ "Authorization": "Bearer expired.x.y" }), 401),
        (format!("{}&channel=negocio:other", signed("/sse", &Claims::user("nadie"))), json!({}), 403),
    ] {
        let told = tab.eval(&format!("ask('{base}{path}', {headers})")).await;
        assert_eq!(told, status, "{path} {headers}");
    }
    let hook = tab.eval(&format!("ask('{base}/api/publish')")).await;
    assert_eq!(hook, Value::Null, "nothing else may be read");
    let waiter = Claims::empty().with("userId", json!("ana")).with("restaurantId", json!("r-1")).expiring_in(3_600);
    let auth = json!({ "token": waiter.with("role", json!("WAITER")).sign(SECRET) });
    for headers in [
        json!({}),
        json!({ "Authorization": "Bearer x" }),
        json!({ "X-Tenant": "a", "X-Requested-With": "XMLHttpRequest" }),
    ] {
        let options = json!({ "transports": ["polling"], "extraHeaders": headers, "auth": auth });
        let wanted = if headers.get("Authorization").is_some() { "Invalid token" } else { "polling" };
        assert_eq!(tab.eval(&format!("dial('{base}', {options})")).await, wanted, "{headers}");
    }
}

#[tokio::test]
async fn a_page_that_may_not_connect_cannot_even_ask() {
    let (mut tab, _) = page().await;
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("WS_ALLOWED_ORIGINS", "https://panel.example.com").ready().await;
    let base = format!("http://127.0.0.1:{}", pulso.port());
    for headers in [json!({}), json!({ "Last-Event-ID": "1" })] {
        assert_eq!(tab.eval(&format!("ask('{base}{}', {headers})", sales())).await, Value::Null);
    }
    assert_eq!(tab.eval(&format!("dial('{base}', {{ transports: ['polling'] }})")).await, "xhr poll error");
    assert_eq!(pulso.count("pulso_connections").await, 0);
}
