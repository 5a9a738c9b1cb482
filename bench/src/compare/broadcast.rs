//! Notices one after the other, each waited for until every reader has it: what a delivery costs and how long it takes.

use std::time::Duration;

use crate::caller::Caller;
use crate::meter::{self, Spent};
use crate::peer::Server;
use crate::quantiles::quantile;
use crate::sheet::{
    ANSWERED, ANSWERED_AFTER_QUERY, BYTES_MESSAGE, CPU_DELIVERY, FIRST_TO_LAST, Figure, GENERATOR, LOST, P50, P99,
    STRAY,
};
use crate::swarm::Swarm;
use crate::wire::Wire;
use crate::world::World;

/// For one message to reach everybody; whoever has it not by then has lost it.
const PATIENCE: Duration = Duration::from_secs(10);
/// For what nobody expects to come.
const AFTERMATH: Duration = Duration::from_millis(150);
/// Notices before the measured ones.
const WARM_UP: u64 = 3;

/// A channel, its readers and its caller.
pub struct Stage<'a> {
    pub world: &'a World,
    pub server: &'a Server,
    pub wire: Wire,
    pub swarm: &'a mut Swarm,
    /// Of the swarm, those that read.
    pub readers: u64,
    /// How long to wait before each notice.
    pub pause: Duration,
    /// The number of the last notice.
    pub number: u64,
}

pub struct Broadcasts {
    pub spent: Spent,
    own: Spent,
    pub delivered: u64,
    lost: u64,
    stray: u64,
    /// In microseconds, as all of these.
    receipts: Vec<u32>,
    first_to_last: Vec<u32>,
    answered: Vec<u32>,
    /// The mean time of a query, in seconds.
    query: f64,
    length: usize,
}

impl Stage<'_> {
    /// Sends `notices` of them after a few to warm up.
    pub fn broadcast(&mut self, notices: u64) -> Broadcasts {
        let mut caller = Caller::open(self.server.port);
        let mut seen = Broadcasts::none(self.server);
        for _ in 0..WARM_UP {
            self.notify(&mut caller, &mut seen);
        }
        self.swarm.idle(AFTERMATH);
        let warm = seen.lost + seen.stray;
        let queries = |name: &str| self.server.metric(self.world, name);
        let (count, seconds) = (queries("pulso_query_seconds_count"), queries("pulso_query_seconds_sum"));
        let mut seen = Broadcasts::none(self.server);
        self.swarm.counts.lengths = None;
        let (before, disordered) = (self.swarm.counts.delivered, self.swarm.counts.disordered);
        let (cpu, own) = (self.server.cpu(), meter::own());
        for _ in 0..notices {
            self.notify(&mut caller, &mut seen);
        }
        seen.own = Spent(meter::own().saturating_sub(own));
        seen.spent = self.server.cpu().since(&cpu);
        seen.delivered = self.swarm.counts.delivered - before;
        self.swarm.idle(AFTERMATH);
        let queries = |name: &str| self.server.metric(self.world, name);
        let (count, seconds) =
            (queries("pulso_query_seconds_count") - count, queries("pulso_query_seconds_sum") - seconds);
        seen.query = if count > 0.0 { seconds / count } else { 0.0 };
        let extra = (self.swarm.counts.delivered - before).saturating_sub(notices * self.readers);
        seen.stray += warm + extra + self.swarm.counts.disordered - disordered;
        let (least, greatest) = self.swarm.counts.lengths.unwrap_or_default();
        // Numbers may grow by a digit; anything else is a message cut or mixed up.
        assert!(greatest - least <= 2, "messages of one channel are from {least} to {greatest} bytes long");
        seen.length = greatest;
        seen
    }

    fn notify(&mut self, caller: &mut Caller, seen: &mut Broadcasts) {
        if !self.pause.is_zero() {
            self.swarm.idle(self.pause);
        }
        self.number += 1;
        let request = self.wire.notice(0, self.number);
        let goal = self.swarm.counts.delivered + self.readers;
        let from = self.swarm.mark();
        caller.send(&request);
        if !self.swarm.drive(PATIENCE, |swarm| swarm.counts.delivered >= goal) {
            seen.lost += goal - self.swarm.counts.delivered;
        }
        let answer = caller.answer();
        assert!((200..300).contains(&answer.status), "the hook answers {}", answer.status);
        let round = &self.swarm.round;
        if let Some((least, greatest)) = round.numbers {
            // Everybody has the same message, and the one that the caller was told of.
            let told = answer.seq.unwrap_or(least);
            seen.stray += u64::from(least != greatest || (told != least && !self.wire.merges()));
        }
        seen.answered.push(micros(answer.at.saturating_duration_since(from)));
        if let (Some(first), Some(last)) = (round.receipts.first(), round.receipts.last()) {
            seen.first_to_last.push(last - first);
        }
        seen.receipts.extend_from_slice(&round.receipts);
    }
}

impl Broadcasts {
    fn none(server: &Server) -> Self {
        let cpu = server.cpu();
        Self {
            spent: cpu.since(&cpu),
            own: Spent(Duration::ZERO),
            delivered: 0,
            lost: 0,
            stray: 0,
            receipts: Vec::new(),
            first_to_last: Vec::new(),
            answered: Vec::new(),
            query: 0.0,
            length: 0,
        }
    }

    pub fn cpu(&self) -> f64 {
        self.spent.each(self.delivered.max(1))
    }

    /// The median wait of a receiver, and that of the hundredth that waited longest, in ms.
    pub fn waits(&mut self) -> (f64, f64) {
        (milli(&mut self.receipts, 0.5), milli(&mut self.receipts, 0.99))
    }

    pub fn figures(mut self) -> Vec<(Figure, f64)> {
        let (p50, p99) = self.waits();
        let mean = self.answered.iter().copied().map(f64::from).sum::<f64>() / self.answered.len().max(1) as f64 / 1e3;
        let answered = milli(&mut self.answered, 0.5);
        let mut figures = vec![
            (CPU_DELIVERY, self.cpu()),
            (P50, p50),
            (P99, p99),
            (FIRST_TO_LAST, milli(&mut self.first_to_last, 0.5)),
            (ANSWERED, answered),
        ];
        if self.query > 0.0 {
            // Means on both sides: the query's median is not known.
            figures.push((ANSWERED_AFTER_QUERY, mean - self.query * 1e3));
        }
        let own = self.own.each(self.delivered.max(1));
        figures.extend([
            (GENERATOR, own),
            (LOST, self.lost as f64),
            (STRAY, self.stray as f64),
            (BYTES_MESSAGE, self.length as f64),
        ]);
        figures
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

fn milli(values: &mut [u32], share: f64) -> f64 {
    f64::from(quantile(values, share).unwrap_or_default()) / 1e3
}
