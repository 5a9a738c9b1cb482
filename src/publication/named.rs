//! What a publication says to clients of the second version: which channel it is of, and an event its id.
//!
//! Must not know who gets it, nor how it is carried.

use jiff::Timestamp;

use super::{Kind, Publication};
use crate::json::quoted;
use crate::model::Channel;

/// The message: what is said, behind an `id` and a `channel` of its own. A doorbell says nothing. What has a name instead of a
/// `type`, for another transport, is put into a message as the others have theirs.
pub(super) fn message(publication: &Publication) -> String {
    let Publication { channel, kind, version, payload, .. } = publication;
    let Some(rest) = payload.strip_prefix('{') else { return payload.to_string() };
    let id = match kind {
        Kind::Event => format!("\"id\":\"{version}\","),
        Kind::State => String::new(),
    };
    if let Channel::Restaurante(_) = channel {
        let (event, name) = (quoted(publication.event), quoted(&channel.wire().to_string()));
        let timestamp = i64::try_from(publication.sent()).ok().and_then(|sent| Timestamp::from_microsecond(sent).ok());
        let timestamp = quoted(&format!("{:.3}", timestamp.unwrap_or_default()));
        return format!(r#"{{{id}"channel":{name},"type":{event},"data":{payload},"timestamp":{timestamp}}}"#);
    }
    if let Some(code) = publication.failure() {
        // Of a channel that goes on: it says its name itself.
        return format!("{{\"code\":\"{}\",\"retry\":{},{rest}", code.word(), code.goes_on());
    }
    let name = match channel {
        // These say it themselves.
        Channel::Consulta(_) | Channel::Canal(_) => String::new(),
        channel => format!("\"channel\":{},", quoted(&channel.wire().to_string())),
    };
    ["{", &id, &name, rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Canal, Code, Consulta, NegocioId, QueryName, RestauranteId};

    #[test]
    fn every_message_says_its_channel_once_and_an_event_its_id() {
        let negocio = || NegocioId::new("a\"b");
        let event = |channel, payload: &str| message(&Publication::event(channel, 7, "", payload));
        assert_eq!(
            event(Channel::Negocio(Some(negocio())), r#"{"type":"newSale","data":{"total":45.50}}"#),
            r#"{"id":"7","channel":"negocio:a\"b","type":"newSale","data":{"total":45.50}}"#
        );
        let own = r#"{"type":"x","channel":"canal:a:b","data":1}"#;
        let canal = Channel::Canal(Canal::new(NegocioId::new("a"), "b"));
        assert_eq!(event(canal, own), own.replacen('{', r#"{"id":"7","#, 1));
        let state = |channel, payload: &str| message(&Publication::state(channel, 7, payload, None));
        assert_eq!(
            state(Channel::Estadisticas(negocio()), r#"{"type":"stats"}"#),
            r#"{"channel":"estadisticas:a\"b","type":"stats"}"#
        );
        let result = r#"{"type":"consulta","channel":"consulta:q","data":[]}"#;
        let consulta = || Channel::Consulta(Consulta::new(QueryName::parse("q").unwrap(), None));
        assert_eq!(state(consulta(), result), result);
        let failed = r#"{"type":"error","channel":"consulta:q","message":"no"}"#;
        let failed = Publication::state(consulta(), 7, failed, None).of_failure(Code::TooLarge);
        let told = r#"{"code":"too_large","retry":true,"type":"error","channel":"consulta:q","message":"no"}"#;
        assert_eq!(message(&failed), told);
    }

    #[test]
    fn an_event_that_has_a_name_elsewhere_is_put_into_a_message_to_the_letter() {
        let channel = Channel::Restaurante(RestauranteId::new("r"));
        let event = Publication::event(channel, 7, "order.new", r#"{"total": 31.00}"#);
        assert_eq!(
            message(&event.sent_at(1_764_000_000_123_456)),
            r#"{"id":"7","channel":"restaurante:r","type":"order.new","data":{"total": 31.00},"timestamp":"2025-11-24T16:00:00.123Z"}"#
        );
    }
}
