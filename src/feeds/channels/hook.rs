//! `POST /api/publish`: all of a batch, or nothing.

use super::words;
use crate::feeds::call::{Call, Rejection, Reply};
use crate::feeds::definition::{Hook, Key, Repetition};
use crate::model::{Canal, Channel};
use crate::publication::Draft;

pub(super) const PUBLISH: Hook = Hook {
    path: "/api/publish",
    id: None,
    reaches_tokens: true,
    key: Key::Always,
    repetition: Repetition::Remembered,
    answer: |call| Box::pin(publish(call)),
};

async fn publish(call: &mut Call) -> Result<Reply, Rejection> {
    let context = &call.context;
    let messages = words::decode(&call.body, context.publish.max_batch, &context.reserved)?;
    let id_type = context.database.id_type().ok_or_else(Rejection::no_database)?;
    let timestamp = context.timestamp();
    let drafts = messages.into_iter().map(|mut message| {
        let negocio = id_type.parse(&message.negocio);
        let negocio = negocio.ok_or_else(|| Rejection::bad("channel names what cannot be the id of a business"))?;
        negocio.as_str().clone_into(&mut message.negocio);
        let channel = Channel::Canal(Canal::new(negocio, &message.name));
        Ok(Draft::new(channel, words::encode(&message, &timestamp)))
    });
    call.publish_all(drafts.collect::<Result<_, Rejection>>()?).await
}
