//! Messages of any shape: what an application publishes to channels of its own naming, and how they are sent on.
//!
//! Must not know who may publish nor who listens.

use crate::json::{BadBody, Field, Fields, Problem, quoted};
use crate::model::{MAX_NAME_CHARS, is_name, parse_canal};

const CHANNEL_PREFIX: &str = "canal:";

/// One message to one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub negocio: String,
    /// The channel's name within its business.
    pub name: String,
    /// `type` on the wire.
    pub kind: String,
    /// Any JSON, to the letter.
    pub data: String,
}

/// The body of `POST /api/publish`: one message, `{"messages":[…]}` or an array of them, none of a `reserved` type.
pub fn decode(body: &[u8], most: usize, reserved: &[&str]) -> Result<Vec<Message>, BadBody> {
    let body = Field::read(body)?;
    if body.is_array() {
        return batch(&body.named("messages"), most, reserved);
    }
    if !body.is_object() {
        return Err(BadBody::NotThis("a message, {\"messages\":[…]} or an array of messages"));
    }
    let fields = body.object()?;
    let Some(messages) = fields.optional("messages") else { return Ok(vec![message(&fields, reserved)?]) };
    for name in ["channel", "type", "data"] {
        if fields.optional(name).is_some() {
            return Err(fields.wrong(name, Problem::Rule("belongs into one of messages")));
        }
    }
    batch(&messages, most, reserved)
}

/// The message that listeners are sent. `timestamp` is ISO 8601 in UTC.
pub fn encode(message: &Message, timestamp: &str) -> String {
    let Message { negocio, name, kind, data } = message;
    let channel = quoted(&format!("{CHANNEL_PREFIX}{negocio}:{name}"));
    let (kind, timestamp) = (quoted(kind), quoted(timestamp));
    format!(r#"{{"type":{kind},"channel":{channel},"data":{data},"timestamp":{timestamp}}}"#)
}

fn batch(messages: &Field<'_>, most: usize, reserved: &[&str]) -> Result<Vec<Message>, BadBody> {
    let entries = messages.array()?;
    if entries.len() == 0 {
        return Err(messages.must_be("at least one message"));
    }
    if entries.len() > most {
        return Err(messages.must_be(format!("{most} messages at most")));
    }
    entries.map(|entry| message(&entry.object()?, reserved)).collect()
}

fn message(fields: &Fields<'_>, reserved: &[&str]) -> Result<Message, BadBody> {
    let channel = fields.required("channel")?;
    let text = channel.text()?;
    if !text.starts_with(CHANNEL_PREFIX) {
        return Err(channel.must_be("canal:<negocio>:<name>: only canal: may be published to"));
    }
    let Some((negocio, name)) = parse_canal(&text) else {
        return Err(channel
            .must_be(format!("canal:<negocio>:<name>, the name 1 to {MAX_NAME_CHARS} of letters, digits, _ . -")));
    };
    let field = fields.required("type")?;
    let kind = field.text()?;
    if !is_name(&kind, "_.:-") {
        return Err(field.must_be(format!("1 to {MAX_NAME_CHARS} of letters, digits, _ . : -")));
    }
    if reserved.contains(&kind.as_str()) {
        return Err(field.wrong(Problem::Rule("is a reserved one")));
    }
    let data = fields.required("data")?.raw().to_owned();
    Ok(Message { negocio: negocio.to_owned(), name: name.to_owned(), kind, data })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn publish(body: &str) -> Result<Vec<Message>, String> {
        decode(body.as_bytes(), 3, &["stats"]).map_err(|error| error.to_string())
    }

    fn one(channel: &str, kind: &str, data: &str) -> String {
        format!(r#"{{"channel":{channel},"type":{kind},"data":{data}}}"#)
    }

    fn wanted(data: &str) -> Message {
        Message { negocio: "a".into(), name: "caja-1".into(), kind: "turno:abierto".into(), data: data.into() }
    }

    #[test]
    fn one_message_and_a_batch_in_either_form_are_understood() {
        let first = one("\"canal:a:caja-1\"", "\"turno:abierto\"", r#"{ "x": 1.50 }"#);
        let second = one("\"canal:a:caja-1\"", "\"turno:abierto\"", "null");
        let both = vec![wanted(r#"{ "x": 1.50 }"#), wanted("null")];
        assert_eq!(publish(&first), Ok(vec![wanted(r#"{ "x": 1.50 }"#)]));
        assert_eq!(publish(&format!(r#"{{"messages":[{first},{second}]}}"#)), Ok(both.clone()));
        assert_eq!(publish(&format!(" [{first},{second}] ")), Ok(both.clone()));
        assert_eq!(publish(&format!(r#"{{"type":null,"messages":[{first},{second}]}}"#)), Ok(both));
        let half = one("\"canal:a:caja-1\"", "\"turno:abierto\"", r#""\ud83d""#);
        assert_eq!(publish(&half), Ok(vec![wanted(r#""\ud83d""#)]));
    }

    #[test]
    fn what_is_published_is_sent_on_with_its_data_to_the_letter() {
        let message = Message { negocio: "a\"b:c".into(), ..wanted("[45.50, -0]") };
        let text = encode(&message, "2025-07-20T10:30:00Z");
        assert_eq!(
            text,
            r#"{"type":"turno:abierto","channel":"canal:a\"b:c:caja-1","data":[45.50, -0],"timestamp":"2025-07-20T10:30:00Z"}"#
        );
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parse_canal(read["channel"].as_str().unwrap()), Some(("a\"b:c", "caja-1")));
        assert_eq!(read["data"], json!([45.5, -0.0]));
    }

    #[test]
    fn a_channel_is_split_at_its_last_colon() {
        for (channel, parts) in [
            ("canal:7:a", Some(("7", "a"))),
            ("canal:a:b:c", Some(("a:b", "c"))),
            ("canal:ñandú:A.b_c-9", Some(("ñandú", "A.b_c-9"))),
            ("canal:a:", None),
            ("canal::a", None),
            ("canal: :a", None),
            ("canal:a", None),
            ("canal:", None),
            ("canal:a:ñ", None),
            ("canal:a:b c", None),
            ("canal:a\u{7}:b", None),
            ("Canal:a:b", None),
            ("estadisticas:a", None),
            ("", None),
        ] {
            assert_eq!(parse_canal(channel), parts, "{channel}");
        }
        assert!(parse_canal(&format!("canal:a:{}", "x".repeat(MAX_NAME_CHARS))).is_some());
        assert!(parse_canal(&format!("canal:a:{}", "x".repeat(MAX_NAME_CHARS + 1))).is_none());
        assert!(parse_canal(&format!("canal:{}:a", "x".repeat(201))).is_none());
    }

    #[test]
    fn another_prefix_is_told_that_only_canal_may_be_published_to() {
        for channel in ["estadisticas:a", "negocio:a", "restaurant:7", "staff_orders", "", "CANAL:a:b", " canal:a:b"] {
            let told = publish(&one(&format!("\"{channel}\""), "\"x\"", "1"));
            let only = "channel must be canal:<negocio>:<name>: only canal: may be published to";
            assert_eq!(told, Err(only.into()), "{channel}");
        }
    }

    #[test]
    fn no_message_passes_for_one_of_pulsos_own() {
        for kind in ["\"stats\"", r#""\u0073tats""#] {
            let told = publish(&one("\"canal:a:b\"", kind, "1"));
            assert_eq!(told, Err("type is a reserved one".into()), "{kind}");
        }
        assert!(publish(&one("\"canal:a:b\"", "\"Stats\"", "1")).is_ok());
    }

    #[test]
    fn the_field_and_the_message_that_are_wrong_are_named() {
        let kinds = "must be 1 to 64 of letters, digits, _ . : -";
        let good = one("\"canal:a:b\"", "\"x\"", "1");
        for (body, told) in [
            ("{}".to_owned(), "channel is missing".to_owned()),
            (one("7", "\"x\"", "1"), "channel must be a string".into()),
            (one("null", "\"x\"", "1"), "channel must be a string".into()),
            (one("\"canal:a:b\"", "7", "1"), "type must be a string".into()),
            (one("\"canal:a:b\"", "\"\"", "1"), format!("type {kinds}")),
            (one("\"canal:a:b\"", "\"a b\"", "1"), format!("type {kinds}")),
            (one("\"canal:a:b\"", r#""a\u0000""#, "1"), format!("type {kinds}")),
            (one("\"canal:a:b\"", &format!("\"{}\"", "x".repeat(65)), "1"), format!("type {kinds}")),
            (r#"{"channel":"canal:a:b","data":1}"#.into(), "type is missing".into()),
            (r#"{"channel":"canal:a:b","type":"x"}"#.into(), "data is missing".into()),
            ("[]".into(), "messages must be at least one message".into()),
            (r#"{"messages":[]}"#.into(), "messages must be at least one message".into()),
            (r#"{"messages":{}}"#.into(), "messages must be an array".into()),
            (r#"{"messages":null}"#.into(), "channel is missing".into()),
            (one(r#""canal:\ud83d:b""#, "\"x\"", "1"), "channel must be a string".into()),
            (format!("[{good},{good},{good},{good}]"), "messages must be 3 messages at most".into()),
            (format!("[{good},7]"), "messages[1] must be an object".into()),
            (format!("[{good},{{}}]"), "messages[1].channel is missing".into()),
            (
                format!(r#"{{"messages":[{good},{good},{}]}}"#, good.replace("\"x\"", "7")),
                "messages[2].type must be a string".into(),
            ),
            (format!(r#"{{"messages":[{good}],"type":"x"}}"#), "type belongs into one of messages".into()),
            (good.replace('}', ",\"data\":2}"), "data is given twice".into()),
            ("7".into(), "the body must be a message, {\"messages\":[…]} or an array of messages".into()),
        ] {
            assert_eq!(publish(&body), Err(told), "{body}");
        }
        let name = publish(&one("\"canal:a:b c\"", "\"x\"", "1")).unwrap_err();
        assert!(name.starts_with("channel must be canal:<negocio>:<name>, the name 1 to 64"), "{name}");
    }
}
