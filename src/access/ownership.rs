//! Who may watch what: by what the token says, or by what the database says.
//!
//! Answers of the database are remembered for seconds only, questions travel in batches, and each user has a rate of
//! them. Must not know clients.

mod asked;
mod questions;

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::token::Identity;
use crate::config::{AccessPolicy, AuthConfig, ClientLimits};
use crate::database::Database;
use crate::model::{IdType, NegocioId};
use crate::store::StoreError;
use crate::telemetry::metrics::Metrics;

pub use asked::{Asked, Pair};
use asked::{Kind, holding};
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
    remembered: DashMap<Asked, Remembered>,
    remember_for: Duration,
    questions: mpsc::Sender<Question>,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    holds: bool,
    since: Instant,
}

/// The end of the queue that [`Access`] fills.
#[derive(Debug)]
pub struct Questions {
    arriving: mpsc::Receiver<Question>,
    queue: Queue,
}

/// What was asked at a moment, and the answer.
struct Answered {
    since: Instant,
    kind: Kind,
    asked: Vec<Asked>,
    holding: Result<HashSet<Asked>, StoreError>,
}

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

    /// Whether the operator lets everybody in who has a good token.
    pub fn lets_everybody_in(&self) -> bool {
        self.policy == AccessPolicy::AnyAuthenticated
    }

    /// The database's answer if it was asked seconds ago.
    pub fn remembered(&self, asked: &Asked) -> Option<bool> {
        let remembered = *self.remembered.get(asked)?;
        (remembered.since.elapsed() <= self.remember_for).then_some(remembered.holds)
    }

    /// Whether the database says so. What is not remembered costs the user's rate, and
    /// waits where that is used up. Asked when this returns; the answer is as small as it can be, because all connections
    /// of a node wait for theirs together.
    pub fn holds(&self, asked: Asked) -> impl Future<Output = Verdict> + Send + use<> {
        self.ask(asked, false)
    }

    /// As [`Self::holds`], of what was granted before: it costs nothing, for a right that is withdrawn must end in time.
    pub fn still_holds(&self, asked: Asked) -> impl Future<Output = Verdict> + Send + use<> {
        self.ask(asked, true)
    }

    fn ask(&self, asked: Asked, is_free: bool) -> impl Future<Output = Verdict> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let mut in_line = None;
        if let Some(holds) = self.remembered(&asked) {
            self.metrics.ownership_cached.inc();
            let _ = answer.send(Ok(holds));
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

    /// Puts the questions to the database until stopped: one batch of a kind at a time, so that whatever comes meanwhile
    /// makes the next one.
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
        let mut under_way: FuturesUnordered<BoxFuture<'static, Answered>> = FuturesUnordered::new();
        loop {
            while let Some((kind, batch)) = queue.take_batch() {
                under_way.push(ask_database(Arc::clone(&database), kind, batch));
            }
            let next_turn = queue.next_turn();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(answered) = under_way.next() => {
                    self.on_answered(&mut queue, answered);
                    let (still, over): (Vec<_>, Vec<_>) =
                        put_off.drain(..).partition(|question| queue.is_under_way(&question.asked));
                    put_off = still;
                    for question in over {
                        queue.add(question);
                    }
                }
                received = arriving.recv_many(&mut arrived, WAITING), if queue.has_room() => {
                    if received == 0 {
                        return;
                    }
                    for question in arrived.drain(..) {
                        if let Some(holds) = self.remembered(&question.asked) {
                            self.metrics.ownership_cached.inc();
                            // Whoever asked may have left.
                            let _ = question.answer.send(Ok(holds));
                        } else if self.remember_for.is_zero() && queue.is_under_way(&question.asked) {
                            put_off.push(question);
                        } else {
                            queue.add(question);
                        }
                    }
                }
                () = sleep_until(next_turn.unwrap_or_else(Instant::now)), if next_turn.is_some() => {}
            }
        }
    }

    fn on_answered(&self, queue: &mut Queue, Answered { since, kind, asked, holding }: Answered) {
        queue.is_over(&kind);
        if let Err(failure) = &holding {
            debug!(%failure, "ownership not checked");
        }
        self.make_room(asked.len());
        for asked in asked {
            let verdict = match &holding {
                Ok(holding) => Ok(holding.contains(&asked)),
                Err(_) => Err(Unanswered::CannotCheck),
            };
            queue.answer(&asked, verdict);
            if let Ok(holds) = verdict {
                self.remembered.insert(asked, Remembered { holds, since });
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

fn ask_database(database: Arc<Database>, kind: Kind, asked: Vec<Asked>) -> BoxFuture<'static, Answered> {
    // From before the question: what changes while it is under way must be found next time.
    let since = Instant::now();
    Box::pin(async move {
        let holding = holding(&database, &kind, &asked).await;
        Answered { since, kind, asked, holding }
    })
}
