//! Whose events anybody hears: everything that can be listened to, as the feeds' registry says, × every way in × every
//! foreign identity. The foreign hear nothing while the rightful one has it.

mod guest;
mod issuers;
mod matter;
mod redefined;

use std::time::Duration;

use futures_util::future::join_all;
use pulso_harness::{Claims, Database, Pulso, Redis, Running, SECRET};
use serde_json::json;
use tokio::time::sleep;

use crate::business::{OTHER_NEGOCIO, owner};
use crate::feeds::{configured, signed};
use guest::{Door, Guest, Way};
use matter::{CLOUD_KEYS, Matter, Place, QUERIES, all, listened};

const DEVICES: &str = "
    CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES (1, 'ipad-1', true), (2, 'ipad-2', true), (3, 'ipad-3', false);";
/// A live query for each way of opening one.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/tenancy/queries");
const STRANGER: &str = "cccccccc-cccc-4ccc-8ccc-cccccccccccc";
/// The sales of the one business there is: on a server of several they are nobody's.
const OF_ONE_BUSINESS: Place = Place::Stream("negocio");

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

/// Those who try to hear something, by what they show.
struct Cast {
    rightful: (String, &'static str),
    foreign: Vec<(String, &'static str)>,
}

/// A server that has everything that can be listened to, not started yet.
async fn prepared() -> (Pulso, Database) {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let pulso = pulso.with("CLOUD_API_KEYS", CLOUD_KEYS).with("QUERIES_DIR", FOLDER);
    pulso.migrate().await;
    // As many strangers from one address as the table has.
    (pulso.with("BAD_DEVICES_PER_MINUTE", "1000").with("MAX_UNAUTHENTICATED", "1000"), database)
}

/// Every way to it.
fn ways(matter: Matter) -> Vec<Way> {
    let doors = |place| Door::to(matter, place).iter().map(move |door| Way { matter, place, door: *door });
    matter.places().flat_map(doors).collect()
}

async fn only_the_rightful_hear(matter: Matter) {
    let (pulso, _database) = prepared().await;
    let cast = Cast { rightful: matter.rightful(), foreign: matter.foreigners() };
    only_the_cast_hears(&pulso.ready().await, matter, cast).await;
}

async fn only_the_cast_hears(pulso: &Running, matter: Matter, cast: Cast) {
    only_the_cast_hears_of(pulso, pulso, matter, cast).await;
}

/// Everybody listens on one node, and another one is called.
async fn only_the_rightful_hear_across(matter: Matter) {
    let redis = Redis::start();
    let (node, _database) = prepared().await;
    let node = node.with("REDIS_URL", &redis.url());
    let (one, other) = (node.ready().await, node.ready().await);
    let cast = Cast { rightful: matter.rightful(), foreign: matter.foreigners() };
    only_the_cast_hears_of(&one, &other, matter, cast).await;
}

/// Lets everybody in at `pulso` who has no right to it, publishes at `called`, and looks at what they have.
async fn only_the_cast_hears_of(pulso: &Running, called: &Running, matter: Matter, cast: Cast) {
    let since = position(pulso).await;
    let alone = async || pulso.count("pulso_connections").await == 0;
    pulso_harness::wait::until(alone, "those of before are gone").await;
    let (mut rightful, mut foreign) = (Vec::new(), Vec::new());
    // In the past, for those who will ask for what they missed.
    matter.happen(called, 1).await;
    for way in ways(matter) {
        for shown in &cast.foreign {
            let guest = Guest::enter(pulso, way, shown, &since).await;
            foreign.push((way, shown.clone(), guest));
        }
        let mut guest = Guest::enter(pulso, way, &cast.rightful, &since).await;
        if way.place == OF_ONE_BUSINESS {
            foreign.push((way, cast.rightful.clone(), guest));
        } else if way.door.is_for_the_rightful() {
            if !matter.is_event() || way.door == Door::Since {
                assert!(guest.next_number(way).await.is_none_or(|number| number == 1), "{way:?}");
            }
            rightful.push((way, guest));
        }
    }
    let wanted = rightful.len() as u64;
    assert!(wanted > 0 && foreign.len() >= 10, "{matter:?}");
    let joined = async || pulso.count("pulso_connections").await >= wanted;
    pulso_harness::wait::until(joined, "the rightful are in").await;
    let mut number = 2;
    // Granted without a word, some a moment later than the others.
    while matter.happen(called, number).await < wanted {
        number += 1;
        assert!(number < 1_000, "the rightful never all listened");
        if pulso.port() != called.port() {
            // What is counted elsewhere is known a little late.
            sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(matter.happen(called, number + 1).await, wanted, "{matter:?}: nobody else is handed it");
    for (way, guest) in &mut rightful {
        while let Some(heard) = guest.next_number(*way).await {
            if heard == number + 1 {
                break;
            }
        }
    }
    let heard =
        |(way, shown, guest): (Way, (String, &'static str), Guest)| async move { (way, shown, guest.heard(way).await) };
    for (way, shown, heard) in join_all(foreign.into_iter().map(heard)).await {
        assert!(heard.is_empty(), "{way:?} with {shown:?}: {heard:?}");
    }
}

#[test]
fn everything_that_can_be_listened_to_is_in_the_matrix() {
    for (matter, place) in listened() {
        assert!(all().any(|known| known == matter) && !Door::to(matter, place).is_empty(), "{matter:?} {place:?}");
    }
    for matter in all() {
        assert!(matter.places().next().is_some(), "{matter:?} is listened to nowhere");
    }
}

#[tokio::test]
async fn only_the_rightful_hear_sales() {
    only_the_rightful_hear(Matter::Sales).await;
}

#[tokio::test]
async fn only_the_rightful_see_figures() {
    only_the_rightful_hear(Matter::Figures).await;
}

#[tokio::test]
async fn only_the_rightful_see_a_live_query_whatever_it_opens_by() {
    for matter in QUERIES {
        only_the_rightful_hear(matter).await;
    }
}

#[tokio::test]
async fn only_the_rightful_hear_a_channel_of_an_application() {
    only_the_rightful_hear(Matter::Canal).await;
}

#[tokio::test]
async fn only_the_staff_of_a_clinic_hears_its_orders() {
    only_the_rightful_hear(Matter::Staff).await;
}

#[tokio::test]
async fn only_a_kiosk_hears_what_becomes_of_its_orders() {
    only_the_rightful_hear(Matter::Kiosk).await;
}

#[tokio::test]
async fn only_who_works_in_a_restaurant_hears_its_orders() {
    only_the_rightful_hear(Matter::Orders).await;
}

#[tokio::test]
async fn only_a_tenants_own_back_end_hears_that_it_has_changes() {
    only_the_rightful_hear(Matter::Changes).await;
}

#[tokio::test]
async fn only_a_tenants_own_key_pulls_its_changes() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("CLOUD_API_KEYS", CLOUD_KEYS);
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

#[tokio::test]
async fn only_the_rightful_hear_of_what_was_called_on_another_node() {
    for matter in all().filter(|matter| matter.is_event()) {
        only_the_rightful_hear_across(matter).await;
    }
}

#[tokio::test]
async fn only_the_rightful_see_figures_that_were_announced_on_another_node() {
    only_the_rightful_hear_across(Matter::Figures).await;
}

#[tokio::test]
async fn only_the_rightful_see_a_live_query_that_was_announced_on_another_node() {
    for matter in QUERIES {
        only_the_rightful_hear_across(matter).await;
    }
}

#[tokio::test]
async fn only_a_tenants_own_back_end_hears_of_changes_that_came_to_another_node() {
    only_the_rightful_hear_across(Matter::Changes).await;
}
