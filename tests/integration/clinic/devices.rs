//! Tables of devices as integrators have them: ids of every type, on both databases, and queries of their own.

use pulso_harness::Running;

use super::{change, device_refused, kiosk_path, of_uid, told_kiosk, turned_away};
use crate::backend::Prepared;
use crate::business::pulso;
use crate::feeds::{assert_reached, query_file};

const UUID: &str = "d0000000-0000-4000-8000-00000000abcd";

/// A server beside a table of devices whose ids are of `kind`: `tablet-1` has `id`, `tablet-2` has `other`.
async fn with_devices(prepared: &Prepared, kind: &str, id: &str, other: &str) -> Running {
    prepared
        .execute(&format!(
            "CREATE TABLE devices (id {kind} PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
             INSERT INTO devices VALUES ('{id}', 'tablet-1', true), ('{other}', 'tablet-2', true)"
        ))
        .await;
    pulso(&prepared.url()).with_hook_key().with("DEVICE_RECHECK", "100ms").ready().await
}

/// The kiosk of `tablet-1` and no other has what is said to it by its name and by each spelling of its id.
async fn hears_by(pulso: &Running, spellings: &[&str]) {
    let mut kiosk = pulso.open(&kiosk_path("tablet-1")).await;
    let mut other = pulso.open(&kiosk_path("tablet-2")).await;
    kiosk.ping().await;
    other.ping().await;
    let by_id = spellings.iter().map(|id| change(&format!("\"device_id\":{id}"), 5));
    for body in by_id.chain([of_uid("tablet-1", 5)]) {
        assert_reached(&pulso.post("/notify/pedido/estado", &body).await, 1);
        assert_eq!(kiosk.text().await, told_kiosk(5), "{body}");
    }
    for id in ["\"tablet-1\"", "\"x'\"", "99999999999", "\"\\u00f1\""] {
        let answer = pulso.post("/notify/pedido/estado", &change(&format!("\"device_id\":{id}"), 5)).await;
        assert_eq!(answer.status, 404, "{id}: {answer:?}");
    }
    // They outlive being looked up again.
    kiosk.expect_silence().await;
    other.ping().await;
}

#[tokio::test]
async fn devices_have_ids_of_any_type_on_postgres() {
    for (kind, id, other, spellings) in [
        ("bigint", "7", "8", &["7", "\"7\""][..]),
        ("smallint", "7", "8", &["7"]),
        ("text", "ñ-7", "ñ-8", &["\"ñ-7\"", "\"\\u00f1-7\""]),
        ("uuid", UUID, "d0000000-0000-4000-8000-00000000abce", &["\"d0000000-0000-4000-8000-00000000ABCD\""]),
    ] {
        let prepared = Prepared::postgres().await.with_schema().await;
        hears_by(&with_devices(&prepared, kind, id, other).await, spellings).await;
    }
}

#[tokio::test]
async fn devices_have_ids_of_any_type_on_sqlite() {
    for (kind, id, other, spellings) in [
        ("INTEGER", "7", "8", &["7", "\"7\""][..]),
        ("TEXT", "7", "8", &["7", "\"7\""]),
        ("TEXT", UUID, "otro", &["\"d0000000-0000-4000-8000-00000000abcd\""]),
    ] {
        let prepared = Prepared::sqlite().await.with_schema().await;
        hears_by(&with_devices(&prepared, kind, id, other).await, spellings).await;
    }
}

#[tokio::test]
async fn a_table_of_devices_that_appears_later_is_found_and_its_absence_lets_nobody_in() {
    let prepared = Prepared::postgres().await.with_schema().await;
    let pulso = pulso(&prepared.url()).with_hook_key().ready().await;
    let away = super::closed(1013, "cannot be checked right now");
    assert_eq!(turned_away(&pulso, &kiosk_path("tablet-1"), &[]).await, away);
    assert_eq!(pulso.post("/notify/pedido/estado", &of_uid("tablet-1", 5)).await.status, 503);
    prepared
        .execute(
            "CREATE TABLE devices (id int PRIMARY KEY, device_uid text NOT NULL, is_active boolean NOT NULL);
             INSERT INTO devices VALUES (1, 'tablet-1', true)",
        )
        .await;
    pulso.open(&kiosk_path("tablet-1")).await.ping().await;
    assert_eq!(turned_away(&pulso, &kiosk_path("tablet-2"), &[]).await, device_refused());
    assert_eq!(pulso.get("/ready").await.status, 200, "figures do not depend on it");
}

#[tokio::test]
async fn an_own_query_may_return_devices_that_nobody_asked_for() {
    const TABLES: &str = "
        CREATE TABLE tabletas (numero bigint PRIMARY KEY, nombre text NOT NULL, estado text NOT NULL);
        INSERT INTO tabletas VALUES (1, 'tablet-9', 'activa'), (2, 'tablet-1', 'activa'), (3, 'tablet-2', 'activa'),
            (4, 'tablet-3', 'baja');";
    const POSTGRES: &str = "SELECT numero::text AS device_id, nombre AS device_uid, estado = 'activa' AS is_active
        FROM tabletas WHERE nombre = ANY ($1) OR numero = ANY ($2) OR true ORDER BY numero";
    const SQLITE: &str = "SELECT numero AS device_id, nombre AS device_uid, estado = 'activa' AS is_active
        FROM tabletas WHERE nombre IN (SELECT value FROM json_each($1)) OR numero IN (SELECT value FROM json_each($2))
            OR 1 ORDER BY numero";
    for (prepared, sql) in [(Prepared::postgres().await, POSTGRES), (Prepared::sqlite().await, SQLITE)] {
        let prepared = prepared.with_schema().await;
        prepared.execute(TABLES).await;
        let (file, _scratch) = query_file(sql);
        let pulso = pulso(&prepared.url()).with_hook_key().with("DEVICE_SQL", &file).ready().await;
        hears_by(&pulso, &["2", "\"2\""]).await;
        for uid in ["tablet-3", "tablet-4"] {
            assert_eq!(turned_away(&pulso, &kiosk_path(uid), &[]).await, device_refused(), "{uid}");
        }
    }
}
