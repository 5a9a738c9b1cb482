//! Namespace `/`: the orders of one restaurant, for who has a token that names it.

use std::sync::Arc;

use socketioxide::extract::SocketRef;

use super::Session;
use super::auth::{Auth, Refused};
use super::seat::{Feed, Seat};
use crate::auth::token::RestaurantIdentity;
use crate::channel::Channel;
use crate::client::Environment;
use crate::client::session::{Expiry, end_if_dismissed};
use crate::hub::history::Since;
use crate::hub::mailbox::Mailbox;

pub(super) const NAMESPACE: &str = "/";

/// Joins the room of the token's restaurant, and no other.
pub(super) fn admit(
    environment: &Environment,
    session: &Arc<Session>,
    _: &SocketRef,
    auth: &Auth,
) -> Result<Seat, Refused> {
    let RestaurantIdentity { user, restaurant, expires_at, issued_at } = identify(environment, session, auth)?;
    let mailbox = Arc::new(Mailbox::new(environment.limits.outbound_buffer));
    let (channels, since) = ([Channel::Restaurante(restaurant)], auth.since());
    let (mut memberships, replayed) =
        environment.hub.join_since(&channels, &mailbox, since.map_or(Since::Now, Since::parse));
    if let Some(user) = user {
        memberships.push(environment.hub.join(Channel::User(user.clone()), &mailbox));
        end_if_dismissed(environment, &user, issued_at, &mailbox);
    }
    let expiry = Some(Expiry::new(expires_at, environment));
    let feed = Feed::Events { with_ids: since.is_some(), has_gap: replayed.is_err() };
    Ok(Seat { session: Arc::clone(session), mailbox, memberships, expiry, feed })
}

/// Whom the token names: the header's, which goes before `auth.token`.
fn identify(environment: &Environment, session: &Session, auth: &Auth) -> Result<RestaurantIdentity, Refused> {
    if !environment.tokens.is_configured() {
        return Err(Refused::NoSecret);
    }
    let token = session.bearer.as_deref().or(auth.token()).filter(|token| !token.is_empty()).ok_or(Refused::NoToken)?;
    let claims = environment.tokens.claims(token, environment.clock.now()).map_err(|_| Refused::InvalidToken)?;
    claims.restaurant().ok_or(Refused::NoRestaurant)
}
