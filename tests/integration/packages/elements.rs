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

/// A tab that finds the packed elements on an origin of its own.
async fn tab_with_elements() -> Tab {
    let folder = tokio::task::spawn_blocking(|| folder_with(&["elements"])).await.unwrap();
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
    tab
}

/// Serves `page`; returns its address.
async fn serve(tab: &mut Tab, page: &str) -> String {
    tab.ask(json!({ "do": "serve", "path": "/", "body": page })).await["url"].as_str().unwrap().to_owned()
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

    let mut tab = tab_with_elements().await;
    let mut recipes = Recipes::of("elements");
    assert_eq!(recipes.take("install"), "npm install @pulso/client @pulso/elements\n");
    let page = recipes.take("page").replace("6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f", NEGOCIO).replace("r-1", NEGOCIO);
    let page = page.replace("https://pulso.example.com", &format!("http://127.0.0.1:{port}"));
    let page = page.replace("wss://pulso.example.com", &format!("ws://127.0.0.1:{port}"));
    let address = serve(&mut tab, &page).await;
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

/// Which variable is seen where: the element, a part of it (none: itself), the property, and a value that no browser has by itself.
const VARIABLES: [(&str, &str, &str, &str, &str); 12] = [
    ("--pulso-color", "pulso-query", "", "color", "rgb(1, 2, 3)"),
    ("--pulso-font", "pulso-query", "", "font-style", "italic"),
    ("--pulso-size", "pulso-query", "value", "font-size", "41px"),
    ("--pulso-surface", "pulso-query", "tile", "background-color", "rgb(4, 5, 6)"),
    ("--pulso-line", "pulso-query", "tile", "border-top-color", "rgb(7, 8, 9)"),
    ("--pulso-radius", "pulso-query", "tile", "border-top-left-radius", "11px"),
    ("--pulso-padding", "pulso-query", "tile", "padding-left", "12px"),
    ("--pulso-gap", "pulso-query", "tiles", "row-gap", "13px"),
    ("--pulso-tile", "pulso-query", "tiles", "grid-template-columns", "3000px"),
    ("--pulso-live", "pulso-status", "dot", "background-color", "rgb(10, 11, 12)"),
    ("--pulso-away", "pulso-status", "dot", "background-color", "rgb(13, 14, 15)"),
    ("--pulso-stopped", "pulso-status", "dot", "background-color", "rgb(16, 17, 18)"),
];
const TABLE: &str = "-- access: authenticated
-- key: none
-- result: rows
SELECT n AS mesa, n > 1 AS ocupada FROM generate_series(1, 2) AS n ORDER BY n
";
/// A page that styles them by what the README names, and nothing else.
const STYLED: &str = r#"<!doctype html><html lang="es"><meta charset="utf-8">
<meta name="pulso-token" content="TOKEN">
<style>:root { VARIABLES } pulso-query::part(label) { letter-spacing: 7px } pulso-query::part(is-live) { outline: 3px solid }</style>
<script type="module" src="/pulso-elements.js"></script>
<pulso-status url="URL" token-from="meta:pulso-token"></pulso-status>
<pulso-query url="URL" name="cocina" key="KEY" token-from="meta:pulso-token" labels='{"importe":"Importe","pendientes":"Por hacer"}'></pulso-query>
<pulso-query id="mesas" url="URL" name="mesas" token-from="meta:pulso-token" labels='{"ocupada":"¿Ocupada?"}'></pulso-query>
<pulso-query id="nadie" url="URL" name="nadie" token-from="meta:pulso-token" labels='[1'></pulso-query>"#;

/// How a part of an element, or itself, looks.
fn look(element: &str, part: &str, property: &str) -> String {
    let node = format!("document.querySelector('{element}')");
    let node = if part.is_empty() { node } else { format!("{node}.shadowRoot.querySelector('[part~=\"{part}\"]')") };
    format!("getComputedStyle({node}).getPropertyValue('{property}')")
}

#[tokio::test]
async fn a_page_names_orders_and_styles_what_is_shown() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/clients/elements/README.md")).unwrap();
    let named: Vec<&str> = readme.split('`').filter(|text| text.starts_with("--pulso-")).collect();
    let mut tried: Vec<&str> = VARIABLES.iter().map(|(name, ..)| *name).collect();
    tried.sort_unstable();
    let mut sorted = named.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, tried, "the variables that the README names");

    let (pulso, database) = furnished().await;
    let queries = Scratch::new();
    queries.write("cocina.sql", QUERY);
    queries.write("mesas.sql", TABLE);
    let pulso = pulso.with("PORT", &steady_port().to_string());
    let pulso = pulso.with("QUERIES_DIR", queries.path().to_str().unwrap());
    let running = pulso.ready().await;
    citas(&database, NEGOCIO, 2, "pendiente", TODAY).await;
    let value = |name: &str, value: &str| match name {
        "--pulso-font" => "italic 20px serif".to_owned(),
        _ => value.to_owned(),
    };
    let variables: Vec<String> =
        VARIABLES.iter().map(|(name, .., set)| format!("{name}: {};", value(name, set))).collect();
    let token = Claims::naming(OWNER, &[NEGOCIO]).sign(SECRET);
    let page = STYLED.replace("VARIABLES", &variables.concat()).replace("TOKEN", &token).replace("KEY", NEGOCIO);
    let page = page.replace("URL", &format!("http://127.0.0.1:{}", running.port()));
    let mut tab = tab_with_elements().await;
    let address = serve(&mut tab, &page).await;
    tab.open(&address).await;

    tab.wait_eval(&parts("pulso-query", "value"), json!(["45.50", "2"])).await;
    assert_eq!(tab.eval(&parts("pulso-query", "label")).await, json!(["Importe", "Por hacer"]));
    tab.wait_eval(&parts("#mesas", "head"), json!(["¿Ocupada?", "mesa"])).await;
    assert_eq!(tab.eval(&parts("#mesas", "cell")).await, json!(["no", "1", "sí", "2"]));
    assert_eq!(tab.eval(&parts("#mesas", "row")).await.as_array().unwrap().len(), 3);
    tab.wait_eval(&format!("{}.length", parts("#nadie", "is-refused")), 1).await;
    let refused = tab.eval(&parts("#nadie", "note")).await[0].as_str().unwrap().to_owned();
    assert!(refused.starts_with("Sin acceso a estos datos"), "{refused}");
    assert_eq!(tab.eval(&look("pulso-query", "label", "letter-spacing")).await, "7px");
    assert_eq!(tab.eval(&look("pulso-query", "is-live", "outline-width")).await, "3px");
    let (of_the_line, all): (Vec<_>, Vec<_>) =
        VARIABLES.into_iter().partition(|(_, element, ..)| *element == "pulso-status");
    for (name, element, part, property, wanted) in all {
        assert_eq!(tab.eval(&look(element, part, property)).await, wanted, "{name}");
    }
    // The line's colour is that of how it is.
    let dot = |state: usize| of_the_line[state].4;
    let shown = look("pulso-status", "dot", "background-color");
    tab.wait_eval(&shown, dot(0)).await;
    drop(running);
    tab.wait_eval(&shown, dot(1)).await;
    assert_eq!(tab.eval(&format!("{}.length", parts("pulso-status", "is-waiting"))).await, 1);
    assert_eq!(tab.eval(&format!("{}.length", parts("pulso-query", "is-stale"))).await, 1);
    let other = pulso.with("JWT_SECRET", "another secret, also longer than 32 bytes").ready().await;
    tab.wait_eval(&shown, dot(2)).await;
    assert_eq!(tab.eval(&format!("{}.length", parts("pulso-status", "is-stopped"))).await, 1);
    drop(other);
}
