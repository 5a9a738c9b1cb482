//! The examples of every feed against the demo, with the keys that the book gives for it.

use pulso_harness::process::steady_port;

use super::shell::Shell;
use super::tour::{absence, dismissal, events, figures, restaurant, synchronisation};

#[tokio::test]
async fn every_feeds_example_works_against_the_demo_as_it_stands() {
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
    figures(&mut shell).await;
    events(&mut shell).await;
    restaurant(&mut shell).await;
    let _back_end = synchronisation(&mut shell).await;
    dismissal(&mut shell, port).await;
    absence(&mut shell, port).await;
}
