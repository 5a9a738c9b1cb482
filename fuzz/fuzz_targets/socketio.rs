//! The body of a polling request is split into packets, and each is read as the original reads it, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::transport::socketio::message::{Message, What};
use pulso::transport::socketio::packet::Packet;
use pulso::transport::socketio::payload::{Payload, split};

fuzz_target!(|body: &[u8]| {
    let Ok(packets) = split(body) else {
        assert!(std::str::from_utf8(body).is_err());
        return;
    };
    let packets: Vec<_> = packets.collect();
    assert_eq!(packets.join("\u{1e}").as_bytes(), body);
    let mut payload = Payload::default();
    for packet in &packets {
        if payload.has_room() {
            payload.push(packet);
        }
    }
    assert!(body.starts_with(payload.into_body().as_bytes()));
    for packet in packets {
        let Ok(Packet::Message(text)) = Packet::parse(packet) else { continue };
        let Ok(message) = Message::parse(text) else { continue };
        assert!(message.attachments <= 10);
        assert!(message.namespace == "/" || message.namespace.starts_with('/') && !message.namespace.contains(','));
        match message.what {
            What::Connect(Some(auth)) => assert!(serde_json::from_str::<&serde_json::value::RawValue>(auth).is_ok()),
            What::Event(Some(name)) => {
                // The same event, said in the plainest way, is the same.
                let again = format!("2{}", serde_json::json!([name.clone()]));
                assert_eq!(Message::parse(&again).map(|again| again.what), Ok(What::Event(Some(name))));
            }
            _ => {}
        }
    }
});
