//! A restaurant's payload passes to the letter; a new order is also a change from DRAFT.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::feeds::restaurant::words::{Kind, decode};
use pulso_fuzz::{check_refusal, sound};

fuzz_target!(|body: &[u8]| {
    for kind in Kind::ALL {
        let events = match decode(kind, body) {
            Ok(events) => events,
            Err(error) => {
                check_refusal(&error);
                continue;
            }
        };
        let text = std::str::from_utf8(body).unwrap();
        let came = sound(text);
        assert!(!events.restaurant.is_empty());
        assert_eq!(events.emissions[0].payload, text.trim_ascii());
        assert_eq!(events.emissions.len(), if kind == Kind::OrderNew { 2 } else { 1 });
        if let Some(confirmed) = events.emissions.get(1) {
            let change = sound(&confirmed.payload);
            assert_eq!((&change["orderId"], &change["newStatus"]), (&came["orderId"], &came["status"]));
            let again = decode(Kind::OrderStatus, confirmed.payload.as_bytes()).unwrap();
            assert_eq!(again.restaurant, events.restaurant);
            assert_eq!(again.emissions, [confirmed.clone()]);
        }
    }
});
