//! What the emitter for Socket.IO, and servers with its adapter, write for the servers beside them: a packet, and the rooms
//! that it is for.
//!
//! Must not know which rooms and events anybody hears.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::msgpack::to_json;
use super::{NotHeard, Producer, Told};

/// What stands around an event's argument, in bytes: its name, and the names of its rooms.
const AROUND: usize = 4_096;
/// Rooms of one message.
const MOST_ROOMS: usize = 100;
/// The packet of an event without binary data.
const EVENT: u64 = 2;
/// The one namespace that is bridged.
const MAIN: &str = "/";

/// Who writes, a packet, for whom.
#[derive(Deserialize)]
struct Message<'a>(IgnoredAny, #[serde(borrow)] Packet<'a>, #[serde(borrow)] Receivers<'a>);

#[derive(Deserialize)]
struct Packet<'a> {
    r#type: u64,
    nsp: Option<String>,
    /// The event's name and its arguments.
    #[serde(borrow, default)]
    data: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Receivers<'a> {
    #[serde(borrow, default)]
    rooms: Vec<&'a RawValue>,
    /// Rooms whose members do not hear it.
    #[serde(default)]
    except: Vec<IgnoredAny>,
}

/// What the names of all channels of the main namespace begin with; behind it stand a room and another `#`, or nothing.
pub(super) fn channels(key: &str) -> String {
    format!("{key}#{MAIN}#")
}

/// The event, once for each of its rooms. `most`: bytes of the argument.
pub(super) fn read(message: &[u8], most: usize) -> Result<Vec<Told>, NotHeard> {
    let json = to_json(message, most.saturating_add(AROUND)).map_err(|why| NotHeard::Bad(why.to_string()))?;
    let not_a_packet = |_| NotHeard::Bad("it is not what Socket.IO's servers tell each other".to_owned());
    let Message(_, packet, receivers) = serde_json::from_str(&json).map_err(not_a_packet)?;
    let [name, argument] = *packet.data.as_deref().unwrap_or_default() else { return Err(NotHeard::Ignored) };
    let is_for_main = packet.nsp.as_deref().is_none_or(|nsp| nsp == MAIN);
    let is_for_rooms = (1..=MOST_ROOMS).contains(&receivers.rooms.len()) && receivers.except.is_empty();
    if packet.r#type != EVENT || !is_for_main || !is_for_rooms {
        return Err(NotHeard::Ignored);
    }
    let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).map_err(|_| NotHeard::Ignored);
    let name = text(name)?;
    if argument.get().len() > most {
        return Err(NotHeard::Bad(format!("its argument may have {most} bytes at most")));
    }
    let body = Bytes::copy_from_slice(argument.get().as_bytes());
    let told = |room: &&RawValue| {
        let place = text(room).unwrap_or_default();
        Told { producer: Producer::SocketIo, place, name: name.clone(), body: body.clone(), key: None }
    };
    Ok(receivers.rooms.iter().map(told).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MessagePack of small JSON.
    fn packed(value: &serde_json::Value) -> Vec<u8> {
        use serde_json::Value;
        let text = |text: &str| [vec![0xd9, u8::try_from(text.len()).unwrap()], text.into()].concat();
        match value {
            Value::Null => vec![0xc0],
            Value::Bool(is) => vec![0xc2 + u8::from(*is)],
            Value::Number(number) => vec![u8::try_from(number.as_u64().unwrap()).unwrap()],
            Value::String(said) => text(said),
            Value::Array(entries) => {
                let count = u16::try_from(entries.len()).unwrap().to_be_bytes();
                [vec![0xdc, count[0], count[1]], entries.iter().flat_map(packed).collect()].concat()
            }
            Value::Object(members) => {
                let inside = members.iter().flat_map(|(name, value)| [text(name), packed(value)].concat());
                [vec![0x80 + u8::try_from(members.len()).unwrap()], inside.collect()].concat()
            }
        }
    }

    fn of(packet: &serde_json::Value, receivers: &serde_json::Value) -> Result<Vec<Told>, NotHeard> {
        read(&packed(&serde_json::json!(["emitter", packet, receivers])), 1_000)
    }

    #[test]
    fn an_event_is_told_to_each_of_its_rooms() {
        let packet = serde_json::json!({"type": 2, "data": ["order.new", {"orderId": 7}], "nsp": "/"});
        let receivers = serde_json::json!({"rooms": ["restaurant:1", 5, "x"], "flags": {}, "except": []});
        let told = of(&packet, &receivers).unwrap();
        let rooms: Vec<_> = told.iter().map(|told| told.place.as_str()).collect();
        assert_eq!(rooms, ["restaurant:1", "", "x"]);
        assert!(told.iter().all(|told| told.name == "order.new" && told.body == r#"{"orderId":7}"#));
    }

    #[test]
    fn what_is_not_an_event_with_one_argument_for_rooms_is_ignored() {
        let event = serde_json::json!({"type": 2, "data": ["a", 1]});
        let to_one = serde_json::json!({"rooms": ["r"]});
        assert_eq!(of(&event, &to_one).unwrap().len(), 1);
        for (packet, receivers) in [
            (event.clone(), serde_json::json!({"rooms": []})),
            (event.clone(), serde_json::json!({})),
            (event.clone(), serde_json::json!({"rooms": ["r"], "except": ["s"]})),
            (event, serde_json::json!({ "rooms": vec!["r"; 101] })),
            (serde_json::json!({"type": 5, "data": ["a", 1]}), to_one.clone()),
            (serde_json::json!({"type": 2, "data": ["a", 1], "nsp": "/admin"}), to_one.clone()),
            (serde_json::json!({"type": 2, "data": ["a"]}), to_one.clone()),
            (serde_json::json!({"type": 2, "data": ["a", 1, 2]}), to_one.clone()),
            (serde_json::json!({"type": 2, "data": [1, 2]}), to_one.clone()),
            (serde_json::json!({"type": 2}), to_one),
        ] {
            assert_eq!(of(&packet, &receivers), Err(NotHeard::Ignored), "{packet} {receivers}");
        }
    }

    #[test]
    fn what_is_no_message_of_theirs_or_too_long_is_bad() {
        let long = serde_json::json!({"type": 2, "data": ["a", vec!["b".repeat(100); 10]]});
        let said = of(&long, &serde_json::json!({"rooms": ["r"]}));
        assert!(matches!(said, Err(NotHeard::Bad(ref why)) if why.contains("1000 bytes")), "{said:?}");
        for rubbish in [&b""[..], b"\x01", b"\x90", b"\x93\xc0\xc0\xc0", b"{\"a\":1}", &[0x91; 5_000], b"\xc4\x01a"] {
            assert!(matches!(read(rubbish, 1_000), Err(NotHeard::Bad(_))), "{rubbish:?}");
        }
    }
}
