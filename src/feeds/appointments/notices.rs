//! Notices from the database's trigger (`LISTEN_CHANNEL`): the same as a call of the hook, without a caller.
//!
//! One node at a time hears them, for all.

use std::sync::Arc;

use tracing::error;

use crate::broker::{Broker, Turn};
use crate::database::Database;
use crate::model::Channel;
use crate::refresh::Refresher;
use crate::store::listen::ListenEvent;

pub(super) fn on_listen(
    event: ListenEvent,
    turn: &Turn,
    database: &Database,
    broker: &Broker,
    refresher: &Arc<Refresher>,
) {
    match event {
        ListenEvent::Notice(id) => {
            // Before the first contact nobody watches anything here, and what was said of others cannot be read.
            let Some(id_type) = database.id_type() else { return broker.ring_all() };
            let Some(negocio) = id_type.parse(&id) else {
                error!(payload = ?id, "the trigger sent what is no id of a business");
                return;
            };
            let channel = Channel::Estadisticas(negocio);
            refresher.triggered(&channel);
            // Where it is watched here too, what is read here is told.
            if refresher.subscribers(&channel) == 0 {
                broker.tell_of_change(&channel);
            }
        }
        // Of another channel.
        ListenEvent::Hint { .. } => {}
        ListenEvent::Gap => {
            refresher.after_a_gap();
            broker.ring_all();
        }
        ListenEvent::Deaf => {
            refresher.not_listening();
            turn.pass();
        }
    }
}
