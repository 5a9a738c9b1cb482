//! The demo's keys, which everybody knows: those of the documents' examples.
//!
//! Must not know the demo: whoever serves with one of them is refused.

use super::reader::Reader;

/// `JWT_SECRET` of the demo.
pub const DEMO_SECRET: &str = "pulso-demo-secret-that-everybody-knows";
/// `NOTIFY_API_KEY` of the demo.
pub const DEMO_HOOK_KEY: &str = "pulso-demo-hook-key";
/// `CLOUD_API_KEY` of the demo.
pub const DEMO_CLOUD_KEY: &str = "pulso-demo-cloud-key";

const SETTINGS: [&str; 5] = ["JWT_SECRET", "JWT_SECRET_PREVIOUS", "NOTIFY_API_KEY", "CLOUD_API_KEY", "CLOUD_API_KEYS"];

/// A server that serves has keys of its own.
pub(super) fn refuse(reader: &mut Reader<'_>) {
    for setting in SETTINGS {
        let Some(value) = reader.secret(setting) else { continue };
        // Some of them are lists.
        if [DEMO_SECRET, DEMO_HOOK_KEY, DEMO_CLOUD_KEY].iter().any(|known| value.expose().contains(known)) {
            let remedy = "Write one of your own, such as the output of `openssl rand -hex 24`";
            reader.mistake(setting, "it is the demo's, which everybody knows", remedy);
        }
    }
}
