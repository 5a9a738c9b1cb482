//! `@pulso/elements` on a page without a bundler, under a strict content security policy, as the package's README has it.

use std::fs;

use pulso_harness::process::steady_port;
use pulso_harness::{Claims, SECRET, Scratch};
use serde_json::{Value, json};

use super::built::announce;
use super::packed::{folder_with, scope};
use super::recipes::Recipes;
use crate::boards::{Stage, furnished};
use crate::business::{NEGOCIO, OWNER, citas};
use crate::tab::Tab;

const TODAY: &str = "(now() AT TIME ZONE 'America/Guayaquil')::date";
const QUERY: &str = "-- access: authenticated
-- hints: cita
SELECT count(*) AS pendientes, 45.50 AS importe FROM citas WHERE negocio_id = $1 AND estado = 'pendiente'
";

/// What an element shows, by its parts.
fn parts(element: &str, part: &str) -> String {
    format!(
        "[...document.querySelector('{element}').shadowRoot.querySelectorAll('[part~=\"{part}\"]')].map(({{ textContent }}) => textContent)"
    )
}

#[tokio::test]
async fn a_page_under_a_strict_policy_shows_figures_a_live_query_and_the_line() {
    let (pulso, database) = furnished().await;
    let queries = Scratch::new();
    queries.write("cocina.sql", QUERY);
    let port = steady_port().to_string();
    let pulso = pulso.with("PORT", &port).with("QUERIES_DIR", queries.path().to_str().unwrap());
    let mut stage = Stage { running: pulso.ready().await, database };
    citas(&stage.database, NEGOCIO, 2, "pendiente", TODAY).await;

    let folder = folder_with(&["elements"]);
    let built = folder.path().join("node_modules").join(scope()).join("elements/dist");
    let mut tab = Tab::new().await;
    for entry in fs::read_dir(&built).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|extension| extension == "js") {
            let body = fs::read_to_string(&path).unwrap();
            let file = json!({ "do": "serve", "path": format!("/{name}"), "type": "text/javascript", "body": body });
            tab.ask(file).await;
        }
    }
    let mut recipes = Recipes::of("elements");
    assert_eq!(recipes.take("install"), "npm install @pulso/client @pulso/elements\n");
    let page = recipes.take("page").replace("6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f", NEGOCIO).replace("r-1", NEGOCIO);
    let page = page.replace("https://pulso.example.com", &format!("http://127.0.0.1:{port}"));
    let page = page.replace("wss://pulso.example.com", &format!("ws://127.0.0.1:{port}"));
    let address =
        tab.ask(json!({ "do": "serve", "path": "/", "body": page })).await["url"].as_str().unwrap().to_owned();
    let token = Claims::naming(OWNER, &[NEGOCIO]).sign(SECRET);
    tab.open_signed_in(&address, &token).await;

    let (figures, labels) = (parts("pulso-stats", "value"), parts("pulso-stats", "label"));
    tab.wait_eval(&figures, json!(["2", "2", "0", "0"])).await;
    assert_eq!(tab.eval(&labels).await, json!(["Citas de hoy", "Total de citas", "Completadas", "Canceladas"]));
    tab.wait_eval(&parts("pulso-query", "label"), json!(["Pendientes", "importe"])).await;
    tab.wait_eval(&parts("pulso-query", "value"), json!(["2", "45.50"])).await;
    tab.wait_eval(&parts("pulso-status", "status"), json!(["En vivo"])).await;
    let announced = parts("pulso-stats", "announcement");
    tab.wait_eval(&announced, json!(["Citas de hoy: 2. Total de citas: 2. Completadas: 0. Canceladas: 0"])).await;
    let live =
        "document.querySelector('pulso-stats').shadowRoot.querySelector('[aria-live]').getAttribute('aria-live')";
    assert_eq!(tab.eval(live).await, "polite");

    // Only what has changed is said.
    citas(&stage.database, NEGOCIO, 1, "atendida", TODAY).await;
    announce(&stage).await;
    tab.wait_eval(&announced, json!(["Citas de hoy: 3. Total de citas: 3. Completadas: 1"])).await;
    tab.eval("document.documentElement.lang = 'en'; document.querySelector('pulso-stats').setAttribute('lang', 'en')")
        .await;
    tab.wait_eval(&labels, json!(["Appointments today", "All appointments", "Completed", "Cancelled"])).await;
    assert_eq!(tab.sockets(stage.port()).await, ["/ws"]);
    tab.no_address_has(&token).await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
    tab.screenshot("package-elements.png").await;

    drop(stage.running);
    tab.wait_eval(&parts("pulso-stats", "note"), json!(["No connection: these data may have changed"])).await;
    tab.wait_eval(&parts("pulso-status", "text"), json!(["No connection, trying again"])).await;
    assert_eq!(tab.eval(&figures).await, json!(["3", "3", "1", "0"]));
    stage.running = pulso.ready().await;
    tab.wait_eval(&parts("pulso-stats", "note"), json!([""])).await;
}
