//! The unit of systemd: right to it, hardened, and a server that says to it how it is.

mod booted;

use std::cell::RefCell;
use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;

use pulso_harness::process::{find, run};
use pulso_harness::{Pulso, Scratch, wait};
use rustix::process::Signal;

use super::shipped;
use crate::business::{database, pulso};

fn analyze(arguments: &[&str], unit: &Path) -> String {
    let mut analyze = Command::new(find("systemd-analyze", "systemd"));
    run(analyze.args(arguments).arg("--no-pager").arg(unit), "systemd-analyze")
}

#[test]
fn systemd_takes_the_unit_and_finds_it_little_exposed() {
    let unit = fs::read_to_string(shipped("systemd/pulso.service")).unwrap();
    let scratch = Scratch::new();
    // Where the program is here.
    let here = scratch.write("pulso.service", &unit.replace("/usr/local/bin/pulso", env!("CARGO_BIN_EXE_pulso")));
    analyze(&["verify", "--man=no"], &here);
    let said = analyze(&["security", "--offline=true"], &here);
    let level = said.lines().rev().find_map(|line| line.split_once("pulso.service: ")).unwrap().1;
    let level: f64 = level.split(' ').next().unwrap().parse().unwrap();
    assert!(level <= 2.0, "{said}");
}

#[test]
fn what_is_forbidden_leaves_the_sends_of_many_by_one_call() {
    let unit = fs::read_to_string(shipped("systemd/pulso.service")).unwrap();
    let last = unit.lines().rfind(|line| line.starts_with("SystemCallFilter=")).unwrap();
    for call in ["io_uring_setup", "io_uring_enter", "io_uring_register", "setrlimit"] {
        assert!(last.contains(call), "{last} is the last word, and lacks {call}");
    }
}

/// The server as systemd starts it.
fn supervised(pulso: Pulso, address: &str, socket: &UnixDatagram) -> Pulso {
    socket.set_nonblocking(true).unwrap();
    pulso.with("NOTIFY_SOCKET", address).with("WATCHDOG_USEC", "300000")
}

/// Waits until so much has been said, in this order.
async fn until_said(socket: &UnixDatagram, wanted: &[&str]) {
    let said = RefCell::new(Vec::new());
    wait::until(
        async || {
            let mut buffer = [0; 64];
            while let Ok(length) = socket.recv(&mut buffer) {
                said.borrow_mut().push(str::from_utf8(&buffer[..length]).unwrap().to_owned());
            }
            let mut wanted = wanted.iter().peekable();
            for word in said.borrow().iter() {
                assert!(["READY=1", "WATCHDOG=1", "STOPPING=1"].contains(&word.as_str()), "{word}");
                wanted.next_if(|next| *next == word);
            }
            wanted.peek().is_none()
        },
        "systemd is told",
    )
    .await;
}

#[tokio::test]
async fn a_server_says_when_it_serves_that_it_lives_and_when_it_goes_away() {
    let (database, scratch) = (database().await, Scratch::new());
    let path = scratch.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let running = supervised(pulso(&database.url()), path.to_str().unwrap(), &socket).ready().await;
    until_said(&socket, &["READY=1", "WATCHDOG=1", "WATCHDOG=1"]).await;
    running.signal(Signal::TERM);
    until_said(&socket, &["STOPPING=1"]).await;
    assert_eq!(running.ended().await, 0);
}

#[tokio::test]
async fn a_socket_without_a_file_is_one_too() {
    let database = database().await;
    let name = format!("pulso-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let _running = supervised(pulso(&database.url()), &format!("@{name}"), &socket).start().await;
    until_said(&socket, &["READY=1", "WATCHDOG=1"]).await;
}

#[tokio::test]
async fn a_supervisor_that_is_not_there_keeps_nobody_from_serving() {
    let database = database().await;
    let running = pulso(&database.url()).with("NOTIFY_SOCKET", "/nowhere/notify").ready().await;
    running.until_logged("systemd cannot be told anything").await;
    assert_eq!(running.get("/health").await.status, 200);
}
