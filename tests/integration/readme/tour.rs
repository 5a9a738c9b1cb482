//! What a newcomer does, block by block through the book, on a real PostgreSQL with TLS.

use std::process::Command;

use pulso_harness::postgres::program;
use pulso_harness::process::{run, steady_port};
use pulso_harness::{Dashboard, Postgres, Transcript, http, wait};

use super::console::{Line, console, masked};
use super::shell::Shell;

/// Where the book's database is: the roles and the database that its reader has.
fn database(cluster: &Postgres) -> String {
    let psql = |user: &str, sql: &str| {
        let mut psql = Command::new(program("psql"));
        psql.env("PGSSLMODE", "require").args(["-h", "127.0.0.1", "-p", &cluster.port().to_string(), "-U", user]);
        run(psql.args(["-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c", sql]), "psql");
    };
    psql("pulso", "CREATE ROLE administrador SUPERUSER LOGIN");
    // The book's reader has none of this name yet.
    psql("administrador", "ALTER ROLE pulso RENAME TO anterior");
    psql("administrador", "CREATE ROLE owner LOGIN CREATEROLE");
    psql("administrador", "CREATE DATABASE app OWNER owner");
    format!("localhost:{}/app?sslmode=verify-full&sslrootcert={}", cluster.port(), cluster.ca().display())
}

async fn until_ready(port: u16) {
    wait::until(
        async || {
            let answer = http::try_exchange(port, "GET /ready HTTP/1.1", "").await;
            answer.is_some_and(|answer| answer.status == 200)
        },
        "the server is ready",
    )
    .await;
}

pub async fn figures(shell: &mut Shell) {
    let [watching] = console("figures", shell).await.try_into().unwrap();
    let mut dashboard = watching.connect(shell).await;
    watching.hold(shell, &mut dashboard).await;
    let mut watcher = watching.connect(shell).await;
    watcher.watch("6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f").await;

    let [call] = console("notify-cita", shell).await.try_into().unwrap();
    let said = shell.run(&call.typed.replace("curl -i", "curl -is")).await.replace('\r', "");
    let printed: Vec<&str> = call
        .lines
        .iter()
        .map(|line| match line {
            Line::Printed(text) => text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    let [status, kind, "", body] = printed[..] else { panic!("{printed:?}") };
    assert!(said.starts_with(&format!("{status}\n")) && said.contains(&format!("\n{kind}\n")), "{said}");
    let got = said.split("\n\n").nth(1).unwrap().trim();
    assert_eq!(masked(got), masked(body));
    watcher.stats().await;
}

pub async fn events(shell: &mut Shell) {
    let [sales] = console("sales", shell).await.try_into().unwrap();
    let mut shop = sales.listen(shell).await;
    assert_eq!(shell.sh("notify-venta").await.trim().rsplit('\n').next().unwrap(), r#"{"ok":true,"clients":1}"#);
    sales.hold(shell, &mut shop).await;

    let [staff, kiosk] = console("clinic", shell).await.try_into().unwrap();
    let (mut nurse, mut room) = (staff.listen(shell).await, kiosk.listen(shell).await);
    shell.sh("notify-pedido").await;
    staff.hold(shell, &mut nurse).await;
    kiosk.hold(shell, &mut room).await;

    let [mut channel] = console("channel", shell).await.try_into().unwrap();
    let mut screen = channel.connect(shell).await;
    let events = channel.lines.split_off(1);
    channel.hold(shell, &mut screen).await;
    screen.ping().await;
    shell.sh("publish").await;
    channel.lines = events;
    channel.hold(shell, &mut screen).await;
}

pub async fn restaurant(shell: &mut Shell) {
    shell.save("orders", "orders.mjs");
    let screen = shell.start("orders-run").await;
    // What is sent before it has connected goes to nobody.
    shell.sh_until("notify-order", r#""clients":1"#, Some(&screen)).await;
    screen.until("order.new {").await;
    screen.until("orderId: 'o-1'").await;
    screen.until("unitPrice: '15.50'").await;
    screen.until("order.status.changed {").await;
}

pub async fn synchronisation(shell: &mut Shell) -> Transcript {
    shell.save("sync", "sync.mjs");
    shell.sh_until("notify-sync", r#""ok":true"#, None).await;
    let back_end = shell.start("sync-run").await;
    back_end.until("stored [").await;
    back_end.until("total: '31.00'").await;
    back_end
}

/// Somebody is away while something happens.
pub async fn absence(shell: &mut Shell, port: u16) {
    let [first, second] = console("missed", shell).await.try_into().unwrap();
    let mut shop = first.listen(shell).await;
    shell.sh("notify-venta").await;
    first.hold(shell, &mut shop).await;
    drop(shop);
    let key = shell.variable("NOTIFY_API_KEY");
    let head = format!("POST /notify/venta HTTP/1.1\ncontent-type: application/json\nx-api-key: {key}");
    let sale = r#"{"negocio_id":"6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f","saleId":124,"tableId":null,"total":"12.00","timestamp":"2025-07-20T10:31:00Z"}"#;
    assert_eq!(http::exchange(port, &head, sale).await.status, 200);
    let mut shop = second.connect(shell).await;
    second.hold(shell, &mut shop).await;
}

pub async fn dismissal(shell: &mut Shell, port: u16) {
    let token = shell.run("pulso token --user 42").await;
    let mut dismissed = Dashboard::connect(port, &format!("/ws?token={}", token.trim()), &[]).await;
    dismissed.ping().await;
    let said = shell.sh("disconnect").await;
    assert!(said.contains(r#"{"ok":true,"clients":1}"#), "{said}");
    assert_eq!(dismissed.closed().await.code, 4_001);
}

#[tokio::test]
async fn a_newcomer_gets_through_the_book_from_its_start_to_its_end() {
    let cluster = tokio::task::spawn_blocking(Postgres::own_with_tls).await.unwrap();
    let port = steady_port();
    let mut shell = Shell::new();
    let address = database(&cluster);
    shell.replace("db.example.com:5432/app?sslmode=verify-full&sslrootcert=/etc/pulso/ca.pem", &address);
    shell.replace("db.example.com:5432/app?sslmode=verify-full", &address);
    shell.replace("localhost:8080", &format!("localhost:{port}"));
    shell.replace("curl http", "curl -sS http");
    shell.export("PORT", &port.to_string());
    shell.export("LISTEN_ADDR", "127.0.0.1");

    shell.sh("settings").await;
    shell.sh("seed").await;
    shell.sql("role").await;
    let server = shell.start("serve").await;
    until_ready(port).await;

    figures(&mut shell).await;
    let bare = http::exchange(port, "POST /notify/cita HTTP/1.1\ncontent-type: application/json", "{}").await;
    assert_eq!(bare.status, 401, "a key is set");
    events(&mut shell).await;
    restaurant(&mut shell).await;
    drop(server);
    shell.sh("migrate").await;
    shell.sql("own-tables").await;
    let server = shell.start("serve").await;
    until_ready(port).await;
    let _back_end = synchronisation(&mut shell).await;
    dismissal(&mut shell, port).await;
    absence(&mut shell, port).await;
    drop(server);

    // What is further down is for the next start.
    shell.sql("index").await;
    shell.sh("tls").await;
    shell.sh("listen").await;
    let said = shell.sh("counters").await;
    assert!(said.contains("figures come from the rollup") && said.contains("All is well."), "{said}");
    let _server = shell.start("serve").await;
    until_ready(port).await;
    let [watching] = console("figures", &mut shell).await.try_into().unwrap();
    let mut watcher = watching.connect(&mut shell).await;
    let before = watcher.watch("6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f").await;
    // Nobody calls the hook.
    let change = "UPDATE citas SET estado = 'cancelada' WHERE negocio_id = '6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f'";
    shell.run(&format!("psql \"$ADMIN_URL\" -c \"{change}\"")).await;
    watcher.stats_until(|stats| stats.canceladas == before.total).await;
}
