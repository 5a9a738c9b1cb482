//! What a server has used so far, as the kernel counts it: a process with all that descend from it.
//!
//! Processor time is the sum of every thread's `schedstat`, in nanoseconds: `stat` counts in ticks of 10 ms, a tenth of a
//! short measurement. A thread that ends takes its `schedstat` along and leaves its ticks to the process; where the ticks
//! have grown by more than the nanoseconds, they are believed.

mod instructions;

use std::collections::HashMap;
use std::fs::read_to_string;
use std::time::Duration;

use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

pub use instructions::Instructions;

/// Processor time so far.
#[derive(Clone, Debug)]
pub struct Cpu {
    threads: HashMap<u64, u64>,
    ticked: Duration,
}

/// Processor time between two looks.
#[derive(Clone, Copy, Debug)]
pub struct Spent(pub Duration);

/// Memory that is nobody else's, in bytes. The kernel's socket buffers are not in it.
#[derive(Clone, Copy, Debug)]
pub struct Memory(pub u64);

impl Cpu {
    pub fn of(pid: Pid) -> Self {
        let mut cpu = Self { threads: HashMap::new(), ticked: Duration::ZERO };
        for member in family(pid) {
            cpu.ticked += ticked(member).unwrap_or_default();
            for thread in entries(&format!("/proc/{member}/task")) {
                let stat = read_to_string(format!("/proc/{member}/task/{thread}/schedstat")).unwrap_or_default();
                let nanoseconds = stat.split(' ').next().and_then(|number| number.parse().ok());
                cpu.threads.insert(thread, nanoseconds.unwrap_or(0));
            }
        }
        cpu
    }

    pub fn since(&self, before: &Self) -> Spent {
        let nanoseconds: u64 = self
            .threads
            .iter()
            .map(|(thread, now)| now.saturating_sub(before.threads.get(thread).copied().unwrap_or(0)))
            .sum();
        let tick = Duration::from_millis(10);
        let ticked = self.ticked.saturating_sub(before.ticked);
        Spent(Duration::from_nanos(nanoseconds).max(ticked.saturating_sub(2 * tick)))
    }
}

impl Spent {
    /// Microseconds for each of `count` things.
    pub fn each(self, count: u64) -> f64 {
        self.0.as_secs_f64() * 1e6 / count as f64
    }
}

/// Processor time of the calling thread: the generator's own share of the machine.
pub fn own() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Memory {
    /// `smaps_rollup`: private pages that were written to. Not the clean ones, which are of the program itself and are private as
    /// long as it runs once.
    pub fn of(pid: Pid) -> Self {
        let kib = |member: &u64| -> u64 {
            let rollup = read_to_string(format!("/proc/{member}/smaps_rollup")).unwrap_or_default();
            let private = rollup.lines().filter(|line| line.starts_with("Private_Dirty"));
            private.filter_map(|line| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()).sum()
        };
        Self(family(pid).iter().map(kib).sum::<u64>() * 1024)
    }

    /// Bytes more than `before` for each of `count` things; negative if there are less.
    pub fn each_since(self, before: Self, count: usize) -> f64 {
        (self.0 as f64 - before.0 as f64) / count as f64
    }
}

/// The process and all that descend from it.
pub fn family(pid: Pid) -> Vec<u64> {
    let mut family = vec![pid.as_raw_nonzero().get().unsigned_abs().into()];
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        for thread in entries(&format!("/proc/{member}/task")) {
            let children = read_to_string(format!("/proc/{member}/task/{thread}/children")).unwrap_or_default();
            family.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u64>().ok()));
        }
        next += 1;
    }
    family
}

fn entries(path: &str) -> Vec<u64> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Time of a process, its ended threads included.
fn ticked(pid: u64) -> Option<Duration> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in brackets that may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_ascii_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Some(Duration::from_millis(ticks.sum::<u64>() * 1_000 / rustix::param::clock_ticks_per_second()))
}
