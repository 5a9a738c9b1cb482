//! What a back end's pull does: what it confirms is forgotten, and it gets what is left.
//!
//! Must not know how it is called.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout_at};
use tracing::error;

use super::{unavailable, words};
use crate::database::Database;
use crate::feeds::call::Rejection;
use crate::model::Tenant;
use crate::store::StoreError;
use crate::store::outbox::Handed;

/// What is pending, as JSON. `method` tells one call from another, as the body does.
pub async fn changes(
    database: &Database,
    tenant: &Tenant,
    (method, body): (&str, &[u8]),
    at_most: u32,
    deadline: Instant,
) -> Result<String, Rejection> {
    let confirmed = words::decode_confirmations(body)?;
    let call = fingerprint(method, body);
    let pulled = database.pull(tenant.as_str(), &confirmed, Handed::Answer(&call), None, at_most);
    let pulled = timeout_at(deadline, pulled).await;
    match pulled.unwrap_or_else(|_| Err(StoreError::TimedOut("no time left".to_owned()))) {
        Ok(pending) => words::encode_pull(&pending).map_err(|bad| {
            error!(%bad, "a stored change cannot be handed out");
            Rejection::no_database()
        }),
        Err(failure) => Err(unavailable(database, &failure, deadline).await),
    }
}

/// What tells a call from others, and is the same for its repetition, by whichever process.
fn fingerprint(method: &str, body: &[u8]) -> String {
    let hash = Sha256::new().chain_update(method).chain_update([0]).chain_update(body).finalize();
    URL_SAFE_NO_PAD.encode(hash)
}
