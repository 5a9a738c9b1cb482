//! Two builds of Pulso side by side, and the older one twice: what a change costs, and how far two equal ones differ.
//!
//! Each work is done with all three right after each other, in another order every round.

mod verdict;

use std::time::Duration;

use pulso_harness::{HOOK_KEY, machine};

use super::broadcast::Stage;
use super::{CALMLY, Work, channels, connect, idle};
use crate::meter::Instructions;
use crate::peer::Server;
use crate::sheet::{LOST, STRAY};
use crate::swarm::Swarm;
use crate::wire::{CLOUD_KEY, Wire};
use crate::world::{NEGOCIOS, World};

pub use verdict::{Row, is_good, markdown};

/// Deliveries of one measurement.
const DELIVERIES: u32 = 100_000;
const DELIVERIES_QUICK: u32 = 10_000;
const LEAST_NOTICES: u32 = 10;

/// The works that say something of a build alone.
pub const WORKS: [Work; 4] = [Work::Fanout, Work::Channels, Work::Connect, Work::Idle];

pub struct Builds<'a> {
    pub world: &'a World,
    /// The build that is in question, and the one that it is compared with.
    pub now: String,
    pub before: String,
    pub sizes: Vec<u32>,
    pub rounds: u32,
    /// A look, not a measurement: fewer clients, fewer messages.
    pub is_quick: bool,
    pub rows: Vec<Row>,
}

/// Who is measured. The order is that of every three figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Build {
    Before,
    Again,
    Now,
}

const BUILDS: [Build; 3] = [Build::Before, Build::Again, Build::Now];

/// One thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    /// Subscribers of one channel, and whether io_uring sends.
    Fanout(u32, bool),
    Channels,
    Connect,
    Idle(Wire),
}

/// What a unit of work has cost.
pub struct Cost {
    /// Microseconds of processor time, or bytes.
    each: f64,
    /// In user space; `None` where the machine does not count them.
    instructions: Option<f64>,
}

impl Builds<'_> {
    pub fn measure(&mut self, works: &[Work]) {
        let jobs = self.jobs(works);
        for round in 1..=self.rounds {
            println!("-- round {round} of {}", self.rounds);
            for &job in &jobs {
                self.one(job, round);
            }
        }
    }

    fn jobs(&self, works: &[Work]) -> Vec<Job> {
        let mut jobs = Vec::new();
        for work in works {
            match work {
                Work::Fanout => {
                    let ways = if self.has_io_uring() { &[false, true][..] } else { &[false] };
                    jobs.extend(ways.iter().flat_map(|way| self.sizes.iter().map(|size| Job::Fanout(*size, *way))));
                }
                Work::Channels => jobs.push(Job::Channels),
                Work::Connect => jobs.push(Job::Connect),
                Work::Idle => {
                    jobs.extend([Wire::Figures, Wire::Restaurant, Wire::RestaurantPolling].map(Job::Idle));
                }
                Work::Storm | Work::Slow | Work::Feeds | Work::Socketio | Work::Tokens => {
                    println!("   {work:?} is not for two builds: left out");
                }
            }
        }
        jobs
    }

    fn has_io_uring(&self) -> bool {
        let server = Server::of(self.world, &self.before, &[("IO_URING", "auto")]);
        let has = server.uses_io_uring();
        if let Err(reason) = &has {
            assert!(!machine::has_io_uring(), "this machine has io_uring, but {reason}");
            println!("   without io_uring: {reason}");
        }
        has.is_ok()
    }

    fn one(&mut self, job: Job, round: u32) {
        let mut costs = BUILDS.map(|_| None);
        // None of the three is always the first, or always behind the same other.
        for turn in 0..BUILDS.len() {
            let place = (turn + round as usize) % BUILDS.len();
            costs[place] = Some(self.cost(job, BUILDS[place]));
        }
        let costs = costs.map(|cost| cost.expect("each has had its turn"));
        let row = Row::of(job.name(), job.is_memory());
        let said: Vec<String> =
            BUILDS.iter().zip(&costs).map(|(build, cost)| format!("{build:?} {:.3}", cost.each)).collect();
        println!("   {}: {} {}", row.name, said.join(" · "), row.unit());
        let place = self.rows.iter().position(|one| one.name == row.name).unwrap_or_else(|| {
            self.rows.push(row);
            self.rows.len() - 1
        });
        self.rows[place].add(costs.each_ref().map(|cost| cost.each), costs.each_ref().map(|cost| cost.instructions));
    }

    fn cost(&self, job: Job, build: Build) -> Cost {
        let binary = if build == Build::Now { &self.now } else { &self.before };
        let settings: &[(&str, &str)] = match job {
            Job::Fanout(_, true) => &[("IO_URING", "auto")],
            Job::Fanout(_, false) => &[("IO_URING", "off")],
            Job::Idle(Wire::Restaurant | Wire::RestaurantPolling) => {
                &[("NOTIFY_API_KEY", HOOK_KEY), ("CLOUD_API_KEY", CLOUD_KEY)]
            }
            Job::Channels | Job::Connect | Job::Idle(_) => &[],
        };
        let server = Server::of(self.world, binary, settings);
        match job {
            Job::Fanout(size, _) => self.fanout(&server, size),
            Job::Channels => self.channels(&server),
            Job::Connect => self.connect(&server),
            Job::Idle(wire) => self.idle(&server, wire),
        }
    }

    fn scaled(&self, usual: u32, quick: u32) -> u32 {
        if self.is_quick { quick } else { usual }
    }

    fn fanout(&self, server: &Server, size: u32) -> Cost {
        let mut swarm = Swarm::new(server.port, Wire::Figures.seats(0..size, 1));
        swarm.connect(CALMLY);
        let (world, wire, readers) = (self.world, Wire::Figures, u64::from(size));
        let mut stage = Stage { world, server, wire, swarm: &mut swarm, readers, pause: Duration::ZERO, number: 0 };
        let notices = (self.scaled(DELIVERIES, DELIVERIES_QUICK) / size).max(LEAST_NOTICES);
        let counted = Instructions::of(server.pid());
        let broadcasts = stage.broadcast(u64::from(notices));
        let instructions = counted.and_then(Instructions::stop);
        let (each, delivered) = (broadcasts.cpu(), broadcasts.delivered);
        let spoilt = |(figure, count): &(_, f64)| [LOST, STRAY].contains(figure) && *count > 0.0;
        let figures = broadcasts.figures();
        assert!(!figures.iter().any(spoilt), "messages were lost, doubled or out of order: {figures:?}");
        Cost { each, instructions: instructions.map(|count| count / delivered as f64) }
    }

    fn channels(&self, server: &Server) -> Cost {
        let time = Duration::from_millis(self.scaled(1_500, 300).into());
        let mut swarm = channels::swarm(server.port, Wire::Figures);
        channels::call(&mut swarm, server.port, Wire::Figures, 0, time / 4);
        swarm.idle(Duration::from_millis(200));
        let counted = Instructions::of(server.pid());
        let cpu = server.cpu();
        let calls = channels::call(&mut swarm, server.port, Wire::Figures, 1 << 32, time);
        let spent = server.cpu().since(&cpu);
        let instructions = counted.and_then(Instructions::stop);
        assert_eq!(calls.refused, 0, "notices were not answered 2xx");
        let count = calls.took.len() as u64;
        Cost { each: spent.each(count), instructions: instructions.map(|all| all / count as f64) }
    }

    fn connect(&self, server: &Server) -> Cost {
        let count = self.scaled(4_000, 500);
        let connected = connect::connect(server, Wire::Figures, count, |_| {});
        let each = connected.spent.each(u64::from(count));
        Cost { each, instructions: connected.instructions.map(|all| all / f64::from(count)) }
    }

    fn idle(&self, server: &Server, wire: Wire) -> Cost {
        let count = self.scaled(if wire == Wire::Figures { 8_000 } else { 3_000 }, 500);
        let mut swarm = Swarm::new(server.port, wire.seats(0..count + idle::WARM_UP as u32, NEGOCIOS));
        let (before, full) = idle::fill(&mut swarm, server, Duration::from_millis(self.scaled(1_000, 300).into()));
        Cost { each: full.each_since(before, count as usize), instructions: None }
    }
}

impl Job {
    fn name(self) -> String {
        match self {
            Self::Fanout(size, has_io_uring) => {
                format!("CPU a delivery, {size} subscribers{}", if has_io_uring { ", io_uring" } else { "" })
            }
            Self::Channels => "CPU a notice, 100 channels of 10".to_owned(),
            Self::Connect => "CPU a connection".to_owned(),
            Self::Idle(Wire::Restaurant) => "an idle Socket.IO session".to_owned(),
            Self::Idle(Wire::RestaurantPolling) => "an idle Socket.IO session by polling".to_owned(),
            Self::Idle(_) => "an idle WebSocket".to_owned(),
        }
    }

    fn is_memory(self) -> bool {
        matches!(self, Self::Idle(_))
    }
}
