//! The second version of the words: what a client may say beside, and every frame that is no publication.
//!
//! Must not know when they are said.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{ClientMessage, Misunderstood, encode, object, said_once};
use crate::hub::history::Since;
use crate::model::{Channel, ChannelName, CloseReason};
use crate::session::code::Code;

/// Longest `ref`, in characters.
const MAX_REFERENCE: usize = 64;

/// What a client said, and what it will know the answer by.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    pub message: Result<Message, Misunderstood>,
    /// The channel as it wrote it.
    pub channel: Option<String>,
    pub reference: Option<Box<str>>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    Subscribe(Name, Option<Since>),
    Unsubscribe(Name),
    Ping,
    Auth(String),
}

/// What a client may subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// What somebody owns, or a live query.
    Owned(ChannelName),
    /// What a feed has for the holders of some tokens.
    Feed(Channel),
}

impl Name {
    pub fn parse(text: &str) -> Option<Self> {
        ChannelName::parse(text).map(Self::Owned).or_else(|| Channel::of_a_feed(text).map(Self::Feed))
    }
}

impl Heard {
    pub fn decode(text: &str) -> Self {
        let said = match object(text) {
            Ok(said) => said,
            Err(why) => return Self { message: Err(why), channel: None, reference: None },
        };
        let channel = said_once(&said, "channel", Misunderstood::ChannelMissing, Misunderstood::ChannelDiffers);
        let channel = channel.ok().map(str::to_owned);
        let reference = match said.get("ref") {
            None => None,
            Some(reference) => match reference.as_str().filter(|text| is_reference(text)) {
                Some(text) => Some(text.into()),
                None => return Self { message: Err(Misunderstood::NoReference), channel, reference: None },
            },
        };
        Self { message: message(&said), channel, reference }
    }
}

fn is_reference(text: &str) -> bool {
    !text.is_empty() && text.chars().nth(MAX_REFERENCE).is_none()
}

fn message(said: &Map<String, Value>) -> Result<Message, Misunderstood> {
    Ok(match ClientMessage::of(said) {
        Ok(ClientMessage::Subscribe(name)) => Message::Subscribe(Name::Owned(name), position(said)?),
        Ok(ClientMessage::Unsubscribe(name)) => Message::Unsubscribe(Name::Owned(name)),
        Ok(ClientMessage::Ping) => Message::Ping,
        Ok(ClientMessage::Auth(token)) => Message::Auth(token),
        Err(Misunderstood::UnknownChannel) => {
            let named = said_once(said, "channel", Misunderstood::ChannelMissing, Misunderstood::ChannelDiffers)?;
            let name = Channel::of_a_feed(named).map(Name::Feed).ok_or(Misunderstood::UnknownChannel)?;
            match said.get("type").and_then(Value::as_str) {
                Some("subscribe") => Message::Subscribe(name, position(said)?),
                _ => Message::Unsubscribe(name),
            }
        }
        Err(why) => return Err(why),
    })
}

/// From where a channel is to be replayed.
fn position(said: &Map<String, Value>) -> Result<Option<Since>, Misunderstood> {
    match said_once(said, "since", Misunderstood::ChannelMissing, Misunderstood::NoPosition) {
        Ok(since) => Ok(Some(Since::parse(since))),
        Err(Misunderstood::ChannelMissing) if !has(said, "since") => Ok(None),
        Err(_) => Err(Misunderstood::NoPosition),
    }
}

fn has(said: &Map<String, Value>, field: &str) -> bool {
    let is_said = |value: Option<&Value>| value.is_some_and(|value| !value.is_null());
    is_said(said.get(field)) || is_said(said.get("data").and_then(|data| data.get(field)))
}

/// Whose connection it is, for how long, and what it may count on.
#[derive(Debug, Default, Serialize)]
pub struct Hello<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub negocios: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restaurant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'a str>,
    /// Unix seconds.
    pub now: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// Milliseconds.
    pub ping: u128,
    pub silence: u128,
}

pub fn hello(hello: &Hello<'_>, id: u64, reference: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Message<'a> {
        r#type: &'static str,
        v: u8,
        server: &'static str,
        #[serde(flatten)]
        hello: &'a Hello<'a>,
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<&'a str>,
    }
    let server = env!("CARGO_PKG_VERSION");
    encode(&Message { r#type: "hello", v: 2, server, hello, id: id.to_string(), r#ref: reference })
}

/// Everything but `hello` and `closing`; what does not apply is left out.
#[derive(Default, Serialize)]
struct Frame<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u128>,
}

pub fn authenticated(now: i64, expires: i64, reference: Option<&str>) -> String {
    let (now, expires) = (Some(now), Some(expires));
    encode(&Frame { r#type: "authenticated", now, expires, r#ref: reference, ..Frame::default() })
}

pub fn expiring(expires: i64) -> String {
    encode(&Frame { r#type: "expiring", expires: Some(expires), ..Frame::default() })
}

pub fn pong(reference: Option<&str>) -> String {
    encode(&Frame { r#type: "pong", r#ref: reference, ..Frame::default() })
}

pub fn subscribed(channel: &Channel, id: u64, reference: Option<&str>) -> String {
    let (channel, id) = (channel.wire().to_string(), Some(id.to_string()));
    encode(&Frame { r#type: "subscribed", channel: Some(&channel), id, r#ref: reference, ..Frame::default() })
}

/// Who wanted a client to leave a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It said so.
    Asked,
    /// The right has ended, or what it was to.
    Withdrawn,
    /// The token that its user showed opens it no more.
    User,
}

pub fn unsubscribed(channel: &str, why: Left, reference: Option<&str>) -> String {
    let reason = Some(match why {
        Left::Asked => "asked",
        Left::Withdrawn => "withdrawn",
        Left::User => "user",
    });
    encode(&Frame { r#type: "unsubscribed", channel: Some(channel), reason, r#ref: reference, ..Frame::default() })
}

/// Of which channels not all that was missed can be replayed, and where to go on.
pub fn resync(channels: &[Channel], id: u64) -> String {
    let channels = Some(channels.iter().map(|channel| channel.wire().to_string()).collect());
    encode(&Frame { r#type: "resync", channels, id: Some(id.to_string()), ..Frame::default() })
}

/// What is wrong; of a channel, that as the client wrote it.
pub fn error(code: Code, message: &str, channel: Option<&str>, reference: Option<&str>) -> String {
    let goes_on = channel.is_some() && code.goes_on();
    let after = code.after().filter(|_| !goes_on).map(|after| after.as_millis());
    let (code, message, retry) = (Some(code.word()), Some(message), Some(goes_on));
    encode(&Frame { r#type: "error", code, message, channel, r#ref: reference, retry, after, ..Frame::default() })
}

/// Said right before a close.
pub fn closing(reason: CloseReason) -> String {
    #[derive(Serialize)]
    struct Message {
        r#type: &'static str,
        #[serde(flatten)]
        farewell: Farewell,
    }
    encode(&Message { r#type: "closing", farewell: Farewell::of(reason) })
}

/// What is said of a close, whatever it is said in.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Farewell {
    code: u16,
    reason: &'static str,
    again: bool,
    after: u64,
}

impl Farewell {
    pub fn of(reason: CloseReason) -> Self {
        let again = reason.comes_again();
        let after = u64::try_from(again.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        Self { code: reason.code(), reason: reason.text(), again: again.is_some(), after }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn heard(message: &Value) -> Heard {
        Heard::decode(&message.to_string())
    }

    #[test]
    fn a_reference_is_a_short_text_and_nothing_else() {
        for good in ["r", "\"", &*"\u{1f600}".repeat(64)] {
            let heard = heard(&json!({"type":"ping","ref":good}));
            assert_eq!((heard.message, heard.reference.as_deref()), (Ok(Message::Ping), Some(good)));
        }
        for bad in [json!(7), json!(null), json!(""), json!(["r"]), json!("x".repeat(65))] {
            assert_eq!(heard(&json!({"type":"ping","ref":bad})).message, Err(Misunderstood::NoReference), "{bad}");
        }
    }

    #[test]
    fn a_channel_may_be_one_of_a_feed_and_have_a_position_of_its_own() {
        let feed = Name::Feed(Channel::StaffOrders(None));
        let message = json!({"type":"subscribe","data":{"channel":"staff_orders","since":"7"}});
        assert_eq!(heard(&message).message, Ok(Message::Subscribe(feed.clone(), Some(Since::After(7)))));
        let message = json!({"type":"unsubscribe","channel":"staff_orders","since":7});
        assert_eq!(heard(&message).message, Ok(Message::Unsubscribe(feed)));
        let owned = Name::Owned(ChannelName::Estadisticas("a".into()));
        let subscribe =
            |since: Value| heard(&json!({"type":"subscribe","channel":"estadisticas:a","since":since})).message;
        assert_eq!(subscribe(json!(null)), Ok(Message::Subscribe(owned.clone(), None)));
        assert_eq!(subscribe(json!("")), Ok(Message::Subscribe(owned.clone(), Some(Since::Now))));
        assert_eq!(subscribe(json!("x")), Ok(Message::Subscribe(owned, Some(Since::Unknown))));
        assert_eq!(subscribe(json!(7)), Err(Misunderstood::NoPosition));
    }

    #[test]
    fn what_is_wrong_says_whether_to_ask_again() {
        let error = |code, channel| -> Value { serde_json::from_str(&error(code, "m", channel, None)).unwrap() };
        assert_eq!(
            error(Code::Unchecked, Some("c")),
            json!({"type":"error","code":"unchecked","message":"m","channel":"c","retry":true})
        );
        assert_eq!(
            error(Code::Unchecked, None),
            json!({"type":"error","code":"unchecked","message":"m","retry":false,"after":5000})
        );
        assert_eq!(error(Code::TooManyChecks, Some("c"))["after"], 1000);
    }
}
