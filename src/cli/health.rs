//! `pulso health`: one request to the server on this machine, for a HEALTHCHECK without a shell.

use std::net::SocketAddr;
use std::process::ExitCode;

use super::destination::destination;
use super::{block_on, complain, or_complain};
use crate::config::env;
use crate::http::probe::ask;

pub(super) fn run() -> ExitCode {
    let listen = match or_complain(env::load_demo_listen()) {
        Ok(listen) => listen,
        Err(code) => return code,
    };
    let server = destination(SocketAddr::new(listen.address, listen.port));
    block_on(async {
        match ask(server).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                complain(&[format!("no healthy server at {server}: {why}")]);
                ExitCode::FAILURE
            }
        }
    })
}
