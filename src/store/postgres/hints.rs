//! `pulso migrate --listen`: the triggers of a table that tell which rows have changed.
//!
//! Must not be called by anything that serves.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgArguments;

use super::inlined::Literal;
use super::{PostgresStore, change, failure};
use crate::store::StoreError;
use crate::store::hints::{HintChange, HintTrigger};

const CREATE: &str = include_str!("../../../sql/hints.postgres.sql");
const REMOVE: &str = include_str!("../../../sql/hints.remove.postgres.sql");

/// For a change of the table's triggers, which waits for another `pulso migrate`.
const PATIENCE: Duration = Duration::from_mins(1);

/// False if there was nothing to do.
pub(super) async fn change(
    store: &PostgresStore,
    trigger: &HintTrigger,
    change: HintChange,
) -> Result<bool, StoreError> {
    if let Some(mistake) = trigger.mistake() {
        return Err(StoreError::Refused(mistake));
    }
    if change == HintChange::Remove && !is_there(store, trigger).await? {
        return Ok(false);
    }
    let sql = match change {
        HintChange::Create => CREATE,
        HintChange::Remove => REMOVE,
    };
    let sql = change::of_busy_table(&filled(sql, trigger));
    let done = change::carry_out(store, &trigger.table, PATIENCE, &sql).await?;
    done.map(|()| true).map_err(|error| explain(&error, &trigger.table))
}

async fn is_there(store: &PostgresStore, trigger: &HintTrigger) -> Result<bool, StoreError> {
    let sql = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger WHERE NOT tgisinternal \
               AND tgrelid = @table@::pg_catalog.regclass AND pg_catalog.starts_with(tgname::pg_catalog.text, @name@)";
    let rows = store.rows(&filled(sql, trigger).into(), PgArguments::default()).await?;
    Ok(rows.first().is_some_and(|row| row.try_get::<i64, _>(0).unwrap_or_default() > 0))
}

/// Comments come first: what is filled in may hold anything.
fn filled(sql: &str, trigger: &HintTrigger) -> String {
    let HintTrigger { table, column, subject, channel } = trigger;
    let words = [("@table@", table), ("@column@", column), ("@subject@", subject), ("@channel@", channel)];
    let with_name = sql.replace("@name@", &Literal::text(&name(trigger)).to_string());
    // Two of them stand in the function's text as well, where the server fills them in.
    let (head, body) = with_name.split_once("$body$").unwrap_or((&with_name, ""));
    let fill = |text: &str| {
        words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, &Literal::text(value).to_string()))
    };
    if body.is_empty() { fill(head) } else { format!("{}$body${body}", fill(head)) }
}

/// What all of a trigger's parts are called, the same for whoever installs it again.
fn name(trigger: &HintTrigger) -> String {
    let of = [trigger.column.as_str(), trigger.subject.as_str()].join("\0");
    let digits = Sha256::digest(of);
    let number = digits.iter().take(8).fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    format!("pulso_hint_{number:016x}")
}

fn explain(error: &sqlx::Error, table: &str) -> StoreError {
    let advice = match error.as_database_error().and_then(DatabaseError::code).as_deref() {
        Some("42501") => {
            "run this with the DATABASE_URL of the owner of the table, who may create functions in its schema; the role \
             that serves needs neither right"
        }
        Some("55P03") => "some transaction has held the table for several seconds; try again, at a quieter moment",
        Some("42809" | "0A000") => "a trigger can tell of a table of this database's own only, not of a view",
        Some("25006") => "run this on the primary, not on a standby that only reads",
        Some("42P01" | "42703" | "3F000" | "42602") => "name the table as SQL would, and its column",
        _ => return failure::of_query(error),
    };
    StoreError::Refused(format!("{table}: {}; {advice}", failure::plain(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_what_is_filled_in_reaches_the_statement() {
        let hostile = r"x'); DROP TABLE citas; --$body$\";
        let trigger = HintTrigger {
            table: hostile.to_owned(),
            column: hostile.to_owned(),
            subject: "s".to_owned(),
            channel: hostile.to_owned(),
        };
        for sql in [CREATE, REMOVE] {
            let filled = filled(sql, &trigger);
            assert!(!filled.contains("DROP TABLE"), "{filled}");
            assert!(!filled.contains("@table@") && !filled.contains("@name@"), "{filled}");
        }
    }
}
