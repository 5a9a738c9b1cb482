//! What a client may say on a connection, and what it is told beside publications.
//!
//! The wire is fixed by the product's contract: every frame is one JSON object.

pub mod second;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::access::grant::Denial;
use crate::access::token::TokenError;
use crate::model::ChannelName;

/// The `type`s of everything that is heard or said here.
pub const TYPES: [&str; 7] = ["auth", "error", "ping", "pong", "resync", "subscribe", "unsubscribe"];

/// What is said of each message of an `error`: an entry by its text.
pub const DESCRIBED: &str = include_str!("messages.txt");

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientMessage {
    Subscribe(ChannelName),
    Unsubscribe(ChannelName),
    Ping,
    Auth(String),
}

listed! {
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
        #[error("ref must be a string of 1 to 64 characters")]
        NoReference,
        #[error("since must be the id of an event, in a string")]
        NoPosition,
    }
}

/// Said where figures that were asked for cannot be read.
pub const NO_FIGURES: &str = "figures are not available right now; they will follow";

impl ClientMessage {
    pub fn decode(text: &str) -> Result<Self, Misunderstood> {
        Self::of(&object(text)?)
    }

    fn of(message: &Map<String, Value>) -> Result<Self, Misunderstood> {
        match message.get("type").and_then(Value::as_str) {
            Some("subscribe") => Ok(Self::Subscribe(channel_of(message)?)),
            Some("unsubscribe") => Ok(Self::Unsubscribe(channel_of(message)?)),
            Some("ping") => Ok(Self::Ping),
            Some("auth") => {
                let token = said_once(message, "token", Misunderstood::TokenMissing, Misunderstood::TokenDiffers)?;
                Ok(Self::Auth(token.to_owned()))
            }
            _ => Err(Misunderstood::UnknownType),
        }
    }
}

fn object(text: &str) -> Result<Map<String, Value>, Misunderstood> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match serde_json::from_str(text) {
        Ok(Value::Object(message)) => Ok(message),
        _ => Err(Misunderstood::NotAnObject),
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
    let said = |value: &&Value| !value.is_null();
    let inner = message.get("data").and_then(|data| data.get(field)).filter(said);
    match (message.get(field).filter(said), inner) {
        (Some(outer), Some(inner)) if outer != inner => Err(differs),
        (Some(value), _) | (None, Some(value)) => value.as_str().ok_or(missing),
        (None, None) => Err(missing),
    }
}

pub const PONG: &str = r#"{"type":"pong"}"#;

/// Not everything that was missed can be replayed: the client has to load what it shows anew.
pub const RESYNC: &str = r#"{"type":"resync"}"#;

/// Whether a client says `{"type":"ping"}`.
pub fn is_ping(text: &str) -> bool {
    ClientMessage::decode(text) == Ok(ClientMessage::Ping)
}

/// What a client is told that may not.
pub fn denial(denial: Denial) -> Cow<'static, str> {
    match denial {
        Denial::NoToken | Denial::NoSession => "authenticate first".into(),
        Denial::BadToken(refused) => refused.to_string().into(),
        Denial::TokenUnchecked => TokenError::Unchecked.to_string().into(),
        Denial::NoSuchChannel | Denial::SwitchedOff => Misunderstood::UnknownChannel.to_string().into(),
        Denial::NotAllowed
        | Denial::NotStaff
        | Denial::NoRestaurant
        | Denial::BadDevice
        | Denial::NoSecret
        | Denial::NoKey
        | Denial::WrongKey => "not allowed to subscribe to this channel".into(),
        Denial::Withdrawn => "access to this channel was withdrawn".into(),
        Denial::OwnershipUnchecked | Denial::DeviceUnchecked => {
            "access cannot be checked right now; it will be tried again".into()
        }
        Denial::TooManyChannels => "too many channels on this connection".into(),
        Denial::TooManyChecks | Denial::TooManyDevices => "too many ownership checks; wait a little".into(),
    }
}

pub fn denied(why: Denial) -> String {
    error(&denial(why))
}

pub fn error(message: &impl std::fmt::Display) -> String {
    #[derive(Serialize)]
    struct Message {
        r#type: &'static str,
        message: String,
    }
    encode(&Message { r#type: "error", message: message.to_string() })
}

fn encode(message: &impl Serialize) -> String {
    // Structs of strings and integers always serialise; an empty object would still be a valid message.
    serde_json::to_string(message).unwrap_or_else(|_| "{}".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        let null = json!({"type":"auth","token":null,"data":{"token":"t"}});
        assert_eq!(decode(&null), Ok(ClientMessage::Auth("t".into())));
        assert_eq!(decode(&json!({"type":"auth","token":null})), Err(Misunderstood::TokenMissing));
    }

    #[test]
    fn a_byte_order_mark_before_a_message_is_skipped() {
        assert_eq!(ClientMessage::decode("\u{feff}{\"type\":\"ping\"}"), Ok(ClientMessage::Ping));
        assert!(ClientMessage::decode("\u{feff}\u{feff}{\"type\":\"ping\"}").is_err());
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
    fn a_client_is_heard_only_when_it_pings() {
        assert!(is_ping(r#"{"type":"ping"}"#) && is_ping(r#" { "n": 1, "type" : "ping" } "#));
        for text in
            ["", "ping", "\"ping\"", "[\"ping\"]", r#"{"type":"pong"}"#, r#"{"type":["ping"]}"#, "{\"type\":\"ping\""]
        {
            assert!(!is_ping(text), "{text}");
        }
    }
}
