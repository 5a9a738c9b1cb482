//! That one node at a time listens to a producer: a lease that is renewed, and lapses with its node.
//!
//! Must not know what is done under it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::broker::log::{NodeId, Trouble};
use crate::broker::redis::Beside;

/// For how long it is held without being renewed.
const LASTING: Duration = Duration::from_secs(5);
/// How often it is renewed, or sought.
const EVERY: Duration = Duration::from_millis(1_500);
/// So much earlier its holder stops: clocks do not run alike, and an answer takes its time.
const MARGIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Duty {
    name: String,
    node: NodeId,
    /// `None` while another has it.
    until: Mutex<Option<Instant>>,
}

impl Duty {
    pub(super) fn new(bridge: &str) -> Self {
        Self { name: format!("bridge:{bridge}"), node: NodeId(rand::random()), until: Mutex::default() }
    }

    /// Waits until this node has it.
    pub(super) async fn take(&self, beside: &Beside<'_>) -> Result<(), Trouble> {
        while !self.seek(beside).await? {
            sleep(EVERY).await;
        }
        Ok(())
    }

    /// Renews it for as long as it can be.
    pub(super) async fn keep(&self, beside: &Beside<'_>) -> Trouble {
        loop {
            sleep(EVERY).await;
            match self.seek(beside).await {
                Ok(true) => {}
                Ok(false) => return Trouble::Moved("another node has this duty now".to_owned()),
                Err(trouble) => return trouble,
            }
        }
    }

    /// Whether nobody else can have it at this moment, also if this process was frozen until now.
    pub(super) fn is_held(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    pub(super) async fn release(&self, beside: &Beside<'_>) -> Result<(), Trouble> {
        if self.until().take().is_none() {
            return Ok(());
        }
        beside.release(&self.name, self.node).await
    }

    async fn seek(&self, beside: &Beside<'_>) -> Result<bool, Trouble> {
        let asked = Instant::now();
        let is_held = beside.hold(&self.name, self.node, LASTING).await?;
        *self.until() = is_held.then(|| asked + LASTING - MARGIN);
        Ok(is_held)
    }

    fn until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
