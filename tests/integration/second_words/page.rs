//! The book's page about the second version: its conversation is held as it stands there.

use pulso_harness::{Claims, Dashboard, SECRET};
use serde_json::{Value, json};

use crate::boards::Stage;
use crate::business::{NEGOCIO as SHOP, OWNER, citas, database, pulso};
use crate::readme::blocks::block_of;
use crate::tab::Tab;

const PAGE: &str = "second-version.md";
const USER: &str = "11111111-1111-4111-8111-111111111111";
const NEGOCIO: &str = "6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f";

/// What is other in every run.
const OF_THE_RUN: [&str; 8] =
    ["id", "now", "expires", "seq", "timestamp", "citas_hoy", "total_citas", "citas_completadas"];

/// A frame with everything taken out of it that is other in every run; that it is there stays.
fn masked(mut frame: Value) -> Value {
    if let Some(fields) = frame.as_object_mut() {
        for (key, value) in fields.iter_mut() {
            *value = if OF_THE_RUN.contains(&key.as_str()) { json!("…") } else { masked(value.take()) };
        }
    }
    frame
}

#[tokio::test]
async fn the_conversation_of_the_page_is_held_as_it_stands_there() {
    let database = database().await;
    let business = "INSERT INTO negocios (id, admin_negocio_id, nombre) VALUES";
    database.execute(&format!("{business} ('{NEGOCIO}', '{USER}', 'Barbería')")).await;
    citas(&database, NEGOCIO, 8, "cancelada", "'2020-01-01'").await;
    let pulso = pulso(&database.url()).ready().await;
    let block = block_of(PAGE, "talk");
    let mut lines = block.text.lines();
    let address = lines.next().unwrap().split("localhost:8080").nth(1).unwrap().trim_end_matches('\'');
    let mut client = Dashboard::connect(pulso.port(), address, &[]).await;
    let token = Claims::user(USER).sign(SECRET);
    for line in lines {
        let (direction, text) = line.split_at(2);
        match direction {
            "> " => client.send_text(&text.replace("eyJhbGciOi…", &token)).await,
            "< " => {
                let wanted: Value = serde_json::from_str(text).unwrap();
                assert_eq!(masked(client.next().await), masked(wanted), "{text}");
            }
            _ => panic!("neither said nor heard: {line}"),
        }
    }
}

#[tokio::test]
async fn the_pages_stream_shows_figures_and_sales_and_says_why_it_ends() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    tab.open(&format!("http://127.0.0.1:{}/", stage.port())).await;
    let token = Claims::naming(OWNER, &[SHOP]).sign(SECRET);
    let around = format!(
        "window.shown = []; window.warned = []; console.warn = (what) => warned.push(what); window.negocio = '{SHOP}'; \
         window.token = '{token}'; window.show = (frame) => shown.push(frame.type + ' ' + (frame.channel ?? '')); 0"
    );
    tab.eval(&around).await;
    let block = block_of(PAGE, "stream");
    tab.eval(&format!("(() => {{ {} window.stream = stream; }})(); 0", block.text)).await;
    let (figures, shop) = (format!("estadisticas:{SHOP}"), format!("negocio:{SHOP}"));
    let told = [
        "hello ".to_owned(),
        format!("subscribed {figures}"),
        format!("subscribed {shop}"),
        format!("stats {figures}"),
    ];
    tab.wait_eval("[...shown].sort()", json!(sorted(&told))).await;
    stage.tell("/notify/mesa", json!({ "negocio_id": SHOP, "tableId": 5, "action": "x" })).await;
    tab.wait_eval("shown.at(-1)", json!(format!("updateTable {shop}"))).await;
    stage.tell("/api/disconnect", json!({ "user": OWNER })).await;
    tab.wait_eval("warned.map(({ code, reason }) => [code, reason])", json!([[4001, "session ended"]])).await;
}

fn sorted(texts: &[String]) -> Vec<&String> {
    let mut texts: Vec<_> = texts.iter().collect();
    texts.sort();
    texts
}
