//! One database of a cluster, as a test sees it.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A database; it goes when its cluster goes.
#[derive(Clone, Debug)]
pub struct Database {
    port: u16,
    name: String,
}

impl Database {
    pub(super) fn new(port: u16, name: &str) -> Self {
        Self { port, name: name.to_owned() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port of the server itself.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How Pulso is told to reach it: the superuser, no password.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same database through something that listens on another port (a pooler, a proxy).
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://pulso@127.0.0.1:{port}/{}", self.name)
    }

    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("a connection to the test's database")
    }

    /// Runs statements on a connection of their own.
    pub async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{error}: {sql}"));
        connection.close().await.expect("a clean end");
    }

    /// The rows of one query.
    pub async fn rows(&self, sql: &str) -> Vec<PgRow> {
        let mut connection = self.connect().await;
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await;
        let rows = rows.unwrap_or_else(|error| panic!("{error}: {sql}"));
        connection.close().await.expect("a clean end");
        rows
    }

    /// Ends every other connection to this database from the server's side; returns how many there were.
    pub async fn terminate_connections(&self) -> usize {
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await
        .len()
    }
}
