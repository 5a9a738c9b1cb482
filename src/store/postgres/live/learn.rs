//! What a live query looks like to this database, and whether it may be run.

use sqlx::postgres::{PgArguments, PgDatabaseError, PgErrorPosition, PgStatement};
use sqlx::{Column as _, Either, PgConnection, Row as _, Statement as _, TypeInfo as _};

use super::super::contact::sample;
use super::super::inlined::{Inlined, Literal};
use super::super::limits::Limits;
use super::super::session::END_READING;
use super::super::transaction::{Told, ask, statement, tell, try_zone};
use super::super::{description, failure};
use super::message;
use super::shape::{self, Asked, Column, Described, MomentForm, NEXT_CHANGE, Parameters, Shape};
use crate::model::IdType;
use crate::queries::LiveQuery;
use crate::store::{ContactError, Learnt, StoreError};

/// The setting that names the folder of all of them.
const QUERIES_DIR: &str = "QUERIES_DIR";

/// What kind each of these types is of.
const TYPES: &str = "
    SELECT pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.=) 'SQL_ASCII' AS is_raw,
           type.oid::pg_catalog.int8 AS id, pg_catalog.format_type(type.oid, NULL) AS name,
           type.typtype OPERATOR(pg_catalog.=) 'c'::\"char\" AS is_composite,
           EXISTS (WITH RECURSIVE part (id) AS (
                       SELECT type.oid
                       UNION SELECT inner_part.id FROM part
                         JOIN pg_catalog.pg_type AS whole ON whole.oid OPERATOR(pg_catalog.=) part.id
                         CROSS JOIN LATERAL (
                             SELECT whole.typbasetype WHERE whole.typtype OPERATOR(pg_catalog.=) 'd'::\"char\"
                             UNION ALL SELECT whole.typelem WHERE whole.typcategory OPERATOR(pg_catalog.=) 'A'::\"char\"
                             UNION ALL SELECT own.atttypid FROM pg_catalog.pg_attribute AS own
                                 WHERE own.attrelid OPERATOR(pg_catalog.=) whole.typrelid
                                   AND own.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT own.attisdropped
                         ) AS inner_part (id))
                   SELECT FROM part WHERE part.id OPERATOR(pg_catalog.=) 17::pg_catalog.oid) AS holds_bytes,
           CASE WHEN type.typcategory OPERATOR(pg_catalog.=) 'A'::\"char\" THEN type.typelem::pg_catalog.int8 END AS element
      FROM pg_catalog.pg_type AS type WHERE type.oid OPERATOR(pg_catalog.=) ANY ('{LIST}'::pg_catalog.oid[])";

/// Describes `query` and proves that it may be run.
pub(super) async fn learn(
    connection: &mut PgConnection,
    limits: &Limits,
    query: &LiveQuery,
) -> Result<(Shape, Learnt), ContactError> {
    let wrong =
        |reason: String| ContactError::WrongQuery { variable: QUERIES_DIR, reason: at_file(query, None, &reason) };
    let begin = limits.begin();
    let zone = query.zone.iana_name().filter(|name| !name.contains(['\'', '\\'])).unwrap_or("UTC");
    match try_zone(connection, zone).await {
        Ok(true) => {}
        Ok(false) => return Err(wrong(format!("the database does not know the time zone {zone}"))),
        Err(error) => return Err(failure::of_query(&error).into()),
    }
    let (text, before) = shape::to_describe(query);
    let prepared = statement(connection, &begin, &text.into()).await;
    let prepared = prepared.map_err(|(error, _)| of_learning(&error, query, Some(before)))?;
    let parameters = parameters(&prepared, query).map_err(wrong)?;
    let (described, is_raw) = described(connection, limits, &prepared).await?;
    if let Some(mistake) = shape::mistake_in(&described) {
        return Err(wrong(mistake));
    }
    let sql = shape::statement(query, &described);
    let learnt = Learnt {
        key: query.is_keyed.then_some(parameters.key),
        columns: described
            .iter()
            .filter(|column| column.name != NEXT_CHANGE)
            .map(|column| (column.name.clone(), column.type_name.clone()))
            .collect(),
    };
    let mut shape = Shape {
        fingerprint: query.fingerprint,
        parameters,
        columns: described.iter().map(Column::of).collect(),
        asked: Asked::Beside(sql.as_str().into()),
        zone: zone.into(),
        is_raw,
    };
    if let Some(written) = Inlined::of(&sql)
        && may_be_written(connection, limits, query, &shape, &written).await?
    {
        shape.asked = Asked::Written(written);
    }
    explain(connection, limits, query, &shape).await?;
    Ok((shape, learnt))
}

fn parameters(prepared: &PgStatement, query: &LiveQuery) -> Result<Parameters, String> {
    let Some(Either::Left([key, today, now])) = prepared.parameters() else {
        return Err("takes other parameters than $1, $2 and $3".to_owned());
    };
    let name = |info: &sqlx::postgres::PgTypeInfo| info.name().to_ascii_uppercase();
    let moment = |which: &str, what: &str, name: String| {
        MomentForm::of(&name).ok_or_else(|| {
            format!("{which} is of type {}; {what}: write {which}::date or {which}::timestamptz", name.to_lowercase())
        })
    };
    let key = name(key);
    let key = if query.is_keyed {
        description::id_type(&key).ok_or_else(|| {
            format!(
                "$1 is of type {0}; a key can be uuid, text, varchar, char, smallint, integer or bigint: write $1::text::{0}",
                key.to_lowercase()
            )
        })?
    } else {
        IdType::Text
    };
    Ok(Parameters {
        key,
        today: moment("$2", "it is today's date", name(today))?,
        now: moment("$3", "it is the present moment", name(now))?,
    })
}

/// The columns, and whether the database's text may be of any encoding.
async fn described(
    connection: &mut PgConnection,
    limits: &Limits,
    prepared: &PgStatement,
) -> Result<(Vec<Described>, bool), ContactError> {
    let unknown = || StoreError::Refused("a column's type is not to be found".to_owned());
    let columns: Option<Vec<(String, u32)>> =
        prepared.columns().iter().map(|column| Some((column.name().to_owned(), column.type_info().oid()?.0))).collect();
    let columns = columns.ok_or_else(unknown)?;
    let list: Vec<String> = columns.iter().map(|(_, id)| id.to_string()).collect();
    let sql = TYPES.replace("LIST", &list.join(",")).into();
    let asked = ask(connection, &limits.begin(), &sql, PgArguments::default()).await;
    let rows = asked.map_err(|(error, _)| failure::of_query(&error))?;
    let mut described = Vec::with_capacity(columns.len());
    for (name, type_id) in columns {
        let of_type = |row: &&sqlx::postgres::PgRow| row.try_get::<i64, _>("id").ok() == Some(i64::from(type_id));
        let row = rows.iter().find(of_type).ok_or_else(unknown)?;
        let column = |error: sqlx::Error| failure::of_query(&error);
        described.push(Described {
            name,
            type_id,
            type_name: row.try_get("name").map_err(column)?,
            is_composite: row.try_get("is_composite").map_err(column)?,
            holds_bytes: row.try_get("holds_bytes").map_err(column)?,
            element: row.try_get::<Option<i64>, _>("element").map_err(column)?.and_then(|id| u32::try_from(id).ok()),
        });
    }
    let is_raw = rows.first().is_some_and(|row| row.try_get("is_raw").unwrap_or(false));
    Ok((described, is_raw))
}

/// Whether the server takes the statement with its parameters written into it for the same.
async fn may_be_written(
    connection: &mut PgConnection,
    limits: &Limits,
    query: &LiveQuery,
    shape: &Shape,
    written: &Inlined,
) -> Result<bool, ContactError> {
    let values = samples(query, shape)?;
    let sql = written.with(&values.each_ref())?.into();
    match statement(connection, &limits.begin(), &sql).await {
        Ok(filled) => {
            let is_same =
                |(column, other): (&Column, &sqlx::postgres::PgColumn)| Some(column.type_id) == other.type_info().oid();
            // One more tells how long a row is.
            let has_all = filled.columns().len() >= shape.columns.len();
            let takes_none = matches!(filled.parameters(), None | Some(Either::Left([])));
            Ok(takes_none && has_all && shape.columns.iter().zip(filled.columns()).all(is_same))
        }
        Err((error, false)) => Err(failure::of_query(&error).into()),
        Err(_) => Ok(false),
    }
}

/// Proves that it may be run. What is wrong with a value is not held against the query: its own keys are others. Without any
/// value a query says no less of what it may read.
async fn explain(
    connection: &mut PgConnection,
    limits: &Limits,
    query: &LiveQuery,
    shape: &Shape,
) -> Result<(), ContactError> {
    for values in [samples(query, shape)?, shape.parameters.nothing()] {
        match explained(connection, limits, shape, &values).await? {
            Ok(()) => return Ok(()),
            Err((error, true)) if failure::is_of_data(&error) => {}
            Err((error, _)) => return Err(of_learning(&error, query, None)),
        }
    }
    Ok(())
}

/// The inner failure is the database's, with whether the connection is fit for another question.
async fn explained(
    connection: &mut PgConnection,
    limits: &Limits,
    shape: &Shape,
    values: &[Literal; 3],
) -> Result<Result<(), (sqlx::Error, bool)>, StoreError> {
    let (messages, prepared) = match &shape.asked {
        Asked::Written(written) => {
            let sql = written.with(&values.each_ref())?;
            (vec![format!("{}; EXPLAIN {sql}; {END_READING}", limits.begin()).into()], None)
        }
        Asked::Beside(sql) => {
            let name = message::name();
            let text = message::beside(&name, "EXPLAIN ", shape, sql, values);
            (vec![limits.begin(), text.into()], Some(name))
        }
    };
    let told = Told { messages, prepared, to: &|_| {} };
    Ok(tell(connection, &told).await)
}

/// Values that any column of these types can hold.
fn samples(query: &LiveQuery, shape: &Shape) -> Result<[Literal; 3], StoreError> {
    let day = jiff::civil::date(2000, 1, 1);
    shape.parameters.of(Some(sample(shape.parameters.key)), day, jiff::Timestamp::UNIX_EPOCH, query)
}

/// What a failure to describe or to explain means.
/// `before`: characters of the statement in front of the query's own.
fn of_learning(error: &sqlx::Error, query: &LiveQuery, before: Option<usize>) -> ContactError {
    let Some(said) = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) else {
        return match error {
            // The driver knows no multiranges, for one.
            sqlx::Error::ColumnDecode { .. } => {
                let said = "a column is, or holds, of a type that cannot be read here: write (…)::text AS name";
                StoreError::Refused(at_file(query, None, said)).into()
            }
            other => failure::of_query(other).into(),
        };
    };
    let position = match (before, said.position()) {
        (Some(before), Some(PgErrorPosition::Original(position))) => position.checked_sub(before + 1),
        _ => None,
    };
    let reason = at_file(query, position, &failure::plain(error));
    match said.code() {
        _ if failure::is_lost(error) => failure::of_query(error).into(),
        "57014" | "57P03" | "53300" => failure::of_query(error).into(),
        "42P01" | "3F000" | "42703" => ContactError::Missing(reason),
        "42501" => StoreError::Refused(format!("{reason}; grant it to the role of DATABASE_URL")).into(),
        "42P18" | "42P08" => ContactError::WrongQuery {
            variable: QUERIES_DIR,
            reason: format!("{reason}; give the parameter a type, as in $1::uuid"),
        },
        class if ["42", "22", "0A", "25"].iter().any(|wrong| class.starts_with(wrong)) => {
            ContactError::WrongQuery { variable: QUERIES_DIR, reason }
        }
        _ => StoreError::Refused(reason).into(),
    }
}

/// With the place in the file, as far as it is known.
fn at_file(query: &LiveQuery, position: Option<usize>, said: &str) -> String {
    let file = query.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match position {
        Some(position) => {
            let line = query.first_line + query.sql.chars().take(position).filter(|letter| *letter == '\n').count();
            format!("{file}:{line}: {said}")
        }
        None => format!("{file}: {said}"),
    }
}
