//! What a process has used so far, as the kernel counts it.

use std::time::Duration;

use rustix::process::Pid;

/// Processor time of a process, all its threads.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    pub user: Duration,
    pub system: Duration,
}

impl Cpu {
    /// From `/proc/<pid>/stat`, in ticks of 10 ms.
    pub fn of(pid: Pid) -> Self {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).expect("a live process");
        // The second field is a name in brackets that may hold anything.
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        let ticks = |place| -> f64 {
            fields.split_ascii_whitespace().nth(place).and_then(|field| field.parse().ok()).expect("a number of ticks")
        };
        let second = rustix::param::clock_ticks_per_second() as f64;
        let time = |place| Duration::from_secs_f64(ticks(place) / second);
        Self { user: time(11), system: time(12) }
    }

    pub fn since(self, before: Self) -> Self {
        Self { user: self.user.saturating_sub(before.user), system: self.system.saturating_sub(before.system) }
    }

    pub fn total(self) -> Duration {
        self.user + self.system
    }

    /// "12.3 µs (user 4.5)" of each of `count` things.
    pub fn each(self, count: u64) -> String {
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        format!("{:.1} µs (user {:.1})", micros(self.total()), micros(self.user))
    }
}

/// Resident memory in bytes. Kernel memory (socket buffers) is not in it.
pub fn resident_bytes(pid: Pid) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).expect("a live process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number of kB");
    kib * 1024
}
