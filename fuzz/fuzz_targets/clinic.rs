//! A clinic's messages have exactly the contract's keys; clients are heard only when they ping.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::feeds::clinic::words::{STATUSES, decode_new_order, decode_status_change};
use pulso::session::words::is_ping;
use pulso_fuzz::{check_refusal, sound};
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    match decode_new_order(body) {
        Ok(order) => {
            let sent = sound(&order.message);
            assert_eq!(sent["type"], "new_order");
            assert_keys(&sent, &["device_uid", "order_id", "placed_at", "room_code", "type"]);
            assert!(sent["order_id"].is_number() && sent["device_uid"].is_string());
            assert_eq!(decode_new_order(order.message.as_bytes()).unwrap().message, order.message);
        }
        Err(error) => check_refusal(&error),
    }
    match decode_status_change(body) {
        Ok(change) => {
            let sent = sound(&change.message);
            assert_eq!(sent["type"], "order_status_changed");
            assert_keys(&sent, &["changed_at", "from_status", "order_id", "status", "type"]);
            assert!(sent["status"].as_str().is_some_and(|status| STATUSES.contains(&status)));
        }
        Err(error) => check_refusal(&error),
    }
    if let Ok(text) = std::str::from_utf8(body)
        && is_ping(text)
    {
        let said: Value = serde_json::from_str(text).unwrap();
        assert_eq!(said["type"], "ping");
    }
});

fn assert_keys(sent: &Value, wanted: &[&str]) {
    let mut keys: Vec<&str> = sent.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, wanted);
}
