//! Tokens: renewed in place, refused three times, of another user.

use std::time::Duration;

use pulso_harness::{Claims, SECRET};
use serde_json::json;

use super::program::Program;
use crate::business::{self, NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, owner};
use crate::feeds::open;

/// Between two events, while there is something to be waited for.
const PACE: Duration = Duration::from_millis(20);

fn publish(n: u64) -> String {
    format!(r#"{{"channel":"canal:{NEGOCIO}:caja","type":"turno","data":{{"n":{n}}}}}"#)
}

#[tokio::test]
async fn a_token_is_renewed_ten_times_in_place_and_nothing_is_missed_meanwhile() {
    let (pulso, _database) = open().await;
    let mut program = Program::new().await;
    // Each lives some five seconds from when it is fetched, which is when a tenth of the life of the one before is left.
    let tokens: Vec<String> = (0_i64..=10).map(|n| owner().expiring_in(6 + 4 * n).sign(SECRET)).collect();
    program.line(pulso.port(), &tokens, json!({})).await;
    program.take("caja", "channel", json!([format!("{NEGOCIO}:caja")])).await;
    program.until("it.taken.caja.state === 'live'").await;
    let mut sent = 0;
    while program.eval("it.asked.length").await.as_u64().unwrap() < 11 {
        sent += 1;
        assert_eq!(pulso.post("/api/publish", &publish(sent)).await.status, 200);
        tokio::time::sleep(PACE).await;
    }
    let all = program.until(&format!("it.taken.caja.values.length === {sent}")).await;
    assert_eq!(all["sockets"], 1);
    assert_eq!(all["asked"].as_array().unwrap()[0], "first");
    assert!(all["asked"].as_array().unwrap()[1..].iter().all(|reason| reason == "expiring"), "{}", all["asked"]);
    assert!(all["addresses"].as_array().unwrap().iter().all(|address| !address.as_str().unwrap().contains("token")));
    assert_eq!(program.end().await, 0);
}

#[tokio::test]
async fn three_bad_tokens_are_three_attempts_and_then_none() {
    let (pulso, _database) = business::open().await;
    let mut program = Program::new().await;
    let bad: Vec<String> =
        (0..9).map(|n| owner().with("n", json!(n)).sign("another secret, also longer than 32 bytes")).collect();
    program.line(pulso.port(), &bad, json!({ "backoff": { "min": 50 } })).await;
    program.take("citas", "stats", json!([NEGOCIO])).await;
    let all = program.until("it.status.state === 'stopped'").await;
    assert_eq!((&all["sockets"], &all["status"]["error"]["code"]), (&json!(3), &json!("bad_token")));
    assert_eq!(all["asked"], json!(["first", "rejected", "rejected"]));
    // Whoever asks for more meanwhile changes nothing of it.
    program.take("more", "stats", json!([OTHER_NEGOCIO])).await;
    program.ask(json!({ "do": "call", "method": "setToken", "with": [owner().sign(SECRET)] })).await;
    let all = program.until("it.taken.citas.state === 'live' && it.taken.more.state === 'refused'").await;
    assert_eq!((&all["sockets"], &all["taken"]["more"]["error"]), (&json!(4), &json!("forbidden")));
    assert_eq!(program.end().await, 0);
}

#[tokio::test]
async fn another_users_token_is_a_new_line_that_shows_nothing_of_the_first() {
    let (pulso, _database) = business::open().await;
    let mut program = Program::new().await;
    program.line(pulso.port(), &[Claims::user(OWNER).sign(SECRET)], json!({})).await;
    program.take("citas", "stats", json!([NEGOCIO])).await;
    program.until("it.taken.citas.state === 'live'").await;
    let other = Claims::user(OTHER_OWNER).sign(SECRET);
    program.ask(json!({ "do": "call", "method": "setToken", "with": [other] })).await;
    let all = program.until("it.taken.citas.state === 'refused'").await;
    assert_eq!((&all["sockets"], &all["open"], &all["session"]["user"]), (&json!(2), &json!(1), &json!(OTHER_OWNER)));
    assert!(all["taken"]["citas"].get("latest").is_none(), "{all}");
    assert_eq!(program.end().await, 0);
}
