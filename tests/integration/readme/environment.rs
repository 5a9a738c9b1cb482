//! A `.env` made as the book says, and the demo.

use std::fs;

use pulso_harness::process::steady_port;
use pulso_harness::{http, wait};

use super::EXAMPLE;
use super::shell::Shell;

#[tokio::test]
async fn the_environment_that_the_book_makes_has_keys_of_its_own() {
    let mut shell = Shell::new();
    shell.sh("env").await;
    let made = fs::read_to_string(shell.path().join(".env")).unwrap();
    let changed: Vec<(&str, &str)> = made.lines().zip(EXAMPLE.lines()).filter(|(new, old)| new != old).collect();
    let names: Vec<&str> = changed.iter().filter_map(|(new, _)| Some(new.split_once('=')?.0)).collect();
    assert_eq!(made.lines().count(), EXAMPLE.lines().count());
    assert_eq!(names, ["JWT_SECRET", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "NOTIFY_API_KEY", "CLOUD_API_KEY"]);
    for (line, old) in changed {
        let (_, key) = line.split_once('=').unwrap();
        assert!(old.trim_start_matches('#').ends_with('=') && key.len() >= 48, "{line}");
    }
    // `pulso` reads it, and so does a shell.
    let token = shell.run("pulso token --user u-1").await;
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
    shell.run("set -a; . ./.env; set +a; test \"$NOTIFY_API_KEY\" && test \"$CLOUD_API_KEY\"").await;
}

#[tokio::test]
async fn a_server_starts_with_every_line_of_the_example_taken_in() {
    let mut shell = Shell::new();
    let port = steady_port();
    let settings = |line: &str| {
        let setting = line.strip_prefix('#').unwrap_or(line);
        let is_setting = setting
            .split_once('=')
            .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'));
        match setting.split_once('=') {
            Some(("JWT_SECRET", _)) => "JWT_SECRET=a-secret-for-tests-longer-than-32-bytes".to_owned(),
            Some(("DATABASE_URL", _)) => "DATABASE_URL=sqlite://citas.db".to_owned(),
            Some(("PORT", _)) => format!("PORT={port}"),
            Some(("LISTEN_ADDR", _)) => "LISTEN_ADDR=127.0.0.1".to_owned(),
            _ if is_setting => setting.to_owned(),
            _ => line.to_owned(),
        }
    };
    let all: Vec<String> = EXAMPLE.lines().map(settings).collect();
    fs::write(shell.path().join(".env"), all.join("\n")).unwrap();
    let server = shell.start_typed("pulso serve").await;
    wait::until(
        async || {
            assert!(!server.text().contains("Write") && !server.text().contains("Did you mean"), "{}", server.text());
            let answer = http::try_exchange(port, "GET /health HTTP/1.1", "").await;
            answer.is_some_and(|answer| answer.status == 200)
        },
        "the server lives",
    )
    .await;
}

#[tokio::test]
async fn the_demo_prints_its_links() {
    let mut shell = Shell::new();
    // Built already.
    shell.replace("cargo run --release -- ", "pulso ");
    shell.export("PORT", "0");
    let demo = shell.start("demo").await;
    demo.until("/#").await;
    demo.until("Ctrl-C").await;
}
