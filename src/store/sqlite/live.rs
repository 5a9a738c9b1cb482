//! Live queries on SQLite: `$1` to `$3` as text, values as they are stored.
//!
//! Must not know who watches, nor when anything is read.

use std::collections::HashSet;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sqlx::sqlite::SqliteRow;
use sqlx::{
    AssertSqlSafe, Column as _, Executor as _, Row as _, SqlSafeStr as _, SqliteConnection, Statement as _,
    TypeInfo as _, ValueRef as _,
};
use tokio::time::{sleep, timeout};

use super::write::{self, PAUSE};
use super::{GRACE, SqliteStore, code, json, of_query, plain};
use crate::model::IdType;
use crate::queries::{LiveQuery, PairsQuery, ResultForm};
use crate::store::ownership::OwnerQuery;
use crate::store::{ContactError, Learnt, LiveRead, LiveResult, StoreError, pair_columns};

/// The column that says when the result changes by itself.
const NEXT_CHANGE: &str = "next_change_at";

/// How SQLite writes a moment to the millisecond.
const MOMENT: &str = "%Y-%m-%d %H:%M:%S%.3f";

impl SqliteStore {
    /// Looks what `query` returns.
    pub(super) async fn learn_live(&self, query: &LiveQuery) -> Result<Learnt, ContactError> {
        let learning = async {
            let mut connection = self.connection().await?;
            learn(&mut connection, query).await
        };
        let limit = self.statement_timeout + GRACE;
        let learnt = timeout(limit, learning).await.unwrap_or_else(|_| Err(self.late().into()))?;
        let known = self.learnt.lock();
        known.unwrap_or_else(std::sync::PoisonError::into_inner).insert(query.name.clone(), query.fingerprint);
        Ok(learnt)
    }

    pub(super) async fn read_live(&self, read: &LiveRead) -> Result<LiveResult, StoreError> {
        if !read.xids.is_empty() {
            return Err(StoreError::Refused("SQLite knows no transactions of others".to_owned()));
        }
        let is_known = {
            let known = self.learnt.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            known.get(&read.query.name) == Some(&read.query.fingerprint)
        };
        if !is_known {
            return Err(StoreError::Refused("the query has not been learnt yet".to_owned()));
        }
        let reading = async {
            let mut connection = self.connection().await?;
            loop {
                match gather(&mut connection, read).await {
                    // Another connection to a shared cache writes; for a file's lock SQLite has waited already.
                    Err(error) if write::is_shared_cache_locked(&error) => sleep(PAUSE).await,
                    answer => return answer.map_err(|error| of_query(&error))?,
                }
            }
        };
        self.within(reading).await
    }

    /// Those of `asked` that hold.
    pub(super) async fn find_pairs(
        &self,
        query: &PairsQuery,
        asked: &[(String, String)],
    ) -> Result<HashSet<(String, String)>, StoreError> {
        let questions = OwnerQuery::new(asked, IdType::Text, IdType::Text);
        if questions.is_empty() {
            return Ok(HashSet::new());
        }
        let rows = self.rows(&query.sql, &[json(&questions.things()), json(&questions.users())]).await?;
        let Some(first) = rows.first() else { return Ok(HashSet::new()) };
        let names: Vec<&str> = first.columns().iter().map(sqlx::Column::name).collect();
        let wrong = |reason| StoreError::Refused(format!("{}: {reason}", query.file.display()));
        let [key, user] = pair_columns(&names).map_err(wrong)?;
        // Unchecked: SQLite turns integers into text by itself.
        let text = |row: &SqliteRow, at: usize| row.try_get_unchecked::<Option<String>, _>(at).ok().flatten();
        Ok(questions.confirmed(rows.iter().filter_map(|row| text(row, key).zip(text(row, user)))))
    }
}

/// As a subquery, which also says that it is one statement that reads.
fn statement(query: &LiveQuery) -> String {
    let most = match query.form {
        ResultForm::Row => 2,
        ResultForm::Rows => query.max_rows.saturating_add(1),
    };
    format!("SELECT * FROM (\n{}\n) LIMIT {most}", query.sql)
}

async fn learn(connection: &mut SqliteConnection, query: &LiveQuery) -> Result<Learnt, ContactError> {
    let file = query.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let wrong =
        |reason: String| ContactError::WrongQuery { variable: "QUERIES_DIR", reason: format!("{file}: {reason}") };
    let prepared = connection.prepare(AssertSqlSafe(statement(query)).into_sql_str()).await;
    let prepared = prepared.map_err(|error| match plain(&error) {
        said if said.starts_with("no such table") || said.starts_with("no such column") => {
            ContactError::Missing(format!("{file}: {said}"))
        }
        said if code(&error) == Some(1) => wrong(said),
        _ => of_query(&error).into(),
    })?;
    let mut columns: Vec<(String, String)> = Vec::new();
    for column in prepared.columns() {
        let name = column.name();
        // SQLite tells namesakes apart by a number behind a colon.
        let (plain, number) = name.rsplit_once(':').unwrap_or((name, ""));
        let is_repeated = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
        if is_repeated && columns.iter().any(|(other, _)| other.eq_ignore_ascii_case(plain)) {
            return Err(wrong(format!("two columns are called {plain}: give one of them another name")));
        }
        if name.is_empty() {
            return Err(wrong(format!("column {} has no name: write … AS name", columns.len() + 1)));
        }
        columns.push((name.to_owned(), column.type_info().name().to_lowercase()));
    }
    columns.retain(|(name, _)| name != NEXT_CHANGE);
    Ok(Learnt { key: query.is_keyed.then_some(IdType::Text), columns })
}

/// The outer failure is SQLite's.
async fn gather(
    connection: &mut SqliteConnection,
    read: &LiveRead,
) -> Result<Result<LiveResult, StoreError>, sqlx::Error> {
    let query = &read.query;
    let now = read.now.to_zoned(TimeZone::UTC).strftime(MOMENT).to_string();
    let asked = sqlx::query(AssertSqlSafe(statement(query)))
        .bind(read.consulta.key().unwrap_or_default().to_owned())
        .bind(read.today.to_string())
        .bind(now);
    let mut out = Vec::with_capacity(128);
    if query.form == ResultForm::Rows {
        out.push(b'[');
    }
    let (mut count, mut next_change_at) = (0, None::<Timestamp>);
    let mut rows = connection.fetch(asked);
    let refuse = |why: &str| Ok(Err(StoreError::Unsendable(why.to_owned())));
    while let Some(row) = rows.try_next().await? {
        count += 1;
        match query.form {
            ResultForm::Row if count > 1 => return refuse("two rows, and `result: row` is one"),
            ResultForm::Rows if count > query.max_rows => return refuse("more rows than `max_rows`"),
            ResultForm::Rows if count > 1 => out.push(b','),
            ResultForm::Row | ResultForm::Rows => {}
        }
        match object(&mut out, &row) {
            Ok(told) => next_change_at = next_change_at.into_iter().chain(told).min(),
            Err(why) => return refuse(&why),
        }
        if out.len() > query.max_bytes {
            return refuse("more bytes than `max_bytes`");
        }
    }
    drop(rows);
    match query.form {
        ResultForm::Rows => out.push(b']'),
        ResultForm::Row if count == 0 => nulls(connection, query, &mut out).await?,
        ResultForm::Row => {}
    }
    if out.len() > query.max_bytes {
        return refuse("more bytes than `max_bytes`");
    }
    let data = String::from_utf8_lossy(&out).into();
    Ok(Ok(LiveResult { data, rows: count, next_change_at, order: None, seen: Vec::new() }))
}

/// One row, and when it changes by itself.
fn object(out: &mut Vec<u8>, row: &SqliteRow) -> Result<Option<Timestamp>, String> {
    let mut next_change_at = None;
    let mut is_first = true;
    out.push(b'{');
    for (at, column) in row.columns().iter().enumerate() {
        if column.name() == NEXT_CHANGE {
            let text = row.try_get_unchecked::<Option<String>, _>(at).map_err(|error| error.to_string())?;
            next_change_at = text.as_deref().map_or(Ok(None), moment)?;
            continue;
        }
        label(out, column.name(), &mut is_first);
        value(out, row, at).map_err(|why| format!("column {}: {why}", column.name()))?;
    }
    out.push(b'}');
    Ok(next_change_at)
}

fn label(out: &mut Vec<u8>, name: &str, is_first: &mut bool) {
    if !std::mem::take(is_first) {
        out.push(b',');
    }
    string(out, name);
    out.push(b':');
}

fn string(out: &mut Vec<u8>, text: &str) {
    // Writing a string to a vector cannot fail.
    let _ = serde_json::to_writer(out, text);
}

fn value(out: &mut Vec<u8>, row: &SqliteRow, at: usize) -> Result<(), String> {
    let raw = row.try_get_raw(at).map_err(|error| error.to_string())?;
    let kind = raw.type_info().name().to_owned();
    match kind.as_str() {
        _ if raw.is_null() => out.extend_from_slice(b"null"),
        "BLOB" => return Err("is a blob: write hex(…)".to_owned()),
        "INTEGER" | "BOOLEAN" => {
            let number: i64 = row.try_get_unchecked(at).map_err(|error| error.to_string())?;
            out.extend_from_slice(number.to_string().as_bytes());
        }
        "REAL" => {
            let number: f64 = row.try_get_unchecked(at).map_err(|error| error.to_string())?;
            // What JSON has no word for becomes null.
            let _ = serde_json::to_writer(out, &number);
        }
        _ => {
            let bytes: Vec<u8> = row.try_get_unchecked(at).map_err(|error| error.to_string())?;
            string(out, &String::from_utf8_lossy(&bytes));
        }
    }
    Ok(())
}

/// No row is one of nulls.
async fn nulls(connection: &mut SqliteConnection, query: &LiveQuery, out: &mut Vec<u8>) -> Result<(), sqlx::Error> {
    let prepared = connection.prepare(AssertSqlSafe(statement(query)).into_sql_str()).await?;
    let mut is_first = true;
    out.push(b'{');
    for column in prepared.columns().iter().filter(|column| column.name() != NEXT_CHANGE) {
        label(out, column.name(), &mut is_first);
        out.extend_from_slice(b"null");
    }
    out.push(b'}');
    Ok(())
}

/// As SQLite's functions write one, in UTC, or with an offset of its own; nothing for one without end. What nobody can read
/// would never come, and nobody would know.
fn moment(text: &str) -> Result<Option<Timestamp>, String> {
    if text.ends_with("infinity") {
        return Ok(None);
    }
    let in_utc = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|there| there.timestamp());
    let moment = text.parse().ok().or_else(in_utc);
    moment.map(Some).ok_or_else(|| format!("column {NEXT_CHANGE}: is no time: write datetime(…), or NULL for never"))
}
