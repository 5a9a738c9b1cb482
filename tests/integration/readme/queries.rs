//! The book's way from a table to a figure on a screen, block by block, with a real database, server and browser.

use pulso_harness::process::steady_port;
use pulso_harness::{HOOK_KEY, SECRET, http, wait};
use serde_json::json;

use super::blocks::{Block, block_of};
use super::shell::Shell;
use crate::boards::furnished;
use crate::tab::Tab;

const PAGE: &str = "live-queries.md";
const SCREEN: &str = "document.getElementById('cocina').value";

async fn run(shell: &mut Shell, block: Block) -> String {
    match block.language {
        "sh" => shell.run(&block.text).await,
        "sql" => {
            let path = shell.path().join("typed.sql");
            std::fs::write(path, &block.text).unwrap();
            shell.run(r#"psql "$ADMIN_URL" -v ON_ERROR_STOP=1 -f typed.sql"#).await
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_newcomer_gets_from_a_table_to_a_figure_on_a_screen() {
    // The tables of all feeds, so that `pulso check` has nothing to mend.
    let ((_, database), port) = (furnished().await, steady_port());
    let mut shell = Shell::new();
    shell.replace("localhost:8080", &format!("localhost:{port}"));
    shell.replace("curl http", "curl -sS --fail-with-body http");
    for (name, value) in [
        ("ADMIN_URL", &*database.url()),
        ("DATABASE_URL", &*database.url()),
        ("JWT_SECRET", SECRET),
        ("NOTIFY_API_KEY", HOOK_KEY),
        ("PORT", &port.to_string()),
        ("LISTEN_ADDR", "127.0.0.1"),
    ] {
        shell.export(name, value);
    }
    run(&mut shell, block_of(PAGE, "table")).await;
    let folder = shell.path().join("live");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("cocina.sql"), block_of(PAGE, "file").text).unwrap();
    let said = run(&mut shell, block_of(PAGE, "live-settings")).await;
    assert!(said.contains(r#"{"pendientes":1,"retrasados":0}"#), "{said}");

    let _server = shell.start_typed(&block_of(PAGE, "live-serve").text).await;
    let is_ready = async || {
        let answer = http::try_exchange(port, "GET /ready HTTP/1.1", "").await;
        answer.is_some_and(|answer| answer.status == 200)
    };
    wait::until(is_ready, "the server is ready").await;
    run(&mut shell, block_of(PAGE, "token")).await;
    let mut tab = Tab::new().await;
    let screen = block_of(PAGE, "screen");
    assert_eq!(screen.language, "html");
    let page = json!({ "do": "serve", "path": "/cocina.html", "body": shell.adapted(&screen.text) });
    let address = tab.ask(page).await["url"].as_str().unwrap().to_owned();
    tab.open(&format!("{address}#token={}", shell.variable("TOKEN"))).await;
    tab.wait_eval(SCREEN, "1 pending, 0 late").await;

    let said = run(&mut shell, block_of(PAGE, "hint")).await;
    assert!(said.contains(r#""ok":true"#), "{said}");
    tab.wait_eval(SCREEN, "2 pending, 0 late").await;
    run(&mut shell, block_of(PAGE, "hook")).await;
    tab.wait_eval(SCREEN, "1 pending, 0 late").await;
    run(&mut shell, block_of(PAGE, "trigger")).await;
    run(&mut shell, block_of(PAGE, "by-hand")).await;
    tab.wait_eval(SCREEN, "0 pending, 0 late").await;
    run(&mut shell, block_of(PAGE, "clock")).await;
    tab.wait_eval(SCREEN, "1 pending, 1 late").await;
    let said = run(&mut shell, block_of(PAGE, "xid")).await;
    assert!(said.contains(r#""ok":true"#), "{said}");
    tab.wait_eval(SCREEN, "0 pending, 0 late").await;
    assert_eq!(tab.complaints().await, Vec::<serde_json::Value>::new());
}
