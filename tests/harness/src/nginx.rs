//! The real nginx, with a configuration as operators have it.

use std::net::Ipv4Addr;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;

use crate::process::{find, run, spawn};
use crate::scratch::Scratch;
use crate::wait;

const PACKAGE: &str = "nginx-light";
/// Where the packaged one has its sites and its logs.
const SITES: &str = "/etc/nginx/conf.d/";
const LOGS: &str = "/var/log/nginx/";
/// What it would put where only root may write.
const BODIES: [&str; 5] = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/// A running nginx with its workers; ended when dropped.
pub struct Nginx {
    child: Child,
    folder: Scratch,
}

impl Nginx {
    /// `main` is what stands in `nginx.conf`, `site` in a file that its `http` block includes; one of them listens on `port` of
    /// 127.0.0.1.
    pub async fn start(main: &str, site: &str, port: u16) -> Self {
        let folder = Scratch::new();
        let here = folder.path().display();
        std::fs::create_dir(folder.path().join("sites")).expect("a folder");
        let adapted = |text: &str| text.replace(SITES, &format!("{here}/sites/")).replace(LOGS, &format!("{here}/"));
        folder.write("sites/site.conf", &adapted(site));
        let bodies: String = BODIES.map(|kind| format!("{kind}_temp_path {here}/{kind};\n")).concat();
        let main = folder.write("nginx.conf", &adapted(main).replace("http {", &format!("http {{\n{bodies}")));
        let globals = format!("daemon off; pid {here}/pid; error_log {here}/main.log;");
        let program = find("nginx", PACKAGE);
        let arguments = ["-c", main.to_str().expect("a path in UTF-8"), "-g", &globals, "-p"];
        run(Command::new(&program).arg("-t").args(arguments).arg(folder.path()), "nginx -t");
        // TERM, for KILL would leave its workers behind.
        let mut command = Command::new(find("setpriv", "util-linux"));
        command.args(["--pdeathsig", "TERM", "--"]).arg(program).args(arguments).arg(folder.path());
        let nginx = Self { child: spawn(command), folder };
        wait::until(async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok(), "nginx listens").await;
        nginx
    }

    /// What it wrote to its logs so far, errors among it.
    pub fn log(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        ["main.log", "access.log", "error.log"].map(read).concat()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
