//! A change stays until it is confirmed, and a confirmation takes away nothing else.

use std::sync::Arc;

use pulso::model::{Change, Confirmation, Entity, Pending};
use pulso::store::outbox::{Handed, Kept, Outbox};
use pulso::store::{Store, StoreError};
use tokio::task::JoinSet;

use crate::backend::Prepared;

promises_everywhere!(
    changes_come_oldest_first_and_letter_by_letter,
    the_newest_payload_of_an_id_wins_and_moves_to_the_end,
    a_version_is_never_used_twice,
    a_confirmation_with_a_version_takes_that_version_only,
    a_confirmation_without_a_version_takes_what_was_pulled_only,
    a_pull_marks_what_it_hands_out_and_no_more,
    a_pull_of_one_kind_leaves_the_other_unseen,
    a_tenant_neither_sees_nor_confirms_anothers_changes,
    an_order_and_a_customer_of_one_id_are_two,
    odd_ids_are_ids_and_confirm_nothing_else,
    a_thousand_confirmations_are_one_pull,
    writers_of_one_id_leave_the_newest_version,
    concurrent_confirmations_lose_nothing,
    a_payload_as_long_as_a_body_is_kept,
);

/// Two calls of a back end, by what tells them apart.
pub(super) const GET: Handed = Handed::Answer("GET");
pub(super) const POST: Handed = Handed::Answer("POST");

pub(super) fn change(tenant: &str, entity: Entity, id: &str, payload: &str) -> Change {
    Change { tenant: tenant.into(), entity, id: id.into(), payload: payload.into() }
}

/// The version under which it is kept.
pub(super) async fn keep(outbox: &dyn Outbox, change: &Change) -> Result<i64, StoreError> {
    outbox.keep(change, None).await.map(|kept| match kept {
        Kept::As(version) => version,
        Kept::Repeated(answered) => panic!("{answered:?}"),
    })
}

async fn order(store: &dyn Store, tenant: &str, id: &str, payload: &str) -> i64 {
    keep(store.outbox().unwrap(), &change(tenant, Entity::Order, id, payload)).await.unwrap()
}

fn confirm(id: &str, version: Option<i64>) -> Confirmation {
    Confirmation { entity: Entity::Order, id: id.into(), version }
}

async fn pull(store: &dyn Store, tenant: &str, confirmed: &[Confirmation]) -> Vec<Pending> {
    // As real ones: who confirms does so by another call than who only pulls.
    let call = format!("{confirmed:?}");
    store.outbox().unwrap().pull(tenant, confirmed, Handed::Answer(&call), None, 1_000).await.unwrap()
}

async fn ids(store: &dyn Store, tenant: &str, confirmed: &[Confirmation]) -> Vec<String> {
    pull(store, tenant, confirmed).await.into_iter().map(|pending| pending.id).collect()
}

async fn changes_come_oldest_first_and_letter_by_letter(prepared: Prepared) {
    let store = prepared.migrated().await;
    let payloads = [r#"{"total":45.50,"b":1,"a":2}"#, "{\"ñ\":\"\\u0000 🧾\" }", "{ }"];
    for (number, payload) in payloads.iter().enumerate() {
        order(&*store, "t", &format!("{}", 9 - number), payload).await;
    }
    let pulled = pull(&*store, "t", &[]).await;
    assert_eq!(pulled.iter().map(|pending| pending.payload.as_str()).collect::<Vec<_>>(), payloads);
    assert!(pulled.is_sorted_by_key(|pending| pending.version));
    assert!(store.outbox().unwrap().has_pending("t").await.unwrap());
    assert!(!store.outbox().unwrap().has_pending("u").await.unwrap());
}

async fn the_newest_payload_of_an_id_wins_and_moves_to_the_end(prepared: Prepared) {
    let store = prepared.migrated().await;
    let first = order(&*store, "t", "a", "1").await;
    order(&*store, "t", "b", "2").await;
    let third = order(&*store, "t", "a", "3").await;
    assert!(third > first);
    let pulled = pull(&*store, "t", &[]).await;
    let read: Vec<_> = pulled.iter().map(|pending| (pending.id.as_str(), pending.payload.as_str())).collect();
    assert_eq!(read, [("b", "2"), ("a", "3")]);
    assert_eq!(pulled[1].version, third);
}

async fn a_version_is_never_used_twice(prepared: Prepared) {
    let store = prepared.migrated().await;
    let mut last = 0;
    for _ in 0..3 {
        let version = order(&*store, "t", "a", "1").await;
        assert!(version > last);
        last = version;
        assert_eq!(pull(&*store, "t", &[confirm("a", Some(version))]).await, []);
    }
    // Nor by a store that has just started, with nothing left in the table.
    assert!(order(&*prepared.store(), "t", "a", "1").await > last);
}

async fn a_confirmation_with_a_version_takes_that_version_only(prepared: Prepared) {
    let store = prepared.migrated().await;
    let old = order(&*store, "t", "a", "1").await;
    assert_eq!(ids(&*store, "t", &[]).await, ["a"]);
    let new = order(&*store, "t", "a", "2").await;
    for stale in [old, new + 1, 0, -1, i64::MAX] {
        assert_eq!(ids(&*store, "t", &[confirm("a", Some(stale))]).await, ["a"]);
    }
    assert_eq!(ids(&*store, "t", &[confirm("nadie", Some(new)), confirm("a", Some(new))]).await, [""; 0]);
    assert!(!store.outbox().unwrap().has_pending("t").await.unwrap());
}

async fn a_confirmation_without_a_version_takes_what_was_pulled_only(prepared: Prepared) {
    let store = prepared.migrated().await;
    order(&*store, "t", "a", "1").await;
    assert_eq!(ids(&*store, "t", &[confirm("a", None)]).await, ["a"], "it was never pulled");
    order(&*store, "t", "a", "2").await;
    assert_eq!(
        ids(&*store, "t", &[confirm("a", None)]).await,
        ["a"],
        "the one that was pulled is no longer the newest"
    );
    assert_eq!(ids(&*store, "t", &[]).await, ["a"]);
    assert_eq!(ids(&*store, "t", &[confirm("a", None)]).await, [""; 0]);
    order(&*store, "t", "a", "3").await;
    assert_eq!(ids(&*store, "t", &[confirm("a", None)]).await, ["a"], "what comes after it is another change");
}

async fn a_pull_marks_what_it_hands_out_and_no_more(prepared: Prepared) {
    let store = prepared.migrated().await;
    for id in ["a", "b", "c"] {
        order(&*store, "t", id, "1").await;
    }
    let some = store.outbox().unwrap().pull("t", &[], GET, None, 2).await.unwrap();
    assert_eq!(some.iter().map(|pending| pending.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let all = [confirm("a", None), confirm("b", None), confirm("c", None)];
    assert_eq!(ids(&*store, "t", &all).await, ["c"]);
    assert_eq!(ids(&*store, "t", &all).await, ["c"], "handed out by this very call alone");
    assert_eq!(store.outbox().unwrap().pull("t", &[], GET, None, 0).await.unwrap(), []);
    assert_eq!(ids(&*store, "t", &all).await, [""; 0]);
}

async fn a_pull_of_one_kind_leaves_the_other_unseen(prepared: Prepared) {
    let store = prepared.migrated().await;
    let outbox = store.outbox().unwrap();
    keep(outbox, &change("t", Entity::Customer, "7", "1")).await.unwrap();
    order(&*store, "t", "7", "2").await;
    let orders = outbox.pull("t", &[], GET, Some(Entity::Order), 10).await.unwrap();
    assert_eq!(orders.iter().map(|pending| pending.entity).collect::<Vec<_>>(), [Entity::Order]);
    let unseen = Confirmation { entity: Entity::Customer, id: "7".into(), version: None };
    let customers =
        outbox.pull("t", &[unseen.clone(), confirm("7", None)], POST, Some(Entity::Customer), 10).await.unwrap();
    assert_eq!(customers.iter().map(|pending| pending.entity).collect::<Vec<_>>(), [Entity::Customer]);
    assert_eq!(outbox.pull("t", &[unseen], GET, Some(Entity::Order), 10).await.unwrap(), []);
    assert!(!outbox.has_pending("t").await.unwrap());
}

async fn a_tenant_neither_sees_nor_confirms_anothers_changes(prepared: Prepared) {
    let store = prepared.migrated().await;
    let theirs = order(&*store, "uno", "a", "1").await;
    let ours = order(&*store, "dos", "a", "2").await;
    assert_eq!(pull(&*store, "dos", &[]).await[0].payload, "2");
    assert_eq!(ids(&*store, "uno", &[]).await, ["a"]);
    for version in [Some(theirs), Some(ours), None] {
        assert_eq!(ids(&*store, "tres", &[confirm("a", version)]).await, [""; 0]);
    }
    assert_eq!(ids(&*store, "dos", &[confirm("a", Some(theirs))]).await, ["a"]);
    assert_eq!(ids(&*store, "dos", &[confirm("a", None)]).await, [""; 0]);
    assert_eq!(pull(&*store, "uno", &[]).await[0].payload, "1");
    assert!(!store.outbox().unwrap().has_pending("dos").await.unwrap());
}

async fn an_order_and_a_customer_of_one_id_are_two(prepared: Prepared) {
    let store = prepared.migrated().await;
    order(&*store, "t", "7", "1").await;
    keep(store.outbox().unwrap(), &change("t", Entity::Customer, "7", "2")).await.unwrap();
    assert_eq!(pull(&*store, "t", &[]).await.len(), 2);
    let left = pull(&*store, "t", &[confirm("7", None)]).await;
    assert_eq!((left.len(), left[0].entity), (1, Entity::Customer));
}

async fn odd_ids_are_ids_and_confirm_nothing_else(prepared: Prepared) {
    let store = prepared.migrated().await;
    let odd = ["'; DROP TABLE pulso_outbox; --", "%", "", "ñ 🧾", "7", "07", "A", "a", "a ", "{a,b}", "NULL", "\"a\""];
    for id in odd {
        order(&*store, "t", id, "1").await;
    }
    assert_eq!(ids(&*store, "t", &[]).await, odd);
    assert_eq!(ids(&*store, "t", &[confirm("a\0", None), confirm("\0", Some(1))]).await, odd);
    for at in 0..odd.len() {
        assert_eq!(ids(&*store, "t", &[confirm(odd[at], None)]).await, odd[at + 1..]);
    }
}

async fn a_thousand_confirmations_are_one_pull(prepared: Prepared) {
    let store = prepared.migrated().await;
    for id in 0..20 {
        order(&*store, "t", &id.to_string(), "1").await;
    }
    pull(&*store, "t", &[]).await;
    let confirmed: Vec<_> = (0..1_000).map(|id| confirm(&(id % 500).to_string(), None)).collect();
    assert_eq!(ids(&*store, "t", &confirmed).await, [""; 0]);
}

async fn writers_of_one_id_leave_the_newest_version(prepared: Prepared) {
    let store = prepared.migrated().await;
    let mut writers = JoinSet::new();
    for writer in 0..6 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut versions = Vec::new();
            for round in 0..8 {
                let payload = format!("{writer}-{round}");
                versions.push((order(&*store, "t", "a", &payload).await, payload));
                if round % 3 == 0 {
                    pull(&*store, "t", &[confirm("a", None)]).await;
                }
            }
            assert!(versions.is_sorted());
            versions
        });
    }
    let mut versions = writers.join_all().await.concat();
    versions.sort();
    assert!(versions.windows(2).all(|pair| pair[0].0 != pair[1].0), "{versions:?}");
    let left = pull(&*store, "t", &[]).await;
    let newest = versions.last().unwrap();
    assert!(left.is_empty() || (left[0].version, &left[0].payload) == (newest.0, &newest.1), "{left:?} {newest:?}");
}

async fn concurrent_confirmations_lose_nothing(prepared: Prepared) {
    const WRITERS: i32 = 3;
    let store = prepared.migrated().await;
    let mut tasks = JoinSet::new();
    // Each writer has ids of its own, so that it knows the last payload of each.
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for round in 0..30 {
                order(&*store, "t", &format!("{writer}-{}", round % 4), &round.to_string()).await;
            }
            Vec::new()
        });
    }
    for puller in 0..3 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let (mut seen, mut confirmed) = (Vec::new(), Vec::new());
            for _ in 0..20 {
                let pulled = pull(&*store, "t", &confirmed).await;
                let version = |pending: &Pending| (puller != 0).then_some(pending.version);
                confirmed = pulled.iter().map(|pending| confirm(&pending.id, version(pending))).collect();
                seen.extend(pulled.into_iter().map(|pending| (pending.id, pending.payload)));
            }
            seen
        });
    }
    let mut seen = tasks.join_all().await.concat();
    seen.extend(pull(&*store, "t", &[]).await.into_iter().map(|pending| (pending.id, pending.payload)));
    for (writer, id) in (0..WRITERS).flat_map(|writer| (0..4).map(move |id| (writer, id))) {
        let last = (0..30).rev().find(|round| round % 4 == id).unwrap();
        let change = (format!("{writer}-{id}"), last.to_string());
        assert!(seen.contains(&change), "{change:?} is gone, and nobody had it");
    }
}

async fn a_payload_as_long_as_a_body_is_kept(prepared: Prepared) {
    let store = prepared.migrated().await;
    let payload = format!("{{\"nota\":\"{}\"}}", "ñ".repeat(500_000));
    order(&*store, "t", "a", &payload).await;
    assert!(pull(&*store, "t", &[]).await[0].payload == payload);
}
