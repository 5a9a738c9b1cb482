//! The examples of every feed against the demo, with the keys that the book gives for it.

use pulso_harness::Transcript;
use pulso_harness::process::steady_port;

use super::shell::Shell;
use super::tour::{absence, dismissal, events, figures, restaurant, synchronisation};
use crate::tab::Tab;

/// The demo, and a second terminal.
async fn demo() -> (Shell, Transcript, u16) {
    let port = steady_port();
    let mut shell = Shell::new();
    // Built already.
    shell.replace("cargo run --release -- ", "pulso ");
    shell.replace("localhost:8080", &format!("localhost:{port}"));
    shell.replace("curl http", "curl -sS http");
    shell.export("PORT", &port.to_string());
    let demo = shell.start("demo").await;
    demo.until("Ctrl-C").await;
    shell.has_company = true;
    shell.sh("demo-keys").await;
    (shell, demo, port)
}

#[tokio::test]
async fn every_feeds_example_works_against_the_demo_as_it_stands() {
    let (mut shell, _demo, port) = demo().await;
    figures(&mut shell).await;
    events(&mut shell).await;
    restaurant(&mut shell).await;
    let _back_end = synchronisation(&mut shell).await;
    dismissal(&mut shell, port).await;
    absence(&mut shell, port).await;
}

#[tokio::test]
async fn what_a_newcomer_sells_by_a_copied_call_is_on_the_board() {
    let (mut shell, _demo, port) = demo().await;
    let mut tab = Tab::new().await;
    tab.open(&format!("http://localhost:{port}/demo/caja")).await;
    shell.sh_until("notify-venta", r#""clients":1"#, None).await;
    let is_shown = "[...document.querySelectorAll('.sale-title')].some((title) => title.textContent.endsWith('123'))";
    tab.wait_eval(is_shown, true).await;
}
