//! The examples of the book's page about clients and of the package's own, to the letter.

use pulso_harness::{Claims, Running, SECRET, Scratch, Script};
use serde_json::{Value, json};

use crate::business::{NEGOCIO, OWNER, citas, owner};
use crate::feeds::{configured, open};
use crate::packages::packed;
use crate::packages::recipes::Recipes;
use crate::readme::blocks::block_of;

/// Runs a block of the page against `pulso`.
async fn run(pulso: &Running, name: &str, claims: &Claims) -> (Script, Scratch) {
    let block = block_of("clients.md", name);
    assert_eq!(block.language, "js");
    run_text(pulso, &block.text, claims).await
}

/// Runs what is shown against `pulso`, with what a reader has around it.
async fn run_text(pulso: &Running, text: &str, claims: &Claims) -> (Script, Scratch) {
    let folder = tokio::task::spawn_blocking(|| packed::folder_with(&["client"])).await.unwrap();
    let code = text.replace("https://pulso.example.com", &format!("http://127.0.0.1:{}", pulso.port()));
    let code = code.replace("6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f", NEGOCIO);
    let token = claims.sign(SECRET);
    let around = format!(
        "import {{ createRequire }} from 'node:module';
         globalThis.WebSocket ??= createRequire('{}/tests/clients/')('ws');
         const token = '{token}';
         const session = {{ freshToken: async () => token }};
         const show = (what) => console.log(JSON.stringify(what));\n",
        env!("CARGO_MANIFEST_DIR")
    );
    let program = folder.write("program.mjs", &(around + &code));
    (Script::node(program.to_str().unwrap(), &[]), folder)
}

async fn until(script: &mut Script, wanted: Value) {
    while script.next().await != wanted {}
}

#[tokio::test]
async fn figures_and_messages_move_as_the_page_says() {
    let (pulso, database) = open().await;
    let (mut script, _folder) = run(&pulso, "client-figures", &owner()).await;
    until(&mut script, json!({ "hoy": 0 })).await;
    citas(&database, NEGOCIO, 2, "pendiente", "(now() AT TIME ZONE 'America/Guayaquil')::date").await;
    pulso.notify(NEGOCIO).await;
    until(&mut script, json!({ "hoy": 2 })).await;
    let body = format!(r#"{{"channel":"canal:{NEGOCIO}:caja","type":"turno","data":{{"por":"Ana"}}}}"#);
    assert_eq!(pulso.post("/api/publish", &body).await.status, 200);
    until(&mut script, json!({ "type": "turno", "data": { "por": "Ana" } })).await;
}

#[tokio::test]
async fn figures_and_the_state_of_the_line_are_shown_as_the_packages_own_page_says() {
    let (pulso, database) = open().await;
    let text = Recipes::of("client").take("figures");
    let (mut script, _folder) = run_text(&pulso, &text, &owner()).await;
    until(&mut script, json!({ "state": "connected" })).await;
    until(&mut script, json!({ "hoy": 0 })).await;
    citas(&database, NEGOCIO, 2, "pendiente", "(now() AT TIME ZONE 'America/Guayaquil')::date").await;
    pulso.notify(NEGOCIO).await;
    until(&mut script, json!({ "hoy": 2 })).await;
}

#[tokio::test]
async fn sales_are_looped_over_with_their_digits() {
    let (pulso, _database) = open().await;
    let (mut script, _folder) = run(&pulso, "client-store", &Claims::naming(OWNER, &[NEGOCIO])).await;
    pulso.until_count("pulso_connections", 1).await;
    let sale = r#""saleId":1,"tableId":null,"total":45.50,"timestamp":"2025-07-20T10:30:00Z""#;
    let body = format!(r#"{{"negocio_id":"{NEGOCIO}",{sale}}}"#);
    pulso_harness::wait::until(
        async || pulso.post("/notify/venta", &body).await.json()["clients"] == 1,
        "the program listens",
    )
    .await;
    until(&mut script, json!({ "type": "newSale", "total": "45.50" })).await;
}

#[tokio::test]
async fn a_kiosk_hears_of_its_orders() {
    let (configured, database) = configured().await;
    let devices = "CREATE TABLE devices (id bigint PRIMARY KEY, device_uid text UNIQUE, is_active boolean);
        INSERT INTO devices VALUES (1, 'ipad-room-101', true)";
    database.execute(devices).await;
    let pulso = configured.ready().await;
    let (mut script, _folder) = run(&pulso, "client-kiosk", &owner()).await;
    let body = json!({ "order_id": 7, "status": "READY", "from_status": "PREPARING", "device_uid": "ipad-room-101",
        "changed_at": "2025-01-15T14:35:00.000Z" });
    pulso_harness::wait::until(
        async || pulso.post("/notify/pedido/estado", &body.to_string()).await.json()["clients"] == 1,
        "the kiosk listens",
    )
    .await;
    until(&mut script, json!({ "order_id": 7, "status": "READY" })).await;
}
