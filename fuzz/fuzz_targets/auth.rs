//! What a client of Socket.IO shows at a namespace's door: an object is read as its last fields of each name say, the rest is nothing.
#![no_main]

#[expect(dead_code, reason = "not all of it is fed")]
#[path = "../../src/transport/socketio/auth.rs"]
mod auth;

mod access {
    pub use pulso::access::grant;
}
mod hub {
    pub use pulso::hub::history;
}

use auth::Auth;
use libfuzzer_sys::fuzz_target;
use pulso::hub::history::Since;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let auth = Auth::read(Some(text));
    let said = serde_json::from_str::<Value>(text).ok().filter(|_| text.starts_with('{'));
    let Some(said) = said else {
        // What the library's tree cannot hold may be read all the same, in the fields that it has not.
        if serde_json::from_str::<&serde_json::value::RawValue>(text).is_err() || !text.starts_with('{') {
            assert_eq!((auth.token(), auth.api_key(), auth.since()), (None, None, None));
        }
        return;
    };
    for (read, said) in [(auth.token(), &said["token"]), (auth.api_key(), &said["apiKey"])] {
        match said {
            Value::String(text) => assert_eq!(read, Some(text.as_str()).filter(|text| !text.is_empty())),
            Value::Null | Value::Bool(false) => assert_eq!(read, None),
            Value::Number(number) => assert_eq!(read.is_none(), number.as_f64() == Some(0.0)),
            _ => assert!(read.is_some()),
        }
    }
    if let Value::String(text) = &said["since"] {
        let after = match text.as_str() {
            "" => Since::Now,
            text => match text.parse() {
                Ok(id) if !text.starts_with('+') && (text == "0" || !text.starts_with('0')) => Since::After(id),
                _ => Since::Unknown,
            },
        };
        assert_eq!(auth.since(), Some(after));
    }
    assert_eq!(auth.since().is_none(), matches!(said["since"], Value::Null | Value::Bool(false)));
});
