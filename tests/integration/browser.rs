//! The dashboard in a real Chromium, on the real server and a real PostgreSQL.

use pulso_harness::process::steady_port;
use pulso_harness::{Claims, SECRET, token};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::business::{self, NEGOCIO, OTHER_NEGOCIO, citas, owner, pulso};
use crate::tab::{Browser, Tab, link};

const TODAY: &str = "(now() AT TIME ZONE 'America/Guayaquil')::date";

#[tokio::test]
async fn the_link_opens_a_panel_whose_figures_move_with_the_rows() {
    let (running, database) = business::open().await;
    citas(&database, NEGOCIO, 7, "pendiente", TODAY).await;
    citas(&database, NEGOCIO, 12_000, "atendida", "'2020-01-01'").await;
    citas(&database, NEGOCIO, 40, "cancelada", "'2020-01-01'").await;
    let token = owner().sign(SECRET);
    let (mut tab, page) = Tab::on(&running, NEGOCIO, &token).await;
    assert_eq!(page["status"], 200);
    let policy = page["headers"]["content-security-policy"].as_str().unwrap();
    for directive in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");

    tab.wait_figures(7, 12_047, 12_000, 40).await;
    tab.wait_text("citas-pendientes", "7").await;
    tab.wait_text("estado", "Conectado").await;
    tab.wait_match("actualizado", "^actualizado hace [0-9]+ s$").await;
    assert_eq!(tab.text("negocio").await, NEGOCIO);

    citas(&database, NEGOCIO, 2, "pendiente", TODAY).await;
    citas(&database, NEGOCIO, 1, "cancelada", TODAY).await;
    assert_eq!(running.notify(NEGOCIO).await.json()["subscribers"], 1);
    tab.wait_figures(10, 12_050, 12_000, 41).await;
    tab.wait_match("historial", r"\+3 citas hoy.*\+3 citas en total.*\+1 cancelada").await;

    tab.screenshot("panel.png").await;
    tab.ask(json!({ "do": "scheme", "value": "dark" })).await;
    tab.screenshot("panel-dark.png").await;
    tab.ask(json!({ "do": "size", "width": 390, "height": 844 })).await;
    tab.ask(json!({ "do": "scheme", "value": "light" })).await;
    tab.screenshot("panel-phone.png").await;

    // The tab remembers who it is, and only the tab.
    tab.ask(json!({ "do": "reload" })).await;
    tab.wait_figures(10, 12_050, 12_000, 41).await;
    tab.keeps_the_token_to_itself(&token).await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
    assert!(!running.has_logged(&token));
}

#[tokio::test]
async fn the_panel_says_that_its_server_is_away_and_has_fresh_figures_when_it_is_back() {
    let database = business::database().await;
    citas(&database, NEGOCIO, 3, "pendiente", TODAY).await;
    let pulso = pulso(&database.url()).with("PORT", &steady_port().to_string()).with("SHUTDOWN_GRACE", "2s");
    let running = pulso.ready().await;
    let (mut tab, _) = Tab::on(&running, NEGOCIO, &owner().sign(SECRET)).await;
    tab.wait_figures(3, 3, 0, 0).await;
    tab.wait_text("estado", "Conectado").await;

    drop(running);
    tab.wait_text("estado", "Reconectando").await;
    tab.screenshot("panel-reconnecting.png").await;
    // Without a network there is nothing to try.
    tab.ask(json!({ "do": "offline" })).await;
    tab.wait_text("estado", "Desconectado").await;
    tab.wait_match("aviso", "^No hay conexión a internet").await;
    tab.ask(json!({ "do": "online" })).await;
    tab.wait_text("estado", "Reconectando").await;
    citas(&database, NEGOCIO, 2, "cancelada", TODAY).await;
    assert_eq!(tab.text("total-citas").await, "3", "the last figures stay on the glass");

    let running = pulso.ready().await;
    tab.wait_text("estado", "Conectado").await;
    tab.wait_figures(5, 5, 0, 2).await;
    assert!(!tab.is_visible("aviso").await);
    // Subscribed again, not only shown once.
    citas(&database, NEGOCIO, 1, "atendida", TODAY).await;
    running.notify(NEGOCIO).await;
    tab.wait_figures(6, 6, 1, 2).await;
    // A goodbye is no reason to stay away either.
    running.signal(Signal::TERM);
    tab.wait_text("estado", "Reconectando").await;
    assert_eq!(running.ended().await, 0);
    assert_eq!(tab.own_complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_tab_that_is_looked_at_again_shows_figures_read_now() {
    let database = business::database().await;
    citas(&database, NEGOCIO, 3, "pendiente", TODAY).await;
    // Nothing but the page itself may notice that rows changed without a notice.
    let running = pulso(&database.url()).with("SENTINEL_INTERVAL", "0").with("SNAPSHOT_MAX_AGE", "0").ready().await;
    let (mut tab, _) = Tab::on(&running, NEGOCIO, &owner().sign(SECRET)).await;
    tab.wait_figures(3, 3, 0, 0).await;
    let hidden = tab.ask(json!({ "do": "hide" })).await;
    assert_eq!(hidden["state"], "hidden");
    citas(&database, NEGOCIO, 4, "atendida", TODAY).await;
    assert_eq!(tab.text("total-citas").await, "3");
    let shown = tab.ask(json!({ "do": "show" })).await;
    assert_eq!(shown["state"], "visible");
    tab.wait_figures(7, 7, 4, 0).await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}

async fn a_panel_is_gone_back_to(browser: Browser) {
    let (running, database) = business::open().await;
    citas(&database, NEGOCIO, 3, "pendiente", TODAY).await;
    let mut tab = Tab::of(browser).await;
    tab.open(&link(&running, NEGOCIO, &owner().sign(SECRET))).await;
    tab.wait_figures(3, 3, 0, 0).await;
    tab.eval("window.wasLeft = true").await;
    tab.ask(json!({ "do": "goto", "url": format!("http://127.0.0.1:{}/health", running.port()) })).await;
    running.until_count("pulso_connections", 0).await;
    citas(&database, NEGOCIO, 2, "pendiente", TODAY).await;
    assert_eq!(running.notify(NEGOCIO).await.json()["subscribers"], 0);
    tab.ask(json!({ "do": "back" })).await;
    tab.wait_figures(5, 5, 0, 0).await;
    // Firefox loads it anew while something drives it.
    assert_eq!(tab.eval("window.wasLeft === true").await, browser == Browser::Chromium);
    citas(&database, NEGOCIO, 1, "pendiente", TODAY).await;
    assert_eq!(running.notify(NEGOCIO).await.json()["subscribers"], 1);
    tab.wait_figures(6, 6, 0, 0).await;
    tab.wait_text("estado", "Conectado").await;
    running.until_count("pulso_connections", 1).await;
}

#[tokio::test]
async fn a_panel_that_chromium_has_kept_has_the_figures_of_now_on_one_line() {
    a_panel_is_gone_back_to(Browser::Chromium).await;
}

#[tokio::test]
async fn a_panel_that_firefox_goes_back_to_has_the_figures_of_now_on_one_line() {
    a_panel_is_gone_back_to(Browser::Firefox).await;
}

#[tokio::test]
async fn who_may_not_watch_reads_why_in_spanish() {
    let (running, _database) = business::open().await;
    let (mut tab, _) = Tab::on(&running, OTHER_NEGOCIO, &owner().sign(SECRET)).await;
    tab.wait_match("aviso", "^No tienes acceso a este negocio").await;
    assert_eq!(tab.text("total-citas").await, "—");

    // A business's name is text, whatever stands in it.
    let markup = "<img src=x onerror=alert(1)>";
    tab.ask(json!({ "do": "open", "url": link(&running, markup, &owner().sign(SECRET)) })).await;
    tab.wait_text("negocio", markup).await;
    assert_eq!(tab.eval("document.querySelectorAll('#negocio *').length").await, 0);
    tab.wait_match("aviso", "[a-z]").await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());

    let forged = owner().sign("another secret, also longer than 32 bytes");
    tab.ask(json!({ "do": "open", "url": link(&running, NEGOCIO, &forged) })).await;
    tab.wait_match("aviso", "^El acceso no es válido|^Tu acceso ha caducado o no es válido").await;
    assert_eq!(tab.own_complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_token_that_expires_ends_the_panel_with_a_word_of_explanation() {
    let (running, _database) = business::open().await;
    let mut tab = Tab::new().await;
    let claims = Claims::user(business::OWNER).with("exp", json!(token::now() + 4));
    tab.ask(json!({ "do": "open", "url": link(&running, NEGOCIO, &claims.sign(SECRET)) })).await;
    tab.wait_text("estado", "Desconectado").await;
    tab.wait_match("aviso", r"^Tu acceso ha caducado\.").await;
    tab.screenshot("panel-expired.png").await;
    assert!(!tab.ask(json!({ "do": "storage" })).await.to_string().contains("eyJ"), "the token is forgotten");
    tab.ask(json!({ "do": "click", "id": "otro-acceso" })).await;
    assert!(tab.is_visible("entrada").await);
    assert_eq!(tab.own_complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn without_a_token_the_page_asks_for_one_and_takes_none_from_the_query() {
    let (running, database) = business::open().await;
    citas(&database, NEGOCIO, 2, "pendiente", TODAY).await;
    let token = owner().sign(SECRET);
    let mut tab = Tab::new().await;
    let root = format!("http://127.0.0.1:{}/", running.port());
    tab.ask(json!({ "do": "open", "url": format!("{root}?negocio={NEGOCIO}&token=eyJ.eyJ.x") })).await;
    assert!(tab.is_visible("entrada").await && !tab.is_visible("panel").await);
    assert_eq!(tab.ask(json!({ "do": "url" })).await["url"], root, "the query is gone from the address");
    tab.screenshot("sign-in.png").await;
    tab.ask(json!({ "do": "fill", "id": "entrada-negocio", "text": NEGOCIO })).await;
    tab.ask(json!({ "do": "fill", "id": "entrada-token", "text": token })).await;
    tab.ask(json!({ "do": "press", "key": "Enter" })).await;
    tab.wait_figures(2, 2, 0, 0).await;
    tab.keeps_the_token_to_itself(&token).await;
    tab.ask(json!({ "do": "click", "id": "salir" })).await;
    assert!(tab.is_visible("entrada").await && !tab.is_visible("panel").await);
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}
