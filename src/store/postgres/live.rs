//! Live queries: any statement of an operator's, several in one message, each in its own zone.
//!
//! Parameters are written into the text where that is certain, as the figures' are; else the text is prepared, executed and
//! forgotten in one message of its own, so that every answer is text of the types of the moment.
//! Must not know who watches, nor when anything is read.

mod learn;
mod message;
mod shape;
mod values;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tracing::info;

use self::message::{Gatherings, Outcome, Slot};
use self::shape::{Asked, Shape};
use super::order::Order;
use super::session::{CLOSING, END_READING, OPENING};
use super::transaction::Told;
use super::{AT_ONCE, Ask, Attempt, PostgresStore, failure, sights};
use crate::model::QueryName;
use crate::queries::LiveQuery;
use crate::store::{ContactError, Learnt, LiveRead, LiveResult, Sight, StoreError};

/// What was learnt of each query.
pub(super) type Shapes = HashMap<QueryName, Arc<Shape>>;

type Answer = Result<LiveResult, StoreError>;

/// Reads that are to be made, by their numbers, and those that have been.
struct Work<'a> {
    reads: &'a [LiveRead],
    shapes: Vec<Option<Arc<Shape>>>,
    answers: Vec<Option<Answer>>,
    /// Made together.
    together: VecDeque<usize>,
    /// Made each by itself, at the end.
    alone: VecDeque<usize>,
    /// Whose columns had changed, and which were learnt once more: what changes again is another read's.
    relearnt: Vec<usize>,
    begun: Instant,
}

/// How some reads are asked, and what each statement of it is for.
struct Messages {
    texts: Vec<Arc<str>>,
    slots: Vec<Slot>,
    prepared: Option<Arc<str>>,
}

impl PostgresStore {
    /// Looks what `query` takes and returns, on a connection of its own choice.
    pub(super) async fn learn_live(&self, query: &LiveQuery) -> Result<Learnt, ContactError> {
        let deadline = self.limits.deadline();
        let turn = self.connections.turn().await?;
        let learning = async {
            // One that waits may have died.
            for lease in [turn.reuse(), None] {
                let is_used = lease.is_some();
                let mut lease = match lease {
                    Some(lease) => lease,
                    None => turn.fresh().await?,
                };
                let connection = lease.connection().map_err(|error| failure::of_query(&error))?;
                let learnt = learn::learn(connection, &self.limits, query).await;
                // After a failure nobody knows how far it came.
                lease.keep_if(learnt.is_ok());
                match learnt {
                    Err(ContactError::Store(StoreError::Unreachable(_))) if is_used => self.connections.clear(),
                    learnt => return learnt,
                }
            }
            Err(StoreError::Unreachable("the connection was lost".to_owned()).into())
        };
        let late = |_| Err(self.failure(Attempt::TimedOut).into());
        let (shape, learnt) = timeout_at(deadline, learning).await.unwrap_or_else(late)?;
        self.live.write().unwrap_or_else(PoisonError::into_inner).insert(query.name.clone(), Arc::new(shape));
        Ok(learnt)
    }

    /// What all of `reads` say, however many connections' worth of failures that takes within the time of a call.
    pub(super) async fn read_live(&self, reads: &[LiveRead]) -> Result<Vec<Answer>, StoreError> {
        let mut work = Work::new(reads, |read| self.shape_of(&read.query));
        let deadline = self.limits.deadline();
        while let Some(turn) = work.next() {
            if Instant::now() >= deadline {
                work.fail(&turn, &self.failure(Attempt::TimedOut));
                continue;
            }
            self.read_some(&mut work, &turn).await?;
        }
        Ok(work.answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(never_learnt()))).collect())
    }

    fn shape_of(&self, query: &LiveQuery) -> Option<Arc<Shape>> {
        let shapes = self.live.read().unwrap_or_else(PoisonError::into_inner);
        shapes.get(&query.name).filter(|shape| shape.fingerprint == query.fingerprint).cloned()
    }

    /// Makes the reads of `turn` in one message. Those that have no answer then are put back.
    async fn read_some(&self, work: &mut Work<'_>, turn: &[usize]) -> Result<(), StoreError> {
        let mut asked: Vec<(&LiveRead, Arc<Shape>)> = Vec::with_capacity(turn.len());
        let mut numbers = Vec::with_capacity(turn.len());
        let mut statements = Vec::with_capacity(turn.len());
        for &number in turn {
            let (read, Some(shape)) = (&work.reads[number], &work.shapes[number]) else { continue };
            match shape.parameters.values(read) {
                Ok(values) => {
                    asked.push((read, Arc::clone(shape)));
                    numbers.push(number);
                    statements.push(values);
                }
                Err(failure) => work.answers[number] = Some(Err(failure)),
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let xids: Vec<u64> = asked.iter().flat_map(|(read, _)| read.xids.iter().copied()).collect();
        let is_ordered = self.order.as_ref().is_some_and(Order::is_known);
        // A transaction of one moment looks at that moment, and on a standby nothing can be told of one that is past.
        let early = is_ordered && !xids.is_empty();
        let early = if early { Some(self.sights_of(&xids).await?) } else { None };
        let asks_sights = early.is_none() && !xids.is_empty();

        let share = self.share_of(work.begun, asked.len());
        let Messages { texts: messages, slots, prepared } =
            self.messages(&asked, &statements, share, is_ordered, asks_sights.then_some(&*xids))?;
        let gatherings = Mutex::new(Gatherings::new(slots, &asked, xids));
        let hear = |step: super::transaction::Step<'_>| {
            gatherings.lock().unwrap_or_else(PoisonError::into_inner).hear(&step);
        };
        let told = self.answer(Ask::Told(Told { messages, prepared, to: &hear })).await;
        let mut gatherings = gatherings.into_inner().unwrap_or_else(PoisonError::into_inner);

        let failed_at = told.is_err().then(|| gatherings.under_way()).flatten();
        let mut offset = 0;
        for (at, &number) in numbers.iter().enumerate() {
            let count = work.reads[number].xids.len();
            let mine = offset..offset + count;
            offset += count;
            match (gatherings.outcome(at), &told) {
                (Outcome::Done(answer), _) => {
                    work.answers[number] = Some(answer.and_then(|mut answer| {
                        let all = early.as_ref().unwrap_or(&answer.seen);
                        answer.seen = part(all, mine)?;
                        Ok(answer)
                    }));
                }
                (Outcome::Changed, _) => self.learn_again(work, number).await,
                (Outcome::Open, Ok(_)) => work.answers[number] = Some(Err(unanswered())),
                // Nobody is to blame who has not been asked.
                (Outcome::Open, Err(StoreError::TimedOut(_))) if failed_at == Some(at) && numbers.len() > 1 => {
                    work.alone.push_back(number);
                }
                (Outcome::Open, Err(failure)) if failed_at == Some(at) => {
                    work.answers[number] = Some(Err(failure.clone()));
                }
                (Outcome::Open, Err(failure)) => match failed_at {
                    Some(_) => work.together.push_back(number),
                    None => return Err(failure.clone()),
                },
            }
        }
        match told {
            Err(lost @ StoreError::Unreachable(_)) => Err(lost),
            _ => Ok(()),
        }
    }

    /// Its columns are not what they were; with what is learnt now it is read once more.
    async fn learn_again(&self, work: &mut Work<'_>, number: usize) {
        let query = &work.reads[number].query;
        let learnt = if work.relearnt.contains(&number) {
            Err(StoreError::Refused("the columns change while they are read".to_owned()))
        } else {
            info!(query = query.name.as_str(), "the columns of a live query have changed");
            self.learn_live(query).await.map_err(ContactError::into_refusal)
        };
        match learnt {
            Ok(_) => {
                work.shapes[number] = self.shape_of(query);
                work.relearnt.push(number);
                work.put_back(number);
            }
            Err(failure) => work.answers[number] = Some(Err(failure)),
        }
    }

    /// The time of each of several reads: all of them get what is left of the time of one.
    fn share_of(&self, begun: Instant, reads: usize) -> Duration {
        let left = self.limits.statement.saturating_sub(begun.elapsed());
        let left = left.max(self.limits.statement / 8);
        left / u32::try_from(reads.max(1)).unwrap_or(u32::MAX)
    }

    fn messages(
        &self,
        asked: &[(&LiveRead, Arc<Shape>)],
        values: &[[super::inlined::Literal; 3]],
        share: Duration,
        is_ordered: bool,
        xids: Option<&[u64]>,
    ) -> Result<Messages, StoreError> {
        let session = self.limits.session();
        let mut slots = vec![Slot::Setting; OPENING];
        let mut text = if is_ordered {
            slots.push(Slot::Order);
            session.begin_ordered(share)
        } else {
            session.begin_reading_within(share)
        };
        if let Some(xids) = xids {
            text.push_str("; ");
            text.push_str(&sights::question(xids));
            slots.push(Slot::Sights);
        }
        let mut zone = session.zone();
        let mut messages = Vec::with_capacity(2);
        let mut prepared = None;
        for (at, ((_, shape), values)) in asked.iter().zip(values).enumerate() {
            if *shape.zone != *zone {
                zone = &shape.zone;
                text.push_str("; SET LOCAL TimeZone = '");
                text.push_str(zone);
                text.push('\'');
                slots.push(Slot::For(at));
            }
            if shape.is_raw {
                text.push_str("; SET LOCAL client_encoding = SQL_ASCII");
                slots.push(Slot::For(at));
            }
            match &shape.asked {
                Asked::Written(written) => {
                    text.push_str("; ");
                    text.push_str(&written.with(&values.each_ref())?);
                    slots.push(Slot::Read(at));
                }
                // Always alone; see `Work::next`.
                Asked::Beside(sql) => {
                    let name = message::name();
                    messages.push(std::mem::take(&mut text).into());
                    text = message::beside(&name, "", shape, sql, values);
                    // What is wrong with the statement may be found when it is prepared.
                    slots.extend([Slot::For(at), Slot::Read(at), Slot::Setting]);
                    prepared = Some(name);
                }
            }
        }
        if prepared.is_none() {
            text.push_str("; ");
            text.push_str(END_READING);
        }
        slots.extend([Slot::Setting; CLOSING]);
        messages.push(text.into());
        Ok(Messages { texts: messages, slots, prepared })
    }

    /// What a read that begins after this sees of `xids`.
    pub(super) async fn sights_of(&self, xids: &[u64]) -> Result<Vec<Sight>, StoreError> {
        let rows = self.rows_at_once(&[sights::question(xids)]).await?;
        sights::read(xids, rows.first().and_then(|rows| rows.first()))
    }
}

impl<'a> Work<'a> {
    fn new(reads: &'a [LiveRead], shape: impl Fn(&LiveRead) -> Option<Arc<Shape>>) -> Self {
        let shapes: Vec<_> = reads.iter().map(shape).collect();
        let mut work = Self {
            reads,
            answers: reads.iter().map(|_| None).collect(),
            shapes,
            together: VecDeque::new(),
            alone: VecDeque::new(),
            relearnt: Vec::new(),
            begun: Instant::now(),
        };
        (0..reads.len()).for_each(|number| work.put_back(number));
        work
    }

    fn put_back(&mut self, number: usize) {
        match self.shapes[number].as_ref().map(|shape| &shape.asked) {
            Some(Asked::Written(_)) => self.together.push_back(number),
            Some(Asked::Beside(_)) => self.alone.push_back(number),
            None => {}
        }
    }

    /// Those that are made next.
    fn next(&mut self) -> Option<Vec<usize>> {
        if self.together.is_empty() {
            return self.alone.pop_front().map(|number| vec![number]);
        }
        let count = self.together.len().min(AT_ONCE);
        Some(self.together.drain(..count).collect())
    }

    fn fail(&mut self, turn: &[usize], failure: &StoreError) {
        for &number in turn {
            self.answers[number] = Some(Err(failure.clone()));
        }
    }
}

/// Of what was seen of all transactions, what is one read's own.
fn part(all: &[Sight], mine: std::ops::Range<usize>) -> Result<Vec<Sight>, StoreError> {
    if mine.is_empty() {
        return Ok(Vec::new());
    }
    all.get(mine).map(<[Sight]>::to_vec).ok_or_else(unanswered)
}

fn never_learnt() -> StoreError {
    StoreError::Refused("the query has not been learnt yet".to_owned())
}

fn unanswered() -> StoreError {
    StoreError::Refused("the database has not answered one of the questions".to_owned())
}
