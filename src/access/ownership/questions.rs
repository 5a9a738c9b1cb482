//! The questions about users on their way to the database: one batch of each kind at a time, and each user in its turn.
//!
//! Must not know what an answer means.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Unanswered;
use super::asked::{Asked, Kind};
use crate::model::UserId;
use crate::rate_limit::RateLimit;

/// Questions put to the database at once.
const BATCH: usize = 500;
/// Questions that wait for their turn or their answer; while there are so many, none is taken in.
const OPEN: usize = 100_000;
/// Who would have to wait longer for its turn is refused.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Users whose rate is remembered at most; one that is whole again needs no remembering.
const USERS: usize = 100_000;
/// Below so many nothing is swept.
const FEW_USERS: usize = 1_024;

/// The database's answer, if there is one.
pub type Verdict = Result<bool, Unanswered>;

/// One question, as it is asked.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) asked: Asked,
    /// It costs nothing and does not wait: a right that was granted is asked about again.
    pub(super) is_free: bool,
    pub(super) answer: oneshot::Sender<Verdict>,
}

/// What has been asked and not answered.
#[derive(Debug)]
pub(super) struct Queue {
    /// `OWNERSHIP_BURST` and `OWNERSHIP_RATE`.
    burst: u32,
    per_second: u32,
    users: HashMap<UserId, RateLimit>,
    sweep_at: usize,
    open: HashMap<Asked, Open>,
    /// By the moment of their turn; the number tells those of one moment apart.
    later: BTreeMap<Turn, Asked>,
    last_number: u64,
    /// By their kind.
    due: HashMap<Kind, VecDeque<Asked>>,
    /// Kinds of which a batch is under way.
    busy: HashSet<Kind>,
}

type Turn = (Instant, u64);

#[derive(Debug)]
struct Open {
    stage: Stage,
    askers: Vec<oneshot::Sender<Verdict>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Later(Turn),
    Due,
    UnderWay,
}

impl Queue {
    pub(super) fn new(burst: u32, per_second: u32) -> Self {
        Self {
            burst,
            per_second,
            users: HashMap::new(),
            sweep_at: FEW_USERS,
            open: HashMap::new(),
            later: BTreeMap::new(),
            last_number: 0,
            due: HashMap::new(),
            busy: HashSet::new(),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.open.len() < OPEN
    }

    pub(super) fn is_under_way(&self, asked: &Asked) -> bool {
        self.open.get(asked).is_some_and(|open| open.stage == Stage::UnderWay)
    }

    /// Takes a question in. One that is open already costs nothing more.
    pub(super) fn add(&mut self, question: Question) {
        let Question { asked, is_free, answer } = question;
        if let Some(open) = self.open.get_mut(&asked) {
            open.askers.push(answer);
            if let (true, Stage::Later(turn)) = (is_free, open.stage) {
                open.stage = Stage::Due;
                self.later.remove(&turn);
                self.is_due(asked);
            }
            return;
        }
        let now = Instant::now();
        let turn = if is_free { Some(now) } else { self.turn(asked.user()) };
        let Some(turn) = turn else {
            // Whoever asked may have left.
            let _ = answer.send(Err(Unanswered::TooMany));
            return;
        };
        let stage = if turn <= now {
            self.is_due(asked.clone());
            Stage::Due
        } else {
            self.last_number += 1;
            let turn = (turn, self.last_number);
            self.later.insert(turn, asked.clone());
            Stage::Later(turn)
        };
        self.open.insert(asked, Open { stage, askers: vec![answer] });
    }

    /// When the user's next question may be put; `None` if that is too late.
    fn turn(&mut self, user: &UserId) -> Option<Instant> {
        if self.users.len() >= self.sweep_at {
            self.users.retain(|_, limit| !limit.is_whole());
            if self.users.len() >= USERS {
                self.users.clear();
            }
            self.sweep_at = (self.users.len() * 2).clamp(FEW_USERS, USERS);
        }
        // However a token spells it, it is one user.
        let limit = self.users.entry(UserId::named(user.as_str())).or_default();
        limit.turn(self.burst, self.per_second, LONGEST_WAIT)
    }

    /// When the first of those that wait has its turn.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }

    fn is_due(&mut self, asked: Asked) {
        self.due.entry(asked.kind()).or_default().push_back(asked);
    }

    /// Questions of one kind whose turn it is, unless nobody waits for their answer any more; `None` where there are none but
    /// of kinds that have a batch under way.
    pub(super) fn take_batch(&mut self) -> Option<(Kind, Vec<Asked>)> {
        let now = Instant::now();
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now) {
            let asked = first.remove();
            if let Some(open) = self.open.get_mut(&asked) {
                open.stage = Stage::Due;
                self.is_due(asked);
            }
        }
        while let Some(kind) = self.due.keys().find(|kind| !self.busy.contains(*kind)).cloned() {
            let mut due = self.due.remove(&kind).unwrap_or_default();
            let mut batch = Vec::with_capacity(due.len().min(BATCH));
            while batch.len() < BATCH
                && let Some(asked) = due.pop_front()
            {
                let Some(open) = self.open.get_mut(&asked) else { continue };
                if open.askers.iter().all(oneshot::Sender::is_closed) {
                    self.open.remove(&asked);
                } else {
                    open.stage = Stage::UnderWay;
                    batch.push(asked);
                }
            }
            if !due.is_empty() {
                self.due.insert(kind.clone(), due);
            }
            if !batch.is_empty() {
                self.busy.insert(kind.clone());
                return Some((kind, batch));
            }
        }
        None
    }

    /// A batch of this kind is over.
    pub(super) fn is_over(&mut self, kind: &Kind) {
        self.busy.remove(kind);
    }

    /// Tells all who asked.
    pub(super) fn answer(&mut self, asked: &Asked, verdict: Verdict) {
        for answer in self.open.remove(asked).map(|open| open.askers).unwrap_or_default() {
            let _ = answer.send(verdict);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::Receiver;
    use tokio::time::advance;

    use std::sync::Arc;

    use super::*;
    use crate::access::ownership::asked::Pair;
    use crate::model::{NegocioId, Ownership};
    use crate::queries::PairsQuery;

    const SECOND: Duration = Duration::from_secs(1);

    fn ownership(user: &str, negocio: u32) -> Asked {
        Asked::Owns(Ownership { negocio: NegocioId::named(&negocio.to_string()).unwrap(), user: UserId::new(user) })
    }

    fn pair(file: &str, user: &str) -> Asked {
        let query = Arc::new(PairsQuery { file: file.into(), sql: "".into() });
        Asked::Pair(Pair { query, key: "k".into(), user: UserId::new(user) })
    }

    /// A batch that is over at once.
    fn batch(queue: &mut Queue) -> Vec<Asked> {
        let Some((kind, batch)) = queue.take_batch() else { return Vec::new() };
        queue.is_over(&kind);
        batch
    }

    fn ask(queue: &mut Queue, user: &str, negocio: u32, is_free: bool) -> Receiver<Verdict> {
        let (answer, answered) = oneshot::channel();
        queue.add(Question { asked: ownership(user, negocio), is_free, answer });
        answered
    }

    #[tokio::test(start_paused = true)]
    async fn what_exceeds_a_users_allowance_waits_its_turn_and_no_other_user_does() {
        let mut queue = Queue::new(3, 1);
        let mut answered: Vec<_> = (0..20).map(|negocio| ask(&mut queue, "ana", negocio, false)).collect();
        let refused = answered.iter_mut().filter_map(|answer| answer.try_recv().ok()).collect::<Vec<_>>();
        assert_eq!(refused, [Err(Unanswered::TooMany); 7], "three at once, ten within ten seconds");
        assert_eq!(batch(&mut queue).len(), 3);
        let _other = ask(&mut queue, "eva", 0, false);
        assert_eq!(batch(&mut queue), [ownership("eva", 0)]);
        for second in 0..10 {
            assert_eq!(batch(&mut queue), []);
            advance(queue.next_turn().unwrap() - Instant::now()).await;
            assert_eq!(batch(&mut queue), [ownership("ana", 3 + second)]);
        }
        assert_eq!(queue.next_turn(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_question_costs_once_however_many_ask_it_and_however_the_user_is_spelt() {
        let upper = "9F1C2B3A-0000-4000-8000-00000000ABCD";
        let mut queue = Queue::new(1, 1);
        let mut same: Vec<_> = (0..50).map(|_| ask(&mut queue, upper, 1, false)).collect();
        let _waits = ask(&mut queue, &upper.to_lowercase(), 2, false);
        assert_eq!(batch(&mut queue), [ownership(upper, 1)]);
        queue.answer(&ownership(upper, 1), Ok(true));
        assert!(same.iter_mut().all(|answer| answer.try_recv() == Ok(Ok(true))));
        advance(SECOND).await;
        assert_eq!(batch(&mut queue).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_that_was_granted_is_asked_about_without_waiting() {
        let mut queue = Queue::new(1, 1);
        let _answered: Vec<_> = (0..5).map(|negocio| ask(&mut queue, "ana", negocio, false)).collect();
        let _again = ask(&mut queue, "ana", 4, true);
        assert_eq!(batch(&mut queue), [ownership("ana", 0), ownership("ana", 4)]);
        advance(3 * SECOND).await;
        assert_eq!(batch(&mut queue).len(), 3, "each is put once");
        assert!(queue.later.is_empty() && queue.due.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_asked_for_who_has_left_and_nothing_is_kept_of_it() {
        let mut queue = Queue::new(1, 1);
        drop((0..5).map(|negocio| ask(&mut queue, "ana", negocio, false)).collect::<Vec<_>>());
        advance(5 * SECOND).await;
        assert_eq!(batch(&mut queue), []);
        assert!(queue.open.is_empty() && queue.later.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn users_whose_allowance_is_whole_again_are_forgotten() {
        let mut queue = Queue::new(3, 1);
        for user in 0..10 * u32::try_from(FEW_USERS).unwrap() {
            drop(ask(&mut queue, &user.to_string(), 0, false));
            advance(SECOND / 100).await;
        }
        assert!(queue.users.len() <= FEW_USERS, "{} users", queue.users.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_under_way_keeps_no_other_kind() {
        let mut queue = Queue::new(10, 1);
        let ask = |queue: &mut Queue, asked: Asked| {
            let (answer, answered) = oneshot::channel();
            queue.add(Question { asked, is_free: true, answer });
            answered
        };
        let all = [ownership("ana", 1), pair("a.sql", "ana"), pair("b.sql", "ana")];
        let _answered: Vec<_> = all.iter().map(|asked| ask(&mut queue, asked.clone())).collect();
        let mut taken: Vec<_> = std::iter::from_fn(|| queue.take_batch()).collect();
        assert_eq!(taken.len(), 3);
        assert!(taken.iter().all(|(kind, batch)| batch.len() == 1 && batch[0].kind() == *kind));
        let _later = ask(&mut queue, pair("a.sql", "eva"));
        assert_eq!(queue.take_batch(), None, "one of that kind is under way");
        taken.retain(|(kind, _)| *kind == pair("a.sql", "ana").kind());
        queue.is_over(&taken[0].0);
        assert_eq!(queue.take_batch().map(|(_, batch)| batch), Some(vec![pair("a.sql", "eva")]));
    }
}
