//! What a call announces beside its own: live queries whose `hints` name its hook may have changed.
//!
//! Nobody waits for these, and what becomes of one is no concern of the call. Must not know any feed.

use super::call::CallContext;
use super::definition::Hook;
use crate::json::{Field, Fields};
use crate::model::Channel;

/// Hints the queries that name `hook`, each for the id in the call, and those without a key whatever it says. `body`: of a call
/// that was understood.
pub fn of_call(context: &CallContext, hook: &Hook, body: &[u8]) {
    let hinted = context.queries.hinted_by(hook.path);
    if hinted.is_empty() {
        return;
    }
    let id = hook.id.and_then(|name| {
        let fields = Fields::read(body).ok()?;
        fields.optional(name).as_ref().map(Field::id)?.ok()
    });
    for live in hinted {
        let key = if live.query.is_keyed { id.as_deref() } else { None };
        // An id that is no key of this query says nothing about it.
        if let Some(consulta) = live.consulta(key) {
            context.refresher.hint(&Channel::Consulta(consulta));
        }
    }
}
