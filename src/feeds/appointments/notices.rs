//! Notices from the database's trigger (`LISTEN_CHANNEL`): the same as a call of the hook, without a caller.

use std::sync::Arc;

use tracing::error;

use crate::database::Database;
use crate::model::Channel;
use crate::refresh::Refresher;

/// The figures of the business with this id may have changed.
pub(super) fn on_notice(id: &str, database: &Database, refresher: &Arc<Refresher>) {
    // Before the first contact nobody can say whose id it is.
    let Some(id_type) = database.id_type() else { return refresher.after_a_gap() };
    if let Some(negocio) = id_type.parse(id) {
        refresher.triggered(&Channel::Estadisticas(negocio));
    } else {
        error!(payload = ?id, "the trigger sent what is no id of a business");
    }
}
