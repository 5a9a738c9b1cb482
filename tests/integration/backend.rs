//! A database of either kind, so that one test can promise the same of both.

use jiff::civil::{Date, date};
use pulso::config::{DatabaseConfig, DatabaseUrl, Secret};
use pulso::model::{Figures, Ownership};
use pulso::model::{IdType, NegocioId, UserId};
use pulso::store::{Store, open};
use pulso_harness::pgbouncer::Options;
use pulso_harness::{Database, PgBouncer, Postgres, Scratch, wait};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub const TODAY: Date = date(2026, 11, 22);

pub enum Backend {
    Postgres(Database),
    /// Through pgbouncer, which lives as long as the backend.
    Pooled(Database, #[expect(dead_code, reason = "held, not asked")] PgBouncer),
    Sqlite,
    /// In memory with a shared cache, as `pulso demo` has it: it lives as long as its first connection.
    Memory {
        url: String,
        _first: SqliteConnection,
    },
}

/// A database without tables, its store's settings, and a place for query files.
pub struct Prepared {
    backend: Backend,
    pub config: DatabaseConfig,
    pub scratch: Scratch,
}

impl Prepared {
    pub async fn postgres() -> Self {
        let database = Postgres::shared().empty_database().await;
        let config = postgres_config(&database.url());
        Self { backend: Backend::Postgres(database), config, scratch: Scratch::new() }
    }

    /// PostgreSQL behind a transaction pooler with two server connections for everybody.
    pub async fn pooled() -> Self {
        let database = Postgres::shared().empty_database().await;
        let pooler = PgBouncer::start(&database, Options::default());
        let config = postgres_config(&pooler.url(&database));
        Self { backend: Backend::Pooled(database, pooler), config, scratch: Scratch::new() }
    }

    pub async fn sqlite() -> Self {
        let scratch = Scratch::new();
        let file = scratch.path().join("citas.db");
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        options.connect().await.unwrap().close().await.unwrap();
        let config = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new(format!("sqlite://{}", file.display()))));
        Self { backend: Backend::Sqlite, config, scratch }
    }

    pub async fn memory() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let url = format!("sqlite://file:prueba-{number}?mode=memory&cache=shared");
        let first = SqliteConnection::connect(&url).await.unwrap();
        let config = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new(url.as_str())));
        Self { backend: Backend::Memory { url, _first: first }, config, scratch: Scratch::new() }
    }

    /// How Pulso is told to reach it.
    pub fn url(&self) -> String {
        let (DatabaseUrl::Postgres(url) | DatabaseUrl::Sqlite(url)) = &self.config.url;
        url.expose().to_owned()
    }

    pub async fn execute(&self, sql: &str) {
        match &self.backend {
            Backend::Postgres(database) | Backend::Pooled(database, _) => database.execute(sql).await,
            Backend::Sqlite => {
                let options = SqliteConnectOptions::new().filename(self.scratch.path().join("citas.db"));
                let mut connection = options.connect().await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Backend::Memory { url, .. } => {
                // A transaction that was given up may take a moment to be gone, and holds its locks until then.
                let alone = format!("BEGIN IMMEDIATE; {sql}; COMMIT");
                let run = async || -> Result<(), sqlx::Error> {
                    let mut connection = SqliteConnection::connect(url).await?;
                    sqlx::raw_sql(AssertSqlSafe(alone.as_str())).execute(&mut connection).await?;
                    connection.close().await
                };
                let done = async || match run().await {
                    Err(error) if error.to_string().contains("locked") => false,
                    done => done.map(|()| true).unwrap(),
                };
                wait::until(done, "nobody else locks the database").await;
            }
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.backend, Backend::Postgres(_) | Backend::Pooled(..))
    }

    /// Pulso's shipped tables, but for the kiosks': a test that wants those says with which types.
    pub async fn with_schema(self) -> Self {
        let postgres = include_str!("../../sql/schema.postgres.sql");
        let sqlite = include_str!("../../sql/schema.sqlite.sql");
        self.execute(if self.is_postgres() { postgres } else { sqlite }).await;
        self.execute("DROP TABLE devices").await;
        self
    }

    /// The least an integrator's own tables may be, with ids of the types given.
    pub async fn with_tables(self, negocio: &str, user: &str) -> Self {
        self.execute(&format!(
            "CREATE TABLE negocios (id {negocio} PRIMARY KEY, admin_negocio_id {user});
             CREATE TABLE citas (negocio_id {negocio} NOT NULL, fecha date NOT NULL, estado varchar(20) NOT NULL);"
        ))
        .await;
        self
    }

    /// A row of the least tables.
    pub async fn cita(&self, negocio: &str, fecha: &str, estado: &str) {
        self.execute(&format!(
            "INSERT INTO citas (negocio_id, fecha, estado) VALUES ('{negocio}', '{fecha}', '{estado}')"
        ))
        .await;
    }

    /// A store whose own tables are there.
    pub async fn migrated(&self) -> Arc<dyn Store> {
        let store = self.store();
        store.outbox().unwrap().migrate().await.unwrap();
        store
    }

    pub fn store(&self) -> Arc<dyn Store> {
        open(&self.config).unwrap()
    }

    /// A store that has made contact.
    pub async fn contacted(&self) -> (Arc<dyn Store>, IdType) {
        let store = self.store();
        let id = store.contact().await.unwrap();
        (store, id)
    }
}

pub fn postgres_config(url: &str) -> DatabaseConfig {
    DatabaseConfig::new(DatabaseUrl::Postgres(Secret::new(url)))
}

pub fn figures(total_citas: i64, citas_hoy: i64, citas_completadas: i64, citas_canceladas: i64) -> Figures {
    Figures { citas_hoy, total_citas, citas_completadas, citas_canceladas }
}

pub fn owns(user: &str, negocio: &NegocioId) -> Ownership {
    Ownership { negocio: negocio.clone(), user: UserId::new(user) }
}
