//! Who may listen to an application's own channels: who may watch their business, by token or by ownership.

use crate::feeds::listening::{Listening, Stream, nobody};
use crate::model::ChannelName;

pub(super) const CANAL: Stream = Stream {
    form: "canal:<negocio>:<name>",
    is: |text| matches!(ChannelName::parse(text), Some(ChannelName::Canal { .. })),
    listening: Listening { needs_token: true, barred: nobody, grant: |guest| Box::pin(guest.watch()) },
};
