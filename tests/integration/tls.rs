//! Encrypted connections to PostgreSQL, and what is said when they cannot be had.

use pulso::model::IdType;
use pulso::store::{ContactError, StoreError, open};
use pulso_harness::Postgres;

use crate::backend::postgres_config;

async fn contact(url: &str) -> Result<IdType, ContactError> {
    open(&postgres_config(url)).unwrap().contact().await
}

async fn unreachable(url: &str) -> String {
    match contact(url).await {
        Err(ContactError::Store(StoreError::Unreachable(reason))) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn certificates_are_checked_as_far_as_sslmode_says() {
    let server = Postgres::own_with_tls();
    let url = server.database().await.url();
    let ca = server.ca().display();
    assert_eq!(contact(&format!("{url}?sslmode=require")).await.unwrap(), IdType::Uuid);
    assert_eq!(contact(&format!("{url}?sslmode=verify-full&sslrootcert={ca}")).await.unwrap(), IdType::Uuid);
    assert_eq!(
        contact(&format!("{}?sslmode=verify-full&sslrootcert={ca}", url.replace("127.0.0.1", "localhost")))
            .await
            .unwrap(),
        IdType::Uuid
    );

    let reason = unreachable(&format!("{url}?sslmode=verify-full")).await;
    assert!(reason.contains("UnknownIssuer") && reason.contains("sslrootcert="), "{reason}");
    let reason = unreachable(&format!("{url}?sslmode=disable")).await;
    assert!(reason.contains("no encryption"), "{reason}");
    let reason = unreachable(&format!("{url}?sslmode=verify-full&sslrootcert=/no/such/ca.crt")).await;
    assert!(reason.contains("No such file"), "{reason}");
    let elsewhere = url.replace("127.0.0.1", "127.0.0.2");
    assert!(contact(&format!("{elsewhere}?sslmode=verify-full&sslrootcert={ca}")).await.is_err());
}

#[tokio::test]
async fn a_server_without_tls_is_named_when_tls_is_required() {
    let url = Postgres::shared().database().await.url();
    let reason = unreachable(&format!("{url}?sslmode=require")).await;
    assert!(reason.contains("does not support TLS") && reason.contains("ssl = on"), "{reason}");
}
