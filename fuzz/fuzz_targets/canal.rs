//! What is published goes to a channel of an application, under a type of its own, with its data unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::feeds::channels::words::{decode, encode};
use pulso::feeds::types;
use pulso::model::{MAX_NAME_CHARS, parse_canal};
use pulso::session::words::TYPES;
use pulso_fuzz::{check_refusal, message, sound};

const MOST: usize = 5;

fuzz_target!(|body: &[u8]| {
    if let Ok(text) = std::str::from_utf8(body)
        && let Some((negocio, name)) = parse_canal(text)
    {
        assert_eq!(format!("canal:{negocio}:{name}"), text);
        assert!(!negocio.is_empty() && (1..=MAX_NAME_CHARS).contains(&name.len()) && !name.contains(':'));
    }
    let reserved: Vec<&str> = TYPES.into_iter().chain(types()).collect();
    let messages = match decode(body, MOST, &reserved) {
        Ok(messages) => messages,
        Err(error) => return check_refusal(&error),
    };
    assert!((1..=MOST).contains(&messages.len()));
    for one in messages {
        let sent = message(&encode(&one, "2025-07-20T10:30:00Z"));
        let channel = sent["channel"].as_str().unwrap();
        assert_eq!(parse_canal(channel), Some((one.negocio.as_str(), one.name.as_str())));
        assert_eq!(sent["type"], one.kind.as_str());
        assert!(!reserved.contains(&one.kind.as_str()));
        assert_eq!(sent["data"], sound(&one.data));
    }
});
