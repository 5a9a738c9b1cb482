//! User-space instructions of a process, counted by the processor: a busy machine adds none.
//!
//! By `perf`, where it is installed and the machine lets it count; nowhere else is anything said.

use std::fs::{read_dir, read_link};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// For a counter to be there.
const PATIENCE: Duration = Duration::from_secs(1);

/// It was tried in vain: nothing is waited for a second time.
static CANNOT: AtomicBool = AtomicBool::new(false);

/// A count that goes on until it is stopped.
#[derive(Debug)]
pub struct Instructions(Child);

impl Instructions {
    /// Counts from now on, all threads.
    pub fn of(pid: Pid) -> Option<Self> {
        if CANNOT.load(Ordering::Relaxed) {
            return None;
        }
        let count = Self::begin(pid);
        if count.is_none() {
            println!("   instructions are not counted here (perf stat -e instructions:u)");
            CANNOT.store(true, Ordering::Relaxed);
        }
        count
    }

    fn begin(pid: Pid) -> Option<Self> {
        let mut command = Command::new("perf");
        command.args(["stat", "-x,", "-e", "instructions:u", "-p", &pid.as_raw_nonzero().to_string()]);
        command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut count = Self(command.spawn().ok()?);
        let until = Instant::now() + PATIENCE;
        while !count.has_begun() {
            if Instant::now() > until || !matches!(count.0.try_wait(), Ok(None)) {
                count.stop();
                return None;
            }
            thread::sleep(Duration::from_millis(1));
        }
        Some(count)
    }

    /// Whether the kernel has given it a counter.
    fn has_begun(&self) -> bool {
        let open = read_dir(format!("/proc/{}/fd", self.0.id())).into_iter().flatten().flatten();
        open.filter_map(|entry| read_link(entry.path()).ok()).any(|what| what.to_string_lossy().contains("perf_event"))
    }

    /// How many there were; `None` where they cannot be counted.
    pub fn stop(mut self) -> Option<f64> {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.0), Signal::INT);
        let mut said = String::new();
        self.0.stderr.take()?.read_to_string(&mut said).ok()?;
        self.0.wait().ok()?;
        said.lines().find_map(count)
    }
}

/// `perf stat -x,`: the count, its unit, the event.
fn count(line: &str) -> Option<f64> {
    let mut fields = line.split(',');
    let count = fields.next()?.parse().ok()?;
    fields.nth(1)?.starts_with("instructions").then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_and_what_cannot_be_counted_is_none() {
        assert_eq!(count("123456789,,instructions:u,1000000,100.00,,"), Some(123_456_789.0));
        assert_eq!(count("<not supported>,,instructions:u,0,100.00,,"), None);
        assert_eq!(count("<not counted>,,instructions:u,0,0.00,,"), None);
        assert_eq!(count("123,,cycles:u,1,100.00,,"), None);
        assert_eq!(count("Error:"), None);
    }

    #[test]
    fn a_machine_that_cannot_count_is_told_by_nothing() {
        // Either is right, according to the machine; a count of this very process is never zero.
        let counted = Instructions::of(rustix::process::getpid()).and_then(Instructions::stop);
        assert!(counted.is_none_or(|count| count > 0.0));
    }
}
