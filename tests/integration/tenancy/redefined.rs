//! Live queries that are defined otherwise while they are watched, by who may watch them then and by who may not; tokens and
//! rights come and go before and after. Nothing of a definition is sent to anybody before its `access` has said yes of her.

use futures_util::future::join_all;
use pulso_harness::wait::until;
use pulso_harness::{Claims, Dashboard, Database, Running, SECRET};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::guest::{Door, Guest, MOMENT, Way};
use super::matter::{Access, Matter, Place, QUERIES, RESTAURANT};
use super::{Cast, FOLDER, STRANGER, only_the_cast_hears, prepared};
use crate::business::{NEGOCIO, OTHER_OWNER, OWNER};
use crate::live_queries::{Folder, WITHDRAWN, reload, until_refused};

/// The queries of the matrix, each open to everybody in its first edition. Every result says of which edition it is.
struct Editions {
    pulso: Running,
    database: Database,
    folder: Folder,
}

impl Editions {
    async fn open() -> Self {
        let (pulso, database) = prepared().await;
        let pairs = std::fs::read_to_string(format!("{FOLDER}/access/duenos.sql")).unwrap();
        let folder = Folder::new(&[("access/duenos.sql", &pairs)]);
        let editions = |matter: &Matter| written(&folder, *matter, "primera", Some("authenticated"));
        QUERIES.iter().for_each(editions);
        let pulso = pulso.with("QUERIES_DIR", &folder.path()).with("ACCESS_CACHE", "0").with("ACCESS_RECHECK", "100ms");
        // One stranger asks for as much as the matrix has.
        let pulso = pulso.with("OWNERSHIP_RATE", "1000").with("OWNERSHIP_BURST", "1000");
        Self { pulso: pulso.ready().await, database, folder }
    }

    /// From now on `access` is what the matrix says.
    async fn close(&self, matter: Matter, edition: &str) {
        written(&self.folder, matter, edition, None);
        reload(&self.pulso).await;
    }

    /// It happens until so many are handed it, and once more.
    async fn until_heard_by(&self, matter: Matter, wanted: usize) {
        let is_heard = async || matter.happen(&self.pulso, 1).await == wanted as u64;
        until(is_heard, &format!("{matter:?} is heard by {wanted}")).await;
        assert!(is_heard().await, "{matter:?}: nobody else is handed it");
    }

    /// So many were told in all that they may hear no more.
    async fn until_told(&self, count: usize) {
        let is_told = async || self.pulso.count("pulso_withdrawn_total").await == count as u64;
        until(is_told, &format!("{count} are told")).await;
    }

    /// Lets `shown` in at every place that there is, but for who is refused.
    async fn enter(&self, matter: Matter, shown: &(String, &'static str)) -> Vec<(Way, Guest)> {
        let mut inside = Vec::new();
        for place in matter.places() {
            let way = Way { matter, place, door: Door::Plain };
            match Guest::enter(&self.pulso, way, shown, "").await {
                Guest::Refused => {}
                guest => inside.push((way, guest)),
            }
        }
        inside
    }

    async fn owns(&self, user: &str) {
        let owned = format!("UPDATE negocios SET admin_negocio_id = '{user}' WHERE id = '{NEGOCIO}'");
        self.database.execute(&owned).await;
    }
}

/// `access`: instead of its own.
fn written(folder: &Folder, matter: Matter, edition: &str, access: Option<&str>) {
    let channel = matter.channel().unwrap();
    let file = format!("{}.sql", channel.split(':').nth(1).unwrap());
    let text = std::fs::read_to_string(format!("{FOLDER}/{file}")).unwrap();
    let (own, rest) = text.split_once('\n').unwrap();
    let line = access.map_or_else(|| own.to_owned(), |access| format!("-- access: {access}"));
    folder.write(
        &file,
        &format!("{line}\n{}", rest.replace(" FROM citas", &format!(", '{edition}' AS edicion FROM citas"))),
    );
}

/// All that was said until now.
async fn said(guest: Guest) -> Vec<Value> {
    let mut said = Vec::new();
    match guest {
        Guest::Socket(mut socket) => {
            socket.send(&json!({ "type": "ping" })).await;
            loop {
                let frame = socket.next().await;
                if frame["type"] == "pong" {
                    return said;
                }
                said.push(frame);
            }
        }
        Guest::Stream(mut stream) => {
            while let Ok(Some(event)) = timeout(MOMENT, stream.next()).await {
                said.push(event.json());
            }
            said
        }
        Guest::Session(_) | Guest::Poller(_) | Guest::Refused => panic!("no live query is heard there"),
    }
}

/// It was told once that it may hear no more, and nothing of these editions.
fn assert_ended(way: Way, said: &[Value], editions: &[&str]) {
    let is_breach = |frame: &&Value| editions.iter().any(|edition| frame["data"]["edicion"] == *edition);
    assert_eq!(said.iter().find(is_breach), None, "{way:?} hears what is not for it");
    let channel = way.matter.channel().unwrap();
    let of_it = |frame: &&Value| frame["channel"] == channel.as_str();
    let errors: Vec<_> = said.iter().filter(of_it).filter(|frame| frame["type"] == "error").collect();
    assert!(errors.len() == 1 && errors[0]["message"] == WITHDRAWN, "{way:?}: {said:?}");
    if matches!(way.place, Place::Named | Place::Names) {
        assert_eq!(errors[0]["code"], "withdrawn", "{way:?}: {errors:?}");
        let left: Vec<_> = said.iter().filter(of_it).filter(|frame| frame["type"] == "unsubscribed").collect();
        assert!(left.len() == 1 && left[0]["reason"] == "withdrawn", "{way:?}: {said:?}");
    }
}

async fn who_is_in_is_judged_anew(matter: Matter) {
    let editions = Editions::open().await;
    let mut foreign = Vec::new();
    for shown in matter.foreigners() {
        foreign.extend(editions.enter(matter, &shown).await);
    }
    let rightful = editions.enter(matter, &matter.rightful()).await;
    editions.until_heard_by(matter, foreign.len() + rightful.len()).await;
    editions.close(matter, "segunda").await;
    editions.until_told(foreign.len()).await;
    editions.until_heard_by(matter, rightful.len()).await;
    let told = foreign.into_iter().map(|(way, guest)| async move { (way, said(guest).await) });
    for (way, said) in join_all(told).await {
        assert_ended(way, &said, &["segunda"]);
    }
    for (way, guest) in rightful {
        let said = said(guest).await;
        assert!(said.iter().any(|frame| frame["data"]["edicion"] == "segunda"), "{way:?}: {said:?}");
    }
    // With the same tokens, whichever way they come.
    let cast = Cast { rightful: matter.rightful(), foreign: matter.foreigners() };
    only_the_cast_hears(&editions.pulso, matter, cast).await;
}

#[tokio::test]
async fn who_watches_a_query_that_is_defined_otherwise_hears_nothing_before_its_new_access_said_yes() {
    for matter in QUERIES {
        who_is_in_is_judged_anew(matter).await;
    }
}

/// A stranger's claims that open it, where a token can.
fn entitled(access: Access) -> Option<Claims> {
    let stranger = Claims::user(STRANGER);
    match access {
        Access::Negocio => Some(Claims::naming(STRANGER, &[NEGOCIO])),
        Access::Claim => Some(stranger.with("restaurantId", json!(RESTAURANT))),
        Access::Value => Some(stranger.with("role", json!("chef"))),
        Access::User | Access::Sql | Access::Everybody => None,
    }
}

async fn screen(editions: &Editions, path: &str, claims: &Claims, channel: &str) -> Dashboard {
    let mut screen = editions.pulso.open(&format!("{path}token={}", claims.sign(SECRET))).await;
    screen.send(&json!({ "type": "subscribe", "channel": channel })).await;
    until_edition(&mut screen, "primera").await;
    screen
}

async fn show(screen: &mut Dashboard, claims: &Claims) {
    screen.send(&json!({ "type": "auth", "token": claims.sign(SECRET) })).await;
}

async fn until_edition(screen: &mut Dashboard, edition: &str) {
    while screen.next().await["data"]["edicion"] != edition {}
}

#[tokio::test]
async fn a_token_that_was_shown_before_or_is_shown_after_a_reload_is_the_one_that_counts() {
    let editions = Editions::open().await;
    let none = Claims::user(STRANGER);
    for (access, some) in QUERIES.iter().filter_map(|matter| match matter {
        Matter::Query(access) => Some((*access, entitled(*access)?)),
        _ => None,
    }) {
        let (matter, paths) = (Matter::Query(access), ["/ws?", "/ws?v=2&"]);
        let channel = matter.channel().unwrap();
        let (mut losing, mut gaining) = (Vec::new(), Vec::new());
        for path in paths {
            losing.push(screen(&editions, path, &some, &channel).await);
            show(losing.last_mut().unwrap(), &none).await;
            gaining.push(screen(&editions, path, &none, &channel).await);
            show(gaining.last_mut().unwrap(), &some).await;
        }
        editions.until_heard_by(matter, 4).await;
        editions.close(matter, "segunda").await;
        editions.until_heard_by(matter, 2).await;
        for screen in &mut losing {
            let heard = until_refused(screen).await;
            assert!(heard.iter().all(|frame| frame["data"]["edicion"] != "segunda"), "{access:?}: {heard:?}");
            assert_eq!(heard.last().unwrap()["message"], WITHDRAWN, "{access:?}");
        }
        for screen in &mut gaining {
            until_edition(screen, "segunda").await;
        }
        for screen in &mut losing {
            show(screen, &some).await;
            screen.send(&json!({ "type": "subscribe", "channel": channel })).await;
            until_edition(screen, "segunda").await;
            show(screen, &none).await;
            assert_eq!(until_refused(screen).await.last().unwrap()["message"], WITHDRAWN, "{access:?}");
        }
        editions.close(matter, "tercera").await;
        editions.until_heard_by(matter, 2).await;
        for screen in losing {
            let heard = said(Guest::Socket(screen)).await;
            assert!(heard.iter().all(|frame| frame["type"] != "consulta"), "{access:?}: {heard:?}");
        }
        for screen in &mut gaining {
            until_edition(screen, "tercera").await;
        }
    }
}

#[tokio::test]
async fn a_right_that_the_database_takes_back_is_gone_whenever_a_query_is_defined_otherwise() {
    for access in [Access::Negocio, Access::Sql] {
        let editions = Editions::open().await;
        let matter = Matter::Query(access);
        editions.close(matter, "segunda").await;
        let shown = matter.rightful();
        let before = editions.enter(matter, &shown).await;
        editions.until_heard_by(matter, before.len()).await;
        // Long before a reload: each is told by then.
        let mut told = before.len();
        editions.owns(OTHER_OWNER).await;
        editions.until_told(told).await;
        editions.close(matter, "tercera").await;
        editions.until_heard_by(matter, 0).await;
        for (way, guest) in before {
            assert_ended(way, &said(guest).await, &["tercera"]);
        }
        // In the same moment.
        editions.owns(OWNER).await;
        let meanwhile = editions.enter(matter, &shown).await;
        editions.until_heard_by(matter, meanwhile.len()).await;
        editions.owns(OTHER_OWNER).await;
        editions.close(matter, "cuarta").await;
        told += meanwhile.len();
        editions.until_told(told).await;
        editions.until_heard_by(matter, 0).await;
        for (way, guest) in meanwhile {
            assert_ended(way, &said(guest).await, &["cuarta"]);
        }
        // Behind a reload.
        editions.owns(OWNER).await;
        let after = editions.enter(matter, &shown).await;
        editions.close(matter, "quinta").await;
        editions.until_heard_by(matter, after.len()).await;
        editions.owns(OTHER_OWNER).await;
        editions.until_told(told + after.len()).await;
        editions.until_heard_by(matter, 0).await;
        for (way, guest) in after {
            assert_ended(way, &said(guest).await, &[]);
        }
    }
}
