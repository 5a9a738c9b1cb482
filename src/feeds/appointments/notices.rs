//! Notices from the database's trigger (`LISTEN_CHANNEL`): the same as a call of the hook, without a caller.
//!
//! One node at a time hears them, for all.

use std::sync::Arc;

use tracing::error;

use crate::broker::Turn;
use crate::database::Database;
use crate::model::Channel;
use crate::refresh::Refresher;
use crate::store::listen::ListenEvent;

pub(super) fn on_listen(event: ListenEvent, turn: &Turn, database: &Database, refresher: &Arc<Refresher>) {
    match event {
        ListenEvent::Notice(id) => {
            // Before the first contact nobody can say whose id it is.
            let Some(id_type) = database.id_type() else { return refresher.after_a_gap() };
            if let Some(negocio) = id_type.parse(&id) {
                refresher.triggered(&Channel::Estadisticas(negocio));
            } else {
                error!(payload = ?id, "the trigger sent what is no id of a business");
            }
        }
        // Of another channel.
        ListenEvent::Hint { .. } => {}
        ListenEvent::Gap => refresher.after_a_gap(),
        ListenEvent::Deaf => {
            refresher.not_listening();
            turn.pass();
        }
    }
}
