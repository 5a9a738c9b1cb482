//! What can be listened to, as the feeds' registry says, whose it is, and who only looks as if it were theirs.

use pulso::feeds::Feed;
use pulso_harness::{Claims, HOOK_KEY, Running, SECRET};
use serde_json::{Value, json};

use super::STRANGER;
use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, owner};

pub(super) const RESTAURANT: &str = "9f1c2b3a-0000-4000-8000-00000000abcd";
const OTHER_RESTAURANT: &str = "9f1c2b3a-0000-4000-8000-00000000ffff";
/// Of two tenants; the first one's changes are told.
pub(super) const CLOUD_KEYS: &str = "norte:llave-n,sur:llave-s";

/// What is published, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matter {
    Sales,
    Figures,
    Canal,
    Staff,
    Kiosk,
    Orders,
    Changes,
    /// A live query.
    Query(Access),
}
use Matter::{Canal, Changes, Figures, Kiosk, Orders, Query, Sales, Staff};

/// By what a live query opens: the files in `queries/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Negocio,
    Claim,
    Value,
    User,
    Sql,
    /// Without a key.
    Everybody,
}

pub(super) const QUERIES: [Matter; 6] = [
    Query(Access::Negocio),
    Query(Access::Claim),
    Query(Access::Value),
    Query(Access::User),
    Query(Access::Sql),
    Query(Access::Everybody),
];

/// Everything.
pub(super) fn all() -> impl Iterator<Item = Matter> {
    [Sales, Figures, Canal, Staff, Kiosk, Orders, Changes].into_iter().chain(QUERIES)
}

impl Access {
    fn query(self) -> &'static str {
        match self {
            Self::Negocio => "negocio",
            Self::Claim => "claim",
            Self::Value => "valor",
            Self::User => "usuario",
            Self::Sql => "sql",
            Self::Everybody => "todos",
        }
    }

    fn key(self) -> Option<&'static str> {
        match self {
            Self::Negocio | Self::Sql => Some(NEGOCIO),
            Self::Claim | Self::Value => Some(RESTAURANT),
            Self::User => Some(OWNER),
            Self::Everybody => None,
        }
    }
}

/// Where it is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `/ws`.
    Dashboard,
    /// The same in the second version, where everything is asked for by its name.
    Named,
    /// A stream of the second version, which asks for several names.
    Names,
    /// A WebSocket of its own, by its path.
    Socket(&'static str),
    /// A stream, by the form of its channel.
    Stream(&'static str),
    /// Of Socket.IO.
    Namespace(&'static str),
}

/// All that the product says can be listened to.
pub(super) fn listened() -> Vec<(Matter, Place)> {
    let places = |feed: Feed| {
        let feed = feed.definition();
        let sockets = feed.sockets.iter().map(|socket| Place::Socket(socket.path));
        let streams = feed.streams.iter().map(|stream| Place::Stream(stream.form));
        let namespaces = feed.namespaces.iter().map(|namespace| Place::Namespace(namespace));
        let shared = feed.is_on_dashboards.then_some(Place::Dashboard);
        shared.into_iter().chain(sockets).chain(streams).chain(namespaces)
    };
    let at = |feed, place| Matter::of(feed, place).into_iter().map(move |matter| (matter, place));
    let matters = |feed| places(feed).flat_map(move |place| at(feed, place));
    Feed::ALL.into_iter().flat_map(matters).collect()
}

impl Matter {
    /// What is listened to at a place of a feed.
    fn of(feed: Feed, place: Place) -> Vec<Self> {
        vec![match feed {
            Feed::Queries => {
                let is_there = |matter: &Self| match (place, *matter) {
                    (Place::Stream(form), Query(access)) => form.contains("<key>") == access.key().is_some(),
                    _ => true,
                };
                return QUERIES.into_iter().filter(is_there).collect();
            }
            Feed::Appointments => Figures,
            Feed::Pos => Sales,
            Feed::Channels => Canal,
            Feed::Restaurant => Orders,
            Feed::Sync => Changes,
            Feed::Clinic => match place {
                Place::Socket("/ws/kiosk/orders/") | Place::Stream("device") => Kiosk,
                Place::Socket("/ws/staff/orders/") | Place::Stream("staff_orders") => Staff,
                other => panic!("{other:?} is not in the matrix"),
            },
        }]
    }

    /// Its channel, where that is called something.
    pub(super) fn channel(self) -> Option<String> {
        Some(match self {
            Figures => format!("estadisticas:{NEGOCIO}"),
            Canal => format!("canal:{NEGOCIO}:caja"),
            Query(access) => match access.key() {
                Some(key) => format!("consulta:{}:{key}", access.query()),
                None => format!("consulta:{}", access.query()),
            },
            _ => return None,
        })
    }

    pub(super) fn places(self) -> impl Iterator<Item = Place> {
        let named = self.name().into_iter().flat_map(|_| [Place::Named, Place::Names]);
        listened().into_iter().filter(move |(matter, _)| *matter == self).map(|(_, place)| place).chain(named)
    }

    /// As it is asked for on `/ws` in the second version.
    pub(super) fn name(self) -> Option<String> {
        match self {
            Sales => Some(format!("negocio:{NEGOCIO}")),
            Staff => Some(format!("staff_orders:{NEGOCIO}")),
            Orders => Some(format!("restaurante:{RESTAURANT}")),
            Figures | Canal | Query(_) => self.channel(),
            Kiosk | Changes => None,
        }
    }

    /// What subscribes to it at a place where that has to be asked for.
    pub(super) fn subscribe(self, place: Place) -> Option<Value> {
        let name = if place == Place::Named { self.name() } else { self.channel() };
        Some(json!({ "type": "subscribe", "channel": name? }))
    }

    /// Of figures, of live queries and of the word that changes are pending the newest is enough: they have no numbers.
    pub(super) fn is_event(self) -> bool {
        !matches!(self, Figures | Changes | Query(_))
    }

    /// Makes it happen; how many were handed it.
    pub(super) async fn happen(self, pulso: &Running, number: u64) -> u64 {
        let (hook, body) = match self {
            Query(access) => ("/notify/consulta", json!({ "name": access.query(), "key": access.key() }).to_string()),
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
            Orders => (
                "/notify/order/status",
                format!(
                    r#"{{"orderId":"{number}","restaurantId":"{RESTAURANT}","previousStatus":"CONFIRMED","newStatus":"READY","updatedAt":"x"}}"#
                ),
            ),
            Changes => {
                ("/notify/sync", format!(r#"{{"tenant":"norte","entity":"order","id":"o-{number}","payload":{{}}}}"#))
            }
        };
        let answer = pulso.post(hook, &body).await;
        assert_eq!(answer.status, 200, "{self:?}: {answer:?}");
        let said = answer.json();
        said.get("clients").or(said.get("subscribers")).and_then(Value::as_u64).unwrap_or_else(|| panic!("{said}"))
    }

    /// The number of one that was heard.
    pub(super) fn number(self, said: &Value) -> Option<u64> {
        match self {
            Sales => said["data"]["tableId"].as_u64(),
            Canal => said["data"].as_u64(),
            Staff | Kiosk => said["order_id"].as_u64(),
            Orders => said["orderId"].as_str().or(said["data"]["orderId"].as_str())?.parse().ok(),
            Figures | Changes | Query(_) => None,
        }
    }

    /// What somebody shows who has a right to it, and the device that has.
    pub(super) fn rightful(self) -> (String, &'static str) {
        let claims = match self {
            Sales => Claims::user("cajera").with("negocio_id", json!(NEGOCIO)),
            Figures | Canal | Query(Access::Negocio | Access::User | Access::Sql) => owner(),
            Query(Access::Claim) => Claims::user("mesera").with("restaurantId", json!([RESTAURANT])),
            Query(Access::Value) => Claims::user("cocinera").with("role", json!(["chef"])),
            Query(Access::Everybody) => Claims::user(STRANGER),
            Staff => Claims::user("enfermera").with("role", json!("STAFF")).with("negocio_id", json!(NEGOCIO)),
            Orders => Claims::user("mesera").with("restaurantId", json!(RESTAURANT)),
            Kiosk => return (String::new(), "ipad-1"),
            Changes => return ("llave-n".to_owned(), ""),
        };
        (claims.sign(SECRET), "")
    }

    /// What those show who have none: strangers, neighbours, foreign devices, those whose token has expired, and some that
    /// try to look as if they had.
    pub(super) fn foreigners(self) -> Vec<(String, &'static str)> {
        let of_nobody = |secret: &str| (secret.to_owned(), "");
        match self {
            Kiosk => {
                let devices = ["ipad-2", "ipad-3", "ipad-9", "", "1", "device_1", "IPAD-1"];
                let tokens = [String::new(), owner().sign(SECRET)];
                tokens.iter().flat_map(|token| devices.map(|device| (token.clone(), device))).collect()
            }
            Changes => {
                let token = owner().sign(SECRET);
                ["llave-s", "", "norte", "llave", "llave-n ", CLOUD_KEYS, &token, HOOK_KEY].map(of_nobody).into()
            }
            _ => self.foreign_tokens().iter().map(|token| of_nobody(token)).collect(),
        }
    }

    fn foreign_tokens(self) -> Vec<String> {
        let stranger = || {
            let claims = Claims::user(STRANGER);
            if self == Staff { claims.with("role", json!("STAFF")) } else { claims }
        };
        let good = match self {
            Sales => Claims::user("cajera").with("negocio_id", json!(NEGOCIO)),
            Staff => Claims::user("enfermera").with("role", json!("STAFF")).with("negocio_id", json!(NEGOCIO)),
            Orders | Query(Access::Claim) => Claims::user("mesera").with("restaurantId", json!(RESTAURANT)),
            Query(Access::Value) => Claims::user("cocinera").with("role", json!("chef")),
            _ => owner(),
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
            // Names beside the id open nothing.
            stranger().with("user_id", json!(OWNER)).with("sub", json!(OWNER)).with("userId", json!(OWNER)),
            Claims::user(NEGOCIO),
            good.clone().expiring_in(-60),
            good.clone().without("exp"),
        ];
        match self {
            // Its business alone makes nobody staff, and staff of no business hears only orders of none.
            Staff => foreigners.push(Claims::user("cajera").with("negocio_id", json!(NEGOCIO))),
            // The owner's sales come with a token that names the shop.
            Sales => foreigners.push(owner()),
            Orders => foreigners.extend([
                owner(),
                stranger().with("restaurantId", json!(OTHER_RESTAURANT)),
                stranger().with("restaurantId", json!([RESTAURANT])),
                stranger().with("restaurantId", json!({ "id": RESTAURANT })),
                stranger().with("restaurantId", json!(format!(" {RESTAURANT}"))),
                stranger().with("restaurantId", json!(format!("{OTHER_RESTAURANT},{RESTAURANT}"))),
                stranger().with("restaurant_id", json!(RESTAURANT)).with("negocio_id", json!(RESTAURANT)),
                Claims::user(RESTAURANT),
            ]),
            Query(Access::Claim) => foreigners.extend([
                owner(),
                stranger().with("restaurantId", json!([OTHER_RESTAURANT, [RESTAURANT]])),
                stranger().with("restaurantId", json!({ "id": RESTAURANT })),
                stranger().with("restaurantId", json!(format!(" {RESTAURANT}"))),
                Claims::user(RESTAURANT),
            ]),
            Query(Access::Value) => foreigners.extend([
                owner(),
                Claims::user("chef"),
                stranger().with("role", json!("Chef")),
                stranger().with("role", json!({ "chef": true })),
                stranger().with("roles", json!(["chef"])),
            ]),
            Query(Access::User) => {
                foreigners.extend([stranger().with("negocio_id", json!(OWNER)), Claims::user(&format!("{OWNER} "))]);
            }
            // What the token says of businesses is of no matter to a query of the operator's.
            Query(Access::Sql) => foreigners.push(Claims::naming(STRANGER, &[NEGOCIO])),
            // Whoever has a good token is no foreigner.
            Query(Access::Everybody) => foreigners = vec![good.clone().expiring_in(-60), good.clone().without("exp")],
            _ => {}
        }
        let forged = [good.sign("another secret, also longer than 32 bytes"), String::new(), "x.y.z".to_owned()];
        foreigners.iter().map(|claims| claims.sign(SECRET)).chain(forged).collect()
    }
}
