//! A call with a key has its effect once, as long as its answer is remembered.

use std::sync::Arc;
use std::time::Duration;

use pulso::model::{Answered, Entity, Once};
use pulso::store::outbox::{Kept, Outbox};
use tokio::task::JoinSet;

use super::changes::{GET, change};
use crate::backend::Prepared;

promises_everywhere!(
    an_answer_is_recalled_for_its_path_and_key_only,
    the_first_answer_stays,
    an_answer_that_is_too_old_is_forgotten_and_gives_way,
    a_change_and_its_answer_are_kept_together_or_not_at_all,
    of_two_calls_at_once_one_is_the_repetition,
    the_oldest_are_pruned_beyond_the_newest,
);

const DAY: Duration = Duration::from_hours(24);

fn once(path: &str, key: &str, body: &str) -> Once {
    let answered = Answered { status: 200, body: body.to_owned() };
    Once { path: path.into(), key: key.into(), answered, max_age: DAY }
}

async fn recall(outbox: &dyn Outbox, path: &str, key: &str) -> Option<String> {
    outbox.recall(path, key, DAY).await.unwrap().map(|answered| answered.body)
}

/// Makes every answer so much older.
async fn age(prepared: &Prepared, seconds: u64) {
    let older = if prepared.is_postgres() {
        format!("answered_at - interval '{seconds} seconds'")
    } else {
        format!("answered_at - {seconds}")
    };
    prepared.execute(&format!("UPDATE pulso_idempotency SET answered_at = {older}")).await;
}

async fn an_answer_is_recalled_for_its_path_and_key_only(prepared: Prepared) {
    let store = prepared.migrated().await;
    let outbox = store.outbox().unwrap();
    let mut refused = once("/notify/sync", "k", "{\"total\":45.50} ñ");
    refused.answered.status = 503;
    outbox.remember(&refused).await.unwrap();
    assert_eq!(outbox.recall("/notify/sync", "k", DAY).await.unwrap(), Some(refused.answered));
    assert_eq!(recall(outbox, "/notify/sync", "K").await, None);
    assert_eq!(recall(outbox, "/notify/venta", "k").await, None);
    assert!(prepared.store().outbox().unwrap().recall("/notify/sync", "k", DAY).await.unwrap().is_some());
}

async fn the_first_answer_stays(prepared: Prepared) {
    let store = prepared.migrated().await;
    let outbox = store.outbox().unwrap();
    outbox.remember(&once("/p", "k", "1")).await.unwrap();
    outbox.remember(&once("/p", "k", "2")).await.unwrap();
    assert_eq!(recall(outbox, "/p", "k").await.unwrap(), "1");
}

async fn an_answer_that_is_too_old_is_forgotten_and_gives_way(prepared: Prepared) {
    let store = prepared.migrated().await;
    let outbox = store.outbox().unwrap();
    outbox.remember(&once("/p", "k", "1")).await.unwrap();
    age(&prepared, 24 * 3600 - 60).await;
    assert_eq!(recall(outbox, "/p", "k").await.unwrap(), "1");
    age(&prepared, 60).await;
    assert_eq!(recall(outbox, "/p", "k").await, None);
    let order = change("t", Entity::Order, "a", "{}");
    assert!(matches!(outbox.keep(&order, Some(&once("/p", "k", "2"))).await.unwrap(), Kept::As(_)));
    assert_eq!(recall(outbox, "/p", "k").await.unwrap(), "2");
}

async fn a_change_and_its_answer_are_kept_together_or_not_at_all(prepared: Prepared) {
    let store = prepared.migrated().await;
    let outbox = store.outbox().unwrap();
    let call = once("/notify/sync", "k", "first");
    let kept = outbox.keep(&change("t", Entity::Order, "a", "1"), Some(&call)).await.unwrap();
    assert!(matches!(kept, Kept::As(_)));
    let again = once("/notify/sync", "k", "second");
    let kept = outbox.keep(&change("t", Entity::Order, "b", "2"), Some(&again)).await.unwrap();
    assert_eq!(kept, Kept::Repeated(call.answered));
    let pulled = outbox.pull("t", &[], GET, None, 10).await.unwrap();
    assert_eq!(pulled.iter().map(|pending| pending.id.as_str()).collect::<Vec<_>>(), ["a"]);
    // What cannot be stored leaves no answer behind.
    prepared.execute("ALTER TABLE pulso_outbox RENAME TO otra").await;
    let other = once("/notify/sync", "other", "third");
    outbox.keep(&change("t", Entity::Order, "c", "3"), Some(&other)).await.unwrap_err();
    assert_eq!(recall(outbox, "/notify/sync", "other").await, None);
    prepared.execute("ALTER TABLE otra RENAME TO pulso_outbox").await;
    assert!(matches!(outbox.keep(&change("t", Entity::Order, "c", "3"), Some(&other)).await.unwrap(), Kept::As(_)));
}

async fn of_two_calls_at_once_one_is_the_repetition(prepared: Prepared) {
    let store = prepared.migrated().await;
    let mut calls = JoinSet::new();
    for call in 0..8 {
        let store = Arc::clone(&store);
        calls.spawn(async move {
            let order = change("t", Entity::Order, &format!("{}", call % 3), "{}");
            let once = once("/p", "k", &call.to_string());
            (call.to_string(), store.outbox().unwrap().keep(&order, Some(&once)).await.unwrap())
        });
    }
    let kept = calls.join_all().await;
    let first: Vec<_> = kept.iter().filter(|(_, kept)| matches!(kept, Kept::As(_))).collect();
    assert_eq!(first.len(), 1, "{kept:?}");
    let answer = Answered { status: 200, body: first[0].0.clone() };
    assert_eq!(kept.iter().filter(|(_, kept)| *kept == Kept::Repeated(answer.clone())).count(), 7, "{kept:?}");
    assert_eq!(store.outbox().unwrap().pull("t", &[], GET, None, 10).await.unwrap().len(), 1);
}

async fn the_oldest_are_pruned_beyond_the_newest(prepared: Prepared) {
    let store = prepared.migrated().await;
    let outbox = store.outbox().unwrap();
    for key in ["viejo", "1", "2", "3", "4", "5"] {
        outbox.remember(&once("/p", key, key)).await.unwrap();
        if key == "viejo" {
            age(&prepared, 24 * 3600 + 1).await;
        } else {
            age(&prepared, 2).await;
        }
    }
    assert_eq!(outbox.prune(DAY, 100).await.unwrap(), 1);
    assert_eq!(outbox.prune(DAY, 3).await.unwrap(), 2);
    assert_eq!(outbox.prune(DAY, 3).await.unwrap(), 0);
    for (key, is_there) in [("viejo", false), ("1", false), ("2", false), ("3", true), ("4", true), ("5", true)] {
        assert_eq!(recall(outbox, "/p", key).await.is_some(), is_there, "{key}");
    }
}
