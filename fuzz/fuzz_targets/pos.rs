//! What the point of sale lets in is sent as it came, without the business.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::feeds::pos::words::{Kind, decode, encode};
use pulso_fuzz::{check_refusal, message, sound, without};

fuzz_target!(|body: &[u8]| {
    for kind in Kind::ALL {
        let event = match decode(kind, body) {
            Ok(event) => event,
            Err(error) => {
                check_refusal(&error);
                continue;
            }
        };
        let came = sound(std::str::from_utf8(body).unwrap());
        assert_eq!(event.negocio.is_some(), came.get("negocio_id").is_some());
        assert_eq!(sound(&event.data), without(came, &["negocio_id"]));
        let again = decode(kind, event.data.as_bytes()).unwrap();
        assert_eq!((again.negocio, &again.data), (None, &event.data), "what was let in once is let in unchanged");
        let sent = message(&encode(kind, &event.data, "2025-07-20T10:30:00Z"));
        assert_eq!(sent["type"], kind.wire());
        assert_eq!(sent["data"], sound(&event.data));
    }
});
