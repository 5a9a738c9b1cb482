//! `/ready`: a word for strangers, the whole story for operators.

use pulso_harness::{HOOK_KEY, Postgres, Running};
use serde_json::json;

use crate::business::pulso;

/// What is told of a database that is not there, to a stranger and to who sends the key in either header.
async fn told(pulso: &Running) -> (String, [String; 2]) {
    let ask = async |header: &str| pulso.exchange(&format!("GET /ready HTTP/1.1{header}"), "").await.body;
    let bearer = format!("\nauthorization: Bearer {HOOK_KEY}");
    let api_key = format!("\nx-api-key: {HOOK_KEY}");
    (ask("\nx-api-key: another").await, [ask(&bearer).await, ask(&api_key).await])
}

#[tokio::test]
async fn strangers_are_told_a_word_and_who_has_the_hook_key_the_whole_story() {
    let pulso = pulso("postgres://a_role@127.0.0.1:1/a_database").with_hook_key().start().await;
    pulso.until_logged("Cannot connect to database").await;
    let (stranger, keyed) = told(&pulso).await;
    assert_eq!(stranger, json!({ "ready": false, "reason": "database_unreachable" }).to_string());
    for told in keyed {
        assert!(told.contains("database_unreachable") && told.contains("127.0.0.1:1"), "{told}");
    }
}

#[tokio::test]
async fn a_missing_table_and_a_refusing_server_are_words_too() {
    let database = Postgres::shared().empty_database().await;
    let pulso_without_tables = pulso(&database.url()).with_hook_key().start().await;
    pulso_without_tables.until_logged("table citas does not exist yet").await;
    let (stranger, keyed) = told(&pulso_without_tables).await;
    assert_eq!(stranger, json!({ "ready": false, "reason": "table_missing" }).to_string());
    assert!(keyed.iter().all(|told| told.contains("citas")), "{keyed:?}");

    let nobody = database.url().replace("pulso@", "no_such_role@");
    let pulso = pulso(&nobody).with_hook_key().start().await;
    pulso.until_logged("the database does not answer").await;
    let (stranger, keyed) = told(&pulso).await;
    assert!(!stranger.contains("no_such_role") && stranger.contains("\"database_"), "{stranger}");
    assert!(keyed.iter().all(|told| told.contains("no_such_role")), "{keyed:?}");
}

#[tokio::test]
async fn without_a_hook_key_nobody_is_told_more_than_the_word() {
    let pulso = pulso("postgres://a_role@127.0.0.1:1/a_database").start().await;
    pulso.until_logged("Cannot connect to database").await;
    let (stranger, keyed) = told(&pulso).await;
    assert!(keyed.iter().all(|told| *told == stranger), "{stranger} {keyed:?}");
}
