//! The real Caddy, with a configuration as operators have it.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use tokio::net::TcpStream;

use crate::process::{find, spawn};
use crate::scratch::Scratch;
use crate::wait;

/// Where the shipped configuration has its log.
const LOGS: &str = "/var/log/caddy/";
/// Not for a test: what listens beside the site, and what is asked of the world.
const ALONE: &str = "{\n\tadmin off\n\tauto_https off\n}\n";

/// A running Caddy; ended when dropped.
pub struct Caddy {
    child: Child,
    folder: Scratch,
}

impl Caddy {
    /// `site` listens on `port` of 127.0.0.1, without TLS.
    pub async fn start(site: &str, port: u16) -> Self {
        let folder = Scratch::new();
        let site = site.replace(LOGS, &format!("{}/", folder.path().display()));
        let file = folder.write("Caddyfile", &format!("{ALONE}{site}"));
        let mut command = Command::new(find("setpriv", "util-linux"));
        command.args(["--pdeathsig", "KILL", "--"]).arg(find("caddy", "caddy"));
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
        command.env("XDG_DATA_HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let caddy = Self { child: spawn(command), folder };
        wait::until(async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok(), "Caddy listens").await;
        caddy
    }

    /// What it wrote to its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("pulso.log")).unwrap_or_default()
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
