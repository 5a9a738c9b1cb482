//! Whether a device may come in: what the database says about the name that it gives itself.
//!
//! Questions travel in batches. An address has so many wrong answers a minute; what it asks beyond what is left of them
//! waits for the answers before it. Must not know clients.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::access::attempts::Attempts;
use crate::address::{Address, Network};
use crate::database::Database;
use crate::model::Device;
use crate::store::StoreError;

/// Questions put to the database at once.
const BATCH: usize = 500;
/// Questions on their way into the queue; who comes after waits for room. What is in it is bounded by the places of the
/// connections that ask.
const ARRIVING: usize = 4_096;

/// Why a device may not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is none of that name, or it is switched off.
    Unknown,
    /// Its address has named too many that are none.
    TooMany,
    CannotCheck,
}

/// Decides which devices come in.
#[derive(Debug)]
pub struct Devices {
    failed: Attempts,
    questions: mpsc::Sender<Question>,
    /// The other end, until somebody answers.
    asked: Mutex<Option<mpsc::Receiver<Question>>>,
}

type Verdict = Result<Device, Refused>;

#[derive(Debug)]
struct Question {
    address: Address,
    uid: String,
    answer: oneshot::Sender<Verdict>,
}

/// What was asked, and the answer.
type Answered = (Vec<Question>, Result<Vec<Device>, StoreError>);

/// What waits: to be asked, or for leave to be.
#[derive(Debug, Default)]
struct Queue {
    due: VecDeque<Question>,
    addresses: HashMap<Whom, Turns>,
}

/// Who shares a rate limit; `None`: those who cannot be told apart, who have it again and again.
type Whom = Option<Network>;

/// The questions of one address: never more are open than it may still be told "no" to.
#[derive(Debug, Default)]
struct Turns {
    open: u32,
    waiting: VecDeque<Question>,
}

impl Devices {
    /// `most`: devices that are none, named by one address in a minute.
    pub fn new(most: u32) -> Arc<Self> {
        let (questions, asked) = mpsc::channel(ARRIVING);
        Arc::new(Self { failed: Attempts::new(most), questions, asked: Mutex::new(Some(asked)) })
    }

    /// Whether the address has named too many devices that are none to name another one just now.
    pub fn are_too_many(&self, address: Address) -> bool {
        self.failed.left(address) == 0
    }

    /// The active device of this name.
    pub async fn find(&self, address: Address, uid: Option<&str>) -> Verdict {
        let Some(uid) = uid.filter(|uid| !uid.is_empty()) else {
            self.failed.count(address);
            return Err(Refused::Unknown);
        };
        let (answer, answered) = oneshot::channel();
        // A server that stops drops the question, and that is the answer below.
        let _ = self.questions.send(Question { address, uid: uid.to_owned(), answer }).await;
        answered.await.unwrap_or(Err(Refused::CannotCheck))
    }

    /// Puts the questions to the database until stopped: one batch at a time, so that whatever comes meanwhile makes
    /// the next one. To be started once; who answers a second time has nothing to answer.
    pub async fn answer_questions(self: Arc<Self>, database: Arc<Database>, stop: CancellationToken) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut questions) = asked else { return };
        let (mut queue, mut arrived) = (Queue::default(), Vec::new());
        let mut under_way: Option<BoxFuture<'static, Answered>> = None;
        loop {
            if under_way.is_none() {
                let batch = queue.take_batch();
                under_way = (!batch.is_empty()).then(|| ask_database(Arc::clone(&database), batch));
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                (asked, known) = answer_of(&mut under_way) => {
                    under_way = None;
                    match known {
                        Ok(known) => queue.answer(asked, known, &self.failed),
                        Err(failure) => {
                            // What can be done about it is said once, where the database is asked.
                            debug!(%failure, "kiosks not looked up");
                            queue.give_up(asked);
                        }
                    }
                }
                received = questions.recv_many(&mut arrived, ARRIVING) => {
                    if received == 0 {
                        return;
                    }
                    for question in arrived.drain(..) {
                        queue.add(question, &self.failed);
                    }
                }
            }
        }
    }
}

impl Queue {
    fn add(&mut self, question: Question, failed: &Attempts) {
        let address = question.address;
        self.addresses.entry(address.own_network()).or_default().waiting.push_back(question);
        self.go_on(address, failed);
    }

    fn take_batch(&mut self) -> Vec<Question> {
        self.due.drain(..self.due.len().min(BATCH)).collect()
    }

    /// Lets as many of an address be asked as it may be told "no" to; none of them, if that is none.
    fn go_on(&mut self, address: Address, failed: &Attempts) {
        let Some(turns) = self.addresses.get_mut(&address.own_network()) else { return };
        let left = failed.left(address);
        while turns.open < left
            && let Some(question) = turns.waiting.pop_front()
        {
            // Who has left meanwhile is not asked for.
            if !question.answer.is_closed() {
                turns.open += 1;
                self.due.push_back(question);
            }
        }
        if left == 0 {
            refuse(turns.waiting.drain(..), Refused::TooMany);
        }
        if turns.open == 0 && turns.waiting.is_empty() {
            self.addresses.remove(&address.own_network());
        }
    }

    fn answer(&mut self, asked: Vec<Question>, known: Vec<Device>, failed: &Attempts) {
        let active = known.into_iter().filter(|device| device.is_active);
        let active: HashMap<String, Device> = active.map(|device| (device.uid.clone(), device)).collect();
        let mut addresses = Vec::with_capacity(asked.len());
        for Question { address, uid, answer } in asked {
            let device = active.get(&uid).cloned();
            if device.is_none() {
                failed.count(address);
            }
            self.close(address);
            addresses.push(address);
            // Whoever asked may have left.
            let _ = answer.send(device.ok_or(Refused::Unknown));
        }
        // Only now, when every "no" has been counted.
        for address in addresses {
            self.go_on(address, failed);
        }
    }

    /// The database does not answer: whoever waits for it is told so, and comes back.
    fn give_up(&mut self, asked: Vec<Question>) {
        let waiting = self.addresses.drain().flat_map(|(_, turns)| turns.waiting);
        refuse(asked.into_iter().chain(self.due.drain(..)).chain(waiting), Refused::CannotCheck);
    }

    fn close(&mut self, address: Address) {
        if let Some(turns) = self.addresses.get_mut(&address.own_network()) {
            turns.open = turns.open.saturating_sub(1);
        }
    }
}

fn refuse(questions: impl Iterator<Item = Question>, why: Refused) {
    for question in questions {
        let _ = question.answer.send(Err(why));
    }
}

fn ask_database(database: Arc<Database>, asked: Vec<Question>) -> BoxFuture<'static, Answered> {
    Box::pin(async move {
        let mut uids: Vec<String> = asked.iter().map(|question| question.uid.clone()).collect();
        uids.sort_unstable();
        uids.dedup();
        let known = database.devices(&uids, &[]).await;
        (asked, known)
    })
}

/// Waits for the answer to what is under way; for ever if nothing is.
async fn answer_of(under_way: &mut Option<BoxFuture<'static, Answered>>) -> Answered {
    match under_way {
        Some(under_way) => under_way.await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::Receiver;

    use super::*;

    const HERE: [u8; 4] = [10, 0, 0, 1];
    const THERE: [u8; 4] = [10, 0, 0, 2];

    fn ask(queue: &mut Queue, failed: &Attempts, address: [u8; 4], uid: &str) -> Receiver<Verdict> {
        let (answer, answered) = oneshot::channel();
        queue.add(Question { address: Address::of(address.into()), uid: uid.to_owned(), answer }, failed);
        answered
    }

    fn device(uid: &str) -> Device {
        Device { id: format!("id of {uid}"), uid: uid.to_owned(), is_active: true }
    }

    /// Answers batch after batch until nothing is asked any more; how many questions each had.
    fn answer_all(queue: &mut Queue, failed: &Attempts, known: &[Device]) -> Vec<usize> {
        let mut sizes = Vec::new();
        loop {
            let batch = queue.take_batch();
            if batch.is_empty() {
                return sizes;
            }
            sizes.push(batch.len());
            queue.answer(batch, known.to_vec(), failed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn two_hundred_good_kiosks_of_one_address_that_start_at_once_all_come_in() {
        let (mut queue, failed) = (Queue::default(), Attempts::new(30));
        let known: Vec<Device> = (0..200).map(|number| device(&number.to_string())).collect();
        let mut answers: Vec<_> = known.iter().map(|device| ask(&mut queue, &failed, HERE, &device.uid)).collect();
        assert_eq!(answer_all(&mut queue, &failed, &known), [30, 30, 30, 30, 30, 30, 20]);
        for (device, answer) in known.iter().zip(&mut answers) {
            assert_eq!(answer.try_recv(), Ok(Ok(device.clone())));
        }
        assert!(queue.addresses.is_empty() && failed.left(Address::of(HERE.into())) == 30);
    }

    #[tokio::test(start_paused = true)]
    async fn who_guesses_many_at_once_is_told_as_little_as_one_after_the_other() {
        let (mut queue, failed) = (Queue::default(), Attempts::new(30));
        let mut guesses: Vec<_> =
            (0..600).map(|number| ask(&mut queue, &failed, HERE, &format!("guess-{number}"))).collect();
        let mut elsewhere = ask(&mut queue, &failed, THERE, "good");
        assert_eq!(answer_all(&mut queue, &failed, &[device("guess-599"), device("good")]), [31]);
        let told: Vec<_> = guesses.iter_mut().map(|answer| answer.try_recv().unwrap()).collect();
        assert_eq!(told.iter().filter(|verdict| **verdict == Err(Refused::Unknown)).count(), 30);
        assert_eq!(told.iter().filter(|verdict| **verdict == Err(Refused::TooMany)).count(), 570);
        assert_eq!(elsewhere.try_recv(), Ok(Ok(device("good"))));
        let mut late = ask(&mut queue, &failed, HERE, "guess-599");
        assert_eq!(late.try_recv(), Ok(Err(Refused::TooMany)));
        assert!(queue.addresses.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_does_not_answer_keeps_nobody_waiting_and_counts_against_nobody() {
        let (mut queue, failed) = (Queue::default(), Attempts::new(30));
        let mut answers: Vec<_> = (0..700).map(|_| ask(&mut queue, &failed, HERE, "good")).collect();
        let batch = queue.take_batch();
        queue.give_up(batch);
        assert!(answers.iter_mut().all(|answer| answer.try_recv() == Ok(Err(Refused::CannotCheck))));
        let mut again = ask(&mut queue, &failed, HERE, "good");
        assert_eq!(answer_all(&mut queue, &failed, &[device("good")]), [1]);
        assert_eq!(again.try_recv(), Ok(Ok(device("good"))));
    }
}
