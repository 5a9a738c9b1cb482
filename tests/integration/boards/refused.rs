//! A token that the server does not accept: the page never says that it is connected, and says at once what to do.

use pulso_harness::Claims;
use serde_json::{Value, json};

use super::{Stage, everything, furnished, seller, signed, staff, waiter};
use crate::business::{NEGOCIO, owner};
use crate::tab::Tab;

/// Writes down every state that the page's line and its boards have from now on.
const WATCH: &str = "window.states = new Set(); const note = (node) => { \
        if (node.id === 'pastilla') states.add(node.dataset.state); \
        if (node.classList?.contains('status')) states.add(node.dataset.tone); }; \
    new MutationObserver((changes) => changes.forEach(({ target }) => note(target))) \
        .observe(document.body, { subtree: true, attributes: true }); 0";

/// What a person does who has been given `token`, in a tab that remembers nothing.
async fn sign_in(tab: &mut Tab, stage: &Stage, negocio: &str, token: &str) {
    tab.renew().await;
    tab.open(&format!("http://127.0.0.1:{}/", stage.port())).await;
    tab.eval(WATCH).await;
    tab.ask(json!({ "do": "fill", "id": "entrada-negocio", "text": negocio })).await;
    tab.ask(json!({ "do": "fill", "id": "entrada-token", "text": token })).await;
    tab.ask(json!({ "do": "press", "key": "Enter" })).await;
}

/// The tokens for `claims` that no server accepts.
fn refused(claims: &Claims) -> Vec<(&'static str, String)> {
    let good = signed(claims);
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let forged: String = signature.chars().rev().collect();
    vec![
        ("another key", claims.sign("another secret, also longer than 32 bytes")),
        ("a forged signature", format!("{rest}.{forged}")),
        ("no signature", format!("{rest}.")),
        ("expired", signed(&claims.clone().expiring_in(-3_600))),
        ("without an end", signed(&claims.clone().without("exp"))),
        ("an end in a hundred years", signed(&claims.clone().expiring_in(100 * 366 * 86_400))),
    ]
}

#[tokio::test]
async fn a_token_that_is_refused_never_shows_as_connected() {
    let (pulso, database) = furnished().await;
    // The server keeps such a line much longer than anybody would look at it.
    let running = pulso.with("AUTH_TIMEOUT", "1m").ready().await;
    let stage = Stage { running, database };
    let mut tab = Tab::new().await;
    for (board, negocio, claims) in [
        ("panel", NEGOCIO, owner()),
        ("ventas", "", seller()),
        ("restaurante", "", waiter()),
        ("clinica", "", staff()),
        ("all", NEGOCIO, everything()),
    ] {
        for (kind, token) in refused(&claims) {
            sign_in(&mut tab, &stage, negocio, &token).await;
            tab.wait_text("estado", "Desconectado").await;
            tab.wait_match("aviso", "^Tu acceso ha caducado").await;
            let states = tab.eval("[...states].sort()").await;
            let has = |state: &str| states.as_array().unwrap().contains(&json!(state));
            assert!(!has("conectado") && !has("good") && has("desconectado"), "{board}, {kind}: {states}");
            if kind == "another key" {
                tab.portraits(&format!("refused-{board}")).await;
            }
            assert!(!tab.ask(json!({ "do": "storage" })).await.to_string().contains("eyJ"), "the token is forgotten");
            assert_eq!(tab.own_complaints().await, Vec::<Value>::new());
        }
    }
    // What is no token at all opens the one line that everybody has.
    for text in ["hola", "eyJ.eyJ.x", "null"] {
        sign_in(&mut tab, &stage, NEGOCIO, text).await;
        tab.wait_match("aviso", "^Tu acceso ha caducado").await;
        assert!(!tab.eval("[...states]").await.as_array().unwrap().contains(&json!("conectado")), "{text}");
    }
    // The good one beside it does connect.
    sign_in(&mut tab, &stage, NEGOCIO, &signed(&owner())).await;
    tab.wait_text("estado", "Conectado").await;
}

#[tokio::test]
async fn who_is_known_but_may_not_see_the_figures_is_connected_and_reads_why() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    sign_in(&mut tab, &stage, NEGOCIO, &signed(&Claims::user("somebody-else"))).await;
    tab.wait_match("aviso", "^No tienes acceso a este negocio").await;
    tab.wait_text("estado", "Conectado").await;
    assert_eq!(tab.text("total-citas").await, "—");
}
