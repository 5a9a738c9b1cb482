//! What the operating system counts of this process, by the names that every process has.
//!
//! Asked at each scrape. Where there is no `/proc` nothing is said.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::meanings::help;

/// The process that this is.
#[derive(Debug)]
pub(super) struct Process {
    /// Unix seconds.
    started: Option<f64>,
}

impl Process {
    pub(super) fn new() -> Self {
        Self { started: started() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut say = |name: &str, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, &(help(name) + "."), None, metric.metric_type())?)
        };
        say("process_cpu_seconds", &ConstCounter::new(seconds(ClockId::ProcessCPUTime)))?;
        if let Some(bytes) = resident_bytes() {
            say("process_resident_memory_bytes", &ConstGauge::new(bytes))?;
        }
        if let Some(open) = open_descriptors() {
            say("process_open_fds", &ConstGauge::new(open))?;
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            say("process_max_fds", &ConstGauge::new(signed(most)))?;
        }
        if let Some(started) = self.started {
            say("process_start_time_seconds", &ConstGauge::new(started))?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "some thousand years are exact enough")]
fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn resident_bytes() -> Option<i64> {
    let pages: u64 = fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(signed(pages * page_size() as u64))
}

/// The kernel says how many there are since 6.2; before that they are counted.
fn open_descriptors() -> Option<i64> {
    let counted = fs::metadata("/proc/self/fd").ok()?.len();
    let open = if counted > 0 { counted } else { fs::read_dir("/proc/self/fd").ok()?.count() as u64 };
    Some(signed(open))
}

/// Counted by the system from its own start.
fn started() -> Option<f64> {
    let of_process = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the program's name, which may hold anything.
    let ticks: f64 = of_process.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a hundred, everywhere")]
    let a_second = clock_ticks_per_second() as f64;
    Some(seconds(ClockId::Realtime) - seconds(ClockId::Boottime) + ticks / a_second)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
