//! Who may listen to a tenant's changes: its own back end, by its key.
//!
//! Must not know how a listener comes in.

use subtle::ConstantTimeEq;

use super::tenant_of;
use crate::access::grant::{Denial, Grant};
use crate::config::{Secret, SyncConfig};
use crate::model::{Channel, Tenant};

/// The tenant whose key this is, and its channel.
pub fn back_end(key: Option<&str>, config: &SyncConfig) -> Result<(Tenant, Grant), Denial> {
    let key = key.ok_or(Denial::NoKey)?;
    let is_given = |known: &Secret| bool::from(known.expose().as_bytes().ct_eq(key.as_bytes()));
    let tenant = tenant_of(config, is_given).ok_or(Denial::WrongKey)?;
    Ok((tenant.clone(), Grant::without_token(vec![Channel::Sync(tenant.clone())], Vec::new())))
}
