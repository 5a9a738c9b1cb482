//! What announces a change of live queries names some, and keys of them; what is sent of a result is one frame with its data.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::feeds::queries::words::{MAX_PAIRS, consulta, decode, failed};
use pulso_fuzz::{check_refusal, message, sound};

fuzz_target!(|body: &[u8]| {
    let announcement = match decode(body) {
        Ok(announcement) => announcement,
        Err(error) => return check_refusal(&error),
    };
    let pairs = announcement.names.len() * announcement.keys.len().max(1);
    assert!((1..=MAX_PAIRS).contains(&pairs));
    assert!(announcement.xid.is_none_or(|xid| xid >= 3));
    let said = sound(std::str::from_utf8(body).unwrap());
    // As the library reads what it has written itself: of a number with many digits it keeps not all.
    let data = said.to_string();
    let read = message(&data);
    for (place, key) in announcement.keys.iter().enumerate() {
        let spelt = if said["keys"].is_array() { &said["keys"][place] } else { &said["key"] };
        assert_eq!(key.is_number, spelt.is_number());
        let channel = format!("consulta:{}:{}", announcement.names[0], key.text);
        let sent = message(&consulta(&channel, 7, 9, &data));
        assert_eq!((&sent["channel"], &sent["data"]), (&channel.as_str().into(), &read));
        assert_eq!(message(&failed(&channel, "x"))["channel"], channel.as_str());
    }
});
