//! A node that cannot write to the log says what it waits for, answers who calls, and writes as soon as it can.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use super::memory::{Memory, Weather};
use super::*;
use crate::model::RestauranteId;

const JOINS_NOT: &str = "has not joined the log yet";

/// What is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn with(&self, text: &str) -> Vec<String> {
        let said = String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap();
        said.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_waits_for_the_log_says_for_what_once_a_minute_and_joins_as_soon_as_it_can() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let (memory, stop) = (Memory::new(5), CancellationToken::new());
    let _stopped = stop.clone().drop_guard();
    let node = Node::start(member(&memory, 0), &stop).await;
    // Half of what is asked never arrives, or nobody hears of it.
    memory.set_weather(Weather { lost_requests: 30, lost_answers: 30, ..Weather::default() });
    memory.stop();
    memory.restart(0);
    until(|| !lines.with(JOINS_NOT).is_empty()).await;
    let said = &lines.with(JOINS_NOT)[0];
    assert!(said.contains("waits_for=\""), "{said}");
    let before = lines.with(JOINS_NOT).len();
    sleep(Duration::from_secs(50)).await;
    assert!(lines.with(JOINS_NOT).len() <= before + 1, "{:?}", lines.with(JOINS_NOT));

    memory.set_weather(Weather::default());
    let draft = || Draft::new(Channel::Restaurante(RestauranteId::new("1")), "0");
    while node.broker.publish(vec![draft()], None).await.is_err() {
        sleep(LOOK).await;
    }
    assert_eq!(node.broker.degraded(), None);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_answered_within_two_seconds_if_the_log_takes_everything_and_answers_nothing() {
    let mut longest = Duration::ZERO;
    for seed in 0..12 {
        let (memory, stop) = (Memory::new(seed), CancellationToken::new());
        let _stopped = stop.clone().drop_guard();
        let node = Node::start(member(&memory, 0), &stop).await;
        let _other = Node::start(member(&memory, 1), &stop).await;
        // Then the log is asked first how many listen there.
        until(|| node.broker.census().is_some_and(|census| census.nodes.len() == 2)).await;
        memory.set_weather(Weather { lost_answers: 100, ..Weather::default() });
        let turn = node.calls.begin("/notify/mesa", "k").await;
        let Ok(crate::idempotency::Turn::First(ticket)) = turn else { panic!("nobody has called before") };
        let answer = |_: &Reach| Answered { status: 200, body: String::new() };
        let draft = Draft::new(Channel::Restaurante(RestauranteId::new("1")), "0");
        let begun = Instant::now();
        let published = node.broker.publish(vec![draft], Some(&Keyed { ticket: &ticket, answer: &answer })).await;
        assert!(matches!(published, Err(Refused::Unknown)), "{seed}: {published:?}");
        longest = longest.max(begun.elapsed());
    }
    assert!(longest > Duration::from_millis(1_500) && longest < Duration::from_millis(1_950), "{longest:?}");
}
