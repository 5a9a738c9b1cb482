//! What changes the table, at a steady rate, and announces each change to whoever has to be told.
//!
//! A thread of its own, for the load has one. Must not know who watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use super::{A_SECOND, KEYS};
use crate::caller::Caller;
use crate::runtime;

/// One change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub key: u32,
    /// The value that it gave its row.
    pub n: u64,
    pub committed: Instant,
}

/// The call that announces a change of a key, for those who are told.
pub(super) type Hint = fn(&str) -> Vec<u8>;

pub(super) struct Writer {
    thread: JoinHandle<Vec<Change>>,
    is_done: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(url: String, port: u16, hint: Option<Hint>, count: u32) -> Self {
        let is_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&is_done);
        let thread = thread::spawn(move || {
            let runtime = runtime().expect("a runtime");
            let mut connection = runtime.block_on(PgConnection::connect(&url)).expect("a connection");
            let mut caller = hint.map(|hint| (hint, Caller::open(port)));
            let begun = Instant::now();
            let mut changes = Vec::with_capacity(count as usize);
            for number in 0..count {
                let due = begun + Duration::from_secs(1) * number / A_SECOND;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                // All keys in turn, in no order that anybody could guess.
                let key = number * 37 % KEYS;
                let name = format!("k-{key}");
                let update = sqlx::query_scalar("UPDATE claves SET n = n + 1 WHERE clave = $1 RETURNING n").bind(&name);
                let n: i32 = runtime.block_on(update.fetch_one(&mut connection)).expect("a change");
                changes.push(Change { key, n: n.unsigned_abs().into(), committed: Instant::now() });
                if let Some((hint, caller)) = &mut caller {
                    caller.send(&hint(&name));
                    let answer = caller.answer();
                    assert!(answer.status == 200, "the hook answers {}", answer.status);
                }
            }
            done.store(true, Ordering::Release);
            changes
        });
        Self { thread, is_done }
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Acquire) || self.thread.is_finished()
    }

    pub(super) fn changes(self) -> Vec<Change> {
        self.thread.join().expect("the changes were made")
    }
}
