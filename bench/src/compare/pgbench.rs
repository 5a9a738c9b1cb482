//! What PostgreSQL itself does with the transaction of a notice: pgbench, with as many clients as Pulso has connections.

use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

use crate::town;
use crate::world::{NEGOCIOS, World};

/// `DB_MAX_CONNECTIONS` as it ships.
const CLIENTS: &str = "8";

/// Transactions a second. Each asks for the figures of one business after the other, as Pulso is made to.
pub fn rate(world: &World, time: Duration) -> f64 {
    let sql = world.runtime.block_on(async {
        let mut connection = world.database.connect().await;
        town::stats(&mut connection).await
    });
    let one_line = sql.lines().filter(|line| !line.starts_with("--")).fold(String::new(), |mut text, line| {
        let _ = write!(text, "{} ", line.trim());
        text
    });
    let mut pgbench = Command::new(pulso_harness::postgres::program("pgbench"));
    pgbench.args(["--no-vacuum", "--protocol=extended", "--client", CLIENTS, "--jobs=1"]);
    pgbench.args(["--time", &time.as_secs().max(1).to_string()]);
    pgbench.args(["-h", "127.0.0.1", "-p", &world.postgres_port().to_string(), "-U", "pulso"]);
    for negocio in 0..NEGOCIOS {
        let select = one_line.replace(&town::negocio(0), &town::negocio(negocio));
        let script = format!("BEGIN READ ONLY;\n{select};\nCOMMIT;\n");
        let path = world.scratch().write(&format!("notice-{negocio}.sql"), &script);
        pgbench.arg("--file").arg(path);
    }
    pgbench.arg(world.database.name());
    let said = pulso_harness::process::run(&mut pgbench, "pgbench");
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.unwrap_or_else(|| panic!("pgbench says no rate:\n{said}"))
}
