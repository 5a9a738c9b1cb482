//! The real pgbouncer in transaction mode, in front of a cluster.

use std::fmt::Write;
use std::fs::File;
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use crate::postgres::Database;
use crate::process::{ServiceDir, find, free_port, run, service, spawn};

/// How the pooler is set up.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Server connections; few, so that clients share them.
    pub pool_size: u32,
    /// Statements the pooler keeps for its clients; 0 switches it off, as does a pgbouncer older than 1.21.
    pub max_prepared_statements: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { pool_size: 2, max_prepared_statements: 0 }
    }
}

/// A running pgbouncer.
pub struct PgBouncer {
    port: u16,
    child: Child,
    // After `child`: the directory goes last.
    dir: ServiceDir,
}

impl PgBouncer {
    /// In front of `database`'s server.
    pub fn start(database: &Database, options: Options) -> Self {
        let program = find("pgbouncer", "pgbouncer");
        let dir = ServiceDir::new("pgbouncer");
        let port = free_port();
        let mut settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=pulso\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {}\nmax_client_conn = 500\n\
             server_login_retry = 1\nserver_connect_timeout = 2\n",
            database.port(),
            options.pool_size,
        );
        if Self::keeps_prepared_statements() {
            let _ = writeln!(settings, "max_prepared_statements = {}", options.max_prepared_statements);
        }
        let settings = dir.write("pgbouncer.ini", &settings);
        let log = File::create(dir.path().join("log")).expect("a log file");
        let mut command = service(&program, "KILL");
        command.arg(settings).stdout(log.try_clone().expect("a second handle")).stderr(log);
        let mut child = spawn(command);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = child.try_wait().expect("our own child") {
                let said = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
                panic!("pgbouncer ended at start ({status}):\n{said}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Self { port, child, dir }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `database` through this pooler.
    pub fn url(&self, database: &Database) -> String {
        database.url_at(self.port)
    }

    /// What it wrote to its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Whether the installed one knows `max_prepared_statements` (1.21 and later).
    pub fn keeps_prepared_statements() -> bool {
        let said = run(Command::new(find("pgbouncer", "pgbouncer")).arg("--version"), "pgbouncer --version");
        let version = said.split_ascii_whitespace().nth(1).unwrap_or_default();
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
        (numbers.next(), numbers.next()) >= (Some(1), Some(21))
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
