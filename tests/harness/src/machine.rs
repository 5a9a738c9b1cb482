//! What this machine has, asked of the kernel and not of the server: so that no test passes for want of it.

use std::fs;
use std::io::{Write, stderr};

/// Since 6.6, wherever io_uring is compiled in; 0 where everybody may use it.
const DISABLED: &str = "/proc/sys/kernel/io_uring_disabled";
/// The names of what is in the kernel, and one of them that comes with io_uring alone.
const SYMBOLS: &str = "/proc/kallsyms";
const OF_IO_URING: &str = " io_submit_sqes";

/// Whether a test must find io_uring in use. Where the kernel has none, that is said past what catches a test's output.
pub fn has_io_uring() -> bool {
    let why_not = match fs::read_to_string(DISABLED) {
        Ok(text) if text.trim() == "0" => return true,
        Ok(text) => format!("kernel.io_uring_disabled is {}", text.trim()),
        Err(_) if fs::read_to_string(SYMBOLS).is_ok_and(|names| names.contains(OF_IO_URING)) => return true,
        Err(_) => "it is not in this kernel".to_owned(),
    };
    // Nobody to tell is no reason to fail.
    let _ = writeln!(stderr(), "\n==> NOT TESTED with io_uring: {why_not}\n");
    false
}

/// Whether this process holds a ring.
pub fn holds_a_ring() -> bool {
    let descriptors = fs::read_dir("/proc/self/fd").expect("a process sees its own descriptors");
    descriptors.flatten().any(|one| fs::read_link(one.path()).is_ok_and(|to| to.as_os_str() == "anon_inode:[io_uring]"))
}
