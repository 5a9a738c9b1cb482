//! What a live query takes and returns, and the statement in which it is asked: its own text as a subquery, with no more rows
//! and bytes than may be sent.
//!
//! Must not connect.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use sqlx::postgres::types::Oid;

use super::super::inlined::{Inlined, Literal};
use crate::model::IdType;
use crate::queries::{LiveQuery, ResultForm};
use crate::store::{LiveRead, StoreError};

/// Before the query's own text wherever it is a subquery.
const SUBQUERY: &str = "FROM (\n";
/// The column that says when the result changes by itself.
pub(super) const NEXT_CHANGE: &str = "next_change_at";
/// A name that no operator gives a column.
const SIZE: &str = "\"pulso size\"";

/// How a live query is asked.
#[derive(Debug)]
pub(in crate::store::postgres) struct Shape {
    pub fingerprint: u64,
    pub parameters: Parameters,
    pub columns: Vec<Column>,
    pub asked: Asked,
    /// As the database knows it.
    pub zone: Box<str>,
    /// The database's text may be of any encoding (`SQL_ASCII`), and it would refuse to send what is no UTF-8.
    pub is_raw: bool,
}

/// The whole statement.
#[derive(Debug)]
pub(in crate::store::postgres) enum Asked {
    /// Its parameters are written into it.
    Written(Inlined),
    /// Its parameters stay beside it.
    Beside(Arc<str>),
}

/// The types of the parameters.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::postgres) struct Parameters {
    pub key: IdType,
    pub today: MomentForm,
    pub now: MomentForm,
}

/// How a query wants a day or a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::postgres) enum MomentForm {
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Text,
}

/// One column of the answer.
#[derive(Debug)]
pub(in crate::store::postgres) struct Column {
    /// Its name as JSON, and a colon.
    pub label: Box<str>,
    pub kind: Kind,
    /// What it is of as it arrives.
    pub type_id: Oid,
    /// What it is of before the database makes JSON of it; a column without a value, behind the row's size, tells.
    pub made_of: Option<Oid>,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::postgres) enum Kind {
    Number,
    Boolean,
    /// A day, a time, or both.
    Moment,
    Interval,
    Json,
    /// An array of numbers.
    Numbers,
    /// What the database makes JSON of: other arrays, and composites.
    Structure,
    Text,
    /// Not sent.
    NextChange,
}

/// A column as the database describes it.
pub(super) struct Described {
    pub name: String,
    pub type_id: u32,
    /// As SQL calls it.
    pub type_name: String,
    pub is_composite: bool,
    /// It is `bytea`, or somewhere in it there is some.
    pub holds_bytes: bool,
    /// Of its elements, if it is an array.
    pub element: Option<u32>,
}

mod types {
    pub(super) const BYTEA: u32 = 17;
    pub(super) const JSON: u32 = 114;
    pub(super) const TIMESTAMPTZ: u32 = 1184;
    pub(super) const RECORD: u32 = 2249;
    pub(super) const NUMBERS: [u32; 6] = [20, 21, 23, 700, 701, 1700];
    pub(super) const DATE: u32 = 1082;
    pub(super) const TIMESTAMP: u32 = 1114;
}

impl Kind {
    fn of(column: &Described) -> Self {
        match column.type_id {
            _ if column.name == NEXT_CHANGE => Self::NextChange,
            16 => Self::Boolean,
            number if types::NUMBERS.contains(&number) => Self::Number,
            types::DATE | types::TIMESTAMP | types::TIMESTAMPTZ | 1083 | 1266 => Self::Moment,
            1186 => Self::Interval,
            types::JSON | 3802 => Self::Json,
            types::RECORD => Self::Structure,
            _ if column.element.is_some_and(|element| types::NUMBERS.contains(&element)) => Self::Numbers,
            _ if column.element.is_some() || column.is_composite => Self::Structure,
            _ => Self::Text,
        }
    }

    /// Of any length.
    fn is_wide(self) -> bool {
        matches!(self, Self::Json | Self::Numbers | Self::Structure | Self::Text)
    }

    fn is_made_json(self) -> bool {
        matches!(self, Self::Numbers | Self::Structure)
    }
}

impl Column {
    pub(super) fn of(column: &Described) -> Self {
        let kind = Kind::of(column);
        let type_id = match kind {
            Kind::NextChange => types::TIMESTAMPTZ,
            kind if kind.is_made_json() => types::JSON,
            _ => column.type_id,
        };
        let label = format!("{}:", serde_json::Value::from(column.name.as_str()));
        let made_of = kind.is_made_json().then_some(Oid(column.type_id));
        Self { label: label.into(), kind, type_id: Oid(type_id), made_of }
    }
}

impl MomentForm {
    /// By the name of a parameter's type.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "DATE" => Self::Date,
            "TIME" => Self::Time,
            "TIMESTAMP" => Self::Timestamp,
            "TIMESTAMPTZ" => Self::Timestamptz,
            "TEXT" | "VARCHAR" => Self::Text,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Text => "text",
        }
    }

    /// A day: for a time, its beginning where the query's clocks are.
    fn day(self, day: Date, query: &LiveQuery) -> Literal {
        let midnight = day.to_datetime(Time::midnight());
        match self {
            Self::Date => Literal::moment(self.name(), &day.to_string()),
            Self::Text => Literal::text(&day.to_string()),
            Self::Time => Literal::moment(self.name(), "00:00:00"),
            Self::Timestamp => Literal::moment(self.name(), &midnight.to_string()),
            // Where a day begins later than at midnight, then.
            Self::Timestamptz => match query.zone.to_ambiguous_zoned(midnight).compatible() {
                Ok(begin) => Literal::moment(self.name(), &begin.timestamp().to_string()),
                Err(_) => Literal::moment(self.name(), &midnight.to_string()),
            },
        }
    }

    /// A moment, to the microsecond.
    fn now(self, now: Timestamp, query: &LiveQuery) -> Literal {
        let micro = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
        let there = micro.to_zoned(query.zone.clone());
        let text = match self {
            Self::Date => there.date().to_string(),
            Self::Time => there.time().to_string(),
            Self::Timestamp => there.datetime().to_string(),
            Self::Timestamptz => micro.to_string(),
            Self::Text => {
                let offset = there.offset();
                return Literal::text(&micro.display_with_offset(offset).to_string());
            }
        };
        Literal::moment(self.name(), &text)
    }
}

impl Parameters {
    /// The values of `$1`, `$2` and `$3` for a read.
    pub(super) fn values(self, read: &LiveRead) -> Result<[Literal; 3], StoreError> {
        self.of(read.consulta.key(), read.today, read.now, &read.query)
    }

    pub(super) fn of(
        self,
        key: Option<&str>,
        today: Date,
        now: Timestamp,
        query: &LiveQuery,
    ) -> Result<[Literal; 3], StoreError> {
        // A query without a key takes a text that it does not look at.
        let key = Literal::id(self.key, key.unwrap_or_default())?;
        Ok([key, self.today.day(today, query), self.now.now(now, query)])
    }

    /// Values that are none.
    pub(super) fn nothing(self) -> [Literal; 3] {
        self.types().map(Literal::nothing)
    }

    /// The names of their types, as `PREPARE` takes them.
    pub(super) fn names(self) -> String {
        self.types().join(", ")
    }

    fn types(self) -> [&'static str; 3] {
        let key = match self.key {
            IdType::Uuid => "uuid",
            IdType::Text => "text",
            IdType::Char => "bpchar",
            IdType::Int2 => "int2",
            IdType::Int4 => "int4",
            IdType::Int8 => "int8",
        };
        [key, self.today.name(), self.now.name()]
    }
}

/// A statement that takes and returns what the query does; each parameter has a type even if the query does not use it.
pub(super) fn to_describe(query: &LiveQuery) -> (String, usize) {
    let begin = format!("SELECT * {SUBQUERY}");
    let parameters = ["$1", "$2", "$3"].map(|name| format!("{name}::pg_catalog.text IS NULL")).join(" OR ");
    // Joined, so that `*` is the query's columns and no more.
    (format!("{begin}{}\n) AS q WHERE {parameters}", query.sql), begin.chars().count())
}

/// The statement that is asked.
pub(super) fn statement(query: &LiveQuery, described: &[Described]) -> String {
    let columns: Vec<(String, Kind)> =
        described.iter().map(|column| (identifier(&column.name), Kind::of(column))).collect();
    let most = match query.form {
        ResultForm::Row => 2,
        ResultForm::Rows => query.max_rows.saturating_add(1),
    };
    let list = |each: &dyn Fn(&str, Kind) -> String| {
        columns.iter().map(|(name, kind)| each(name, *kind)).collect::<Vec<_>>().join(", ")
    };
    let plain = list(&|name, kind| match kind {
        Kind::NextChange => format!("q.{name}::pg_catalog.timestamptz AS {name}"),
        kind if kind.is_made_json() => format!("pg_catalog.to_json(q.{name}) AS {name}"),
        _ => format!("q.{name}"),
    });
    // Told by the type alone, whatever JSON is made of.
    let made: Vec<&str> =
        columns.iter().filter(|(_, kind)| kind.is_made_json()).map(|(name, _)| name.as_str()).collect();
    let list_of = |each: &dyn Fn(usize, &str) -> String| {
        made.iter().enumerate().map(|(at, name)| each(at, name)).collect::<Vec<_>>().concat()
    };
    let types = list_of(&|at, name| format!(", CASE WHEN false THEN q.{name} END AS \"pulso type {at}\""));
    let asked = format!("SELECT {plain}{types} {SUBQUERY}{}\n) AS q LIMIT {most}", query.sql);
    if !columns.iter().any(|(_, kind)| kind.is_wide()) {
        return asked;
    }
    // Measured in the database: of a row that is too long nothing comes.
    let size = columns.iter().filter(|(_, kind)| kind.is_wide()).map(|(name, _)| {
        format!("coalesce(pg_catalog.octet_length(r.{name}::pg_catalog.text)::pg_catalog.int8, 0::pg_catalog.int8)")
    });
    let size = size.collect::<Vec<_>>().join(" OPERATOR(pg_catalog.+) ");
    let bounded = list(&|name, kind| {
        if kind.is_wide() {
            format!(
                "CASE WHEN s.{SIZE} OPERATOR(pg_catalog.<=) {}::pg_catalog.int8 THEN s.{name} END AS {name}",
                query.max_bytes
            )
        } else {
            format!("s.{name}")
        }
    });
    let types = list_of(&|at, _| format!(", s.\"pulso type {at}\""));
    format!("SELECT {bounded}, s.{SIZE}{types} FROM (SELECT r.*, {size} AS {SIZE} FROM ({asked}) AS r OFFSET 0) AS s")
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What must change in the columns, if anything.
pub(super) fn mistake_in(described: &[Described]) -> Option<String> {
    for (at, column) in described.iter().enumerate() {
        let name = &column.name;
        if name == "?column?" || name.is_empty() {
            return Some(format!("column {} has no name: write … AS name", at + 1));
        }
        if described[..at].iter().any(|other| other.name == *name) {
            return Some(format!("two columns are called {name}: give one of them another name"));
        }
        if column.holds_bytes {
            let is_it = column.type_id == types::BYTEA || column.element == Some(types::BYTEA);
            let what = if is_it { "is of type bytea" } else { "has a part of type bytea" };
            return Some(format!("column {name} {what}, which is not sent: write encode(…, 'base64')"));
        }
        let is_time = matches!(column.type_id, types::DATE | types::TIMESTAMP | types::TIMESTAMPTZ);
        if name == NEXT_CHANGE && !is_time {
            return Some(format!(
                "column {name} is of type {}; it must be a time: write (…)::timestamptz",
                column.type_name
            ));
        }
    }
    None
}
