//! `pulso health`: one request to the server on this machine, for a HEALTHCHECK without a shell.

use std::net::SocketAddr;
use std::process::ExitCode;

use super::{block_on, complain, or_complain};
use crate::config::env;
use crate::loopback;

pub(super) fn run() -> ExitCode {
    let listen = match or_complain(env::load_demo_listen()) {
        Ok(listen) => listen,
        Err(code) => return code,
    };
    let server = loopback::reachable(SocketAddr::new(listen.address, listen.port));
    block_on(async {
        match loopback::get(server, "/health").await {
            Ok(answer) if answer.status == 200 => ExitCode::SUCCESS,
            Ok(answer) => failed(server, &format!("it answers {}", answer.status)),
            Err(error) => failed(server, &error.to_string()),
        }
    })
}

fn failed(server: SocketAddr, why: &str) -> ExitCode {
    complain(&[format!("no healthy server at {server}: {why}")]);
    ExitCode::FAILURE
}
