//! Keys that everybody knows.

use crate::config::{DEMO_CLOUD_KEY, DEMO_HOOK_KEY, DEMO_SECRET};

#[test]
fn a_server_that_serves_does_not_take_the_demos_keys() {
    for (setting, value) in [
        ("JWT_SECRET", DEMO_SECRET.to_owned()),
        ("JWT_SECRET_PREVIOUS", format!("an older key that is long enough for it,{DEMO_SECRET}")),
        ("NOTIFY_API_KEY", DEMO_HOOK_KEY.to_owned()),
        ("CLOUD_API_KEY", DEMO_CLOUD_KEY.to_owned()),
        ("CLOUD_API_KEYS", format!("norte:k1,sur:{DEMO_CLOUD_KEY}")),
    ] {
        let said = super::mistake(&[(setting, &value)]);
        assert!(said.contains("the demo's") && !said.contains(&value), "{said}");
    }
}
