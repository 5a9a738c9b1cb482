//! Ten thousand newcomers at once, and a hook that they need not hear of.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Row as _;

use super::{KEYED, NAME, Stage, call, seats};
use crate::caller::Caller;
use crate::report::Report;
use crate::swarm::Swarm;
use crate::town;

const NEWCOMERS: (u32, u32) = (10_000, 1_000);
const WATCHED: u32 = 100;
/// As in the storm of the comparison.
const AT_ONCE: usize = 3_000;
const CALLS: u32 = 100;
const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn measure(stage: &Stage<'_>, report: &mut Report) {
    let newcomers = stage.scaled(NEWCOMERS.0, NEWCOMERS.1);
    // The queries' key is a business here, for that is what the hook's calls carry.
    let keys = format!(
        "INSERT INTO claves SELECT (lpad(to_hex(i), 8, '0') || '-0000-4000-8000-00000000aaaa')
           FROM generate_series(0, {WATCHED} - 1) AS i ON CONFLICT DO NOTHING"
    );
    stage.execute(&keys);
    let (server, _folder) = stage.serve(&[("q0", KEYED)], &[]);
    let mut swarm =
        Swarm::new(server.port(), seats(0..newcomers, 1, |seat| format!("q0:{}", town::negocio(seat % WATCHED))));
    swarm.keep();
    let before = stage.reads(&server, "q0");
    swarm.connect(AT_ONCE);
    swarm.idle(SETTLE);
    let reads = (stage.reads(&server, "q0") - before) / f64::from(WATCHED);
    let what = |what: &str| format!("{newcomers} newcomers on {WATCHED} keys: {what}");
    report.check(NAME, &what("reads a key"), format!("{reads:.2}"), "≤ 2", reads <= 2.0);
    let wrong = wrong(stage, &swarm);
    report.check(NAME, &what("results that are not the database's"), wrong.to_string(), "0", wrong == 0);

    let delivered = swarm.counts.delivered;
    let mut caller = Caller::open(server.port());
    let before = stage.reads(&server, "q0");
    for number in 0..CALLS {
        let sale = json!({ "negocio_id": town::negocio(number % WATCHED), "saleId": number, "tableId": null, "total": "1.00",
            "timestamp": "2025-07-20T10:30:00Z" });
        caller.send(&call("/notify/venta", &sale));
        let answer = caller.answer();
        assert!(answer.status == 200, "the hook answers {}", answer.status);
        swarm.idle(Duration::from_millis(2));
    }
    swarm.idle(SETTLE);
    let frames = swarm.counts.delivered - delivered;
    report.note(NAME, "reads of 100 hints that change nothing", format!("{}", stage.reads(&server, "q0") - before));
    let what = format!("hook in hints that changes no result, {newcomers} watchers: frames");
    report.check(NAME, &what, frames.to_string(), "0", frames == 0);
}

/// Clients whose last message is not what the database says.
fn wrong(stage: &Stage<'_>, swarm: &Swarm) -> usize {
    let rows = stage.runtime.block_on(stage.database.rows("SELECT clave, n FROM claves"));
    let right: HashMap<String, i32> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let is_wrong = |text: &[u8]| {
        let frame: Value = serde_json::from_slice(text).unwrap_or_default();
        let key = frame["data"]["clave"].as_str().unwrap_or_default();
        right.get(key).is_none_or(|n| frame["data"]["n"] != *n)
    };
    swarm.last_messages().filter(|(_, text)| is_wrong(text)).count()
}
