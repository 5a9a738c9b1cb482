//! When what a call announces was committed, if its caller says so: it goes with the call, as its connection goes with a line of
//! the log, until a client has what came of it.
//!
//! Must not know who calls, nor how a publication travels.

use tokio::task_local;
use tokio::time::Instant;

task_local! {
    static COMMITTED: Option<Instant>;
}

/// When an announcement arrived, and when what it announces was committed.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub at: Instant,
    pub committed: Option<Instant>,
}

impl Arrival {
    /// Of what the call under way announces.
    pub fn of_call(at: Instant) -> Self {
        Self { at, committed: committed() }
    }

    /// The same, where only the commit is of interest.
    pub fn of_commit() -> Option<Self> {
        committed().map(|committed| Self { at: committed, committed: Some(committed) })
    }
}

/// What is announced while `work` works was committed at this moment. One future whether anything is known or not: room for both
/// would be in every request.
pub fn scope<W: Future>(committed: Option<Instant>, work: W) -> impl Future<Output = W::Output> + use<W> {
    COMMITTED.scope(committed, work)
}

fn committed() -> Option<Instant> {
    COMMITTED.try_with(|at| *at).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_commit_goes_with_its_call_and_with_no_other() {
        let at = Instant::now();
        let of_call = async || Arrival::of_call(at).committed;
        assert_eq!(scope(Some(at), of_call()).await, Some(at));
        assert_eq!(scope(None, of_call()).await, None);
        assert!(Arrival::of_commit().is_none());
    }
}
