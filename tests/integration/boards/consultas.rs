//! The boards of live queries: a card for each that the address names, drawn by the form of its result, with its errors.

use pulso_harness::{Scratch, wait};
use serde_json::{Value, json};

use super::{OTHER_RESTAURANT, RESTAURANT, Stage, everything, furnished, of_business, order_status, signed};
use crate::business::NEGOCIO;
use crate::tab::{Tab, address};

const KITCHEN: &str = "-- access: claim restaurantId
-- hints: order/status
SELECT count(*) FILTER (WHERE estado = 'PENDING') AS por_empezar,
       count(*) FILTER (WHERE limite <= $3) AS con_retraso,
       max(precio)::numeric(10, 2) AS precio_mayor,
       min(limite) FILTER (WHERE limite > $3) AS next_change_at
  FROM pedidos WHERE restaurante_id = $1";
const HOURS: &str = "-- access: negocio
-- hints: venta
-- result: rows
SELECT hora, cuantas AS ventas, to_char(cuantas * 1.5, 'FM990.00') AS total FROM horas WHERE negocio_id = $1 ORDER BY hora";
const TABLES: &str = "-- access: authenticated
-- key: none
-- result: rows
-- hints: mesa
SELECT mesa, ocupada, desde FROM mesas ORDER BY mesa";

const ROWS: &str = "CREATE TABLE pedidos (restaurante_id uuid, estado text, precio numeric, limite timestamptz);
    CREATE TABLE horas (negocio_id uuid, hora text, cuantas integer);
    CREATE TABLE mesas (mesa text, ocupada boolean, desde date)";

/// What a card shows, as lines.
fn tiles(query: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-query=\"{query}\"] .tile')].map((tile) => \
         `${{tile.querySelector('dt').textContent}} ${{tile.querySelector('dd').textContent}}`)"
    )
}

fn rows(query: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-query=\"{query}\"] tr')].map((row) => \
         [...row.children].map(({{ textContent }}) => textContent).join(' | '))"
    )
}

/// The heights of the bars, each against the highest.
const BARS: &str = "(() => { const tall = [...document.querySelectorAll('[data-query=\"ventas\"] .bar')]\
    .map((bar) => Number(bar.getAttribute('height'))); return tall.map((one) => Math.round(one / Math.max(...tall) * 100)); })()";

fn status(query: &str) -> String {
    format!(
        "(() => {{ const node = document.querySelector('[data-query=\"{query}\"] .status'); \
         return `${{node.dataset.tone}} ${{node.textContent.replace('Entendido', '').replace(/\\d+ s$/, '… s')}}`; }})()"
    )
}

/// The server with three live queries over empty tables.
async fn stage() -> (Stage, Scratch) {
    let (pulso, database) = furnished().await;
    database.execute(ROWS).await;
    let folder = Scratch::new();
    for (name, text) in [("cocina", KITCHEN), ("ventas", HOURS), ("mesas", TABLES)] {
        folder.write(&format!("{name}.sql"), text);
    }
    let running = pulso.with("QUERIES_DIR", folder.path().to_str().unwrap()).ready().await;
    (Stage { running, database }, folder)
}

fn order_moved() -> Value {
    order_status(RESTAURANT, "o-1", "CONFIRMED", "IN_PROGRESS")
}

#[tokio::test]
async fn a_row_is_tiles_rows_are_a_table_a_number_by_hour_is_bars_and_all_move_by_their_hints() {
    let (stage, _folder) = stage().await;
    let token = signed(&everything());
    let names = [format!("cocina:{RESTAURANT}"), format!("ventas:{NEGOCIO}"), "mesas".to_owned()];
    let mut access = vec![("token", token.as_str())];
    access.extend(names.iter().map(|name| ("consulta", name.as_str())));
    let mut tab = Tab::new().await;
    tab.open(&address(stage.port(), &access)).await;
    tab.wait_eval(&tiles("cocina"), json!(["Por empezar 0", "Con retraso 0", "Precio mayor —"])).await;
    tab.wait_eval("document.querySelector('[data-query=mesas] .no-rows').checkVisibility()", true).await;
    tab.wait_eval(&status("cocina"), "good actualizado hace … s").await;

    let order = format!("INSERT INTO pedidos VALUES ('{RESTAURANT}', 'PENDING', 45.5, now() + interval '6 seconds')");
    stage.database.execute(&order).await;
    stage.call("/notify/order/status", &order_moved().to_string()).await;
    tab.wait_eval(&tiles("cocina"), json!(["Por empezar 1", "Con retraso 0", "Precio mayor 45,50"])).await;
    // By the clock alone.
    tab.wait_eval(&tiles("cocina"), json!(["Por empezar 1", "Con retraso 1", "Precio mayor 45,50"])).await;

    let hours = format!("INSERT INTO horas VALUES ('{NEGOCIO}', '09:00', 4), ('{NEGOCIO}', '10:00', 12)");
    stage.database.execute(&hours).await;
    stage.call("/notify/venta", &super::sale(NEGOCIO, 1, "18.00")).await;
    tab.wait_eval(&rows("ventas"), json!(["Hora | Ventas | Total", "09:00 | 4 | 6,00", "10:00 | 12 | 18,00"])).await;
    tab.wait_eval(BARS, json!([33, 100])).await;
    tab.wait_eval(
        "document.querySelector('[data-query=ventas] .bars').getAttribute('aria-label')",
        "Ventas por hora: 09:00, 4; 10:00, 12",
    )
    .await;

    stage.database.execute("INSERT INTO mesas VALUES ('1 <b>x</b>', true, '2026-01-02'), ('2', false, null)").await;
    let table = of_business(NEGOCIO, json!({ "tableId": 12, "action": "created" }));
    stage.call("/notify/mesa", &table.to_string()).await;
    let shown = json!(["Mesa | Ocupada | Desde", "1 <b>x</b> | sí | 2 ene 2026", "2 | no | —"]);
    tab.wait_eval(&rows("mesas"), shown.clone()).await;
    tab.portraits("queries").await;

    tab.ask(json!({ "do": "reload" })).await;
    tab.wait_eval(&rows("mesas"), shown).await;
    tab.wait_eval(&tiles("cocina"), json!(["Por empezar 1", "Con retraso 1", "Precio mayor 45,50"])).await;
    tab.keeps_the_token_to_itself(&token).await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_is_wrong_with_a_query_stands_on_its_card_and_what_was_shown_stays() {
    let (stage, _folder) = stage().await;
    let token = signed(&everything());
    let (mine, theirs) = (format!("cocina:{RESTAURANT}"), format!("cocina:{OTHER_RESTAURANT}"));
    let access = [("token", token.as_str()), ("consulta", &*mine), ("consulta", "mesas"), ("consulta", "nadie")];
    let mut tab = Tab::new().await;
    tab.open(&address(stage.port(), &access)).await;
    tab.wait_eval(&tiles("cocina"), json!(["Por empezar 0", "Con retraso 0", "Precio mayor —"])).await;
    tab.wait_eval(&status("nadie"), "bad No existe o tu acceso no alcanza").await;

    stage.database.execute("ALTER TABLE pedidos RENAME TO otros").await;
    stage.call("/notify/order/status", &order_moved().to_string()).await;
    tab.wait_eval(&status("cocina"), "wait No disponible por ahora; volverá sola").await;
    tab.wait_eval(&tiles("cocina"), json!(["Por empezar 0", "Con retraso 0", "Precio mayor —"])).await;
    tab.wait_eval(&status("mesas"), "good actualizado hace … s").await;
    stage.database.execute("ALTER TABLE otros RENAME TO pedidos").await;
    stage.call("/notify/order/status", &order_moved().to_string()).await;
    tab.wait_eval(&status("cocina"), "good actualizado hace … s").await;

    // To look at something else takes no other access; what is somebody else's shows nothing.
    let address = address(stage.port(), &[("consulta", &*theirs)]);
    tab.ask(json!({ "do": "goto", "url": address })).await;
    tab.wait_eval(&status("cocina"), "bad No existe o tu acceso no alcanza").await;
    tab.wait_eval(&tiles("cocina"), json!([])).await;
    wait::until(async || stage.running.log().iter().all(|line| !line.contains(&token)), "no token is logged").await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}
