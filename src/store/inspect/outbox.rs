//! Pulso's own tables, where a feed needs them.

use super::Finding;
use crate::store::Outbox;

/// Whether they are there.
pub(super) async fn tables(outbox: &dyn Outbox) -> Finding {
    match outbox.missing().await {
        Ok(missing) if missing.is_empty() => Finding::ok("Pulso's own tables are there, for what is to be pulled"),
        Ok(missing) => {
            let steps: Vec<String> = missing.iter().map(ToString::to_string).collect();
            Finding::problem(
                format!(
                    "Pulso's own tables are not there, or are an older release's (missing: {}): the order synchronisation \
                     is off",
                    steps.join(", ")
                ),
                Some("run `pulso migrate`; nothing else creates them, and the server need not be restarted"),
            )
        }
        Err(error) => Finding::problem(error.to_string(), None),
    }
}
