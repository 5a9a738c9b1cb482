//! Which devices exist, whatever their table looks like, and when it is not there.

use pulso::model::Device;
use pulso::store::{Store, StoreError};

use crate::backend::Prepared;

promises_everywhere!(
    devices_are_found_by_name_and_by_id,
    a_device_that_was_switched_off_is_said_so,
    ids_the_column_cannot_hold_are_not_found,
    integer_and_text_ids_are_found,
    a_device_has_the_name_by_which_it_was_asked_for,
    a_missing_table_is_refused_with_advice_and_found_when_it_appears,
    a_table_that_changed_its_type_is_learnt_again,
    devices_need_neither_contact_nor_figures,
    an_own_query_is_used,
    an_own_query_that_returns_more_finds_only_who_was_asked_for,
    an_own_query_without_a_column_is_refused_with_the_reason,
);

const UNO: &str = "9f1c2b3a-0000-4000-8000-000000000001";
const DOS: &str = "9f1c2b3a-0000-4000-8000-000000000002";

async fn with_devices(prepared: Prepared) -> Prepared {
    let (id, off) = if prepared.is_postgres() { ("uuid", "false") } else { ("TEXT", "0") };
    let on = if prepared.is_postgres() { "true" } else { "1" };
    prepared
        .execute(&format!(
            "CREATE TABLE devices (id {id} PRIMARY KEY, device_uid varchar(80) UNIQUE, is_active boolean);
             INSERT INTO devices VALUES ('{UNO}', 'quiosco-ñ', {on}), ('{DOS}', 'lobby', {off});"
        ))
        .await;
    prepared
}

fn device(id: &str, uid: &str, is_active: bool) -> Device {
    Device { id: id.into(), uid: uid.into(), is_active }
}

/// What is found, in order.
async fn found(store: &dyn Store, uids: &[&str], ids: &[&str]) -> Vec<Device> {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let mut found = store.devices(&owned(uids), &owned(ids)).await.unwrap();
    found.sort_by(|one, other| one.id.cmp(&other.id));
    found
}

async fn refusal(store: &dyn Store) -> String {
    match store.devices(&["lobby".to_owned()], &[]).await {
        Err(StoreError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

async fn devices_are_found_by_name_and_by_id(prepared: Prepared) {
    let prepared = with_devices(prepared).await;
    let store = prepared.store();
    let both = [device(UNO, "quiosco-ñ", true), device(DOS, "lobby", false)];
    assert_eq!(found(&*store, &["quiosco-ñ"], &[]).await, both[..1]);
    assert_eq!(found(&*store, &[], &[UNO]).await, both[..1]);
    assert_eq!(found(&*store, &["quiosco-ñ", "nadie"], &[UNO, DOS]).await, both);
    assert_eq!(found(&*store, &[UNO], &[]).await, [], "an id is no name");
    assert_eq!(found(&*store, &["Lobby"], &[]).await, [], "letters count");
    assert_eq!(found(&*store, &[], &[]).await, []);
}

async fn a_device_that_was_switched_off_is_said_so(prepared: Prepared) {
    let prepared = with_devices(prepared).await;
    let store = prepared.store();
    assert!(found(&*store, &[], &[UNO]).await[0].is_active);
    let off = if prepared.is_postgres() { "false" } else { "0" };
    prepared.execute(&format!("UPDATE devices SET is_active = {off} WHERE id = '{UNO}'")).await;
    assert!(!found(&*store, &[], &[UNO]).await[0].is_active);
    prepared.execute(&format!("UPDATE devices SET is_active = NULL WHERE id = '{UNO}'")).await;
    assert!(!found(&*store, &[], &[UNO]).await[0].is_active);
}

async fn ids_the_column_cannot_hold_are_not_found(prepared: Prepared) {
    let prepared = with_devices(prepared).await;
    let store = prepared.store();
    let odd = ["", "7", "a\0b", "' OR true --", "[]"];
    assert_eq!(found(&*store, &odd, &odd).await, []);
    assert_eq!(found(&*store, &["a\0b", "lobby"], &["7"]).await.len(), 1);
    if prepared.is_postgres() {
        assert_eq!(found(&*store, &[], &[&UNO.to_uppercase()]).await.len(), 1, "one uuid, however it is spelt");
    }
}

async fn integer_and_text_ids_are_found(prepared: Prepared) {
    let kinds: &[&str] = if prepared.is_postgres() {
        &["smallint", "integer", "bigint", "text"]
    } else {
        &["INTEGER", "BIGINT", "TEXT"]
    };
    for kind in kinds {
        prepared
            .execute(&format!(
                "CREATE TABLE devices (id {kind} PRIMARY KEY, device_uid text UNIQUE, is_active boolean);
                 INSERT INTO devices VALUES (7, 'lobby', true);"
            ))
            .await;
        let store = prepared.store();
        assert_eq!(
            found(&*store, &[], &["7", "x", "99999999999999999999"]).await,
            [device("7", "lobby", true)],
            "{kind}"
        );
        prepared.execute("DROP TABLE devices").await;
    }
}

async fn a_device_has_the_name_by_which_it_was_asked_for(prepared: Prepared) {
    let (kind, on) = if prepared.is_postgres() { ("uuid", "true") } else { ("TEXT", "1") };
    prepared
        .execute(&format!(
            "CREATE TABLE devices (id integer PRIMARY KEY, device_uid {kind} UNIQUE, is_active boolean);
             INSERT INTO devices VALUES (7, '{UNO}', {on});"
        ))
        .await;
    let upper = UNO.to_uppercase();
    let store = prepared.store();
    let mut names: Vec<_> = found(&*store, &[UNO, &upper, UNO], &["7"]).await.into_iter().map(|one| one.uid).collect();
    names.sort();
    // A text column counts the letters.
    let asked = if prepared.is_postgres() { vec![upper, UNO.to_owned()] } else { vec![UNO.to_owned()] };
    assert_eq!(names, asked);
}

async fn a_missing_table_is_refused_with_advice_and_found_when_it_appears(prepared: Prepared) {
    let store = prepared.store();
    for _ in 0..2 {
        let reason = refusal(&*store).await;
        assert!(reason.contains("table devices does not exist yet") && reason.contains("DEVICE_SQL"), "{reason}");
    }
    let prepared = with_devices(prepared).await;
    assert_eq!(found(&*store, &["lobby"], &[]).await.len(), 1);
    prepared.execute("DROP TABLE devices").await;
    refusal(&*store).await;
    let _prepared = with_devices(prepared).await;
    assert_eq!(found(&*store, &["lobby"], &[]).await.len(), 1);
}

async fn a_table_that_changed_its_type_is_learnt_again(prepared: Prepared) {
    let prepared = with_devices(prepared).await;
    let store = prepared.store();
    assert_eq!(found(&*store, &[], &[UNO]).await.len(), 1);
    prepared
        .execute(
            "DROP TABLE devices;
             CREATE TABLE devices (id bigint PRIMARY KEY, device_uid text UNIQUE, is_active boolean);
             INSERT INTO devices VALUES (7, 'lobby', true);",
        )
        .await;
    // The first question may be put in the old type.
    let _ = store.devices(&[], &[UNO.to_owned()]).await;
    assert_eq!(found(&*store, &[], &["7"]).await, [device("7", "lobby", true)]);
}

async fn devices_need_neither_contact_nor_figures(mut prepared: Prepared) {
    prepared.config.asks_figures = false;
    let prepared = with_devices(prepared).await;
    let (store, _) = prepared.contacted().await;
    assert_eq!(found(&*store, &["lobby"], &[]).await, [device(DOS, "lobby", false)]);
}

async fn an_own_query_is_used(mut prepared: Prepared) {
    prepared
        .execute(
            "CREATE TABLE tabletas (numero integer, serie text); INSERT INTO tabletas VALUES (3, 'A-3'), (4, 'A-4')",
        )
        .await;
    let sql = if prepared.is_postgres() {
        "SELECT true AS is_active, numero::text AS device_id, serie AS device_uid FROM tabletas \
         WHERE serie = ANY ($1) OR numero = ANY ($2)"
    } else {
        "SELECT 1 AS is_active, numero AS device_id, serie AS device_uid FROM tabletas \
         WHERE serie IN (SELECT value FROM json_each($1)) OR numero IN (SELECT value FROM json_each($2))"
    };
    prepared.config.device_sql = Some(prepared.scratch.write("devices.sql", sql));
    let store = prepared.store();
    assert_eq!(found(&*store, &["A-3"], &["4"]).await, [device("3", "A-3", true), device("4", "A-4", true)]);
}

async fn an_own_query_that_returns_more_finds_only_who_was_asked_for(mut prepared: Prepared) {
    prepared
        .execute("CREATE TABLE tabletas (numero integer, serie text); INSERT INTO tabletas VALUES (3, '4'), (4, 'A-4')")
        .await;
    let sql = if prepared.is_postgres() {
        "SELECT true AS is_active, numero::text AS device_id, serie AS device_uid FROM tabletas \
         WHERE serie = ANY ($1) OR numero = ANY ($2) OR true"
    } else {
        "SELECT 1 AS is_active, numero AS device_id, serie AS device_uid FROM tabletas \
         WHERE serie IN (SELECT value FROM json_each($1)) OR numero IN (SELECT value FROM json_each($2)) OR 1"
    };
    prepared.config.device_sql = Some(prepared.scratch.write("devices.sql", sql));
    let store = prepared.store();
    let (three, four) = (device("3", "4", true), device("4", "A-4", true));
    assert_eq!(found(&*store, &["A-4"], &[]).await, std::slice::from_ref(&four));
    assert_eq!(found(&*store, &[], &["4"]).await, [four]);
    assert_eq!(found(&*store, &["4"], &[]).await, [three]);
    assert_eq!(found(&*store, &["nadie"], &["5"]).await, []);
}

async fn an_own_query_without_a_column_is_refused_with_the_reason(mut prepared: Prepared) {
    prepared.execute("CREATE TABLE tabletas (numero text, serie text)").await;
    let sql = if prepared.is_postgres() {
        "SELECT numero AS device_id, serie AS device_uid FROM tabletas WHERE serie = ANY ($1) OR numero = ANY ($2)"
    } else {
        "SELECT numero AS device_id, serie AS device_uid FROM tabletas \
         WHERE serie IN (SELECT value FROM json_each($1)) OR numero IN (SELECT value FROM json_each($2))"
    };
    prepared.config.device_sql = Some(prepared.scratch.write("devices.sql", sql));
    let reason = refusal(&*prepared.store()).await;
    assert!(reason.contains("DEVICE_SQL") && reason.contains("missing: is_active"), "{reason}");
}
