//! What a client says about itself when it connects to a namespace, and how it is turned away.

use serde::Deserialize;
use serde_json::Value;

/// The `auth` of a connect packet. Anything else than an object with these is an empty one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Auth {
    token: Value,
    since: Value,
    #[serde(rename = "apiKey")]
    api_key: Value,
}

impl Auth {
    pub(super) fn token(&self) -> Option<&str> {
        given(&self.token)
    }

    pub(super) fn api_key(&self) -> Option<&str> {
        given(&self.api_key)
    }

    /// The last event that the client has; given by those that understand ids.
    pub(super) fn since(&self) -> Option<&str> {
        self.since.as_str()
    }
}

/// What JavaScript takes for nothing is nothing; what is no text is nothing that could be right.
fn given(value: &Value) -> Option<&str> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) => Some(text).filter(|text| !text.is_empty()).map(String::as_str),
        Value::Number(number) if number.as_f64() == Some(0.0) => None,
        _ => Some("not a text"),
    }
}

/// Why a namespace is refused: the client's `connect_error.message`, to the letter of the contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("No token provided")]
    NoToken,
    #[error("Invalid token")]
    InvalidToken,
    #[error("No restaurantId")]
    NoRestaurant,
    #[error("the server has no JWT_SECRET")]
    NoSecret,
    #[error("API key required")]
    NoKey,
    #[error("Invalid API key")]
    InvalidKey,
    /// A session that is none of ours.
    #[error("unknown session")]
    NoSession,
}
