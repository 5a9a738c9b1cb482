//! `POST /api/disconnect`: ends all connections of a user or a device. Belongs to no feed.

use crate::access::disconnect::{Target, decode};
use crate::broker::{Keyed, Published, Reach};
use crate::feeds::call::{Call, Rejection, Reply};
use crate::feeds::definition::{Hook, Key, Repetition};
use crate::model::{Channel, UserId};

pub(in crate::http) const DISCONNECT: Hook = Hook {
    path: "/api/disconnect",
    id: None,
    reaches_tokens: false,
    key: Key::Always,
    repetition: Repetition::Remembered,
    answer: |call| Box::pin(disconnect(call)),
};

/// A user's tokens issued until now are no good any more.
async fn disconnect(call: &mut Call) -> Result<Reply, Rejection> {
    let context = &call.context;
    let answer = |reach: &Reach| Reply::for_one_of(reach).answered();
    let keyed = call.ticket.as_ref().map(|ticket| Keyed { ticket, answer: &answer });
    let ended = match decode(&call.body)? {
        Target::User(user) => {
            context.broker.dismiss_user(UserId::named(&user), context.clock.now(), keyed.as_ref()).await?
        }
        Target::Device(name) => {
            let device = context.device(name, call.deadline).await?;
            context.broker.dismiss_listeners(&Channel::Device(device), keyed.as_ref()).await?
        }
    };
    Ok(match ended {
        Published::For(reach) => Reply::for_one_of(&reach),
        Published::Repeated(answered) => Reply::again(answered),
    })
}
