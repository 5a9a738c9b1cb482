//! Who may listen to a business's figures: who may watch the business, by token or by ownership.

use crate::feeds::listening::{Listening, Stream, nobody};
use crate::model::ChannelName;

pub(super) const FIGURES: Stream = Stream {
    form: "estadisticas:<negocio>",
    is: |text| matches!(ChannelName::parse(text), Some(ChannelName::Estadisticas(_))),
    listening: Listening { needs_token: true, barred: nobody, grant: |guest| Box::pin(guest.watch()) },
};
