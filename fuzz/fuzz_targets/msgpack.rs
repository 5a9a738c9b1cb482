//! MessagePack of other producers is read as JSON within its bounds, or refused; a body made of it is read or refused, too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::broker::bridge::msgpack::to_json;
use pulso::json::Field;
use pulso_fuzz::check_refusal;
use serde_json::value::RawValue;

const MOST: usize = 4_096;

fuzz_target!(|bytes: &[u8]| {
    let Ok(json) = to_json(bytes, MOST) else { return };
    assert!(json.len() <= MOST);
    assert!(serde_json::from_str::<&RawValue>(&json).is_ok(), "let out: {json}");
    // The same with room to spare, and nothing with less.
    assert_eq!(to_json(bytes, MOST * 2).as_ref(), Ok(&json));
    assert!(to_json(bytes, json.len() - 1).is_err());
    // Each byte is of the one value.
    assert!(to_json(&bytes[..bytes.len() - 1], MOST).is_err());
    if let Err(error) = Field::read(json.as_bytes()) {
        check_refusal(&error);
    }
});
