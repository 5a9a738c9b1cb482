//! Somebody who tries to get in, by any way that there is to a place, and what comes of it.

use std::time::Duration;

use pulso_harness::{Claims, Dashboard, EventStream, Packets, Poller, Running};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::STRANGER;
use super::matter::{Access, Matter, Place};
use crate::business::{NEGOCIO, OTHER_NEGOCIO};
use crate::feeds::signed;

/// Long enough for what has been published to have come.
pub(super) const MOMENT: Duration = Duration::from_millis(100);

/// How one brings along what one has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// In the query; on Socket.IO in `auth`.
    Plain,
    Header,
    Both,
    FirstMessage,
    /// On a connection that began with a token of the same user for another business.
    Renewal,
    /// With a position from before everything.
    Since,
    /// Of a session that polls.
    Polling,
}
use Door::{Both, FirstMessage, Header, Plain, Polling, Renewal, Since};

impl Door {
    /// Those by which something can be shown at a place.
    pub(super) fn to(matter: Matter, place: Place) -> &'static [Self] {
        match (matter, place) {
            (Matter::Kiosk, _) => &[Plain, Since],
            (Matter::Changes, _) => &[Plain, Polling],
            // Who has been let in as somebody else has a right to it.
            (Matter::Query(Access::Everybody), Place::Dashboard | Place::Named) => {
                &[Plain, Header, Both, FirstMessage, Since]
            }
            (_, Place::Dashboard | Place::Named) => &[Plain, Header, Both, FirstMessage, Renewal, Since],
            (_, Place::Socket(_)) => &[Plain, Header, Both, Since],
            (_, Place::Stream(_) | Place::Names) => &[Plain, Header, Since],
            (_, Place::Namespace(_)) => &[Plain, Header, Since, Polling],
        }
    }

    /// Whether also who has a right to it comes in by it: not as another user than before.
    pub(super) fn is_for_the_rightful(self) -> bool {
        self != Renewal
    }
}

/// Somebody who tried to get in.
pub(super) enum Guest {
    Socket(Dashboard),
    Stream(EventStream),
    Session(Packets),
    Poller(Poller),
    Refused,
}

/// Where to, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) matter: Matter,
    pub(super) place: Place,
    pub(super) door: Door,
}

impl Guest {
    /// Comes with a token, a key or a device's name, and asks for what it wants. `since`: an id from before everything.
    pub(super) async fn enter(pulso: &Running, way: Way, (secret, device): &(String, &str), since: &str) -> Self {
        match way.place {
            Place::Dashboard => Self::socket(pulso, way, "/ws", secret, since).await,
            Place::Named => Self::socket(pulso, way, "/ws?v=2", secret, since).await,
            Place::Names => {
                let names = json!([way.matter.name(), "canal:nowhere:caja"]).to_string().replace('"', "%22");
                Self::stream(pulso, way.door, &format!("/sse?v=2&channels={names}"), secret, since).await
            }
            Place::Socket(path) => {
                let query = if device.is_empty() { String::new() } else { format!("?device_uid={device}") };
                Self::socket(pulso, way, &format!("{path}{query}"), secret, since).await
            }
            Place::Stream(form) => {
                let plain = || form.replace("<negocio>", NEGOCIO).replace("<name>", "caja");
                let channel = way.matter.channel().unwrap_or_else(plain);
                let path = format!("/sse?channel={channel}&device_uid={device}");
                Self::stream(pulso, way.door, &path, secret, since).await
            }
            Place::Namespace(namespace) => Self::session(pulso, way, namespace, secret, since).await,
        }
    }

    async fn socket(pulso: &Running, way: Way, path: &str, token: &str, since: &str) -> Self {
        let bearer = format!("Bearer {token}");
        let header = [("authorization", bearer.as_str())];
        let with = |path: &str, more: String| format!("{path}{}{more}", if path.contains('?') { '&' } else { '?' });
        let by_query = with(path, format!("token={token}"));
        let connected = match way.door {
            Header => Dashboard::try_connect(pulso.port(), path, &header).await,
            Both => Dashboard::try_connect(pulso.port(), &by_query, &header).await,
            Since => Dashboard::try_connect(pulso.port(), &with(&by_query, format!("since={since}")), &[]).await,
            FirstMessage => Dashboard::try_connect(pulso.port(), path, &[]).await,
            Renewal => {
                let claims = Claims::naming(STRANGER, &[OTHER_NEGOCIO]).with("role", json!("STAFF"));
                Dashboard::try_connect(pulso.port(), &with(path, signed("", &claims)[1..].to_owned()), &[]).await
            }
            Plain | Polling => Dashboard::try_connect(pulso.port(), &by_query, &[]).await,
        };
        let Ok(mut socket) = connected else { return Self::Refused };
        // Where it is not understood it may end the connection before all is said.
        let auth = json!({ "type": "auth", "token": token }).to_string();
        let auth = matches!(way.door, FirstMessage | Renewal).then_some(auth);
        let subscribe = way.matter.subscribe(way.place).map(|subscribe| subscribe.to_string());
        for text in auth.into_iter().chain(subscribe) {
            if socket.try_send_text(&text).await.is_err() {
                break;
            }
        }
        Self::Socket(socket)
    }

    async fn stream(pulso: &Running, door: Door, path: &str, token: &str, since: &str) -> Self {
        let (bearer, by_query) = (format!("Bearer {token}"), format!("{path}&token={token}"));
        let opened = match door {
            Header => EventStream::try_open(pulso.port(), path, &[("authorization", &bearer)]).await,
            Since => EventStream::try_open(pulso.port(), &by_query, &[("last-event-id", since)]).await,
            _ => EventStream::try_open(pulso.port(), &by_query, &[]).await,
        };
        opened.map_or(Self::Refused, Self::Stream)
    }

    async fn session(pulso: &Running, way: Way, namespace: &str, secret: &str, since: &str) -> Self {
        let shown = if way.matter == Matter::Changes { "apiKey" } else { "token" };
        let auth = match way.door {
            Header => json!({}),
            Since => json!({ shown: secret, "since": since }),
            _ => json!({ shown: secret }),
        };
        let prefix = if namespace == "/" { String::new() } else { format!("{namespace},") };
        let connect = format!("40{prefix}{auth}");
        if way.door == Polling {
            let mut poller = Poller::open(pulso.port(), "").await;
            poller.say(&connect).await;
            // Refused, it has a second to try another namespace, and then no session.
            return if poller.next().await.starts_with("40") { Self::Poller(poller) } else { Self::Refused };
        }
        let bearer = format!("Bearer {secret}");
        let header = [("authorization", bearer.as_str())];
        let mut session = Packets::open(pulso.port(), if way.door == Header { &header } else { &[] }).await;
        session.say(&connect).await;
        Self::Session(session)
    }

    /// Everything it has been sent until now but errors, and what it is of no matter that it was let in.
    pub(super) async fn heard(self, way: Way) -> Vec<String> {
        let mut heard = Vec::new();
        match self {
            Self::Refused => {}
            Self::Stream(mut stream) => {
                // Other staff has a stream of its own orders, as another kiosk has. Where a stream names what it is of,
                // to be granted it is more than there should be.
                if way.place != Place::Names && !matches!(way.matter, Matter::Staff | Matter::Kiosk) {
                    heard.push(format!("{:?}", stream.answer));
                }
                while let Ok(Some(event)) = timeout(MOMENT, stream.next()).await {
                    if !is_courtesy(&event.json(), way) {
                        heard.push(event.data);
                    }
                }
            }
            Self::Session(mut session) => {
                while let Ok(Some(packet)) = timeout(MOMENT, session.next()).await {
                    heard.extend(packet.starts_with("42").then_some(packet));
                }
            }
            Self::Poller(mut poller) => {
                while let Ok(packet) = timeout(MOMENT, poller.next()).await {
                    heard.extend(packet.starts_with("42").then_some(packet));
                }
            }
            Self::Socket(mut socket) => {
                // Whether or not it is still there to be asked.
                let _ = socket.try_send_text(r#"{"type":"ping"}"#).await;
                while let Ok(text) = socket.text_or_close().await {
                    let said: Value = serde_json::from_str(&text).unwrap();
                    match said["type"].as_str() {
                        Some("pong") => break,
                        Some("error") if said["message"] == "authenticate first" => break,
                        Some("error") => {}
                        _ if is_courtesy(&said, way) => {}
                        _ => heard.push(text),
                    }
                }
            }
        }
        heard
    }

    /// The number of the next event of one who has a right to it; what has no numbers has none.
    pub(super) async fn next_number(&mut self, way: Way) -> Option<u64> {
        let packet = match self {
            Self::Socket(socket) => loop {
                let said = socket.next().await;
                if !is_told(&said, way) {
                    return way.matter.number(&said);
                }
            },
            Self::Stream(stream) => loop {
                let said = stream.message().await;
                if !is_told(&said, way) {
                    return way.matter.number(&said);
                }
            },
            Self::Refused => panic!("the rightful one was refused: {way:?}"),
            Self::Session(session) => loop {
                let packet = session.expect().await;
                assert!(!packet.starts_with("44"), "the rightful one was refused: {way:?} {packet}");
                if packet.starts_with("42") {
                    break packet;
                }
            },
            Self::Poller(poller) => poller.next().await,
        };
        let said = packet.find('[').and_then(|at| serde_json::from_str::<Value>(&packet[at..]).ok());
        said.and_then(|said| way.matter.number(&said[1]))
    }
}

/// What everybody is told who is let in, of herself and of what is her own.
fn is_courtesy(said: &Value, way: Way) -> bool {
    matches!(way.place, Place::Named | Place::Names)
        && match said["type"].as_str() {
            Some("hello" | "authenticated" | "unsubscribed" | "closing" | "error") => true,
            Some("subscribed") => way.matter.name().is_none_or(|name| said["channel"] != name.as_str()),
            _ => false,
        }
}

/// What comes before anything that it is about.
fn is_told(said: &Value, way: Way) -> bool {
    let words: &[&str] = match way.place {
        Place::Named => &["hello", "authenticated", "subscribed"],
        Place::Names => &["hello", "subscribed", "error"],
        _ => &[],
    };
    words.iter().any(|word| said["type"] == *word)
}
