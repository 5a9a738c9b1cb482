//! What Django's `channels_redis` writes for the members of a group, by either of its layers.
//!
//! Must not know which groups and types anybody hears.

use std::fmt::Write;

use bytes::Bytes;

use super::msgpack::to_json;
use super::{NotHeard, Producer, Told};
use crate::config::{DjangoBridge, DjangoSerializer};
use crate::json::Fields;

/// What the core layer puts before each message, so that no two are the same.
const TAG_BYTES: usize = 12;
/// Who is to have a message, in the core layer.
const RECEIVERS: &str = "__asgi_channel__";
/// Which handler a message is for.
const TYPE: &str = "type";
/// Receivers and type of a message, in bytes.
const AROUND: usize = 4_096;
/// How an encrypted message begins (Fernet, version 0x80, in base64).
const ENCRYPTED: &[u8] = b"gAAAA";

/// The key of a group's members in the core layer.
pub(super) fn members_key(django: &DjangoBridge, group: &str) -> String {
    format!("{}:group:{group}", django.prefix)
}

/// The channel of the pub/sub layer that a group's messages go by.
pub(super) fn group_channel(django: &DjangoBridge, group: &str) -> String {
    format!("{}__group__{group}", django.prefix)
}

/// The group behind one of those channels.
pub(super) fn group_of_channel<'a>(django: &DjangoBridge, channel: &'a str) -> Option<&'a str> {
    channel.strip_prefix(&django.prefix)?.strip_prefix("__group__")
}

/// The place that the relay has in the core layer: what is sent to any name behind it waits under one key.
pub(super) fn relay(prefix: &str) -> String {
    // Their names have no colon.
    format!("specific.{}!", prefix.replace(':', "."))
}

/// A message of the core layer, once for each of its groups; `relay`: what stands before each group's name.
pub(super) fn read_waiting(
    django: &DjangoBridge,
    relay: &str,
    message: &[u8],
    most: usize,
) -> Result<Vec<Told>, NotHeard> {
    let (tag, message) =
        message.split_at_checked(TAG_BYTES).ok_or_else(|| NotHeard::Bad("it is cut short".to_owned()))?;
    let json = json(django, message, most)?;
    let fields = Fields::read(json.as_bytes()).map_err(|bad| NotHeard::Bad(bad.to_string()))?;
    let receivers =
        fields.required(RECEIVERS).and_then(|receivers| receivers.array()?.map(|each| each.text()).collect());
    let receivers: Vec<String> = receivers.map_err(|bad| NotHeard::Bad(bad.to_string()))?;
    let key = hex(tag);
    let groups = receivers.iter().filter_map(|receiver| receiver.strip_prefix(relay));
    let several = receivers.len() > 1;
    groups
        .enumerate()
        .map(|(place, group)| {
            let key = if several { format!("{key}{place}") } else { key.clone() };
            told(&fields, group, Some(key), most)
        })
        .collect()
}

/// A message of the pub/sub layer.
pub(super) fn read_published(
    django: &DjangoBridge,
    group: &str,
    message: &[u8],
    most: usize,
) -> Result<Vec<Told>, NotHeard> {
    let json = json(django, message, most)?;
    let fields = Fields::read(json.as_bytes()).map_err(|bad| NotHeard::Bad(bad.to_string()))?;
    Ok(vec![told(&fields, group, None, most)?])
}

fn json(django: &DjangoBridge, message: &[u8], most: usize) -> Result<String, NotHeard> {
    let read = match django.serializer {
        DjangoSerializer::Msgpack => to_json(message, most.saturating_add(AROUND)).map_err(|why| why.to_string()),
        DjangoSerializer::Json if message.len() > most.saturating_add(AROUND) => Err("it is too long".to_owned()),
        DjangoSerializer::Json => String::from_utf8(message.to_vec()).map_err(|_| "it is not UTF-8".to_owned()),
    };
    read.map_err(|why| {
        let encrypted = "it is encrypted (symmetric_encryption_keys), and the bridge has no key";
        NotHeard::Bad(if message.starts_with(ENCRYPTED) { encrypted.to_owned() } else { why })
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // A text takes what is written.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The name is that of the handler that a consumer of theirs would have.
fn told(fields: &Fields<'_>, group: &str, key: Option<String>, most: usize) -> Result<Told, NotHeard> {
    let named = fields.required(TYPE).and_then(|named| named.text()).map_err(|bad| NotHeard::Bad(bad.to_string()))?;
    let body = fields.without(&[RECEIVERS, TYPE]);
    if body.len() > most {
        return Err(NotHeard::Bad(format!("it may have {most} bytes at most")));
    }
    let name = named.replace('.', "_");
    Ok(Told { producer: Producer::Django, place: group.to_owned(), name, body: Bytes::from(body), key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DjangoLayer;

    fn django(serializer: DjangoSerializer) -> DjangoBridge {
        DjangoBridge { layer: DjangoLayer::Core, prefix: "asgi".to_owned(), serializer }
    }

    #[test]
    fn a_message_of_the_core_layer_is_told_to_its_group_without_what_the_layer_has_put_in() {
        let packed = b"0123456789ab\x83\xa4type\xa9new.order\xa8order_id\x07\xb0__asgi_channel__\x91\xbb\
                       specific.pulso!staff_orders";
        let told = read_waiting(&django(DjangoSerializer::Msgpack), &relay("pulso"), packed, 100);
        let wanted = Told {
            producer: Producer::Django,
            place: "staff_orders".to_owned(),
            name: "new_order".to_owned(),
            body: Bytes::from_static(br#"{"order_id":7}"#),
            key: Some("303132333435363738396162".to_owned()),
        };
        assert_eq!(told, Ok(vec![wanted]));
    }

    #[test]
    fn each_group_of_one_message_has_a_key_of_its_own_and_other_receivers_are_left_out() {
        let message = br#"0123456789ab{"type":"a","__asgi_channel__":["specific.p!x","other!y","specific.p!z"]}"#;
        let told = read_waiting(&django(DjangoSerializer::Json), &relay("p"), message, 100).unwrap();
        let each: Vec<_> = told.iter().map(|told| (told.place.as_str(), told.key.as_deref().unwrap())).collect();
        assert_eq!(each, [("x", "3031323334353637383961620"), ("z", "3031323334353637383961621")]);
    }

    #[test]
    fn a_message_of_the_pub_sub_layer_comes_by_its_groups_channel() {
        let django = django(DjangoSerializer::Json);
        let group = group_of_channel(&django, "asgi__group__device_7").unwrap();
        let told = read_published(&django, group, br#"{"type":"order_status_changed","order_id":1}"#, 100).unwrap();
        assert_eq!((told[0].place.as_str(), told[0].key.as_ref()), ("device_7", None));
        assert_eq!(group_of_channel(&django, "other__group__x"), None);
        assert_eq!(group_channel(&django, "x"), "asgi__group__x");
        assert_eq!(members_key(&django, "x"), "asgi:group:x");
    }

    #[test]
    fn what_cannot_be_read_says_why_and_encryption_by_its_name() {
        let why = |message: &[u8]| match read_waiting(&django(DjangoSerializer::Msgpack), "r!", message, 100) {
            Err(NotHeard::Bad(why)) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(b"short"), "it is cut short");
        assert!(why(b"0123456789abgAAAAABmEncrypted").contains("symmetric_encryption_keys"));
        assert!(why(b"0123456789ab\x81\xa1a\x01").contains("__asgi_channel__ is missing"));
        assert!(why(b"0123456789ab\x81\xb0__asgi_channel__\x91\xa3r!g").contains("type is missing"));
        assert!(why(b"0123456789ab\x01").contains("must be an object"));
        assert!(why(b"0123456789ab\xc4\x00").contains("binary"));
    }
}
