//! The servers that are measured, and how each is started, ended and looked at.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use pulso_harness::process::{find, spawn, steady_port};
use pulso_harness::{Pulso, Running};
use rustix::process::{Pid, Signal, kill_process};

use crate::meter::{Cpu, Memory, family};
use crate::wire::{CLOUD_KEY, Wire};
use crate::world::World;

/// A peer may have to be built first.
const START_LIMIT: Duration = Duration::from_mins(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Peer {
    /// Pulso as it ships; in `fanout` with IO_URING=off.
    Pulso,
    /// Pulso with IO_URING=auto, in `fanout` alone.
    PulsoIoUring,
    /// A bare epoll loop with one write() a subscriber: the limit, which all are divided by.
    Floor,
    /// uWebSockets as shipped in Bun.
    Bun,
    /// npm ws on Node.
    Ws,
    /// gorilla/websocket: the shape of the Go server that Pulso replaces.
    Gorilla,
    /// nginx with libnginx-mod-nchan.
    Nchan,
    /// Socket.IO on Node.
    Socketio,
}

/// How Pulso is configured beside what it ships with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Setting {
    #[default]
    Plain,
    /// As fan-outs are compared: without io_uring.
    Sends,
    /// Every feed's key is set.
    Feeds,
    /// Tokens may be signed with the keys of the file that [`World::jwks`] names.
    Keys,
}

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pulso => "pulso",
            Self::PulsoIoUring => "pulso io_uring",
            Self::Floor => "floor",
            Self::Bun => "bun",
            Self::Ws => "ws",
            Self::Gorilla => "gorilla",
            Self::Nchan => "nchan",
            Self::Socketio => "socketio",
        }
    }

    pub fn is_pulso(self) -> bool {
        matches!(self, Self::Pulso | Self::PulsoIoUring)
    }

    pub fn wire(self) -> Wire {
        match self {
            Self::Pulso | Self::PulsoIoUring => Wire::Figures,
            Self::Floor | Self::Bun | Self::Ws | Self::Gorilla => Wire::Plain,
            Self::Nchan => Wire::Nchan,
            Self::Socketio => Wire::SocketIo,
        }
    }

    /// Starts it on a port of its own; says why if it is not to be had on this machine.
    pub fn start(self, world: &World, setting: Setting) -> Result<Server, String> {
        let port = steady_port();
        let process = if self.is_pulso() {
            let pulso = world.pulso().with("PORT", &port.to_string());
            let pulso = match (self, setting) {
                (Self::PulsoIoUring, _) => pulso.with("IO_URING", "auto"),
                (_, Setting::Sends) => pulso.with("IO_URING", "off"),
                (_, Setting::Plain) => pulso,
                (_, Setting::Keys) => pulso.with("JWKS_FILE", &world.jwks()).with("JWT_AUDIENCE", "*"),
                (_, Setting::Feeds) => pulso.with_hook_key().with("CLOUD_API_KEY", CLOUD_KEY),
            };
            let process = Process::of_pulso(world, pulso);
            if self == Self::PulsoIoUring {
                process.uses_io_uring()?;
            }
            process
        } else {
            Process::Other(self.spawn(port)?)
        };
        Ok(Server { peer: self, port, process })
    }

    fn spawn(self, port: u16) -> Result<Child, String> {
        let (program, arguments): (PathBuf, Vec<String>) = match self {
            Self::Floor => {
                let own = std::env::current_exe().map_err(|error| format!("no path to this program: {error}"))?;
                (own, vec!["floor".into(), "--port".into(), port.to_string()])
            }
            _ => (peers_folder().join(self.name()).join("run"), Vec::new()),
        };
        if !program.is_file() {
            return Err(format!("{} is missing", program.display()));
        }
        let mut command = Command::new(find("setpriv", "util-linux"));
        command.args(["--pdeathsig", "KILL", "--"]).arg(&program).args(arguments).env("PORT", port.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(command);
        let stdout = child.stdout.take().expect("a pipe for what it says");
        let mut stderr = child.stderr.take().expect("a pipe for what it complains of");
        let (sender, ready) = channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            // The receiver has gone if it took too long.
            let _ = sender.send(lines.next().is_some_and(|line| line == "ready"));
            lines.for_each(drop);
        });
        let (complaints, complained) = channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            let _ = complaints.send(text);
        });
        if ready.recv_timeout(START_LIMIT).unwrap_or(false) {
            return Ok(child);
        }
        end(&mut child);
        let said = complained.recv_timeout(Duration::from_secs(2)).unwrap_or_default();
        Err(said.lines().last().unwrap_or("it did not start and does not say why").to_owned())
    }
}

/// A server that runs; ended when dropped.
pub struct Server {
    pub peer: Peer,
    pub port: u16,
    process: Process,
}

enum Process {
    /// With how it is started again, and the runtime it is asked through.
    Pulso(Box<(Running, Pulso)>),
    Other(Child),
}

impl Process {
    fn of_pulso(world: &World, pulso: Pulso) -> Self {
        let running = world.runtime.block_on(pulso.ready());
        Self::Pulso(Box::new((running, pulso)))
    }

    /// What its log says: without io_uring it would be measured twice as the same.
    fn uses_io_uring(&self) -> Result<(), String> {
        let Self::Pulso(pulso) = self else { return Ok(()) };
        let until = Instant::now() + Duration::from_secs(1);
        while !pulso.0.has_logged("io_uring") && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        let is_used = pulso.0.has_logged("io_uring is used");
        is_used.then_some(()).ok_or_else(|| "its log does not say that io_uring is used".to_owned())
    }
}

impl Server {
    /// Pulso with settings of the caller's own.
    pub fn pulso(world: &World, settings: &[(&str, &str)]) -> Self {
        Self::of_pulso(world, world.pulso(), settings)
    }

    /// Another build of Pulso.
    pub fn of(world: &World, binary: &str, settings: &[(&str, &str)]) -> Self {
        Self::of_pulso(world, world.pulso_of(binary), settings)
    }

    fn of_pulso(world: &World, pulso: Pulso, settings: &[(&str, &str)]) -> Self {
        let port = steady_port();
        let mut pulso = pulso.with("PORT", &port.to_string());
        for (name, value) in settings {
            pulso = pulso.with(name, value);
        }
        Self { peer: Peer::Pulso, port, process: Process::of_pulso(world, pulso) }
    }

    /// Why not, if it does not.
    pub fn uses_io_uring(&self) -> Result<(), String> {
        self.process.uses_io_uring()
    }

    pub fn pid(&self) -> Pid {
        match &self.process {
            Process::Pulso(pulso) => pulso.0.pid(),
            Process::Other(child) => Pid::from_child(child),
        }
    }

    pub fn cpu(&self) -> Cpu {
        Cpu::of(self.pid())
    }

    pub fn memory(&self) -> Memory {
        Memory::of(self.pid())
    }

    /// A metric of Pulso's; 0 of others.
    pub fn metric(&self, world: &World, name: &str) -> f64 {
        match &self.process {
            Process::Pulso(pulso) => world.runtime.block_on(pulso.0.metric(name)),
            Process::Other(_) => 0.0,
        }
    }

    /// Kills it; returns when it has ended.
    pub fn die(&mut self) {
        match &mut self.process {
            Process::Pulso(pulso) => {
                pulso.0.signal(Signal::KILL);
                while pulso.0.exit_code().is_none() {
                    thread::sleep(Duration::from_millis(2));
                }
            }
            Process::Other(child) => end(child),
        }
    }

    /// Starts it again on its port after [`Self::die`]; returns when it listens.
    pub fn rise(&mut self, world: &World) {
        match &mut self.process {
            Process::Pulso(pulso) => pulso.0 = world.runtime.block_on(pulso.1.start()),
            Process::Other(child) => *child = self.peer.spawn(self.port).expect("it started before"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Process::Other(child) = &mut self.process {
            end(child);
        }
    }
}

/// Kills it and its descendants.
pub fn end(child: &mut Child) {
    let all = family(Pid::from_child(child));
    for pid in all.into_iter().filter_map(|member| Pid::from_raw(i32::try_from(member).ok()?)) {
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    }
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until && !matches!(child.try_wait(), Ok(Some(_))) {
        thread::sleep(Duration::from_millis(2));
    }
}

fn peers_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}
