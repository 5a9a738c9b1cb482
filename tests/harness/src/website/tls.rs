//! A page behind TLS, served by the openssl command with a certificate of a new authority's.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tokio::net::TcpStream;

use crate::postgres::tls::certify;
use crate::process::{ServiceDir, find, free_port, spawn};
use crate::wait;

/// The server; killed when dropped.
pub struct TlsWebsite {
    child: Child,
    port: u16,
    authority: PathBuf,
    _dir: ServiceDir,
}

impl TlsWebsite {
    /// With `body` at `/page`.
    pub async fn start(body: &str) -> Self {
        let dir = ServiceDir::new("website");
        let authority = certify(&dir);
        dir.write("page", body);
        let port = free_port();
        let mut command = Command::new(find("setpriv", "util-linux"));
        command.args(["--pdeathsig", "KILL", "--"]).arg(find("openssl", "openssl")).args(["s_server", "-WWW"]);
        command.args(["-accept", &port.to_string(), "-cert", "server.crt", "-key", "server.key"]);
        command.current_dir(dir.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = spawn(command);
        let listens = async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok();
        wait::until(listens, "openssl s_server listens").await;
        Self { child, port, authority, _dir: dir }
    }

    /// Its page, by a name that its certificate has.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/page", self.port)
    }

    /// The certificate of the authority that vouches for it.
    pub fn authority(&self) -> String {
        self.authority.display().to_string()
    }
}

impl Drop for TlsWebsite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
