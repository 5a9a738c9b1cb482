//! What a confirmation by a bare id may take away: what the answer to another call brought, or what was handed out twice.
//! An answer that was handed out may have been lost, and its call is then repeated as it was.

use pulso::model::{Confirmation, Entity};
use pulso::store::Store;
use pulso::store::outbox::Handed;

use super::changes::{change, keep};
use crate::backend::Prepared;

promises_everywhere!(
    by_turns_a_bare_id_confirms_what_the_call_before_brought,
    a_call_repeated_after_a_lost_answer_takes_nothing_that_nobody_has,
    a_restart_in_between_changes_nothing,
    another_call_in_between_is_taken_for_receipt,
    an_event_counts_once_however_often_it_comes,
    what_was_handed_out_twice_does_not_stay_for_ever,
    a_newer_version_begins_anew,
    two_processes_confirm_what_the_other_was_handed,
);

/// Two calls, by what tells them apart.
const ONE: Handed = Handed::Answer("GET");
const OTHER: Handed = Handed::Answer("POST of some body");

async fn changed(store: &dyn Store, payload: &str) {
    keep(store.outbox().unwrap(), &change("t", Entity::Order, "a", payload)).await.unwrap();
}

/// What a pull brings, by payload.
async fn pull(store: &dyn Store, to: Handed<'_>) -> Vec<String> {
    payloads(store, &[], to).await
}

/// The same for one that says it has "a".
async fn confirm(store: &dyn Store, to: Handed<'_>) -> Vec<String> {
    payloads(store, &[Confirmation { entity: Entity::Order, id: "a".into(), version: None }], to).await
}

async fn payloads(store: &dyn Store, confirmed: &[Confirmation], to: Handed<'_>) -> Vec<String> {
    let pulled = store.outbox().unwrap().pull("t", confirmed, to, None, 10).await.unwrap();
    pulled.into_iter().map(|pending| pending.payload).collect()
}

async fn by_turns_a_bare_id_confirms_what_the_call_before_brought(prepared: Prepared) {
    let store = prepared.migrated().await;
    for payload in ["1", "2", "3"] {
        changed(&*store, payload).await;
        assert_eq!(pull(&*store, ONE).await, [payload]);
        assert_eq!(confirm(&*store, OTHER).await, [""; 0]);
    }
}

async fn a_call_repeated_after_a_lost_answer_takes_nothing_that_nobody_has(prepared: Prepared) {
    let store = prepared.migrated().await;
    changed(&*store, "first").await;
    assert_eq!(pull(&*store, ONE).await, ["first"]);
    changed(&*store, "second").await;
    // The answer that brings the second is lost, and the call comes again.
    assert_eq!(confirm(&*store, OTHER).await, ["second"]);
    assert_eq!(confirm(&*store, OTHER).await, ["second"]);
    // That answer came; its receipt is said by the same words.
    assert_eq!(confirm(&*store, OTHER).await, [""; 0]);
}

async fn a_restart_in_between_changes_nothing(prepared: Prepared) {
    let store = prepared.migrated().await;
    changed(&*store, "first").await;
    assert_eq!(pull(&*store, ONE).await, ["first"]);
    changed(&*store, "second").await;
    assert_eq!(confirm(&*store, OTHER).await, ["second"]);
    drop(store);
    assert_eq!(confirm(&*prepared.store(), OTHER).await, ["second"]);
    assert_eq!(confirm(&*prepared.store(), ONE).await, [""; 0]);
}

async fn another_call_in_between_is_taken_for_receipt(prepared: Prepared) {
    let store = prepared.migrated().await;
    changed(&*store, "1").await;
    assert_eq!(confirm(&*store, OTHER).await, ["1"]);
    assert_eq!(pull(&*store, ONE).await, ["1"]);
    assert_eq!(confirm(&*store, OTHER).await, [""; 0]);
}

async fn an_event_counts_once_however_often_it_comes(prepared: Prepared) {
    let store = prepared.migrated().await;
    changed(&*store, "first").await;
    assert_eq!(pull(&*store, ONE).await, ["first"]);
    changed(&*store, "second").await;
    for _ in 0..3 {
        assert_eq!(pull(&*store, Handed::Event).await, ["second"]);
    }
    assert_eq!(confirm(&*store, OTHER).await, ["second"], "nobody may have listened");
    assert_eq!(confirm(&*store, OTHER).await, [""; 0], "an event and an answer are two");
    changed(&*store, "third").await;
    assert_eq!(confirm(&*store, OTHER).await, ["third"]);
    assert_eq!(pull(&*store, Handed::Event).await, ["third"]);
    assert_eq!(confirm(&*store, OTHER).await, [""; 0], "an answer and an event are two");
}

async fn what_was_handed_out_twice_does_not_stay_for_ever(prepared: Prepared) {
    let store = prepared.migrated().await;
    changed(&*store, "1").await;
    for _ in 0..2 {
        assert_eq!(confirm(&*store, ONE).await, ["1"]);
    }
    assert_eq!(confirm(&*store, ONE).await, [""; 0]);
}

async fn a_newer_version_begins_anew(prepared: Prepared) {
    let store = prepared.migrated().await;
    changed(&*store, "1").await;
    for _ in 0..3 {
        assert_eq!(pull(&*store, ONE).await, ["1"]);
    }
    changed(&*store, "2").await;
    assert_eq!(confirm(&*store, OTHER).await, ["2"], "it was never handed out");
    assert_eq!(confirm(&*store, OTHER).await, ["2"], "nor by another call, nor twice");
}

async fn two_processes_confirm_what_the_other_was_handed(prepared: Prepared) {
    let (store, other) = (prepared.migrated().await, prepared.store());
    changed(&*store, "1").await;
    assert_eq!(pull(&*store, ONE).await, ["1"]);
    assert_eq!(confirm(&*other, OTHER).await, [""; 0]);
    changed(&*store, "2").await;
    assert_eq!(confirm(&*store, OTHER).await, ["2"]);
    assert_eq!(confirm(&*other, OTHER).await, ["2"], "the very same call, by another process");
    assert_eq!(confirm(&*other, ONE).await, [""; 0]);
}
