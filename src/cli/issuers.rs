//! The keys of those whose tokens are believed, as they are at this moment: for commands that serve nobody.
//!
//! Must not know what is made of them.

use futures_util::future::join_all;

use crate::access::keys::{FetchError, fetch};
use crate::config::{IssuerConfig, IssuerKeys};

/// Fetches, once, the keys that are fetched. Those that could not be stay where they are, and are returned with the reason.
pub(super) async fn fetch_keys(issuers: &mut [IssuerConfig]) -> Vec<(String, FetchError)> {
    let fetches = issuers.iter_mut().map(async |issuer| {
        let IssuerKeys::Remote(remote) = &issuer.keys else { return None };
        match fetch(remote).await {
            Ok(fetched) => {
                issuer.keys = IssuerKeys::Held(fetched.set);
                None
            }
            Err(error) => Some((issuer.label(), error)),
        }
    });
    join_all(fetches).await.into_iter().flatten().collect()
}
