//! A socket that shows what was written to it, and objects to two writers at once.

use std::sync::{Arc, Mutex};
use std::task::Waker;

use loom::cell::UnsafeCell;

use super::sync::AtomicWaker;

/// Both ends hold one.
#[derive(Clone, Debug)]
pub struct Outlet(Arc<Wire>);

#[derive(Debug)]
struct Wire {
    /// Nothing lies in it; to touch it while another does is found out.
    turn: UnsafeCell<()>,
    line: Mutex<Line>,
    /// Woken when enough has been written.
    watcher: AtomicWaker,
}

#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    /// What it takes before it is full.
    room: usize,
    enough: usize,
}

impl Outlet {
    /// Takes `room` bytes from those who do not wait.
    pub fn new(room: usize) -> Self {
        let line = Mutex::new(Line { bytes: Vec::new(), room, enough: usize::MAX });
        Self(Arc::new(Wire { turn: UnsafeCell::new(()), line, watcher: AtomicWaker::new() }))
    }

    /// As the product's: what is taken at once.
    pub fn try_send(&self, bytes: &[u8]) -> usize {
        let (taken, is_enough) = self.0.turn.with_mut(|_| {
            let mut line = self.0.line.lock().expect("no panic");
            let taken = bytes.len().min(line.room);
            line.room -= taken;
            line.bytes.extend(&bytes[..taken]);
            (taken, line.bytes.len() >= line.enough)
        });
        if is_enough {
            self.0.watcher.wake();
        }
        taken
    }

    /// As the client's task writes: it waits until there is room.
    pub fn write_all(&self, bytes: &[u8]) {
        self.0.turn.with_mut(|_| self.0.line.lock().expect("no panic").bytes.extend(bytes));
    }

    /// Whether so many bytes are out; if not, the task is woken when others have written them.
    pub fn has_written(&self, bytes: usize, waker: &Waker) -> bool {
        self.0.watcher.register(waker);
        let mut line = self.0.line.lock().expect("no panic");
        line.enough = bytes;
        line.bytes.len() >= bytes
    }

    pub fn written(&self) -> Vec<u8> {
        self.0.line.lock().expect("no panic").bytes.clone()
    }
}
