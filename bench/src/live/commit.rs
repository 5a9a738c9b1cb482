//! Hints that carry a transaction's number and come before its commit: whether each is answered by a result that has it.

use std::collections::HashMap;
use std::time::Duration;

use pulso_harness::pgbouncer::{Options, PgBouncer};
use pulso_harness::{Claims, Dashboard, Running, SECRET};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use super::{NAME, Stage, subscribe};
use crate::report::Report;

const CALLERS: u32 = 50;
const EACH: (u32, u32) = (20, 5);
const LONGEST_MS: u64 = 200;
/// Of a standby.
const BEHIND: [Duration; 3] = [Duration::ZERO, Duration::from_millis(150), Duration::from_millis(300)];
const SETTLED: Duration = Duration::from_secs(1);

const COUNTED: &str = "-- access: authenticated
SELECT n FROM claves WHERE clave = $1";

pub(super) fn measure(stage: &Stage<'_>, report: &mut Report) {
    let (server, _folder) = stage.serve(&[("cuenta", COUNTED)], &[]);
    judge(stage, &server, "direct", report);
    drop(server);
    let pooler = PgBouncer::start(&stage.database, Options::default());
    let (server, _folder) = stage.serve_at(&pooler.url(&stage.database), &[("cuenta", COUNTED)], &[]);
    judge(stage, &server, "through pgbouncer", report);
    drop((server, pooler));
    for behind in BEHIND {
        let replica = stage.postgres.replica(behind);
        let database = replica.database_named(stage.database.name());
        let (server, _folder) = stage.serve_at(&database.url(), &[("cuenta", COUNTED)], &[]);
        judge(stage, &server, &format!("on a standby {} ms behind", behind.as_millis()), report);
    }
}

fn judge(stage: &Stage<'_>, server: &Running, how: &str, report: &mut Report) {
    let all = CALLERS * stage.scaled(EACH.0, EACH.1);
    let right = stage.runtime.block_on(LocalSet::new().run_until(run(stage, server)));
    let what = format!("hints with xid, committed 0–{LONGEST_MS} ms later, {how}: answered by their change");
    report.check(NAME, &what, format!("{right} of {all}"), format!("{all}"), right == all);
}

/// How many calls were answered by a result that holds what they wrote.
async fn run(stage: &Stage<'_>, server: &Running) -> u32 {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (database, port, each) = (stage.database.clone(), server.port(), stage.scaled(EACH.0, EACH.1));
        callers.spawn_local(async move {
            let key = format!("k-{caller}");
            let token = Claims::user("ana").sign(SECRET);
            let mut screen = Dashboard::connect(port, &format!("/ws?token={token}"), &[]).await;
            screen.send_text(&subscribe(&format!("cuenta:{key}"))).await;
            screen.next().await;
            let mut connection = database.connect().await;
            let mut wanted = Vec::new();
            for number in 0..each {
                let mut transaction = connection.begin().await.expect("a transaction");
                let sql = format!(
                    "UPDATE claves SET n = n + 1 WHERE clave = '{key}' RETURNING n, pg_current_xact_id()::text AS xid"
                );
                let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *transaction).await.expect("a row");
                let (n, xid): (i32, String) = (row.get("n"), row.get("xid"));
                let body = json!({ "name": "cuenta", "key": key, "xid": xid });
                let call = tokio::task::spawn_local(announce(port, body));
                sleep(Duration::from_millis(u64::from((caller * 37 + number * 53) % 200) * LONGEST_MS / 200)).await;
                transaction.commit().await.expect("a commit");
                wanted.push((n, call.await.expect("a call")));
            }
            let mut seen: HashMap<u64, i64> = HashMap::new();
            while let Ok(frame) = timeout(SETTLED, screen.next()).await {
                seen.insert(frame["seq"].as_u64().unwrap_or(0), frame["data"]["n"].as_i64().unwrap_or(-1));
            }
            let is_right = |(n, seq): &(i32, Option<u64>)| {
                seq.and_then(|seq| seen.get(&seq)).is_some_and(|shown| *shown >= i64::from(*n))
            };
            wanted.iter().filter(|one| is_right(one)).count() as u32
        });
    }
    callers.join_all().await.into_iter().sum()
}

/// The `seq` that a call is answered, if it is answered well.
async fn announce(port: u16, body: Value) -> Option<u64> {
    let head = format!(
        "POST /notify/consulta HTTP/1.1\ncontent-type: application/json\nx-api-key: {}",
        pulso_harness::HOOK_KEY
    );
    let answer = pulso_harness::http::exchange(port, &head, &body.to_string()).await;
    let said: Value = serde_json::from_str(&answer.body).ok()?;
    (answer.status == 200).then(|| said["seq"].as_u64())?
}
