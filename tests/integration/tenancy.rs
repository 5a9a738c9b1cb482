//! Whose events anybody hears: every way in × every foreign identity. The foreign hear nothing while the rightful one
//! has it.

use std::time::Duration;

use pulso_harness::{Claims, Dashboard, EventStream, Running, SECRET};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, owner};
use crate::feeds::{configured, signed};

const DEVICES: &str = "
    CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES (1, 'ipad-1', true), (2, 'ipad-2', true), (3, 'ipad-3', false);";
/// Long enough for what has been published to have come.
const MOMENT: Duration = Duration::from_millis(100);
const STRANGER: &str = "cccccccc-cccc-4ccc-8ccc-cccccccccccc";

/// What is published, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matter {
    Sales,
    Figures,
    Canal,
    Staff,
    Kiosk,
}
use Matter::{Canal, Figures, Kiosk, Sales, Staff};

/// How one comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Query,
    Header,
    Both,
    FirstMessage,
    /// On a connection that began with a token of the same user for another business.
    Renewal,
    /// With a position from before everything.
    Since,
    Events,
    EventsSince,
}
use Door::{Both, Events, EventsSince, FirstMessage, Header, Query, Renewal, Since};

const DOORS: [Door; 8] = [Query, Header, Both, FirstMessage, Renewal, Since, Events, EventsSince];

impl Matter {
    /// Its WebSocket's address, the message that subscribes, and its name on `/sse`.
    fn names(self, device: &str) -> (String, Option<Value>, String) {
        let subscribe = |channel: &str| Some(json!({ "type": "subscribe", "channel": channel }));
        match self {
            Sales => ("/ws".to_owned(), None, format!("negocio:{NEGOCIO}")),
            Figures => {
                let channel = format!("estadisticas:{NEGOCIO}");
                ("/ws".to_owned(), subscribe(&channel), channel)
            }
            Canal => {
                let channel = format!("canal:{NEGOCIO}:caja");
                ("/ws".to_owned(), subscribe(&channel), channel)
            }
            Staff => ("/ws/staff/orders/".to_owned(), None, "staff_orders".to_owned()),
            Kiosk => (format!("/ws/kiosk/orders/?device_uid={device}"), None, format!("device&device_uid={device}")),
        }
    }

    /// Makes it happen; how many were handed it.
    async fn happen(self, pulso: &Running, number: u64) -> u64 {
        let (hook, body) = match self {
            Sales => ("/notify/mesa", format!(r#"{{"tableId":{number},"action":"x","negocio_id":"{NEGOCIO}"}}"#)),
            Figures => ("/notify/cita", format!(r#"{{"negocio_id":"{NEGOCIO}"}}"#)),
            Canal => ("/api/publish", format!(r#"{{"channel":"canal:{NEGOCIO}:caja","type":"x","data":{number}}}"#)),
            Staff => (
                "/notify/pedido",
                format!(r#"{{"negocio_id":"{NEGOCIO}","order_id":{number},"device_uid":"ipad-1","placed_at":"x"}}"#),
            ),
            Kiosk => (
                "/notify/pedido/estado",
                format!(
                    r#"{{"device_uid":"ipad-1","order_id":{number},"status":"READY","from_status":"PLACED","changed_at":"x"}}"#
                ),
            ),
        };
        let answer = pulso.post(hook, &body).await;
        assert_eq!(answer.status, 200, "{self:?}: {answer:?}");
        let said = answer.json();
        said.get("clients").or(said.get("subscribers")).and_then(Value::as_u64).unwrap_or_else(|| panic!("{said}"))
    }

    /// Who has a right to it.
    fn rightful(self) -> Claims {
        match self {
            Sales => Claims::user("cajera").with("negocio_id", json!(NEGOCIO)),
            Figures | Canal => owner(),
            Staff => Claims::user("enfermera").with("role", json!("STAFF")).with("negocio_id", json!(NEGOCIO)),
            Kiosk => Claims::empty(),
        }
    }

    /// Who has none, as tokens; some try to look as if they had.
    fn foreigners(self) -> Vec<String> {
        let stranger = || {
            let claims = Claims::user(STRANGER);
            if self == Staff { claims.with("role", json!("STAFF")) } else { claims }
        };
        let mut foreigners = vec![
            stranger(),
            stranger().with("negocio_id", json!(OTHER_NEGOCIO)),
            stranger().with("negocios", json!([OTHER_NEGOCIO])),
            stranger().with("negocio_id", json!([NEGOCIO])),
            stranger().with("negocio_id", json!({ "id": NEGOCIO })),
            stranger().with("negocio_id", json!(format!(" {NEGOCIO}"))),
            stranger().with("negocio_id", json!(format!("{OTHER_NEGOCIO},{NEGOCIO}"))),
            stranger().with("negocio_id", json!("*")),
            stranger().with("negocio_id", Value::Null).with("negocioId", json!(NEGOCIO)),
            stranger().with("negocios", json!(NEGOCIO)),
            stranger().with("negocios", json!([[NEGOCIO], { "id": NEGOCIO }, null])),
            stranger().with("restaurantId", json!(NEGOCIO)).with("tenant", json!(NEGOCIO)),
            Claims::user(OTHER_OWNER).with("admin_negocio_id", json!(OWNER)),
            Claims::user(NEGOCIO),
            self.rightful().expiring_in(-60),
            self.rightful().without("exp"),
        ];
        match self {
            // Its business alone makes nobody staff, and staff of no business hears only orders of none.
            Staff => foreigners.push(Claims::user("cajera").with("negocio_id", json!(NEGOCIO))),
            // The owner's sales come with a token that names the shop.
            Sales => foreigners.push(owner()),
            _ => {}
        }
        let forged =
            [self.rightful().sign("another secret, also longer than 32 bytes"), String::new(), "x.y.z".to_owned()];
        foreigners.iter().map(|claims| claims.sign(SECRET)).chain(forged).collect()
    }
}

/// Somebody who tried to get in.
enum Guest {
    Socket(Dashboard),
    Stream(EventStream),
    Refused,
}

impl Guest {
    /// Comes in with `token` (or, for a kiosk, as `device`), and asks for what it wants.
    async fn enter(pulso: &Running, matter: Matter, door: Door, token: &str, device: &str, since: &str) -> Self {
        let (path, subscribe, channel) = matter.names(device);
        let bearer = format!("Bearer {token}");
        let header = [("authorization", bearer.as_str())];
        let with = |path: &str, more: String| format!("{path}{}{more}", if path.contains('?') { '&' } else { '?' });
        let by_query = with(&path, format!("token={token}"));
        if matches!(door, Events | EventsSince) {
            let path = format!("/sse?channel={channel}&token={token}");
            let position = [("last-event-id", since)];
            let headers = if door == EventsSince { &position[..] } else { &[] };
            return EventStream::try_open(pulso.port(), &path, headers).await.map_or(Self::Refused, Self::Stream);
        }
        let connected = match door {
            Header => Dashboard::try_connect(pulso.port(), &path, &header).await,
            Both => Dashboard::try_connect(pulso.port(), &by_query, &header).await,
            Since => Dashboard::try_connect(pulso.port(), &with(&by_query, format!("since={since}")), &[]).await,
            FirstMessage => Dashboard::try_connect(pulso.port(), &path, &[]).await,
            Renewal => {
                let claims = Claims::naming(STRANGER, &[OTHER_NEGOCIO]).with("role", json!("STAFF"));
                Dashboard::try_connect(pulso.port(), &with(&path, signed("", &claims)[1..].to_owned()), &[]).await
            }
            _ => Dashboard::try_connect(pulso.port(), &by_query, &[]).await,
        };
        let Ok(mut socket) = connected else { return Self::Refused };
        // Where it is not understood it may end the connection before all is said.
        let auth = json!({ "type": "auth", "token": token }).to_string();
        let said =
            [matches!(door, FirstMessage | Renewal).then_some(auth), subscribe.map(|subscribe| subscribe.to_string())];
        for text in said.into_iter().flatten() {
            if socket.try_send_text(&text).await.is_err() {
                break;
            }
        }
        Self::Socket(socket)
    }

    /// Everything it has been sent until now but errors.
    async fn heard(self, matter: Matter) -> Vec<String> {
        match self {
            Self::Refused => Vec::new(),
            // Other staff has a stream of its own orders, as another kiosk has. Where a stream names what it is of,
            // to be granted it is more than there should be.
            Self::Stream(mut stream) => {
                let is_named = !matches!(matter, Staff | Kiosk);
                let mut heard: Vec<_> = is_named.then(|| format!("{:?}", stream.answer)).into_iter().collect();
                while let Ok(Some(event)) = timeout(MOMENT, stream.next()).await {
                    heard.push(event.data);
                }
                heard
            }
            Self::Socket(mut socket) => {
                let mut heard = Vec::new();
                // Whether or not it is still there to be asked.
                let _ = socket.try_send_text(r#"{"type":"ping"}"#).await;
                while let Ok(text) = socket.text_or_close().await {
                    let said: Value = serde_json::from_str(&text).unwrap();
                    match said["type"].as_str() {
                        Some("pong") => break,
                        Some("error") if said["message"] == "authenticate first" => break,
                        Some("error") => {}
                        _ => heard.push(text),
                    }
                }
                heard
            }
        }
    }
}

/// An id from before everything that the test publishes.
async fn position(pulso: &Running) -> String {
    let claims = Claims::naming(STRANGER, &[OTHER_NEGOCIO]);
    let mut witness = pulso.open(&format!("{}&since=", signed("/ws", &claims))).await;
    witness.send(&json!({ "type": "ping" })).await;
    witness.next().await;
    let body = format!(r#"{{"tableId":0,"action":"x","negocio_id":"{OTHER_NEGOCIO}"}}"#);
    pulso.post("/notify/mesa", &body).await;
    witness.next().await["id"].as_str().unwrap().to_owned()
}

async fn server() -> Running {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    // As many strangers from one address as the table has.
    pulso.with("BAD_DEVICES_PER_MINUTE", "1000").with("MAX_UNAUTHENTICATED", "1000").ready().await
}

/// The doors by which a token, or a device, can come to it.
fn doors(matter: Matter) -> impl Iterator<Item = Door> {
    let has = move |door: &Door| match matter {
        Sales | Figures | Canal => true,
        Staff => !matches!(door, FirstMessage | Renewal),
        Kiosk => matches!(door, Query | Since | Events | EventsSince),
    };
    DOORS.into_iter().filter(has)
}

/// Lets everybody in who has no right to it, publishes, and looks at what they have.
async fn only_the_rightful_hear(matter: Matter) {
    let pulso = server().await;
    let since = position(&pulso).await;
    let mut rightful = Vec::new();
    let mut foreign = Vec::new();
    // In the past, for those who will ask for what they missed.
    matter.happen(&pulso, 1).await;
    let is_event = matter != Figures;
    for door in doors(matter) {
        let (tokens, devices): (Vec<String>, &[&str]) = match matter {
            Kiosk => (
                vec![String::new(), owner().sign(SECRET)],
                &["ipad-2", "ipad-3", "ipad-9", "", "1", "device_1", "IPAD-1"],
            ),
            _ => (matter.foreigners(), &[""]),
        };
        for token in &tokens {
            for device in devices {
                let guest = Guest::enter(&pulso, matter, door, token, device, &since).await;
                foreign.push((door, token.clone(), (*device).to_owned(), guest));
            }
        }
        if door == Renewal {
            continue;
        }
        let token = matter.rightful().sign(SECRET);
        let mut guest = Guest::enter(&pulso, matter, door, &token, "ipad-1", &since).await;
        if !is_event || matches!(door, Since | EventsSince) {
            assert!(next_number(&mut guest, matter).await.is_none_or(|number| number == 1), "{door:?}");
        }
        rightful.push(guest);
    }
    let wanted = rightful.len() as u64;
    let joined = async || pulso.count("pulso_connections").await >= wanted;
    pulso_harness::wait::until(joined, "the rightful are in").await;
    let mut number = 2;
    // Granted without a word, some a moment later than the others.
    while matter.happen(&pulso, number).await < wanted {
        number += 1;
        assert!(number < 1_000, "the rightful never all listened");
    }
    assert_eq!(matter.happen(&pulso, number + 1).await, wanted, "{matter:?}: nobody else is handed it");
    for guest in &mut rightful {
        while let Some(heard) = next_number(guest, matter).await {
            if heard == number + 1 {
                break;
            }
        }
    }
    for (door, token, device, guest) in foreign {
        let heard = guest.heard(matter).await;
        assert!(heard.is_empty(), "{matter:?} by {door:?} with {token} as {device}: {heard:?}");
    }
}

/// The number of the next event; figures have none, and of them one is enough.
async fn next_number(guest: &mut Guest, matter: Matter) -> Option<u64> {
    let said = match guest {
        Guest::Socket(socket) => socket.next().await,
        Guest::Stream(stream) => stream.message().await,
        Guest::Refused => panic!("the rightful one was refused: {matter:?}"),
    };
    match matter {
        Sales => said["data"]["tableId"].as_u64(),
        Canal => said["data"].as_u64(),
        Staff | Kiosk => said["order_id"].as_u64(),
        Figures => None,
    }
}

#[tokio::test]
async fn only_the_rightful_hear_sales() {
    only_the_rightful_hear(Sales).await;
}

#[tokio::test]
async fn only_the_rightful_see_figures() {
    only_the_rightful_hear(Figures).await;
}

#[tokio::test]
async fn only_the_rightful_hear_a_channel_of_an_application() {
    only_the_rightful_hear(Canal).await;
}

#[tokio::test]
async fn only_the_staff_of_a_clinic_hears_its_orders() {
    only_the_rightful_hear(Staff).await;
}

#[tokio::test]
async fn only_a_kiosk_hears_what_becomes_of_its_orders() {
    only_the_rightful_hear(Kiosk).await;
}

#[tokio::test]
async fn only_a_tenants_own_key_pulls_its_changes() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("CLOUD_API_KEYS", "norte:llave-n,sur:llave-s");
    pulso.migrate().await;
    let pulso = pulso.ready().await;
    let change = r#"{"tenant":"norte","entity":"order","id":"o","payload":{"secreto":1}}"#;
    assert_eq!(pulso.post("/notify/sync", change).await.status, 200);
    let pull = async |method: &str, path: &str, header: &str| {
        pulso.exchange(&format!("{method} {path} HTTP/1.1\n{header}\ncontent-length: 0"), "").await
    };
    for path in ["/sync/pull-changes", "/api/sync/pull-changes"] {
        for method in ["GET", "POST"] {
            for key in
                ["llave-s", "", "norte", "llave", "llave-n,sur:llave-s", &owner().sign(SECRET), pulso_harness::HOOK_KEY]
            {
                for header in [
                    format!("authorization: Bearer {key}"),
                    format!("x-api-key: {key}"),
                    format!("x-tenant: norte\nx-api-key: {key}"),
                ] {
                    let answer = pull(method, &format!("{path}?tenant=norte"), &header).await;
                    assert_eq!(answer.status, if key == "llave-s" { 200 } else { 401 }, "{header}: {answer:?}");
                    assert!(!answer.body.contains("secreto"), "{header}: {answer:?}");
                }
            }
            assert!(pull(method, path, "x-api-key: llave-n").await.body.contains("secreto"));
        }
    }
}
