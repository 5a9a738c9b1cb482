//! Publications as events of Socket.IO, in the frames that carry them: to whoever polls, what is in the frame is sent.
//!
//! Must not know who gets them.

use bytes::Bytes;

use super::{Publication, frame};
use crate::model::Channel;

/// An event, named as it is, with what it says: of a doorbell nothing.
pub(super) fn plain(publication: &Publication) -> Bytes {
    let comma = if publication.payload.is_empty() { "" } else { "," };
    packet(publication, &[comma, &publication.payload])
}

/// As [`plain`], with its id as a second argument.
pub(super) fn with_id(publication: &Publication) -> Bytes {
    packet(publication, &[",", &publication.payload, ",{\"id\":\"", &publication.version.to_string(), "\"}"])
}

fn packet(publication: &Publication, arguments: &[&str]) -> Bytes {
    // The main namespace is not named.
    let namespace = match publication.channel {
        Channel::Sync(_) => "/sync,",
        _ => "",
    };
    let opening = ["42", namespace, "[\"", publication.event, "\""];
    frame::text_of(&[&opening, arguments, &["]"]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RestauranteId, Tenant};

    #[test]
    fn an_event_is_sent_as_it_came_with_its_id_behind_it_for_who_wants_ids() {
        let channel = Channel::Restaurante(RestauranteId::new("r"));
        let event = Publication::event(channel, 7, "order.new", r#"{"total": 31.00}"#);
        assert_eq!(plain(&event), frame::text(r#"42["order.new",{"total": 31.00}]"#));
        assert_eq!(with_id(&event), frame::text(r#"42["order.new",{"total": 31.00},{"id":"7"}]"#));
    }

    #[test]
    fn a_doorbell_has_no_argument_and_is_rung_in_its_own_namespace() {
        let doorbell = Publication::doorbell(Channel::Sync(Tenant::new("t")), 7, "changes:pending");
        assert_eq!(plain(&doorbell), frame::text(r#"42/sync,["changes:pending"]"#));
    }
}
