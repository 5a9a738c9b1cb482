//! What a client says about itself when it connects to a namespace, and how it is turned away.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::access::grant::Denial;
use crate::hub::history::Since;

/// The `auth` of a connect packet: of an object these, and of each the last that is given.
#[derive(Debug, Default)]
pub(super) struct Auth {
    token: Value,
    since: Value,
    api_key: Value,
}

impl Auth {
    /// `auth`: JSON. Anything else than an object is an empty one.
    pub(super) fn read(auth: Option<&str>) -> Self {
        let auth = auth.filter(|auth| auth.starts_with('{'));
        auth.and_then(|auth| serde_json::from_str(auth).ok()).unwrap_or_default()
    }

    pub(super) fn token(&self) -> Option<&str> {
        given(&self.token)
    }

    pub(super) fn api_key(&self) -> Option<&str> {
        given(&self.api_key)
    }

    /// The last event that the client has; given by those that understand ids. A number is as good as its text; what is
    /// neither says that it has something, and not what.
    pub(super) fn since(&self) -> Option<Since> {
        match &self.since {
            Value::Null | Value::Bool(false) => None,
            Value::String(text) => Some(Since::parse(text)),
            Value::Number(number) => Some(Since::parse(&number.to_string())),
            _ => Some(Since::Unknown),
        }
    }
}

impl<'de> Deserialize<'de> for Auth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Auth;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Auth, A::Error> {
        let mut auth = Auth::default();
        while let Some(name) = map.next_key::<String>()? {
            let field = match name.as_str() {
                "token" => &mut auth.token,
                "since" => &mut auth.since,
                "apiKey" => &mut auth.api_key,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            // What nothing here could hold is something all the same.
            *field = serde_json::from_str(map.next_value::<&RawValue>()?.get()).unwrap_or(Value::Bool(true));
        }
        Ok(auth)
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

/// The `connect_error.message` of a client that was denied a namespace.
pub fn connect_error(denial: Denial) -> &'static str {
    match denial {
        Denial::NoToken => "No token provided",
        Denial::BadToken(_)
        | Denial::NotStaff
        | Denial::NotAllowed
        | Denial::Withdrawn
        | Denial::BadDevice
        | Denial::TooManyDevices
        | Denial::DeviceUnchecked
        | Denial::OwnershipUnchecked
        | Denial::TooManyChecks
        | Denial::TooManyChannels => "Invalid token",
        Denial::TokenUnchecked => "cannot be checked right now",
        Denial::NoRestaurant => "No restaurantId",
        Denial::NoSecret => "the server has no JWT_SECRET",
        Denial::NoKey => "API key required",
        Denial::WrongKey => "Invalid API key",
        Denial::NoSuchChannel | Denial::SwitchedOff => "Invalid namespace",
        Denial::NoSession => "unknown session",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_position_may_be_a_number_and_what_is_none_is_not_taken_for_nothing() {
        let since = |since: Value| Auth::read(Some(&json!({ "since": since }).to_string())).since();
        for (given, read) in [
            (json!(null), None),
            (json!(false), None),
            (json!(""), Some(Since::Now)),
            (json!("17"), Some(Since::After(17))),
            (json!(17), Some(Since::After(17))),
            (json!(0), Some(Since::After(0))),
            (json!(u64::MAX), Some(Since::After(u64::MAX))),
            (json!(-1), Some(Since::Unknown)),
            (json!(17.5), Some(Since::Unknown)),
            (json!(1e30), Some(Since::Unknown)),
            (json!("017"), Some(Since::Unknown)),
            (json!(true), Some(Since::Unknown)),
            (json!(["17"]), Some(Since::Unknown)),
            (json!({ "id": "17" }), Some(Since::Unknown)),
        ] {
            assert_eq!(since(given.clone()), read, "{given}");
        }
        assert_eq!(Auth::read(None).since(), None);
    }

    #[test]
    fn auth_is_read_from_an_object_and_from_nothing_else() {
        let token = |auth: &str| Auth::read(Some(auth)).token().map(str::to_owned);
        for (auth, read) in [
            (r#"{"token":"a"}"#, Some("a")),
            (r#"{"token":"a","token":"b","apiKey":"k"}"#, Some("b")),
            (r#"{"x":{"token":"a"}}"#, None),
            (r#"["a","b","c"]"#, None),
            (r#""a""#, None),
            ("null", None),
            (r#"{"token":"\ud83d"}"#, Some("not a text")),
            (r#"{"token":5}"#, Some("not a text")),
            (r#"{"token":0}"#, None),
        ] {
            assert_eq!(token(auth).as_deref(), read, "{auth}");
        }
        let deep = format!(r#"{{"token":{}{},"apiKey":"k"}}"#, "[".repeat(500), "]".repeat(500));
        let auth = Auth::read(Some(&deep));
        assert_eq!((auth.token(), auth.api_key()), (Some("not a text"), Some("k")));
    }
}
