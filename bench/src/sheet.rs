//! Every figure of a run, by work, case, server and round. Ratios are of one round, and of ratios the median is said.

use crate::peer::Peer;
use crate::quantiles::middle;

/// What a number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    pub name: &'static str,
    pub unit: &'static str,
    /// Whether it is worth saying as a multiple of the limit.
    pub is_relative: bool,
}

const fn figure(name: &'static str, unit: &'static str, is_relative: bool) -> Figure {
    Figure { name, unit, is_relative }
}

pub const CPU_DELIVERY: Figure = figure("CPU a delivery", "µs", true);
pub const P50: Figure = figure("notice to receipt, p50", "ms", false);
pub const P99: Figure = figure("notice to receipt, p99", "ms", true);
pub const FIRST_TO_LAST: Figure = figure("first → last", "ms", true);
pub const ANSWERED: Figure = figure("caller has its 200 after", "ms", false);
pub const ANSWERED_AFTER_QUERY: Figure = figure("… after its figures are read", "ms", false);
pub const LOST: Figure = figure("lost", "", false);
pub const STRAY: Figure = figure("doubled or out of order", "", false);
pub const BYTES_MESSAGE: Figure = figure("bytes a message", "B", false);
pub const CPU_REQUEST: Figure = figure("CPU a request", "µs", true);
pub const NOT_TAKEN: Figure = figure("not answered 2xx", "", false);
pub const RATE: Figure = figure("requests a second", "/s", false);
pub const OF_PGBENCH: Figure = figure("rate ÷ pgbench's", "", false);
pub const RATE_PGBENCH: Figure = figure("pgbench's transactions a second", "/s", false);
pub const QUERIES_REQUEST: Figure = figure("queries a request", "", false);
pub const DELIVERED_REQUEST: Figure = figure("messages a request", "", false);
pub const CPU_CONNECT: Figure = figure("CPU a connection", "µs", true);
pub const RATE_CONNECT: Figure = figure("connections a second", "/s", false);
pub const GENERATOR: Figure = figure("generator's own CPU each", "µs", false);
pub const STORM: Figure = figure("all are current after", "s", true);
pub const QUERIES: Figure = figure("queries a business", "", false);
pub const OWNER_QUERIES: Figure = figure("ownership queries", "", false);
pub const WRONG: Figure = figure("not current", "", false);
pub const REFUSED: Figure = figure("tried again", "", false);
pub const MEMORY_AFTER: Figure = figure("memory ÷ before the storm", "", false);
pub const BYTES_IDLE: Figure = figure("bytes an idle connection", "B", false);
pub const BYTES_LEFT: Figure = figure("bytes kept a connection that left", "B", false);
pub const CONFLATED: Figure = figure("conflated for the slow", "", false);
pub const SLOW_CPU: Figure = figure("CPU with ÷ without", "", false);
pub const SLOW_P50: Figure = figure("p50 with ÷ without", "", false);
pub const SLOW_P99: Figure = figure("p99 with ÷ without", "", false);

impl Figure {
    /// "CPU a delivery 3.21 µs".
    pub fn say(self, value: f64) -> String {
        format!("{} {}", self.name, self.value(value))
    }

    /// "3.21 µs".
    pub fn value(self, value: f64) -> String {
        format!("{} {}", digits(value), self.unit).trim_end().to_owned()
    }
}

/// As many digits as say something.
pub fn digits(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[derive(Debug, Default)]
pub struct Sheet {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    work: &'static str,
    case: String,
    peer: Peer,
    figure: Figure,
    values: Vec<(u32, f64)>,
}

impl Sheet {
    pub fn add(&mut self, work: &'static str, case: &str, peer: Peer, figure: Figure, round: u32, value: f64) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.is(work, case, peer, figure)) {
            row.values.push((round, value));
        } else {
            self.rows.push(Row { work, case: case.to_owned(), peer, figure, values: vec![(round, value)] });
        }
    }

    /// Works and their cases, in the order in which they came.
    pub fn cases(&self) -> Vec<(&'static str, String)> {
        let mut cases: Vec<(&'static str, String)> = Vec::new();
        for row in &self.rows {
            if !cases.iter().any(|(work, case)| *work == row.work && *case == row.case) {
                cases.push((row.work, row.case.clone()));
            }
        }
        cases
    }

    pub fn figures(&self, work: &str, case: &str) -> Vec<Figure> {
        let mut figures: Vec<Figure> = Vec::new();
        for row in self.rows.iter().filter(|row| row.work == work && row.case == case) {
            if !figures.contains(&row.figure) {
                figures.push(row.figure);
            }
        }
        figures
    }

    pub fn peers(&self, work: &str, case: &str) -> Vec<Peer> {
        let mut peers: Vec<Peer> =
            self.rows.iter().filter(|row| row.work == work && row.case == case).map(|row| row.peer).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// The median over the rounds.
    pub fn median(&self, work: &str, case: &str, peer: Peer, figure: Figure) -> Option<f64> {
        let mut values: Vec<f64> = self.values(work, case, peer, figure)?.iter().map(|(_, value)| *value).collect();
        middle(&mut values)
    }

    /// As a multiple of the limit's of the same round: median, least and greatest.
    pub fn ratio(&self, work: &str, case: &str, peer: Peer, figure: Figure) -> Option<(f64, f64, f64)> {
        self.ratio_to(Peer::Floor, work, case, peer, figure)
    }

    /// As a multiple of another server's.
    pub fn ratio_to(&self, base: Peer, work: &str, case: &str, peer: Peer, figure: Figure) -> Option<(f64, f64, f64)> {
        let limits = self.values(work, case, base, figure)?;
        let mut ratios: Vec<f64> = self
            .values(work, case, peer, figure)?
            .iter()
            .filter_map(|(round, value)| Some(value / limits.iter().find(|(other, _)| other == round)?.1))
            .collect();
        let median = middle(&mut ratios)?;
        Some((median, *ratios.first()?, *ratios.last()?))
    }

    /// The sum of some figures over the whole run, of some servers; `None` if there are none of them.
    pub fn sum(&self, figures: &[Figure], of: impl Fn(Peer) -> bool) -> Option<f64> {
        let rows = self.rows.iter().filter(|row| figures.contains(&row.figure) && of(row.peer));
        rows.flat_map(|row| &row.values).map(|(_, value)| *value).reduce(|one, other| one + other)
    }

    fn values(&self, work: &str, case: &str, peer: Peer, figure: Figure) -> Option<&[(u32, f64)]> {
        Some(&self.rows.iter().find(|row| row.is(work, case, peer, figure))?.values)
    }
}

impl Row {
    fn is(&self, work: &str, case: &str, peer: Peer, figure: Figure) -> bool {
        self.work == work && self.case == case && self.peer == peer && self.figure == figure
    }
}
