//! What `pulso check` says of each fault that a database of somebody else's can have, to the word, on both databases.

use std::fmt::Write as _;

use pulso::config::DatabaseConfig;
use pulso_harness::Postgres;

use super::{Level, Report, as_reader};
use crate::backend::{Prepared, postgres_config};

/// All that is wrong, and what to do about it, a line each.
async fn problems(config: &DatabaseConfig) -> String {
    let mut said = String::new();
    for finding in Report::of(config).await.0.iter().filter(|finding| finding.level == Level::Problem) {
        let advice = finding.advice.as_deref().map_or_else(String::new, |advice| format!(" -> {advice}"));
        // Writing to a string cannot fail.
        let _ = writeln!(said, "{}{advice}", finding.what);
    }
    said.trim_end().to_owned()
}

const WAITS: &str = "`pulso serve` starts all the same and waits for it";
const MEND: &str = "mend the file; the shipped queries in sql/ say what is needed";
/// Of a right that the role lacks.
const GRANT: &str = "let a role with the right grant it: GRANT SELECT ON citas, negocios TO the role of DATABASE_URL";

#[tokio::test]
async fn each_fault_of_a_postgres_is_said_to_the_word() {
    let no_table = |table: &str, variable: &str| {
        format!(
            "table {table} does not exist yet: create it (the API's migrations), or set {variable} to a query for your tables -> {WAITS}"
        )
    };
    let no_column = |column: &str, variable: &str| {
        format!(
            "column {column} does not exist yet: create it (the API's migrations), or set {variable} to a query for your columns \
             (column \"{column}\" does not exist (SQLSTATE 42703)) -> {WAITS}"
        )
    };
    let denied = |table: &str| {
        format!("the database refused the query: permission denied for table {table} (SQLSTATE 42501); {GRANT}")
    };
    let wrong = |reason: &str| format!("STATS_SQL: {reason} -> {MEND}");
    for (fault, said) in [
        ("DROP TABLE citas", no_table("citas", "STATS_SQL")),
        ("DROP TABLE negocios CASCADE", no_table("negocios", "OWNER_SQL")),
        ("ALTER TABLE citas RENAME estado TO status", no_column("estado", "STATS_SQL")),
        ("ALTER TABLE negocios RENAME admin_negocio_id TO dueno", no_column("admin_negocio_id", "OWNER_SQL")),
        ("CREATE ROLE sin_citas LOGIN; GRANT SELECT ON negocios TO sin_citas", denied("citas")),
        ("CREATE ROLE sin_negocios LOGIN; GRANT SELECT ON citas TO sin_negocios", denied("negocios")),
        (
            "ALTER TABLE citas ALTER fecha TYPE timestamptz",
            wrong(
                "$2 is compared with a timestamp; today is a whole day: write fecha >= $2::date AND fecha < $2::date + 1",
            ),
        ),
        (
            "ALTER TABLE citas DROP CONSTRAINT citas_negocio_id_fkey, ALTER negocio_id TYPE numeric USING 1",
            wrong(
                "$1 is of type numeric; Pulso can pass uuid, text, varchar, char, smallint, integer and bigint: let it pass a text \
                 and cast that to the column's own type (as in negocio_id = $1::text::numeric), so that the index serves",
            ),
        ),
        (
            "ALTER TABLE citas ALTER estado DROP DEFAULT, ALTER estado TYPE integer USING 1",
            wrong(
                "invalid input syntax for type integer: \"atendida\" (SQLSTATE 22P02); the query compares a column with a value \
                 that its type does not have",
            ),
        ),
    ] {
        let database = Postgres::shared().database().await;
        database.execute(fault).await;
        let role = fault.strip_prefix("CREATE ROLE ").and_then(|rest| rest.split(' ').next());
        let url =
            role.map_or_else(|| as_reader(&database), |role| database.url().replace("pulso@", &format!("{role}@")));
        assert_eq!(problems(&postgres_config(&url)).await, said, "{fault}");
    }
}

#[tokio::test]
async fn each_fault_of_a_sqlite_is_said_to_the_word() {
    let missing = |what: &str, variable: &str| {
        format!("{what} does not exist yet: create it, or set {variable} to a query for your tables -> {WAITS}")
    };
    for (fault, said) in [
        ("DROP TABLE citas", missing("table citas", "STATS_SQL")),
        ("DROP TABLE negocios", missing("table negocios", "OWNER_SQL")),
        ("ALTER TABLE citas RENAME estado TO status", missing("column estado", "STATS_SQL")),
        ("ALTER TABLE negocios RENAME admin_negocio_id TO dueno", missing("column admin_negocio_id", "OWNER_SQL")),
    ] {
        let prepared = Prepared::sqlite().await.with_schema().await;
        prepared.execute(fault).await;
        assert_eq!(problems(&prepared.config).await, said, "{fault}");
    }
}

#[tokio::test]
async fn a_query_file_that_returns_something_else_is_said_to_the_word() {
    let wrong = |reason: &str| format!("STATS_SQL: {reason} -> {MEND}");
    let columns = "total_citas, citas_hoy, citas_completadas, citas_canceladas";
    for (text, reason) in [
        (
            "SELECT 1 AS total WHERE $1 = $2",
            format!("returns the columns (total); it must return exactly ({columns}); missing: {columns}"),
        ),
        (
            "SELECT 1 AS total_citas",
            "takes 0 parameters; it must take two, $1 and $2, as the shipped query does".to_owned(),
        ),
    ] {
        let mut prepared = Prepared::sqlite().await.with_schema().await;
        prepared.config.stats_sql = Some(prepared.scratch.write("stats.sql", text));
        assert_eq!(problems(&prepared.config).await, wrong(&reason), "{text}");
    }
}
