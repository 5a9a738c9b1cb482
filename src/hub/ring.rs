//! Many sends by one system call: io_uring, where the kernel has it and whoever runs the process allows it.
//!
//! The only module with `unsafe` code. Knows sockets and bytes, and none of its callers.
#![expect(unsafe_code, reason = "the kernel is told addresses; why they hold is said where that happens")]

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process;

use io_uring::{IoUring, Probe, opcode, squeue, types};
use tracing::error;

use super::fanout::WALK_SLICE;

/// Sends that one call may make.
const ENTRIES: u32 = 256;
const _: () = assert!(WALK_SLICE <= ENTRIES as usize);

/// A ring of the calling thread's own; not to be used on another.
pub(super) struct Ring {
    kernel: IoUring,
    entries: Vec<squeue::Entry>,
    sent: Vec<usize>,
}

impl Ring {
    /// Sets up a ring and sends a byte with it. Fails where that is not to be had: an old kernel, a seccomp profile
    /// (Docker's), `kernel.io_uring_disabled`.
    pub(super) fn set_up() -> io::Result<Self> {
        // Completions are looked for in the one call that waits for them: no interrupts in between.
        let tuned = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(ENTRIES);
        let mut probe = Probe::new();
        let kernel = tuned.or_else(|_| IoUring::new(ENTRIES))?;
        kernel.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::Send::CODE) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut ring = Self { kernel, entries: Vec::with_capacity(WALK_SLICE), sent: Vec::with_capacity(WALK_SLICE) };
        let (ours, mut theirs) = UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        let mut byte = [0];
        if ring.send_all([(&ours, [7].as_slice())].into_iter()) != [1] || theirs.read(&mut byte)? != 1 || byte != [7] {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(ring)
    }

    /// Sends each its bytes, as much of them as is taken at once; returns how many each took, 0 also for a line that is
    /// gone and for what exceeds [`ENTRIES`].
    pub(super) fn send_all<'a, S: AsFd + 'a>(&mut self, sends: impl Iterator<Item = (&'a S, &'a [u8])>) -> &[usize] {
        self.sent.clear();
        self.entries.clear();
        for (socket, bytes) in sends {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let entry = opcode::Send::new(types::Fd(socket.as_fd().as_raw_fd()), bytes.as_ptr(), length)
                .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
            self.entries.push(entry.build().user_data(self.sent.len() as u64));
            self.sent.push(0);
        }
        self.entries.truncate(ENTRIES as usize);
        // SAFETY: the kernel uses an entry's bytes and descriptor until its completion. Both are borrowed for longer than
        // this call; from here on nothing of the caller's runs, and this call ends only when every completion has come.
        // The ring is empty and has room for all of them.
        if unsafe { self.kernel.submission().push_multiple(&self.entries) }.is_err() {
            return &self.sent;
        }
        let mut missing = self.entries.len();
        while missing > 0 {
            if let Err(error) = self.kernel.submit_and_wait(missing) {
                let is_passing = matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY));
                if !is_passing {
                    error!(%error, "io_uring does not say what became of what it was given");
                    process::abort();
                }
            }
            for completion in self.kernel.completion() {
                missing -= 1;
                let place = usize::try_from(completion.user_data()).unwrap_or(usize::MAX);
                if let (Some(sent), Ok(bytes)) = (self.sent.get_mut(place), usize::try_from(completion.result())) {
                    *sent = bytes;
                }
            }
        }
        &self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_socket_takes_what_it_has_room_for_and_nothing_waits_for_a_full_one() {
        let Ok(mut ring) = Ring::set_up() else {
            eprintln!("no io_uring here: nothing to test");
            return;
        };
        let (full, _unread) = UnixStream::pair().unwrap();
        let (gone, peer) = UnixStream::pair().unwrap();
        let (free, mut reader) = UnixStream::pair().unwrap();
        drop(peer);
        let much = vec![1; 1 << 24];
        let few = [2; 100];
        let sent = ring.send_all([(&full, much.as_slice()), (&gone, &few), (&free, &few)].into_iter()).to_vec();
        assert!(sent[0] > 0 && sent[0] < much.len(), "{sent:?}");
        assert_eq!(sent[1..], [0, 100]);
        let again = ring.send_all([(&full, much.as_slice()), (&free, &few)].into_iter()).to_vec();
        assert_eq!(again, [0, 100]);
        let mut read = vec![0; 200];
        reader.read_exact(&mut read).unwrap();
        assert!(read.iter().all(|byte| *byte == 2));
    }

    #[test]
    fn more_than_the_ring_holds_is_left_to_the_caller() {
        let Ok(mut ring) = Ring::set_up() else {
            eprintln!("no io_uring here: nothing to test");
            return;
        };
        let (socket, _reader) = UnixStream::pair().unwrap();
        let sent = ring.send_all((0..ENTRIES as usize + 10).map(|_| (&socket, [3].as_slice()))).to_vec();
        assert_eq!(sent.iter().sum::<usize>(), ENTRIES as usize);
        assert_eq!(sent.len(), ENTRIES as usize + 10);
    }
}
