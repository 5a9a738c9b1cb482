//! `@pulso/client` in a real browser: signed in, away and back, where sockets do not come through, to the letter.

use pulso_harness::process::steady_port;
use pulso_harness::{ChaosProxy, Claims, Nginx, SECRET};
use serde_json::{Value, json};

use crate::business::{NEGOCIO, OWNER, citas, owner};
use crate::feeds::{configured, open};
use crate::packages::packed;
use crate::tab::Tab;

/// A page that shows what it is told, and keeps what it has.
const PAGE: &str = r#"<!doctype html><title>Citas</title><output id="citas"></output><output id="line"></output><ol id="sales"></ol>
<script type="module" src="/page.js"></script>"#;

fn script(url: &str, token: &str, options: &Value) -> String {
    format!(
        "import {{ Pulso, local }} from '/client/index.js';
         const options = {options};
         const store = options.keep ? local() : undefined;
         const pulso = window.pulso = new Pulso({{ url: '{url}', token: '{token}', store, ...options }});
         const show = (id, text) => document.getElementById(id).textContent = text;
         window.lines = [];
         pulso.on('status', ({{ state, transport, error }}) => {{
             lines.push(state);
             show('line', [state, transport, error?.code].filter(Boolean).join(' '));
         }});
         const citas = pulso.stats('{NEGOCIO}');
         citas.on('value', ({{ total_citas }}) => show('citas', String(total_citas)));
         pulso.sales().on('value', ({{ data }}) => {{
             const item = document.createElement('li');
             item.textContent = `${{data.saleId}} ${{data.total}}`;
             document.getElementById('sales').append(item);
         }});"
    )
}

/// Serves the packed client and the page on an origin of their own; returns its address.
async fn serve(tab: &mut Tab, url: &str, token: &str, options: Value) -> String {
    let folder = tokio::task::spawn_blocking(|| packed::folder_with(&["client"])).await.unwrap();
    let built = folder.path().join("node_modules").join(packed::scope()).join("client/dist");
    for entry in std::fs::read_dir(built).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|extension| extension == "js") {
            let body = std::fs::read_to_string(path).unwrap();
            let path = format!("/client/{name}");
            tab.ask(json!({ "do": "serve", "path": path, "type": "text/javascript", "body": body })).await;
        }
    }
    let body = script(url, token, &options);
    tab.ask(json!({ "do": "serve", "path": "/page.js", "type": "text/javascript", "body": body })).await;
    let served = tab.ask(json!({ "do": "serve", "path": "/index.html", "body": PAGE })).await;
    served["url"].as_str().unwrap().to_owned()
}

fn sale(id: &str, total: &str) -> String {
    format!(
        r#"{{"negocio_id":"{NEGOCIO}","saleId":{id},"tableId":5,"total":{total},"timestamp":"2025-07-20T10:30:00Z"}}"#
    )
}

fn seller() -> Claims {
    Claims::naming(OWNER, &[NEGOCIO])
}

#[tokio::test]
async fn a_page_shows_figures_and_sales_to_the_letter_and_its_token_stands_in_no_address() {
    let (pulso, database) = open().await;
    let mut tab = Tab::new().await;
    let token = seller().sign(SECRET);
    let address = serve(&mut tab, &format!("http://127.0.0.1:{}", pulso.port()), &token, json!({})).await;
    tab.open(&address).await;
    tab.wait_text("citas", "0").await;
    citas(&database, NEGOCIO, 3, "pendiente", "'2020-01-01'").await;
    pulso.notify(NEGOCIO).await;
    tab.wait_text("citas", "3").await;
    assert_eq!(pulso.post("/notify/venta", &sale("1234567890123456789", "45.50")).await.status, 200);
    tab.wait_text("sales", "1234567890123456789 45.50").await;
    let requests = tab.ask(json!({ "do": "requests" })).await["urls"].to_string();
    assert!(requests.contains("/ws?v=2") && !requests.contains(&token), "{requests}");
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_page_that_was_offline_or_whose_server_was_away_is_back_by_itself() {
    let (pulso, _database) = open().await;
    let line = ChaosProxy::start(pulso.port()).await;
    let mut tab = Tab::new().await;
    let options = json!({ "backoff": { "min": 50, "max": 200 }, "answerWithin": 500 });
    let address = serve(&mut tab, &format!("http://127.0.0.1:{}", line.port()), &seller().sign(SECRET), options).await;
    tab.open(&address).await;
    tab.wait_text("citas", "0").await;
    line.refuse().await;
    tab.wait_eval("pulso.status.state === 'waiting'", true).await;
    line.restore().await;
    tab.wait_eval("pulso.status.state", "connected").await;
    line.silence();
    tab.ask(json!({ "do": "hide" })).await;
    tab.ask(json!({ "do": "show" })).await;
    // Looked at again it proves its line, which is none.
    tab.wait_eval("lines.filter((state) => state === 'waiting').length > 1", true).await;
    line.restore().await;
    tab.wait_eval("pulso.status.state", "connected").await;
    assert_eq!(pulso.post("/notify/venta", &sale("1", "1.00")).await.status, 200);
    tab.wait_text("sales", "1 1.00").await;
}

#[tokio::test]
async fn a_page_of_an_origin_that_may_not_connect_says_so() {
    let (configured, _database) = configured().await;
    let pulso = configured.with("WS_ALLOWED_ORIGINS", "https://elsewhere.example.com").ready().await;
    let mut tab = Tab::new().await;
    let options = json!({ "backoff": { "min": 50, "max": 200 } });
    let address = serve(&mut tab, &format!("http://127.0.0.1:{}", pulso.port()), &owner().sign(SECRET), options).await;
    tab.open(&address).await;
    tab.wait_text("line", "stopped origin").await;
}

#[tokio::test]
async fn behind_a_proxy_that_drops_upgrades_a_stream_takes_over() {
    let (pulso, _database) = open().await;
    let port = steady_port();
    let forward = format!("location / {{ proxy_pass http://127.0.0.1:{}; proxy_buffering off; }}", pulso.port());
    let site = format!("access_log off;\nserver {{\nlisten 127.0.0.1:{port};\n{forward}\n}}\n");
    let _nginx = Nginx::start("events {}\nhttp {\ninclude /etc/nginx/conf.d/*.conf;\n}\n", &site, port).await;
    let mut tab = Tab::new().await;
    let options = json!({ "backoff": { "min": 50, "max": 200 } });
    let address = serve(&mut tab, &format!("http://127.0.0.1:{port}"), &seller().sign(SECRET), options).await;
    tab.open(&address).await;
    tab.wait_text("line", "connected sse").await;
    tab.wait_text("citas", "0").await;
}

#[tokio::test]
async fn what_happened_while_a_page_was_loaded_anew_is_there_and_in_every_tab_once() {
    let (pulso, _database) = open().await;
    let mut tab = Tab::new().await;
    let url = format!("http://127.0.0.1:{}", pulso.port());
    let address = serve(&mut tab, &url, &seller().sign(SECRET), json!({ "keep": true })).await;
    tab.open(&address).await;
    tab.wait_eval("pulso.status.state", "connected").await;
    tab.wait_text("citas", "0").await;
    assert_eq!(pulso.post("/notify/venta", &sale("1", "1.00")).await.status, 200);
    tab.wait_text("sales", "1 1.00").await;
    tab.open("about:blank").await;
    assert_eq!(pulso.post("/notify/venta", &sale("2", "2.00")).await.status, 200);
    tab.open(&address).await;
    tab.wait_text("sales", "2 2.00").await;
}
