//! The appointment statistics on `/ws`: what a client may say, and what it is told.
//!
//! The wire is fixed by the product's contract: every frame is one JSON object.

use serde::Serialize;
use serde_json::{Map, Value};

use super::canal;
use crate::negocio::NegocioId;
use crate::publication::Frame;
use crate::store::Figures;

const CHANNEL_PREFIX: &str = "estadisticas:";

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientMessage {
    Subscribe(ChannelName),
    Unsubscribe(ChannelName),
    Ping,
    Auth(String),
}

/// A channel as a client names it, the business as the client spells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ChannelName {
    Estadisticas(String),
    Canal { negocio: String, name: String },
}

/// Why a message was not understood. The text is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misunderstood {
    #[error("not a JSON object")]
    NotAnObject,
    #[error("binary messages are not understood")]
    Binary,
    #[error("unknown message type")]
    UnknownType,
    #[error("channel is missing")]
    ChannelMissing,
    #[error("channel is given twice and differs")]
    ChannelDiffers,
    #[error("unknown channel")]
    UnknownChannel,
    #[error("token is missing")]
    TokenMissing,
    #[error("token is given twice and differs")]
    TokenDiffers,
}

/// What a client is told when something it asked for is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    #[error("authenticate first")]
    NotAuthenticated,
    #[error("not allowed to subscribe to this channel")]
    NotAllowed,
    #[error("access to this channel was withdrawn")]
    Withdrawn,
    #[error("access cannot be checked right now; it will be tried again")]
    CannotCheck,
    #[error("figures are not available right now; they will follow")]
    NoFigures,
    #[error("too many channels on this connection")]
    TooManyChannels,
    #[error("too many ownership checks; wait a little")]
    TooManyChecks,
}

impl ClientMessage {
    pub fn decode(text: &str) -> Result<Self, Misunderstood> {
        let Ok(Value::Object(message)) = serde_json::from_str(text) else {
            return Err(Misunderstood::NotAnObject);
        };
        match message.get("type").and_then(Value::as_str) {
            Some("subscribe") => Ok(Self::Subscribe(channel_of(&message)?)),
            Some("unsubscribe") => Ok(Self::Unsubscribe(channel_of(&message)?)),
            Some("ping") => Ok(Self::Ping),
            Some("auth") => {
                let token = said_once(&message, "token", Misunderstood::TokenMissing, Misunderstood::TokenDiffers)?;
                Ok(Self::Auth(token.to_owned()))
            }
            _ => Err(Misunderstood::UnknownType),
        }
    }
}

impl ChannelName {
    /// `estadisticas:<negocio>` or `canal:<negocio>:<name>`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(CHANNEL_PREFIX) {
            Some(negocio) => (!negocio.is_empty()).then(|| Self::Estadisticas(negocio.to_owned())),
            None => canal::parse_channel(text)
                .map(|(negocio, name)| Self::Canal { negocio: negocio.to_owned(), name: name.to_owned() }),
        }
    }
}

fn channel_of(message: &Map<String, Value>) -> Result<ChannelName, Misunderstood> {
    let name = said_once(message, "channel", Misunderstood::ChannelMissing, Misunderstood::ChannelDiffers)?;
    ChannelName::parse(name).ok_or(Misunderstood::UnknownChannel)
}

/// A text field that clients put at the top level or into `data`.
fn said_once<'a>(
    message: &'a Map<String, Value>,
    field: &str,
    missing: Misunderstood,
    differs: Misunderstood,
) -> Result<&'a str, Misunderstood> {
    let inner = message.get("data").and_then(|data| data.get(field));
    match (message.get(field), inner) {
        (Some(outer), Some(inner)) if outer != inner => Err(differs),
        (Some(value), _) | (None, Some(value)) => value.as_str().ok_or(missing),
        (None, None) => Err(missing),
    }
}

/// A `stats` message. `timestamp` is Unix seconds of the read; `seq` grows with every read.
pub fn stats(negocio: &NegocioId, figures: &Figures, timestamp: i64, seq: u64) -> Frame {
    #[derive(Serialize)]
    struct Message<'a> {
        r#type: &'static str,
        data: Data<'a>,
        seq: u64,
    }
    #[derive(Serialize)]
    struct Data<'a> {
        negocio_id: &'a str,
        citas_hoy: i64,
        total_citas: i64,
        citas_completadas: i64,
        citas_canceladas: i64,
        timestamp: i64,
    }
    encode(&Message {
        r#type: "stats",
        data: Data {
            negocio_id: negocio.as_str(),
            citas_hoy: figures.citas_hoy,
            total_citas: figures.total_citas,
            citas_completadas: figures.citas_completadas,
            citas_canceladas: figures.citas_canceladas,
            timestamp,
        },
        seq,
    })
}

pub fn pong() -> Frame {
    Frame::text(r#"{"type":"pong"}"#)
}

/// Not everything that was missed can be replayed: the client has to load what it shows anew.
pub fn resync() -> Frame {
    Frame::text(r#"{"type":"resync"}"#)
}

pub fn error(message: &impl std::fmt::Display) -> Frame {
    #[derive(Serialize)]
    struct Message {
        r#type: &'static str,
        message: String,
    }
    encode(&Message { r#type: "error", message: message.to_string() })
}

fn encode(message: &impl Serialize) -> Frame {
    // Structs of strings and integers always serialise; an empty object would still be a valid frame.
    Frame::text(&serde_json::to_string(message).unwrap_or_else(|_| "{}".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::negocio::IdType;

    fn decode(message: &Value) -> Result<ClientMessage, Misunderstood> {
        ClientMessage::decode(&message.to_string())
    }

    #[test]
    fn subscribe_is_understood_with_the_channel_in_either_place() {
        let wanted = Ok(ClientMessage::Subscribe(ChannelName::Estadisticas("negocio_123".into())));
        assert_eq!(decode(&json!({"type":"subscribe","data":{"channel":"estadisticas:negocio_123"}})), wanted);
        assert_eq!(decode(&json!({"type":"subscribe","channel":"estadisticas:negocio_123"})), wanted);
        let both = json!({"type":"subscribe","channel":"estadisticas:negocio_123",
            "data":{"channel":"estadisticas:negocio_123"}});
        assert_eq!(decode(&both), wanted);
    }

    #[test]
    fn an_applications_own_channel_is_named_by_its_business_and_its_name() {
        let canal = || ChannelName::Canal { negocio: "a:b".into(), name: "caja".into() };
        let message = json!({"type":"subscribe","channel":"canal:a:b:caja"});
        assert_eq!(decode(&message), Ok(ClientMessage::Subscribe(canal())));
        let message = json!({"type":"unsubscribe","data":{"channel":"canal:a:b:caja"}});
        assert_eq!(decode(&message), Ok(ClientMessage::Unsubscribe(canal())));
        // A business of the statistics may look like one.
        let figures = ChannelName::Estadisticas("canal:a:b".into());
        assert_eq!(ChannelName::parse("estadisticas:canal:a:b"), Some(figures));
    }

    #[test]
    fn a_channel_that_disagrees_with_itself_is_an_error() {
        let message = json!({"type":"unsubscribe","channel":"estadisticas:a","data":{"channel":"estadisticas:b"}});
        assert_eq!(decode(&message), Err(Misunderstood::ChannelDiffers));
    }

    #[test]
    fn what_is_no_channel_is_named_so() {
        for (message, why) in [
            (json!({"type":"subscribe"}), Misunderstood::ChannelMissing),
            (json!({"type":"subscribe","channel":7}), Misunderstood::ChannelMissing),
            (json!({"type":"subscribe","data":"estadisticas:a"}), Misunderstood::ChannelMissing),
            (json!({"type":"subscribe","channel":"ventas:a"}), Misunderstood::UnknownChannel),
            (json!({"type":"subscribe","channel":"estadisticas:"}), Misunderstood::UnknownChannel),
            (json!({"type":"subscribe","channel":"Estadisticas:a"}), Misunderstood::UnknownChannel),
            (json!({"type":"subscribe","channel":"canal:a"}), Misunderstood::UnknownChannel),
            (json!({"type":"subscribe","channel":"canal:a:"}), Misunderstood::UnknownChannel),
            (json!({"type":"subscribe","channel":"canal:a:b c"}), Misunderstood::UnknownChannel),
        ] {
            assert_eq!(decode(&message), Err(why), "{message}");
        }
    }

    #[test]
    fn a_token_is_taken_from_the_top_level_or_from_data() {
        assert_eq!(decode(&json!({"type":"auth","token":"t"})), Ok(ClientMessage::Auth("t".into())));
        assert_eq!(decode(&json!({"type":"auth","data":{"token":"t"}})), Ok(ClientMessage::Auth("t".into())));
        assert_eq!(decode(&json!({"type":"auth","token":1})), Err(Misunderstood::TokenMissing));
    }

    #[test]
    fn rubbish_is_an_error_with_a_reason() {
        for text in ["", "null", "[]", "7", "{", "{} x", "\"ping\""] {
            assert_eq!(ClientMessage::decode(text), Err(Misunderstood::NotAnObject), "{text}");
        }
        for message in [json!({}), json!({"type":7}), json!({"type":"stats"}), json!({"type":"Ping"})] {
            assert_eq!(decode(&message), Err(Misunderstood::UnknownType), "{message}");
        }
    }

    #[test]
    fn stats_data_has_exactly_the_six_keys() {
        let negocio = IdType::Text.parse("a\"b").unwrap();
        let figures = Figures { citas_hoy: 12, total_citas: 156, citas_completadas: 142, citas_canceladas: 8 };
        let frame = stats(&negocio, &figures, 1_234_567_890, 9);
        let payload: Value = serde_json::from_slice(&frame.bytes()[2..])
            .or_else(|_| serde_json::from_slice(&frame.bytes()[4..]))
            .unwrap();
        assert_eq!(
            payload,
            json!({"type":"stats","data":{"negocio_id":"a\"b","citas_hoy":12,"total_citas":156,
                "citas_completadas":142,"citas_canceladas":8,"timestamp":1_234_567_890},"seq":9})
        );
    }
}
