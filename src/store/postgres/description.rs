//! What the queries take and return, as the database describes them, and whether that is what Pulso needs.
//!
//! Must not connect.

use sqlx::postgres::{PgRow, PgStatement};
use sqlx::{Column, Either, Row, Statement, TypeInfo};

use super::bind::TodayForm;
use crate::model::Figures;
use crate::model::IdType;
use crate::store::StoreError;
use crate::store::queries::{self, DEVICE_COLUMNS, OWNER_COLUMNS, STATS_COLUMNS};

/// How to ask, learnt at first contact.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptions {
    /// `None` where nobody asks for figures.
    pub stats: Option<StatsDescription>,
    /// `None` where nobody asks about ownership.
    pub owner: Option<OwnerDescription>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct StatsDescription {
    pub id: IdType,
    pub today: TodayForm,
    /// The server takes the query with its parameters written into it for the same query.
    pub may_be_written: bool,
}

/// The types of the ownership query's ids, which need not be those of the statistics query.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnerDescription {
    pub negocio: IdType,
    pub user: IdType,
}

/// The types of what devices are found by.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeviceDescription {
    pub uid: IdType,
    pub id: IdType,
}

/// A query's parameters and columns by the names of their types, upper case.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Description {
    pub parameters: Vec<String>,
    pub columns: Vec<(String, String)>,
}

impl Description {
    pub(super) fn of(statement: &PgStatement) -> Self {
        let name = |info: &sqlx::postgres::PgTypeInfo| info.name().to_ascii_uppercase();
        let parameters = match statement.parameters() {
            Some(Either::Left(types)) => types.iter().map(name).collect(),
            _ => Vec::new(),
        };
        let columns = statement.columns().iter().map(|column| (column.name().to_owned(), name(column.type_info())));
        Self { parameters, columns: columns.collect() }
    }

    /// As the statistics query, or what must change.
    pub(super) fn stats(&self) -> Result<StatsDescription, String> {
        let [id, today] = self.two_parameters("$1 the business's id and $2 today's date")?;
        let id = id_type(id).ok_or_else(|| {
            format!(
                "$1 is of type {0}; Pulso can pass uuid, text, varchar, char, smallint, integer and bigint: let it pass a \
                 text and cast that to the column's own type (as in negocio_id = $1::text::{0}), so that the index serves",
                id.to_lowercase()
            )
        })?;
        let today = match today {
            "DATE" => TodayForm::Date,
            "TEXT" | "VARCHAR" => TodayForm::Text,
            "TIMESTAMP" | "TIMESTAMPTZ" => {
                return Err(
                    "$2 is compared with a timestamp; today is a whole day: write fecha >= $2::date AND fecha < $2::date + 1"
                        .to_owned(),
                );
            }
            other => return Err(format!("$2 is of type {}; today is a date: write $2::date", other.to_lowercase())),
        };
        self.exact_columns(&STATS_COLUMNS)?;
        for (name, kind) in &self.columns {
            if !matches!(kind.as_str(), "INT2" | "INT4" | "INT8") {
                return Err(format!(
                    "column {name} is of type {}; it must be an integer: write (…)::bigint AS {name}",
                    kind.to_lowercase()
                ));
            }
        }
        Ok(StatsDescription { id, today, may_be_written: false })
    }

    /// As the ownership query, or what must change.
    pub(super) fn owner(&self) -> Result<OwnerDescription, String> {
        let [negocio, user] = self.two_parameters("$1 the businesses' ids and $2 the users' ids, both arrays")?;
        let description = OwnerDescription { negocio: element("$1", negocio)?, user: element("$2", user)? };
        self.exact_columns(&OWNER_COLUMNS)?;
        self.columns.iter().try_for_each(is_text)?;
        Ok(description)
    }

    /// As the query for devices, or what must change.
    pub(super) fn devices(&self) -> Result<DeviceDescription, String> {
        let [uid, id] = self.two_parameters("$1 the devices' names and $2 their ids, both arrays")?;
        let description = DeviceDescription { uid: element("$1", uid)?, id: element("$2", id)? };
        self.exact_columns(&DEVICE_COLUMNS)?;
        let (flags, texts): (Vec<_>, Vec<_>) = self.columns.iter().partition(|(name, _)| name == "is_active");
        texts.into_iter().try_for_each(is_text)?;
        match flags.first() {
            Some((_, kind)) if kind != "BOOL" => Err(format!(
                "column is_active is of type {}; it must be a boolean: write (…)::boolean AS is_active",
                kind.to_lowercase()
            )),
            _ => Ok(description),
        }
    }

    fn two_parameters(&self, which: &str) -> Result<[&str; 2], String> {
        match self.parameters.as_slice() {
            [first, second] => Ok([first, second]),
            other => Err(format!("takes {} parameters; it must take two, {which}", other.len())),
        }
    }

    fn exact_columns(&self, wanted: &[&str]) -> Result<(), String> {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        queries::exact_columns(&names, wanted)
    }
}

/// The figures, in whichever integer types the query returns them.
pub(super) fn figures(rows: &[PgRow]) -> Result<Figures, StoreError> {
    queries::figures(rows, |row, name| {
        let refuse = |error: sqlx::Error| StoreError::Refused(error.to_string());
        let column = row.try_column(name).map_err(refuse)?;
        let value = match column.type_info().name() {
            "INT2" => row.try_get::<Option<i16>, _>(name).map(|value| value.map(i64::from)),
            "INT4" => row.try_get::<Option<i32>, _>(name).map(|value| value.map(i64::from)),
            _ => row.try_get::<Option<i64>, _>(name),
        };
        value.map_err(refuse)
    })
}

/// The type of the elements of parameter `name`, an array.
pub(super) fn element(name: &str, kind: &str) -> Result<IdType, String> {
    kind.strip_suffix("[]").and_then(id_type).ok_or_else(|| {
        format!(
            "{name} is of type {0}; it must be an array of uuid, text, varchar, char, smallint, integer or bigint: \
             write … = ANY ({name}), or cast it to the column's own type, as in ANY ({name}::text[]::{1}[])",
            kind.to_lowercase(),
            kind.to_lowercase().trim_end_matches("[]")
        )
    })
}

fn is_text((name, kind): &(String, String)) -> Result<(), String> {
    if matches!(kind.as_str(), "TEXT" | "VARCHAR" | "CHAR" | "BPCHAR") {
        return Ok(());
    }
    Err(format!("column {name} is of type {}; it must be text: write (…)::text AS {name}", kind.to_lowercase()))
}

pub(super) fn id_type(name: &str) -> Option<IdType> {
    Some(match name {
        "UUID" => IdType::Uuid,
        "TEXT" | "VARCHAR" => IdType::Text,
        "CHAR" | "BPCHAR" => IdType::Char,
        "INT2" => IdType::Int2,
        "INT4" => IdType::Int4,
        "INT8" => IdType::Int8,
        _ => return None,
    })
}
