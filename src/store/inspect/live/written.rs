//! A live query with its values in its text, for plans.
//!
//! Must not connect.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::queries::LiveQuery;
use crate::queries::scan::{Dialect, Kind, tokens};

/// For whom, on which day, when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    pub key: &'a str,
    pub today: Date,
    pub now: Timestamp,
}

/// The statement of `query`, to be explained and not to be answered by.
pub(super) fn written(query: &LiveQuery, values: Values<'_>, dialect: Dialect) -> String {
    let mut sql = String::with_capacity(query.sql.len() + 64);
    let mut end = 0;
    for token in tokens(&query.sql, dialect).unwrap_or_default() {
        let Kind::Parameter(number) = token.kind else { continue };
        let value = match number {
            1 => values.key.to_owned(),
            2 => values.today.to_string(),
            _ if dialect == Dialect::Sqlite => values.now.to_zoned(TimeZone::UTC).strftime("%F %T%.3f").to_string(),
            _ => values.now.to_string(),
        };
        sql.push_str(query.sql.get(end..token.range.start).unwrap_or_default());
        // Writing to a String cannot fail.
        let _ = match dialect {
            Dialect::Postgres => write!(sql, " E'{}' ", value.replace('\\', r"\\").replace('\'', r"\'")),
            Dialect::Sqlite => write!(sql, " '{}' ", value.replace('\'', "''")),
        };
        end = token.range.end;
    }
    sql.push_str(query.sql.get(end..).unwrap_or_default());
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queries::tests::query;

    #[test]
    fn values_stand_where_their_parameters_were_and_nothing_gets_out_of_its_quotes() {
        let sql = "SELECT '$1', $1, $2 -- $3\n, $3";
        let query = LiveQuery { sql: sql.into(), ..LiveQuery::clone(&query("a")) };
        let now = "2026-11-29T12:00:00Z".parse().unwrap();
        let values = Values { key: r"o'x\", today: Date::constant(2026, 11, 29), now };
        let postgres = written(&query, values, Dialect::Postgres);
        assert_eq!(postgres, "SELECT '$1',  E'o\\'x\\\\' ,  E'2026-11-29'  -- $3\n,  E'2026-11-29T12:00:00Z' ");
        let sqlite = written(&query, values, Dialect::Sqlite);
        assert_eq!(sqlite, "SELECT '$1',  'o''x\\' ,  '2026-11-29'  -- $3\n,  '2026-11-29 12:00:00.000' ");
    }
}
