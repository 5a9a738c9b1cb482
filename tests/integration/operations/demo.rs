//! `pulso demo`: a link that works, figures that move, and nothing left behind.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pulso_harness::process::{self, free_port, spawn};
use pulso_harness::{Dashboard, Demo, Scratch, Script, Stats, http, wait};
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::business::pulso;

/// Five seconds are promised; the rest is for a busy machine.
const MOVES_WITHIN: Duration = Duration::from_secs(7);

/// A demo that listens at `address` and has nothing but empty folders in `scratch`.
async fn demo(address: &str, port: u16, scratch: &Scratch) -> Demo {
    Demo::start(command(address, port, scratch)).await
}

fn command(address: &str, port: u16, scratch: &Scratch) -> Command {
    let server = pulso("").with("JWT_SECRET", "").with("LISTEN_ADDR", address).with("PORT", &port.to_string());
    let folder = |name: &str| {
        let path = scratch.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let mut command = server.with("TMPDIR", folder("tmp").to_str().unwrap()).command(&["demo"]);
    command.current_dir(folder("cwd"));
    command
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// Takes twelve seconds: the promise is about time.
#[tokio::test]
async fn the_demos_figures_move_by_themselves_and_nothing_is_left_behind() {
    let scratch = Scratch::new();
    let port = free_port();
    let mut demo = demo("127.0.0.1", port, &scratch).await;
    assert!(demo.link().starts_with(&format!("http://localhost:{port}/#")), "{}", demo.link());
    // Who is invited is let in at once.
    assert_eq!(http::exchange(port, "GET /ready HTTP/1.1", "").await.status, 200);
    let head = format!("GET /page/name?negocio={} HTTP/1.1\nauthorization: Bearer {}", demo.negocio(), demo.token());
    let named = http::exchange(port, &head, "").await.json();
    assert!(named["name"].as_str().is_some_and(|name| !name.is_empty()), "{named}");
    let path = format!("/ws?token={}", demo.token());
    let mut dashboard = Dashboard::connect(port, &path, &[("origin", "https://anywhere.example")]).await;
    let mut last = watch(&mut dashboard, demo.negocio()).await;
    assert!(last.total > 0 && last.completadas > 0, "a business with a past: {last:?}");
    let (began, mut moved) = (Instant::now(), Instant::now());
    while began.elapsed() < Duration::from_secs(12) {
        let figures = |stats: &pulso_harness::Stats| (stats.hoy, stats.total, stats.completadas, stats.canceladas);
        let next = stats(&mut dashboard).await;
        if figures(&next) != figures(&last) {
            assert!(moved.elapsed() < MOVES_WITHIN, "nothing moved for {:?}", moved.elapsed());
            moved = Instant::now();
        }
        last = next;
    }
    // Every feed's hooks were called meanwhile, and Pulso took what they said.
    let metrics = http::exchange(port, "GET /metrics HTTP/1.1", "").await.body;
    let answers: Vec<&str> = metrics.lines().filter(|line| line.starts_with("pulso_hook_answers_total")).collect();
    assert!(matches!(answers.as_slice(), [all] if all.contains(r#"status="200""#)), "{answers:?}");
    demo.signal(Signal::INT);
    assert_eq!(dashboard.closed().await.code, 1001);
    assert_eq!(demo.ended().await, Some(0));
    assert!(is_empty(&scratch.path().join("cwd")) && is_empty(&scratch.path().join("tmp")));
}

#[tokio::test]
async fn the_demo_listens_where_it_is_told() {
    let scratch = Scratch::new();
    let demo = demo("127.0.0.2", 0, &scratch).await;
    let (link, port) = (demo.link(), demo.port());
    assert!(tokio::net::TcpStream::connect(("127.0.0.2", port)).await.is_ok(), "{link}");
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err(), "{link}");
    assert!(link.starts_with(&format!("http://127.0.0.2:{port}/#")), "the link leads to where it listens: {link}");
}

/// `pulso demo | head -n 1`
#[tokio::test]
async fn a_reader_who_leaves_does_not_end_the_demo() {
    let (scratch, port) = (Scratch::new(), free_port());
    let mut command = command("127.0.0.1", port, &scratch);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = spawn(command);
    drop(child.stdout.take());
    wait::until(async || TcpStream::connect(("127.0.0.1", port)).await.is_ok(), "it listens").await;
    let mut kiosk = Dashboard::connect(port, "/ws/kiosk/orders/?device_uid=ipad-room-101", &[]).await;
    let order = r#"{"device_uid":"ipad-room-101","items":[{"product_id":1,"quantity":2}]}"#;
    let create = "POST /api/public/orders/create HTTP/1.1\ncontent-type: application/json";
    assert_eq!(http::exchange(port, create, order).await.status, 201);
    // The businesses come to life only after the invitation.
    assert_eq!(kiosk.next().await["status"], "PREPARING");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn the_printed_calls_are_accepted_as_they_stand() {
    let scratch = Scratch::new();
    let demo = demo("127.0.0.1", 0, &scratch).await;
    let invitation = demo.invitation.replace("\\\n", "");
    let calls: Vec<&str> = invitation.lines().filter(|line| line.trim_start().starts_with("curl ")).collect();
    assert_eq!(calls.len(), 2, "{invitation}");
    for call in calls {
        let mut shell = Command::new("bash");
        let answer = process::run(shell.args(["-c", &format!("{call} --silent --fail")]), call);
        assert!(answer.contains(r#""ok":true"#), "{answer}");
    }
    let keyless = "POST /notify/mesa HTTP/1.1\ncontent-type: application/json";
    assert_eq!(http::exchange(demo.port(), keyless, "{}").await.status, 401);
}

/// One short link a board, each with what it needs to be let in.
#[tokio::test]
async fn every_short_link_leads_to_a_board_that_moves() {
    let scratch = Scratch::new();
    let demo = demo("127.0.0.1", 0, &scratch).await;
    let port = demo.port();
    for board in ["", "/citas", "/cocina", "/caja", "/clinica", "/kiosko"] {
        assert!(demo.invitation.contains(&format!("{}/demo{board} ", demo.url())), "{board} is printed");
        let answer = http::exchange(port, &format!("GET /demo{board} HTTP/1.1"), "").await;
        assert_eq!(answer.status, 303, "{board}");
        let header =
            |name: &str| answer.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert!(header("location").is_some_and(|link| link.starts_with("/#")), "{:?}", answer.headers);
        assert_eq!(header("cache-control"), Some("no-store"), "it may hold a token");
    }
    assert_eq!(http::exchange(port, "GET /demo/otro HTTP/1.1", "").await.status, 404);
    // The printed kiosk always has an order under way.
    let mut kiosk = Dashboard::connect(port, "/ws/kiosk/orders/?device_uid=ipad-room-101", &[]).await;
    assert!(kiosk.next().await["order_id"].is_u64());
}

/// The documents' ids and keys, unless others are asked for; then the same for the same wish.
#[tokio::test]
async fn a_demo_is_the_same_at_each_start() {
    let scratch = Scratch::new();
    let start = async |arguments: &[&str]| {
        let mut command = command("127.0.0.1", 0, &scratch);
        command.args(arguments);
        let demo = Demo::start(command).await;
        (demo.negocio().to_owned(), demo.hook_key().to_owned(), demo.cloud_key().to_owned())
    };
    let documented = ("6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f", "pulso-demo-hook-key", "pulso-demo-cloud-key");
    let owned = |(negocio, hook, cloud): (&str, &str, &str)| (negocio.to_owned(), hook.to_owned(), cloud.to_owned());
    assert_eq!(start(&[]).await, owned(documented));
    let other = ["--seed", "7", "--secret", "another secret that is long enough"];
    let (first, second) = tokio::join!(start(&other), start(&other));
    assert_eq!(first, second);
    assert!(first.0 != documented.0 && first.1 != documented.1 && first.2 != documented.2);
}

#[test]
fn a_seed_or_a_secret_that_cannot_be_one_ends_the_demo_with_the_way_to_write_it() {
    let scratch = Scratch::new();
    for (arguments, remedy) in [
        (["--seed", "siete"], "--seed <NUMBER>"),
        (["--seed", "-1"], "--seed <NUMBER>"),
        (["--secret", "short"], "openssl rand -base64 48"),
    ] {
        let ended = command("127.0.0.1", 0, &scratch).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && said.contains(remedy), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn a_server_that_serves_has_none_of_the_customers_apis() {
    let running = pulso("sqlite:///nowhere/pulso.db").start().await;
    for path in ["/api/v1/auth/login", "/api/v1/orders", "/api/auth/login", "/api/public/orders/create"] {
        let answer = running.exchange(&format!("POST {path} HTTP/1.1\ncontent-type: application/json"), "{}").await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_demos_apis_take_no_more_than_a_hook_does() {
    let scratch = Scratch::new();
    let demo = demo("127.0.0.1", 0, &scratch).await;
    let login = "POST /api/auth/login HTTP/1.1\ncontent-type: application/json";
    assert_eq!(http::exchange(demo.port(), login, &"x".repeat(17 * 1024)).await.status, 413);
    let endless = format!("{login}\ntransfer-encoding: chunked");
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    assert_eq!(http::exchange(demo.port(), &endless, &format!("{chunk}{chunk}0\r\n\r\n")).await.status, 413);
    assert_eq!(http::exchange(demo.port(), login, "{}").await.status, 400);
}

/// One link, every board.
#[tokio::test]
async fn the_printed_token_opens_every_feed_and_each_has_something_to_say() {
    let scratch = Scratch::new();
    let demo = demo("127.0.0.1", 0, &scratch).await;
    let (port, token) = (demo.port(), demo.token());
    let mut business = Dashboard::connect(port, &format!("/ws?token={token}"), &[]).await;
    let mut staff = Dashboard::connect(port, &format!("/ws/staff/orders/?token={token}"), &[]).await;
    let auth = json!({ "token": token }).to_string();
    let mut room = Script::node("socketio_client.mjs", &["--url", demo.url(), "--auth", &auth]);
    let auth = json!({ "apiKey": demo.cloud_key() }).to_string();
    let mut sync = Script::node("socketio_client.mjs", &["--url", &format!("{}/sync", demo.url()), "--auth", &auth]);
    watch(&mut business, demo.negocio()).await;
    let sales = async { while business.next().await["type"] != "newSale" {} };
    let orders = async {
        let names: HashSet<String> = ["order.new", "order.status.changed"].map(str::to_owned).into();
        let mut heard = HashSet::new();
        while !names.is_subset(&heard) {
            heard.insert(room.until("message").await["name"].as_str().unwrap().to_owned());
        }
    };
    let changes = async { assert_eq!(sync.until("message").await["name"], "changes:pending") };
    let arrivals = async { assert_eq!(staff.next().await["type"], "new_order") };
    tokio::join!(sales, orders, changes, arrivals);
}

/// Over what the APIs write, by the hooks that are called anyway, and by the clock.
#[tokio::test]
async fn the_demos_live_queries_move_by_themselves() {
    let scratch = Scratch::new();
    let demo = demo("127.0.0.1", 0, &scratch).await;
    let fragment = demo.link().split_once('#').unwrap().1;
    let channels: Vec<String> = fragment
        .split('&')
        .filter_map(|part| part.strip_prefix("consulta="))
        .map(|name| format!("consulta:{name}"))
        .collect();
    assert_eq!(channels.len(), 3, "{fragment}");
    let mut dashboard = Dashboard::connect(demo.port(), &format!("/ws?token={}", demo.token()), &[]).await;
    for channel in &channels {
        dashboard.send(&json!({ "type": "subscribe", "data": { "channel": channel } })).await;
    }
    let mut seen: HashMap<String, HashSet<String>> = HashMap::new();
    while seen.len() < 3 || seen.values().any(|results| results.len() < 3) {
        let frame = dashboard.next().await;
        let channel = frame["channel"].as_str().unwrap_or_default().to_owned();
        assert!(frame["type"] != "error", "{frame}");
        if frame["type"] == "consulta" && channels.contains(&channel) {
            seen.entry(channel).or_default().insert(frame["data"].to_string());
        }
    }
}

/// The figures among everything else that the business is told.
async fn stats(dashboard: &mut Dashboard) -> Stats {
    loop {
        if let Some(stats) = Stats::from(&dashboard.next().await) {
            return stats;
        }
    }
}

async fn watch(dashboard: &mut Dashboard, negocio: &str) -> Stats {
    dashboard.subscribe(negocio).await;
    stats(dashboard).await
}
