//! `pulso demo`: a link that works, figures that move, and nothing left behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use pulso_harness::process::{free_port, spawn};
use pulso_harness::wait::LIMIT;
use pulso_harness::{Dashboard, Scratch, http, wait};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, timeout};

use crate::business::pulso;

/// Five seconds are promised; the rest is for a busy machine.
const MOVES_WITHIN: Duration = Duration::from_secs(7);

/// Starts the demo and returns it with the link it prints.
async fn demo(address: &str, port: u16, scratch: &Scratch) -> (Child, String) {
    let server = pulso("").with("JWT_SECRET", "").with("LISTEN_ADDR", address).with("PORT", &port.to_string());
    let folder = |name: &str| {
        let path = scratch.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let mut command = server.with("TMPDIR", folder("tmp").to_str().unwrap()).command(&["demo"]);
    command.current_dir(folder("cwd")).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = spawn(command);
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, printed) = tokio::sync::oneshot::channel();
    // Reads on to the end: who prints to nobody fails.
    std::thread::spawn(move || {
        let mut lines = stdout.lines().map_while(Result::ok);
        let _ = sender.send(lines.find(|line| line.trim_start().starts_with("http://")));
        lines.for_each(drop);
    });
    let link = timeout(LIMIT, printed).await.expect("it prints").unwrap().expect("a printed link");
    (child, link.trim().to_owned())
}

/// What a link says after `name=`.
fn part<'a>(link: &'a str, name: &str) -> &'a str {
    let fragment = link.split_once('#').expect("token and business come in the fragment").1;
    fragment.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).expect("a part of the link")
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// Takes twelve seconds: the promise is about time.
#[tokio::test]
async fn the_demos_figures_move_by_themselves_and_nothing_is_left_behind() {
    let scratch = Scratch::new();
    let port = free_port();
    let (mut child, link) = demo("127.0.0.1", port, &scratch).await;
    assert!(link.starts_with(&format!("http://localhost:{port}/#")), "{link}");
    wait::until(async || http::exchange(port, "GET /ready HTTP/1.1", "").await.status == 200, "it is ready").await;
    let path = format!("/ws?token={}", part(&link, "token"));
    let mut dashboard = Dashboard::connect(port, &path, &[("origin", "https://anywhere.example")]).await;
    let mut last = dashboard.watch(part(&link, "negocio")).await;
    assert!(last.total > 0 && last.completadas > 0, "a business with a past: {last:?}");
    let (began, mut moved) = (Instant::now(), Instant::now());
    while began.elapsed() < Duration::from_secs(12) {
        let figures = |stats: &pulso_harness::Stats| (stats.hoy, stats.total, stats.completadas, stats.canceladas);
        let next = dashboard.stats().await;
        if figures(&next) != figures(&last) {
            assert!(moved.elapsed() < MOVES_WITHIN, "nothing moved for {:?}", moved.elapsed());
            moved = Instant::now();
        }
        last = next;
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(dashboard.closed().await.code, 1001);
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert_eq!(timeout(LIMIT, ended).await.expect("the demo ends").unwrap().code(), Some(0));
    assert!(is_empty(&scratch.path().join("cwd")) && is_empty(&scratch.path().join("tmp")));
}

#[tokio::test]
async fn the_demo_listens_where_it_is_told() {
    let scratch = Scratch::new();
    let (mut child, link) = demo("127.0.0.2", 0, &scratch).await;
    let port: u16 = link.split(['/', '#']).nth(2).and_then(|host| host.rsplit(':').next()).unwrap().parse().unwrap();
    assert!(tokio::net::TcpStream::connect(("127.0.0.2", port)).await.is_ok(), "{link}");
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err(), "{link}");
    assert!(link.starts_with(&format!("http://127.0.0.2:{port}/#")), "the link leads to where it listens: {link}");
    child.kill().unwrap();
    child.wait().unwrap();
}
