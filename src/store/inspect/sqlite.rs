//! SQLite: the file, the tables, the plan.

use super::{Finding, WITHOUT_FIGURES, outbox};
use crate::config::DatabaseConfig;
use crate::store::sqlite::SqliteStore;
use crate::store::{ContactError, Store};

const CREATE_INDEX: &str = "CREATE INDEX citas_estadisticas ON citas (negocio_id, fecha, estado);";

pub(super) async fn inspect(config: &DatabaseConfig) -> Vec<Finding> {
    let store = match SqliteStore::new(config) {
        Ok(store) => store,
        Err(error) => return vec![Finding::problem(error.to_string(), None)],
    };
    let mut findings = Vec::new();
    match store.version().await {
        Ok(version) => findings.push(Finding::ok(format!("opened {} with SQLite {version}", store.path()))),
        Err(error) => {
            let advice = "DATABASE_URL must name an existing SQLite file (sqlite:///absolute/path); Pulso creates none";
            return vec![Finding::problem(error.to_string(), Some(advice))];
        }
    }
    match store.contact().await {
        Ok(_) if !config.asks_figures => findings.push(Finding::ok(WITHOUT_FIGURES)),
        Ok(id) if id.is_integer() => findings.push(Finding::ok("ids are integers")),
        Ok(_) => findings.push(Finding::ok("ids are text")),
        Err(error) => {
            let advice = match error {
                ContactError::Missing(_) => Some("`pulso serve` starts all the same and waits for it"),
                ContactError::WrongQuery { .. } => {
                    Some("mend the file; the shipped queries in sql/ say what is needed")
                }
                ContactError::Store(_) => None,
            };
            findings.push(Finding::problem(error.to_string(), advice));
            return findings;
        }
    }
    if config.keeps_outbox {
        findings.push(outbox::tables(&store).await);
    }
    if !config.asks_figures {
        return findings;
    }
    if config.asks_ownership {
        findings.push(Finding::ok("the ownership query answers"));
    }
    findings.push(match store.plan().await {
        Ok(plan) if plan.contains("USING COVERING INDEX") => Finding::ok("the statistics query is index-only"),
        Ok(plan) if plan.contains("USING INDEX") => {
            Finding::warning("the statistics query uses an index but reads the table too", create(config))
        }
        Ok(_) => {
            Finding::warning("no index serves the statistics query: every read scans the whole table", create(config))
        }
        Err(error) => Finding::problem(error.to_string(), None),
    });
    if config.listen.is_some() {
        findings.push(Finding::problem("LISTEN_CHANNEL needs PostgreSQL", Some("unset LISTEN_CHANNEL")));
    }
    findings
}

fn create(config: &DatabaseConfig) -> &'static str {
    if config.stats_sql.is_none() {
        CREATE_INDEX
    } else {
        "create an index whose first column is the one compared with $1 and which holds every other column of STATS_SQL"
    }
}
