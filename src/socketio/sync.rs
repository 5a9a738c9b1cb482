//! Namespace `/sync`: a restaurant's own back end, for who has its key.

use std::sync::Arc;

use socketioxide::extract::SocketRef;
use subtle::ConstantTimeEq;

use super::Session;
use super::auth::{Auth, Refused};
use super::changes::{Changes, Wanted};
use super::seat::{Feed, Seat};
use crate::channel::Channel;
use crate::client::Environment;
use crate::config::{Secret, SyncConfig};
use crate::hub::mailbox::Mailbox;
use crate::negocio::Tenant;

pub(super) const NAMESPACE: &str = "/sync";

/// A client's wish for its pending orders. Whatever else it says is ignored.
const SYNC_ORDERS: &str = "sync:orders";

/// Joins the channel of the key's tenant.
pub(super) fn admit(
    environment: &Environment,
    sync: &SyncConfig,
    session: &Arc<Session>,
    socket: &SocketRef,
    auth: &Auth,
) -> Result<Seat, Refused> {
    let tenant = tenant(sync, auth.api_key().ok_or(Refused::NoKey)?).ok_or(Refused::InvalidKey)?;
    let mailbox = Arc::new(Mailbox::new(environment.limits.outbound_buffer));
    let memberships = vec![environment.hub.join(Channel::Sync(tenant.clone()), &mailbox)];
    let wanted = Arc::new(Wanted::default());
    socket.on(SYNC_ORDERS, {
        let wanted = Arc::clone(&wanted);
        async move || wanted.ask()
    });
    let feed =
        Feed::Sync(Box::new(Changes::new(Arc::clone(&environment.database), tenant.clone(), sync.pull_limit, wanted)));
    Ok(Seat { session: Arc::clone(session), mailbox, memberships, expiry: None, feed })
}

/// Whose key this is. Every key is compared, so that the time taken tells nothing.
fn tenant<'a>(sync: &'a SyncConfig, given: &str) -> Option<&'a Tenant> {
    let is_given = |key: &Secret| bool::from(key.expose().as_bytes().ct_eq(given.as_bytes()));
    sync.keys.iter().fold(None, |found, (tenant, key)| if is_given(key) { Some(tenant) } else { found })
}
