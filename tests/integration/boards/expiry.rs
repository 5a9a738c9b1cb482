//! The end of an access: each board says what to do, and nobody knocks at a door that stays shut.

use pulso_harness::{Claims, token};
use serde_json::{Value, json};

use super::{
    BOARDS, DEVICE, Stage, TICKETS, everything, everything_in, furnished, seller, signed, staff, ticket, wait_tones,
    waiter,
};
use crate::tab::{Tab, address};

/// No line was opened twice.
async fn has_not_knocked_again(tab: &mut Tab) {
    let requests = tab.ask(json!({ "do": "requests" })).await;
    let urls = requests["urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap());
    let mut lines: Vec<_> = urls.filter(|url| url.starts_with("ws:")).collect();
    let opened = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert!(opened > 0 && lines.len() == opened, "{requests}");
}

/// Everything that makes a page look at its lines, and more time than it takes to try again.
async fn provoke(tab: &mut Tab) {
    tab.ask(json!({ "do": "hide" })).await;
    tab.ask(json!({ "do": "show" })).await;
    tab.eval("dispatchEvent(new Event('online'))").await;
    tab.eval("new Promise((resume) => { setTimeout(resume, 2_500); })").await;
}

fn soon(claims: Claims) -> String {
    signed(&claims.with("exp", json!(token::now() + 4)))
}

#[tokio::test]
async fn a_token_that_expires_ends_its_board_with_a_word_and_without_knocking() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    tab.open(&address(stage.port(), &[("token", &soon(waiter()))])).await;
    wait_tones(&mut tab, &["restaurante good"]).await;
    wait_tones(&mut tab, &["restaurante bad"]).await;
    tab.wait_match("aviso", r"^Tu acceso ha caducado\. Abre el panel otra vez desde tu aplicación").await;
    tab.wait_text("estado", "Desconectado").await;
    tab.portraits("restaurante-expired").await;
    provoke(&mut tab).await;
    has_not_knocked_again(&mut tab).await;
    assert!(!tab.ask(json!({ "do": "storage" })).await.to_string().contains("eyJ"), "the token is forgotten");
    assert_eq!(tab.own_complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn where_several_boards_end_a_kiosk_goes_on() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    everything_in(&mut tab, stage.port(), &soon(everything())).await;
    wait_tones(&mut tab, &["restaurante bad", "kiosko good", "clinica bad", "ventas bad"]).await;
    tab.wait_match("aviso", r"^Tu acceso ha caducado\.").await;
    has_not_knocked_again(&mut tab).await;
    stage.tell("/notify/pedido/estado", ticket(DEVICE, 1, "PREPARING", "READY")).await;
    tab.wait_eval(TICKETS, json!(["1 READY Listo"])).await;
    tab.portraits("boards-expired").await;
    // A new link in the same tab opens them again.
    let renewed = signed(&everything());
    let link = address(stage.port(), &[("token", &renewed), ("negocio", crate::business::NEGOCIO), ("device", DEVICE)]);
    tab.eval(&format!("location.href = '{link}'; 0")).await;
    wait_tones(&mut tab, &super::ALL_GOOD).await;
    assert!(!tab.is_visible("aviso").await);
    tab.wait_eval(TICKETS, json!(["1 READY Listo"])).await;
    assert_eq!(tab.own_complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn who_comes_with_an_expired_token_or_without_the_right_reads_why() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    let late = |claims: Claims| signed(&claims.expiring_in(-3_600));
    let stranger = waiter().with("restaurantId", json!("r-1")).sign("another secret, also longer than 32 bytes");
    for (board, token, aviso) in [
        ("restaurante", late(waiter()), r"^Tu acceso ha caducado\."),
        ("restaurante", stranger, "^Tu acceso ha caducado o no es válido"),
        ("clinica", late(staff()), r"^Tu acceso ha caducado\."),
        ("ventas", late(seller()), r"^Tu acceso ha caducado\."),
    ] {
        tab.open(&address(stage.port(), &[("token", &token)])).await;
        tab.wait_match("aviso", aviso).await;
        wait_tones(&mut tab, &[&format!("{board} bad")]).await;
        has_not_knocked_again(&mut tab).await;
        assert_eq!(tab.own_complaints().await, Vec::<Value>::new());
        tab.renew().await;
    }
}

#[tokio::test]
async fn a_kiosk_that_is_switched_off_says_so_and_comes_back_by_itself() {
    let (pulso, database) = furnished().await;
    let running = pulso.with("DEVICE_RECHECK", "1s").ready().await;
    let stage = Stage { running, database };
    let mut tab = Tab::new().await;
    for unknown in ["ipad-switched-off", "no-such-device"] {
        tab.open(&address(stage.port(), &[("device", unknown)])).await;
        tab.wait_match("aviso", "^Esta pantalla no está dada de alta o está desactivada").await;
        tab.wait_eval(BOARDS, json!(["kiosko"])).await;
        wait_tones(&mut tab, &["kiosko bad"]).await;
        has_not_knocked_again(&mut tab).await;
        tab.renew().await;
    }
    tab.open(&address(stage.port(), &[("device", DEVICE)])).await;
    wait_tones(&mut tab, &["kiosko good"]).await;
    stage.tell("/notify/pedido/estado", ticket(DEVICE, 1, "PREPARING", "READY")).await;
    tab.wait_eval(TICKETS, json!(["1 READY Listo"])).await;
    stage.database.execute("UPDATE devices SET is_active = false").await;
    tab.wait_match("aviso", "^Esta pantalla no está dada de alta o está desactivada").await;
    wait_tones(&mut tab, &["kiosko bad"]).await;
    tab.portraits("kiosko-switched-off").await;
    stage.database.execute("UPDATE devices SET is_active = true").await;
    // Nobody stands there to sign in; whatever wakes the page makes it ask.
    tab.eval("dispatchEvent(new Event('online'))").await;
    wait_tones(&mut tab, &["kiosko good"]).await;
    tab.wait_eval("document.getElementById('aviso-caja').hidden", true).await;
    assert_eq!(tab.own_complaints().await, Vec::<Value>::new());
}
