//! Values in the types that the database asked for.
//!
//! Must not decide what those types are.

use std::str::FromStr;

use jiff::civil::Date;
use sqlx::Arguments;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgHasArrayType, PgTypeInfo};
use sqlx::types::Uuid;
use sqlx::types::time;

use crate::model::IdType;
use crate::store::StoreError;

/// Everywhere the same, as those of all built-in types.
const BPCHAR: Oid = Oid(1042);
const BPCHAR_ARRAY: Oid = Oid(1014);

/// How the statistics query wants today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TodayForm {
    Date,
    Text,
}

/// A text as `char` of any length. As `text` it would be compared with the column's text, and no index would serve.
struct Padded<'a>(&'a str);

impl sqlx::Type<sqlx::Postgres> for Padded<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(BPCHAR)
    }
}

impl PgHasArrayType for Padded<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(BPCHAR_ARRAY)
    }
}

impl<'q> sqlx::Encode<'q, sqlx::Postgres> for Padded<'q> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <&str as sqlx::Encode<'q, sqlx::Postgres>>::encode_by_ref(&self.0, buffer)
    }
}

/// Adds one id. `id` is canonical for a column of this type, unless the column has changed meanwhile.
pub(super) fn id(arguments: &mut PgArguments, column: IdType, id: &str) -> Result<(), StoreError> {
    match column {
        IdType::Uuid => add(arguments, value::<Uuid>(id)?),
        IdType::Text => add(arguments, id),
        IdType::Char => add(arguments, Padded(id)),
        IdType::Int2 => add(arguments, value::<i16>(id)?),
        IdType::Int4 => add(arguments, value::<i32>(id)?),
        IdType::Int8 => add(arguments, value::<i64>(id)?),
    }
}

/// Adds an array of ids.
pub(super) fn ids(arguments: &mut PgArguments, column: IdType, ids: &[&str]) -> Result<(), StoreError> {
    match column {
        IdType::Uuid => add(arguments, values::<Uuid>(ids)?),
        IdType::Text => add(arguments, ids),
        IdType::Char => add(arguments, ids.iter().copied().map(Padded).collect::<Vec<_>>()),
        IdType::Int2 => add(arguments, values::<i16>(ids)?),
        IdType::Int4 => add(arguments, values::<i32>(ids)?),
        IdType::Int8 => add(arguments, values::<i64>(ids)?),
    }
}

/// Adds a calendar day.
pub(super) fn today(arguments: &mut PgArguments, form: TodayForm, day: Date) -> Result<(), StoreError> {
    if form == TodayForm::Text {
        return add(arguments, day.to_string());
    }
    let refuse = || StoreError::Refused(format!("{day} is no date of this database"));
    let ordinal = u16::try_from(day.day_of_year()).map_err(|_| refuse())?;
    let date = time::Date::from_ordinal_date(day.year().into(), ordinal).map_err(|_| refuse())?;
    add(arguments, date)
}

/// Adds a value of a type that does not depend on the database.
pub(super) fn add<'t, T>(arguments: &mut PgArguments, value: T) -> Result<(), StoreError>
where
    T: sqlx::Encode<'t, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    arguments.add(value).map_err(|error| StoreError::Refused(error.to_string()))
}

/// `id` in the type of its column.
pub(super) fn value<T: FromStr>(id: &str) -> Result<T, StoreError> {
    id.parse().map_err(|_| StoreError::Refused("an id does not fit the id column, whose type has changed".to_owned()))
}

fn values<T: FromStr>(ids: &[&str]) -> Result<Vec<T>, StoreError> {
    ids.iter().map(|id| value(id)).collect()
}
