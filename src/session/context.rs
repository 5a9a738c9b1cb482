//! What every session works with.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::grant::Bounds;
use crate::access::named::Gate;
use crate::access::ownership::Access;
use crate::access::token::TokenVerifier;
use crate::clock::Clock;
use crate::config::{ClientLimits, Feeds};
use crate::database::Database;
use crate::feeds::clinic::devices::Devices;
use crate::hub::Hub;
use crate::queries::Queries;
use crate::refresh::Refresher;
use crate::telemetry::metrics::Metrics;

/// Shared by all sessions of a node: one pointer a connection.
#[derive(Debug)]
pub struct SessionContext {
    pub hub: Arc<Hub>,
    pub queries: Arc<Queries>,
    pub refresher: Arc<Refresher>,
    pub access: Arc<Access>,
    pub database: Arc<Database>,
    pub tokens: TokenVerifier,
    pub clock: Clock,
    pub feeds: Feeds,
    /// Point-of-sale events name no business and go to every token.
    pub single_business: bool,
    pub devices: Arc<Devices>,
    pub limits: ClientLimits,
    /// How often a live subscription's ownership is asked again.
    pub recheck: Duration,
    /// When this node began; rechecks are counted from here, so that they come in batches.
    pub since: Instant,
    /// Cancelled when the node goes away.
    pub goodbye: CancellationToken,
    /// Over how long the goodbyes are spread.
    pub goodbye_spread: Duration,
    pub metrics: Arc<Metrics>,
}

impl SessionContext {
    /// What decides about the channels that clients name.
    pub fn gate(&self) -> Gate<'_> {
        let Self { database, access, queries, hub, .. } = self;
        Gate { id_type: database.id_type(), access, queries, hub }
    }

    /// What every grant keeps to.
    pub fn bounds(&self) -> Bounds {
        Bounds { max_channels: self.limits.max_channels, single_business: self.single_business }
    }
}
