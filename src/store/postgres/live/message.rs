//! The messages in which live queries are asked, and what is kept of the answers while they arrive.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Column as _, Row as _, ValueRef as _};

use super::super::inlined::Literal;
use super::super::order;
use super::super::session::END_READING;
use super::super::sights;
use super::super::transaction::Step;
use super::shape::{Kind, Shape};
use super::values;
use crate::queries::ResultForm;
use crate::store::{LiveRead, LiveResult, Sight, StoreError};

/// What a statement of a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nothing to keep.
    Setting,
    Order,
    Sights,
    /// What must be done before the read of this number, and is its fault if it fails.
    For(usize),
    /// The read of this number.
    Read(usize),
}

/// A name for a prepared statement that nobody else has, whoever shares the server process.
pub(super) fn name() -> Arc<str> {
    format!("pulso_{:016x}", rand::random::<u64>()).into()
}

/// Asks a statement whose parameters stay beside it, behind a message that has begun the transaction.
pub(super) fn beside(name: &str, verb: &str, shape: &Shape, sql: &str, values: &[Literal; 3]) -> String {
    let [key, today, now] = values;
    format!(
        "PREPARE {name} ({types}) AS {sql}; {verb}EXECUTE {name} ({key}, {today}, {now}); DEALLOCATE {name}; {END_READING}",
        types = shape.parameters.names()
    )
}

/// One read, while its answer arrives.
pub(super) struct Gathering {
    form: ResultForm,
    max_rows: usize,
    max_bytes: usize,
    shape: Arc<Shape>,
    out: Vec<u8>,
    rows: usize,
    next_change_at: Option<Timestamp>,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    Whole,
    /// It cannot be sent; what still arrives is let go.
    Unsendable(&'static str),
    /// Its columns are not what they were when it was learnt.
    Changed,
}

/// All reads of one transaction.
pub(super) struct Gatherings {
    slots: Vec<Slot>,
    at: usize,
    pub reads: Vec<Gathering>,
    order: Option<u64>,
    sights: Option<Result<Vec<Sight>, StoreError>>,
    xids: Vec<u64>,
}

/// What became of one read.
pub(super) enum Outcome {
    Done(Result<LiveResult, StoreError>),
    Changed,
    /// It was not answered.
    Open,
}

impl Gatherings {
    pub(super) fn new(slots: Vec<Slot>, reads: &[(&LiveRead, Arc<Shape>)], xids: Vec<u64>) -> Self {
        let reads = reads.iter().map(|(read, shape)| Gathering::new(read, Arc::clone(shape))).collect();
        Self { slots, at: 0, reads, order: None, sights: None, xids }
    }

    pub(super) fn hear(&mut self, step: &Step<'_>) {
        match step {
            Step::Begin => {
                (self.at, self.order, self.sights) = (0, None, None);
                self.reads.iter_mut().for_each(Gathering::clear);
            }
            Step::Row(row) => match self.slots.get(self.at) {
                Some(Slot::Order) => self.order = order::completed(std::slice::from_ref(*row)),
                Some(Slot::Sights) => self.sights = Some(sights::read(&self.xids, Some(row))),
                Some(&Slot::Read(read)) => {
                    if let Some(gathering) = self.reads.get_mut(read) {
                        gathering.row(row);
                    }
                }
                Some(Slot::Setting | Slot::For(_)) | None => {}
            },
            Step::End => {
                if let Some(&Slot::Read(read)) = self.slots.get(self.at)
                    && let Some(gathering) = self.reads.get_mut(read)
                {
                    gathering.end();
                }
                self.at += 1;
            }
        }
    }

    /// The read that was under way last.
    pub(super) fn under_way(&self) -> Option<usize> {
        match self.slots.get(self.at) {
            Some(&(Slot::Read(read) | Slot::For(read))) => Some(read),
            _ => None,
        }
    }

    /// What has become of the read of this number, with what was seen of all transactions asked about.
    pub(super) fn outcome(&mut self, read: usize) -> Outcome {
        let seen = match &self.sights {
            None => Ok(Vec::new()),
            Some(seen) => seen.clone(),
        };
        let Some(gathering) = self.reads.get_mut(read) else { return Outcome::Open };
        match gathering.state {
            State::Open => Outcome::Open,
            State::Changed => Outcome::Changed,
            State::Unsendable(why) => Outcome::Done(Err(StoreError::Unsendable(why.to_owned()))),
            State::Whole => Outcome::Done(seen.map(|seen| LiveResult {
                data: String::from_utf8_lossy(&std::mem::take(&mut gathering.out)).into(),
                rows: gathering.rows,
                next_change_at: gathering.next_change_at,
                order: self.order,
                seen,
            })),
        }
    }
}

impl Gathering {
    fn new(read: &LiveRead, shape: Arc<Shape>) -> Self {
        let query = &read.query;
        let mut gathering = Self {
            form: query.form,
            max_rows: query.max_rows,
            max_bytes: query.max_bytes,
            shape,
            out: Vec::with_capacity(128),
            rows: 0,
            next_change_at: None,
            state: State::Open,
        };
        gathering.clear();
        gathering
    }

    fn clear(&mut self) {
        self.out.clear();
        if self.form == ResultForm::Rows {
            self.out.push(b'[');
        }
        (self.rows, self.next_change_at, self.state) = (0, None, State::Open);
    }

    fn row(&mut self, row: &PgRow) {
        if !matches!(self.state, State::Open) {
            return;
        }
        if self.rows == 0 && !self.is_as_learnt(row) {
            self.state = State::Changed;
            return;
        }
        self.rows += 1;
        match self.form {
            ResultForm::Row if self.rows > 1 => return self.refuse("two rows, and `result: row` is one"),
            ResultForm::Rows if self.rows > self.max_rows => return self.refuse("more rows than `max_rows`"),
            ResultForm::Rows if self.rows > 1 => self.out.push(b','),
            ResultForm::Row | ResultForm::Rows => {}
        }
        if self.is_too_long(row) || !self.write(row) || self.out.len() > self.max_bytes {
            self.refuse("more bytes than `max_bytes`");
        }
    }

    fn is_as_learnt(&self, row: &PgRow) -> bool {
        let (columns, learnt) = (row.columns(), &self.shape.columns);
        let is = |at: usize, id| columns.get(at).is_some_and(|column| column.type_info().oid() == Some(id));
        let made = learnt.iter().filter_map(|column| column.made_of).enumerate();
        learnt.iter().enumerate().all(|(at, column)| is(at, column.type_id))
            && made.into_iter().all(|(at, id)| is(learnt.len() + 1 + at, id))
    }

    /// The database has measured it, where a column can be of any length.
    fn is_too_long(&self, row: &PgRow) -> bool {
        let size =
            row.try_get_raw(self.shape.columns.len()).ok().and_then(|size| size.as_str().ok()?.parse::<usize>().ok());
        size.is_some_and(|size| size > self.max_bytes)
    }

    /// False if a value is not there to be read.
    fn write(&mut self, row: &PgRow) -> bool {
        let shape = Arc::clone(&self.shape);
        self.out.push(b'{');
        let mut is_first = true;
        for (at, column) in shape.columns.iter().enumerate() {
            let Ok(value) = row.try_get_raw(at) else { return false };
            let value = if value.is_null() { None } else { value.as_bytes().ok() };
            if column.kind == Kind::NextChange {
                self.look_at(value);
                continue;
            }
            if !std::mem::take(&mut is_first) {
                self.out.push(b',');
            }
            self.out.extend_from_slice(column.label.as_bytes());
            match value {
                None => values::null(&mut self.out),
                Some(value) => write(&mut self.out, column.kind, value),
            }
        }
        self.out.push(b'}');
        true
    }

    fn look_at(&mut self, value: Option<&[u8]>) {
        let told = value.and_then(|value| std::str::from_utf8(value).ok()).and_then(values::timestamp);
        self.next_change_at = match (self.next_change_at, told) {
            (Some(known), Some(told)) => Some(known.min(told)),
            (known, told) => known.or(told),
        };
    }

    fn refuse(&mut self, why: &'static str) {
        self.state = State::Unsendable(why);
        self.out = Vec::new();
    }

    fn end(&mut self) {
        if !matches!(self.state, State::Open) {
            return;
        }
        match self.form {
            ResultForm::Rows => self.out.push(b']'),
            ResultForm::Row if self.rows == 0 => self.nulls(),
            ResultForm::Row => {}
        }
        if self.out.len() > self.max_bytes {
            return self.refuse("more bytes than `max_bytes`");
        }
        self.state = State::Whole;
    }

    /// No row is one of nulls.
    fn nulls(&mut self) {
        self.out.push(b'{');
        let sent = self.shape.columns.iter().filter(|column| column.kind != Kind::NextChange);
        for (at, column) in sent.enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(column.label.as_bytes());
            values::null(&mut self.out);
        }
        self.out.push(b'}');
    }
}

fn write(out: &mut Vec<u8>, kind: Kind, value: &[u8]) {
    match kind {
        Kind::Number => values::number(out, value),
        Kind::Boolean => values::boolean(out, value),
        Kind::Moment => values::moment(out, value),
        Kind::Interval => values::interval(out, value),
        Kind::Json | Kind::Structure => values::json(out, value),
        Kind::Numbers => values::numbers(out, value),
        Kind::Text | Kind::NextChange => values::text(out, value),
    }
}
