//! The three query files for tables of other names: STATS_SQL, OWNER_SQL, DEVICE_SQL.
//!
//! Every name and every value of the database's is quoted: whatever it is, it stays one.

use std::fmt::Write as _;

use crate::config::DatabaseUrl;
use crate::store::inspect::tables::{Column, Kind, Table, literal, quoted};

/// Which database is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    Sqlite,
}

/// The appointments, as their table has them.
#[derive(Debug)]
pub(super) struct Appointments<'a> {
    pub(super) table: &'a Table,
    pub(super) business: &'a Column,
    pub(super) day: &'a Column,
    pub(super) state: Option<&'a Column>,
    pub(super) done: &'a [String],
    pub(super) cancelled: &'a [String],
}

/// The devices, as their table has them.
#[derive(Debug)]
pub(super) struct Devices<'a> {
    pub(super) table: &'a Table,
    pub(super) id: &'a Column,
    pub(super) uid: &'a Column,
    pub(super) active: Option<&'a Column>,
    /// What `active` says of those that are in use, where it is a text.
    pub(super) in_use: &'a [String],
}

impl Dialect {
    pub(super) fn of(url: &DatabaseUrl) -> Self {
        match url {
            DatabaseUrl::Postgres(_) => Self::Postgres,
            DatabaseUrl::Sqlite(_) => Self::Sqlite,
        }
    }

    fn text(self, column: &str) -> String {
        match self {
            Self::Postgres => format!("{column}::text"),
            Self::Sqlite => format!("CAST({column} AS TEXT)"),
        }
    }

    /// A column is one of those in a parameter.
    fn is_in(self, column: &str, parameter: &str) -> String {
        match self {
            Self::Postgres => format!("{column} = ANY ({parameter})"),
            Self::Sqlite => format!("{column} IN (SELECT value FROM json_each({parameter}))"),
        }
    }

    /// It is on the day `$2`.
    fn is_today(self, day: &Column) -> String {
        let name = quoted(&day.name);
        match (self, day.kind) {
            (Self::Postgres, Kind::Moment) => format!("{name} >= $2::date AND {name} < $2::date + 1"),
            (Self::Sqlite, Kind::Number) => format!("date({name}, 'unixepoch') = $2"),
            (Self::Sqlite, Kind::Moment | Kind::Text) => format!("substr({name}, 1, 10) = $2"),
            _ => format!("{name} = $2"),
        }
    }
}

pub(super) fn stats(dialect: Dialect, of: &Appointments<'_>) -> String {
    let Appointments { table, business, day, state, done, cancelled } = of;
    let among = |values: &[String]| match state {
        Some(state) if !values.is_empty() => is_among(&quoted(&state.name), values),
        // None is counted until somebody writes which state says so.
        _ => "1 = 0".to_owned(),
    };
    format!(
        "-- The figures of one business: $1 is its id, $2 today. One row, exactly these four columns, integers.\n\
         SELECT COUNT(*) AS total_citas,\n       \
         COUNT(*) FILTER (WHERE {}) AS citas_hoy,\n       \
         COUNT(*) FILTER (WHERE {}) AS citas_completadas,\n       \
         COUNT(*) FILTER (WHERE {}) AS citas_canceladas\n  \
         FROM {}\n WHERE {} = $1\n",
        dialect.is_today(day),
        among(done),
        among(cancelled),
        quoted(&table.name),
        quoted(&business.name)
    )
}

/// SQL is one of these values.
fn is_among(sql: &str, values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
    format!("{sql} IN ({})", values.join(", "))
}

pub(super) fn owner(dialect: Dialect, table: &Table, id: &Column, owner: &Column) -> String {
    let (id, owner) = (quoted(&id.name), quoted(&owner.name));
    format!(
        "-- Who owns what, of businesses ($1) and users ($2). Exactly these two columns, as text.\n\
         SELECT {} AS negocio_id,\n       {} AS user_id\n  FROM {}\n WHERE {}\n   AND {}\n",
        dialect.text(&id),
        dialect.text(&owner),
        quoted(&table.name),
        dialect.is_in(&id, "$1"),
        dialect.is_in(&owner, "$2")
    )
}

/// Nobody owns anything: who may watch a business has it in her token.
pub(super) fn no_owner(dialect: Dialect) -> String {
    let nothing = "-- No table says who owns a business: only a token that names it opens it.\n";
    let columns = match dialect {
        Dialect::Postgres => {
            "SELECT ''::text AS negocio_id,\n       ''::text AS user_id\n WHERE ''::text = ANY ($1::text[])\n   \
             AND ''::text = ANY ($2::text[])\n   AND 1 = 0\n"
        }
        Dialect::Sqlite => "SELECT $1 AS negocio_id,\n       $2 AS user_id\n WHERE 1 = 0\n",
    };
    format!("{nothing}{columns}")
}

pub(super) fn devices(dialect: Dialect, of: &Devices<'_>) -> String {
    let Devices { table, id, uid, active, in_use } = of;
    let active = match (active, dialect) {
        // None is let in until somebody writes which value says so.
        (Some(Column { kind: Kind::Text, .. }), _) if in_use.is_empty() => "1 = 0".to_owned(),
        (Some(Column { name, kind: Kind::Text }), _) => is_among(&dialect.text(&quoted(name)), in_use),
        (Some(Column { name, kind: Kind::Flag }), _) | (Some(Column { name, .. }), Dialect::Sqlite) => quoted(name),
        (Some(Column { name, .. }), Dialect::Postgres) => format!("({} <> 0)", quoted(name)),
        (None, Dialect::Postgres) => "true".to_owned(),
        (None, Dialect::Sqlite) => "1".to_owned(),
    };
    let (id, uid) = (quoted(&id.name), quoted(&uid.name));
    let mut text =
        "-- Which devices there are, by what they call themselves ($1) or their ids ($2). Exactly these columns.\n"
            .to_owned();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "SELECT {} AS device_id,\n       {} AS device_uid,\n       {active} AS is_active\n  FROM {}\n WHERE {}\n    OR {}\n",
        dialect.text(&id),
        dialect.text(&uid),
        quoted(&table.name),
        dialect.is_in(&uid, "$1"),
        dialect.is_in(&id, "$2")
    );
    text
}
