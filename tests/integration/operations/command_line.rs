//! The command line: what it prints and how it exits.

use std::process::Output;

use pulso_harness::{Pulso, Scratch};

use crate::business::{database, open, pulso};

/// What the tests hide in settings and must not see again.
const HIDDEN: &str = "cl4ve";

#[tokio::test]
async fn every_mistake_is_reported_at_once_with_its_variable_and_no_secret() {
    let mistaken = [
        ("DATABASE_URL", "mysql://ana:cl4ve@db/citas"),
        ("JWT_SECRET", "cl4ve-too-short"),
        ("PORT", "eighty"),
        ("LISTEN_ADDR", "everywhere"),
        ("TIMEZONE", "America/Nowhere"),
        ("WS_ALLOWED_ORIGINS", "panel.example.com"),
        ("TRUSTED_PROXIES", "my-proxy"),
        ("MAX_CONNECTIONS", "-1"),
        ("MAX_MESSAGE_BYTES", "many"),
        ("PING_INTERVAL", "soon"),
        ("SHUTDOWN_GRACE", "0s"),
        ("LOG_FORMAT", "xml"),
        ("STATS_SQL", "/nowhere.sql"),
        ("NOTIFY_API_KEY", "cl4ve with spaces"),
    ];
    let server = mistaken.iter().fold(pulso("x"), |server, (name, value)| server.with(name, value));
    let (code, stdout, stderr) = server.run(&["serve"]).await;
    assert_eq!(code, 64, "{stderr}");
    for (name, _) in mistaken {
        assert_eq!(stderr.lines().filter(|line| line.starts_with(&format!("{name}: "))).count(), 1, "{name}: {stderr}");
    }
    assert!(!stderr.contains(HIDDEN) && !stdout.contains(HIDDEN), "{stderr}");

    let bare = pulso("").with("JWT_SECRET", "");
    let (code, _, stderr) = bare.run(&["serve"]).await;
    assert_eq!(code, 64);
    assert!(stderr.contains("DATABASE_URL: ") && stderr.contains("JWT_SECRET: "), "{stderr}");
}

async fn migrate_in(folder: &Scratch, pulso: &Pulso) -> (Option<i32>, String) {
    let mut command = pulso.command(&["migrate"]);
    command.current_dir(folder.path());
    let Output { status, stderr, .. } = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn a_settings_file_that_cannot_be_read_is_a_warning_and_named_where_a_setting_is_missing() {
    let database = database().await;
    let folder = Scratch::new();
    std::fs::create_dir(folder.path().join(".env")).unwrap();
    let (code, said) = migrate_in(&folder, &pulso(&database.url())).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with(".env: not read ("), "{said}");
    let (code, said) = migrate_in(&folder, &pulso("")).await;
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains(".env: not read (") && said.contains("DATABASE_URL: "), "{said}");
    // As some editors write it.
    let folder = Scratch::new();
    folder.write(".env", &format!("\u{feff}DATABASE_URL={}\n", database.url()));
    let (code, said) = migrate_in(&folder, &pulso("")).await;
    assert_eq!((code, said.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let (running, database) = open().await;
    let server = pulso(&database.url()).with("PORT", &running.port().to_string());
    let (code, _, stderr) = server.run(&["serve"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("cannot listen on 127.0.0.1:") && stderr.contains("Set PORT"), "{stderr}");
    let (code, _, stderr) = pulso("").with("PORT", &running.port().to_string()).run(&["demo"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("cannot listen on 127.0.0.1:"), "{stderr}");
}

#[tokio::test]
async fn help_gets_a_newcomer_going() {
    for (arguments, words) in [
        (&["--help"][..], &["serve", "demo", "init", "token", "check", "migrate", "health"][..]),
        (&["serve", "--help"], &["DATABASE_URL", "JWT_SECRET", "PORT"]),
        (&["check", "--help"], &["DATABASE_URL"]),
        (&["init", "--help"], &["DATABASE_URL", "--yes", "pulso-sql/", "pulso serve"]),
        (&["migrate", "--help"], &["DATABASE_URL", "pulso_outbox", "nothing to do"]),
        (&["demo", "--help"], &["PORT", "LISTEN_ADDR"]),
        (&["token", "--help"], &["--user", "--negocio", "--restaurant", "--role", "--ttl"]),
        (&["health", "--help"], &["PORT"]),
        (&["--version"], &["pulso"]),
    ] {
        let (code, stdout, stderr) = pulso("").run(arguments).await;
        assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}");
        for word in words {
            assert!(stdout.contains(word), "{word} in {arguments:?}: {stdout}");
        }
    }
    let (code, _, stderr) = pulso("").run(&[]).await;
    assert!(code == 2 && stderr.contains("Usage"), "{stderr}");
    assert_eq!(pulso("").run(&["dance"]).await.0, 2);
}

#[tokio::test]
async fn a_printed_token_opens_the_door() {
    let (running, _database) = open().await;
    let (code, stdout, stderr) = pulso("").run(&["token", "--user", crate::business::OWNER]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let path = format!("/ws?token={}", stdout.trim_end());
    pulso_harness::Dashboard::connect(running.port(), &path, &[]).await.watch(crate::business::NEGOCIO).await;
    assert_eq!(pulso("").run(&["token"]).await.0, 2);
    let (code, stdout, stderr) = pulso("").with("JWT_SECRET", "").run(&["token", "--user", "u"]).await;
    assert_eq!((code, stdout.as_str()), (64, ""));
    assert!(stderr.contains("JWT_SECRET"), "{stderr}");
}

#[tokio::test]
async fn health_tells_a_container_whether_the_server_lives() {
    let (running, _database) = open().await;
    let asked = pulso("").with("PORT", &running.port().to_string());
    assert_eq!(asked.run(&["health"]).await, (0, String::new(), String::new()));
    drop(running);
    let (code, _, stderr) = asked.run(&["health"]).await;
    assert!(code == 1 && stderr.contains("no healthy server"), "{stderr}");
    assert_eq!(asked.with("PORT", "eighty").run(&["health"]).await.0, 64);
}
