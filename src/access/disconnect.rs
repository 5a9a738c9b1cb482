//! Who is to be disconnected: the body of `POST /api/disconnect`.
//!
//! Must not know who is connected.

use crate::json::{BadBody, Fields, Problem};
use crate::model::DeviceName;

/// Whose connections end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By any name that a token may give the user.
    User(String),
    Device(DeviceName),
}

/// Exactly one of `user`, `device_uid` and `device_id`.
pub fn decode(body: &[u8]) -> Result<Target, BadBody> {
    let fields = Fields::read(body)?;
    match (fields.optional("user"), fields.optional("device_uid"), fields.optional("device_id")) {
        (Some(user), None, None) => user.id().map(Target::User),
        (None, Some(uid), None) => uid.text_id().map(DeviceName::Uid).map(Target::Device),
        (None, None, Some(id)) => id.id().map(DeviceName::Id).map(Target::Device),
        (None, None, None) => Err(fields.wrong("user", Problem::Rule("or device_uid or device_id is missing"))),
        _ => Err(fields.wrong("user", Problem::Rule("and device_uid and device_id exclude each other"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(body: &str) -> Result<Target, String> {
        decode(body.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_user_or_one_device_is_named() {
        assert_eq!(target(r#"{"user":"ana"}"#), Ok(Target::User("ana".into())));
        assert_eq!(target(r#"{"user":7,"why":"dismissed"}"#), Ok(Target::User("7".into())));
        assert_eq!(target(r#"{"device_uid":"ipad-1"}"#), Ok(Target::Device(DeviceName::Uid("ipad-1".into()))));
        assert_eq!(target(r#"{"device_id":7}"#), Ok(Target::Device(DeviceName::Id("7".into()))));
        assert_eq!(target(r#"{"user":null,"device_id":7}"#), Ok(Target::Device(DeviceName::Id("7".into()))));
        assert_eq!(target(r#"{"device_id":"7"}"#), Ok(Target::Device(DeviceName::Id("7".into()))));
    }

    #[test]
    fn nobody_and_more_than_one_are_refused() {
        let exclude = "user and device_uid and device_id exclude each other";
        let id = "must be an integer or a non-empty string";
        for (body, told) in [
            ("{}", "user or device_uid or device_id is missing".to_owned()),
            (r#"{"User":"ana"}"#, "user or device_uid or device_id is missing".into()),
            (r#"{"user":"ana","device_id":7}"#, exclude.into()),
            (r#"{"device_uid":"a","device_id":7}"#, exclude.into()),
            (r#"{"user":null}"#, "user or device_uid or device_id is missing".into()),
            (r#"{"user":""}"#, format!("user {id}")),
            (r#"{"user":1.5}"#, format!("user {id}")),
            (r#"{"device_id":["7"]}"#, format!("device_id {id}")),
            (r#"{"device_uid":7}"#, "device_uid must be a non-empty string".into()),
            (r#"{"user":"a","user":"b"}"#, "user is given twice".into()),
            ("[]", "the body must be an object".into()),
        ] {
            assert_eq!(target(body), Err(told), "{body}");
        }
    }
}
