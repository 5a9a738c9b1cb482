//! What the server says in Socket.IO to one client, packet by packet.
//!
//! What is published to many is made elsewhere, once. Must not know who hears it.

use std::fmt;

use serde_json::json;

use super::sid::Sid;
use crate::config::ClientLimits;

/// A session has begun. `may_upgrade`: it polls, and may become a WebSocket.
pub(super) fn open(sid: Sid, may_upgrade: bool, limits: &ClientLimits) -> String {
    let upgrades = if may_upgrade { r#"["websocket"]"# } else { "[]" };
    let (interval, timeout) = (limits.ping_interval.as_millis(), limits.pong_timeout.as_millis());
    let most = limits.max_message_bytes;
    format!(
        r#"0{{"sid":"{sid}","upgrades":{upgrades},"pingInterval":{interval},"pingTimeout":{timeout},"maxPayload":{most}}}"#
    )
}

/// The client is in.
pub(super) fn connected(namespace: &str, sid: Sid) -> String {
    format!(r#"40{}{{"sid":"{sid}"}}"#, Prefix(namespace))
}

/// The client may not come in, and why.
pub(super) fn refused(namespace: &str, message: &str) -> String {
    format!("44{}{}", Prefix(namespace), json!({ "message": message }))
}

/// The client is out.
pub(super) fn disconnected(namespace: &str) -> String {
    format!("41{}", Prefix(namespace))
}

/// Not everything that it missed can be replayed.
pub(super) const RESYNC: &str = r#"42["resync",{"type":"resync"}]"#;

/// Changes are pending.
pub(super) const CHANGES_PENDING: &str = r#"42/sync,["changes:pending"]"#;

/// The orders among them, as JSON.
pub(super) fn orders_pending(orders: &str) -> String {
    format!(r#"42/sync,["orders:pending",{orders}]"#)
}

/// How a packet names its namespace: the main one not at all.
struct Prefix<'a>(&'a str);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "/" => Ok(()),
            other => write!(f, "{other},"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_session_opens_with_what_its_client_has_to_keep_to() {
        let limits = ClientLimits::default();
        for may_upgrade in [true, false] {
            let packet = open(Sid::random(), may_upgrade, &limits);
            let said: Value = serde_json::from_str(packet.strip_prefix('0').unwrap()).unwrap();
            assert_eq!(said["upgrades"].as_array().unwrap().len(), usize::from(may_upgrade));
            assert_eq!(said["maxPayload"], limits.max_message_bytes);
            assert_eq!(said["pingInterval"], u64::try_from(limits.ping_interval.as_millis()).unwrap());
            assert_eq!(said["pingTimeout"], u64::try_from(limits.pong_timeout.as_millis()).unwrap());
            assert_eq!(said.as_object().unwrap().len(), 5);
        }
    }

    #[test]
    fn a_packet_names_every_namespace_but_the_main_one() {
        assert_eq!([disconnected("/"), disconnected("/sync")], ["41", "41/sync,"]);
        assert_eq!(refused("/", "No token provided"), r#"44{"message":"No token provided"}"#);
        assert_eq!(refused("/a\"b", "x"), r#"44/a"b,{"message":"x"}"#);
        assert!(connected("/sync", Sid::random()).starts_with(r#"40/sync,{"sid":""#));
    }
}
