//! Who may watch which business: by what the token says, or by what the database says.
//!
//! Answers of the database are remembered for seconds only, and questions travel in batches. Must not know clients.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::token::Identity;
use crate::config::{AccessPolicy, AuthConfig};
use crate::database::Database;
use crate::negocio::{IdType, NegocioId};
use crate::store::Ownership;
use crate::telemetry::metrics::Metrics;

/// Questions put to the database at once.
const BATCH: usize = 500;
/// Questions that may wait for their batch; who comes after waits for room.
const WAITING: usize = 4_096;
/// Answers remembered at most.
const REMEMBERED: usize = 100_000;

/// Ownership cannot be checked just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ownership cannot be checked just now")]
pub struct CannotCheck;

/// Decides who may watch what.
#[derive(Debug)]
pub struct Access {
    policy: AccessPolicy,
    remembered: DashMap<Ownership, Remembered>,
    remember_for: Duration,
    questions: mpsc::Sender<Question>,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    owns: bool,
    since: Instant,
}

/// One question on its way to the database.
#[derive(Debug)]
struct Question {
    asked: Ownership,
    answer: oneshot::Sender<Result<bool, CannotCheck>>,
}

/// The end of the queue that [`Access`] fills.
#[derive(Debug)]
pub struct Questions(mpsc::Receiver<Question>);

impl Access {
    pub fn new(config: &AuthConfig, metrics: Arc<Metrics>) -> (Arc<Self>, Questions) {
        let (questions, queue) = mpsc::channel(WAITING);
        let access =
            Self { policy: config.access, remembered: DashMap::new(), remember_for: config.cache, questions, metrics };
        (Arc::new(access), Questions(queue))
    }

    /// Whether this needs no look-up: the token names the business, or the operator lets everybody in.
    pub fn is_granted_by_token(&self, identity: &Identity, negocio: &NegocioId, id_type: IdType) -> bool {
        match self.policy {
            AccessPolicy::AnyAuthenticated => true,
            AccessPolicy::Owner => identity.negocios.iter().any(|named| id_type.parse(named).as_ref() == Some(negocio)),
        }
    }

    /// The database's answer if it was asked seconds ago.
    pub fn remembered(&self, asked: &Ownership) -> Option<bool> {
        let remembered = *self.remembered.get(asked)?;
        (remembered.since.elapsed() <= self.remember_for).then_some(remembered.owns)
    }

    /// Whether the database says that the user owns the business. Asked when this returns; the answer is as small as it
    /// can be, because all connections of a node wait for theirs together.
    pub fn owns(&self, asked: Ownership) -> impl Future<Output = Result<bool, CannotCheck>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let mut in_line = None;
        if let Some(owns) = self.remembered(&asked) {
            self.metrics.ownership_cached.inc();
            let _ = answer.send(Ok(owns));
        } else if let Err(TrySendError::Full(question)) = self.questions.try_send(Question { asked, answer }) {
            let questions = self.questions.clone();
            in_line = Some(Box::pin(async move { questions.send(question).await }));
        }
        async move {
            if let Some(in_line) = in_line {
                // Who asks no more drops the question, and that is the answer below.
                let _ = in_line.await;
            }
            answered.await.unwrap_or(Err(CannotCheck))
        }
    }

    /// Puts the questions to the database until stopped: one batch at a time, so that whatever comes meanwhile makes
    /// the next one.
    pub async fn answer_questions(
        self: Arc<Self>,
        mut questions: Questions,
        database: Arc<Database>,
        stop: CancellationToken,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                received = questions.0.recv_many(&mut batch, BATCH) => {
                    if received == 0 {
                        return;
                    }
                }
            }
            self.answer_batch(&mut batch, &database).await;
        }
    }

    async fn answer_batch(&self, batch: &mut Vec<Question>, database: &Database) {
        let mut open: HashMap<Ownership, Vec<oneshot::Sender<_>>> = HashMap::new();
        for Question { asked, answer } in batch.drain(..) {
            if let Some(owns) = self.remembered(&asked) {
                self.metrics.ownership_cached.inc();
                // Whoever asked may have left.
                let _ = answer.send(Ok(owns));
            } else {
                open.entry(asked).or_default().push(answer);
            }
        }
        if open.is_empty() {
            return;
        }
        let asked: Vec<Ownership> = open.keys().cloned().collect();
        // From before the question: what changes while it is under way must be found next time.
        let since = Instant::now();
        let owners = database.owners(&asked).await;
        if let Err(failure) = &owners {
            debug!(%failure, "ownership not checked");
        }
        self.make_room(open.len());
        for (asked, answers) in open {
            let verdict = match &owners {
                Ok(owners) => {
                    let owns = owners.contains(&asked);
                    self.remembered.insert(asked, Remembered { owns, since });
                    Ok(owns)
                }
                Err(_) => Err(CannotCheck),
            };
            for answer in answers {
                let _ = answer.send(verdict);
            }
        }
    }

    fn make_room(&self, coming: usize) {
        if self.remembered.len() + coming <= REMEMBERED {
            return;
        }
        self.remembered.retain(|_, remembered| remembered.since.elapsed() <= self.remember_for);
        if self.remembered.len() + coming > REMEMBERED {
            self.remembered.clear();
        }
    }
}
