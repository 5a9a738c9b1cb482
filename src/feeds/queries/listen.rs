//! Who may listen to a live query for a key: whom all that its `access` says lets in.

use crate::feeds::listening::{Listening, Stream, nobody};
use crate::model::ChannelName;

pub(super) const KEYED: Stream = Stream {
    form: "consulta:<name>:<key>",
    is: |text| matches!(ChannelName::parse(text), Some(ChannelName::Consulta { key: Some(_), .. })),
    listening: LISTENING,
};

pub(super) const WITHOUT_KEY: Stream = Stream {
    form: "consulta:<name>",
    is: |text| matches!(ChannelName::parse(text), Some(ChannelName::Consulta { key: None, .. })),
    listening: LISTENING,
};

const LISTENING: Listening = Listening { needs_token: true, barred: nobody, grant: |guest| Box::pin(guest.watch()) };
