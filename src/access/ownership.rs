//! Who may watch which business: by what the token says, or by what the database says.
//!
//! Answers of the database are remembered for seconds only, questions travel in batches, and each user has a rate of
//! them. Must not know clients.

mod questions;

use std::collections::HashSet;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::token::Identity;
use crate::config::{AccessPolicy, AuthConfig, ClientLimits};
use crate::database::Database;
use crate::model::Ownership;
use crate::model::{IdType, NegocioId};
use crate::store::StoreError;
use crate::telemetry::metrics::Metrics;

pub use questions::Verdict;
use questions::{Question, Queue};

/// Questions on their way into the queue; who comes after waits for room.
const WAITING: usize = 4_096;
/// Answers remembered at most.
const REMEMBERED: usize = 100_000;

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    #[error("ownership cannot be checked just now")]
    CannotCheck,
    /// The user has asked so much that this question's turn would come too late.
    #[error("too many ownership checks; wait a little")]
    TooMany,
}

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

/// The end of the queue that [`Access`] fills.
#[derive(Debug)]
pub struct Questions {
    arriving: mpsc::Receiver<Question>,
    queue: Queue,
}

/// What was asked at a moment, and the answer.
type Answered = (Instant, Vec<Ownership>, Result<HashSet<Ownership>, StoreError>);

impl Access {
    pub fn new(config: &AuthConfig, limits: &ClientLimits, metrics: Arc<Metrics>) -> (Arc<Self>, Questions) {
        let (questions, arriving) = mpsc::channel(WAITING);
        let access =
            Self { policy: config.access, remembered: DashMap::new(), remember_for: config.cache, questions, metrics };
        let queue = Queue::new(limits.ownership_burst, limits.ownership_rate);
        (Arc::new(access), Questions { arriving, queue })
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

    /// Whether the database says that the user owns the business. What is not remembered costs the user's rate, and
    /// waits where that is used up. Asked when this returns; the answer is as small as it can be, because all connections
    /// of a node wait for theirs together.
    pub fn owns(&self, asked: Ownership) -> impl Future<Output = Verdict> + Send + use<> {
        self.ask(asked, false)
    }

    /// As [`Self::owns`], of what was granted before: it costs nothing, for a right that is withdrawn must end in time.
    pub fn still_owns(&self, asked: Ownership) -> impl Future<Output = Verdict> + Send + use<> {
        self.ask(asked, true)
    }

    fn ask(&self, asked: Ownership, is_free: bool) -> impl Future<Output = Verdict> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let mut in_line = None;
        if let Some(owns) = self.remembered(&asked) {
            self.metrics.ownership_cached.inc();
            let _ = answer.send(Ok(owns));
        } else if let Err(TrySendError::Full(question)) = self.questions.try_send(Question { asked, is_free, answer }) {
            let questions = self.questions.clone();
            in_line = Some(Box::pin(async move { questions.send(question).await }));
        }
        async move {
            if let Some(in_line) = in_line {
                // Who asks no more drops the question, and that is the answer below.
                let _ = in_line.await;
            }
            answered.await.unwrap_or(Err(Unanswered::CannotCheck))
        }
    }

    /// Puts the questions to the database until stopped: one batch at a time, so that whatever comes meanwhile makes
    /// the next one.
    pub async fn answer_questions(
        self: Arc<Self>,
        questions: Questions,
        database: Arc<Database>,
        stop: CancellationToken,
    ) {
        let Questions { mut arriving, mut queue } = questions;
        let mut arrived = Vec::new();
        // Asked while the same question was under way, where no answer may be older than its question.
        let mut put_off: Vec<Question> = Vec::new();
        let mut under_way: Option<BoxFuture<'static, Answered>> = None;
        loop {
            if under_way.is_none() {
                let batch = queue.take_batch();
                under_way = (!batch.is_empty()).then(|| ask_database(Arc::clone(&database), batch));
            }
            let next_turn = queue.next_turn();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                answered = answer_of(&mut under_way) => {
                    under_way = None;
                    self.on_answered(&mut queue, answered);
                    for question in put_off.drain(..) {
                        queue.add(question);
                    }
                }
                received = arriving.recv_many(&mut arrived, WAITING), if queue.has_room() => {
                    if received == 0 {
                        return;
                    }
                    for question in arrived.drain(..) {
                        if let Some(owns) = self.remembered(&question.asked) {
                            self.metrics.ownership_cached.inc();
                            // Whoever asked may have left.
                            let _ = question.answer.send(Ok(owns));
                        } else if self.remember_for.is_zero() && queue.is_under_way(&question.asked) {
                            put_off.push(question);
                        } else {
                            queue.add(question);
                        }
                    }
                }
                () = sleep_until(next_turn.unwrap_or_else(Instant::now)), if next_turn.is_some() && under_way.is_none() => {}
            }
        }
    }

    fn on_answered(&self, queue: &mut Queue, (since, asked, owners): Answered) {
        if let Err(failure) = &owners {
            debug!(%failure, "ownership not checked");
        }
        self.make_room(asked.len());
        for asked in asked {
            let verdict = match &owners {
                Ok(owners) => Ok(owners.contains(&asked)),
                Err(_) => Err(Unanswered::CannotCheck),
            };
            queue.answer(&asked, verdict);
            if let Ok(owns) = verdict {
                self.remembered.insert(asked, Remembered { owns, since });
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

fn ask_database(database: Arc<Database>, asked: Vec<Ownership>) -> BoxFuture<'static, Answered> {
    // From before the question: what changes while it is under way must be found next time.
    let since = Instant::now();
    Box::pin(async move {
        let owners = database.owners(&asked).await;
        (since, asked, owners)
    })
}

/// Waits for the answer to what is under way; for ever if nothing is.
async fn answer_of(under_way: &mut Option<BoxFuture<'static, Answered>>) -> Answered {
    match under_way {
        Some(under_way) => under_way.await,
        None => pending().await,
    }
}
