//! A channel that somebody asks for by name: what it is, and whether it is granted by the token or by the database.
//!
//! Asked here alone, and once. Must not know what becomes of the answer.

use super::grant::{Denial, Grant};
use super::ownership::{Access, Unanswered, Verdict};
use super::token::Identity;
use crate::hub::Hub;
use crate::model::{ChannelName, IdType, Ownership, Topic};

/// By what a channel is granted.
#[derive(Debug)]
pub enum Right<Asked> {
    /// The token names the business, or the operator lets everybody in.
    Token,
    /// By the database, if it says so: it has been asked, at the cost of the user's rate.
    Ownership(Asked),
}

/// Asks whether a user may listen to the channel of this name. `id_type`: of the businesses' ids.
pub fn ask(
    name: &ChannelName,
    identity: &Identity,
    id_type: IdType,
    access: &Access,
    hub: &Hub,
) -> Result<(Topic, Right<impl Future<Output = Verdict> + Send + use<>>), Denial> {
    // Not a word about whether such a business exists, or could.
    let topic = Topic::of(name, id_type).ok_or(Denial::NotAllowed)?;
    // In the text that the others hold who listen to it.
    let topic = Topic::of_channel(&hub.shared(topic.channel())).unwrap_or(topic);
    if access.is_granted_by_token(identity, topic.negocio(), id_type) {
        return Ok((topic, Right::Token));
    }
    let asked = Ownership { negocio: topic.negocio().clone(), user: identity.user.spelt().clone() };
    Ok((topic, Right::Ownership(access.owns(asked))))
}

/// As [`ask`], for who can wait for the answer. `id_type`: `None` while the database has not said it.
pub async fn watch(
    name: &ChannelName,
    identity: Identity,
    id_type: Option<IdType>,
    access: &Access,
    hub: &Hub,
) -> Result<Grant, Denial> {
    let (topic, right) = ask(name, &identity, id_type.ok_or(Denial::OwnershipUnchecked)?, access, hub)?;
    let by_ownership = match right {
        Right::Token => false,
        Right::Ownership(verdict) => match verdict.await {
            Ok(true) => true,
            Ok(false) => return Err(Denial::NotAllowed),
            Err(unanswered) => return Err(unanswered.into()),
        },
    };
    Ok(Grant::to_watch(identity, topic.channel(), by_ownership))
}

impl From<Unanswered> for Denial {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::CannotCheck => Self::OwnershipUnchecked,
            Unanswered::TooMany => Self::TooManyChecks,
        }
    }
}
