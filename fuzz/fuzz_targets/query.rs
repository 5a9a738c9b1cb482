//! The query of a request: read once and in one way, or refused; of Socket.IO's the first of each name counts.
#![no_main]

#[path = "../../src/http/query.rs"]
mod query;

mod hub {
    pub use pulso::hub::history;
}

use libfuzzer_sys::fuzz_target;
use pulso::{model, transport::socketio};
use query::Query;

fuzz_target!(|text: &str| {
    if let Ok(read) = Query::parse(text) {
        // Said again with what means nothing before and behind, it is the same; said twice, nothing is.
        assert_eq!(Query::parse(&format!("&&{text}&&")).as_ref(), Ok(&read));
        let names = url::form_urlencoded::parse(text.as_bytes()).count();
        assert!(names == 0 || Query::parse(&format!("{text}&{text}")).is_err());
        for value in [&read.token, &read.device_uid, &read.channel, &read.negocio, &read.channels].into_iter().flatten() {
            assert!(!value.chars().any(char::is_control));
        }
    }
    let read = socketio::Query::read(text);
    assert_eq!(socketio::Query::read(&format!("{text}&EIO=x&transport=x&j=x")).sid, read.sid);
    for (name, value) in [("EIO", read.version), ("transport", read.transport), ("sid", read.sid)] {
        let Some(value) = value else { continue };
        assert!(!value.contains('&') && text.contains(&format!("{name}={value}")));
    }
    assert!(!socketio::is_sessions(text) || socketio::is_below(text));
});
