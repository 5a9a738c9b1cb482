//! What one user may ask of the database, over all connections and streams together, and what that costs others.

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use pulso_harness::{Claims, EventStream, Running};
use serde_json::{Value, json};

use super::NOT_ALLOWED;
use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, database, owner, pulso};
use crate::feeds::signed;

const TOO_MANY: &str = "too many ownership checks; wait a little";

/// A server that asks for one user `burst` times at once and `rate` times a second, and its database.
async fn limited(burst: &str, rate: &str) -> (Running, pulso_harness::Database) {
    let database = database().await;
    let pulso = pulso(&database.url()).with("OWNERSHIP_BURST", burst).with("OWNERSHIP_RATE", rate);
    (pulso.ready().await, database)
}

fn nobodys(number: usize) -> String {
    format!("99999999-0000-4000-8000-{number:012}")
}

#[tokio::test]
async fn a_user_asks_no_faster_over_many_connections_and_reconnects() {
    let (pulso, _database) = limited("3", "1").await;
    let mut said = Vec::new();
    for connection in 0..4 {
        let mut dashboard = pulso.connect(&owner()).await;
        for number in 0..20 {
            dashboard.subscribe(&nobodys(connection * 20 + number)).await;
        }
        // Ten wait their turn at most, so that ten are answered at once.
        for _ in 0..8 {
            said.push(dashboard.error().await);
        }
    }
    assert!(said.iter().all(|said| said == TOO_MANY || said == NOT_ALLOWED), "{said:?}");
    assert!(said.iter().filter(|said| *said == TOO_MANY).count() >= 15, "{said:?}");
    assert!(pulso.refused("OwnershipRate").await >= 15);
    assert!(pulso.count("pulso_ownership_pairs_total").await <= 20, "of eighty");
    // What the token names needs no check, and other users have an allowance of their own.
    pulso.connect(&Claims::naming(OWNER, &[OTHER_NEGOCIO])).await.watch(OTHER_NEGOCIO).await;
    pulso.connect(&Claims::user(OTHER_OWNER)).await.watch(OTHER_NEGOCIO).await;
}

#[tokio::test]
async fn a_stream_costs_its_user_as_much_as_a_subscription() {
    let (pulso, _database) = limited("2", "1").await;
    let open = async |number: usize, claims: Claims| {
        let path = format!("{}&channel=estadisticas:{}", signed("/sse", &claims), nobodys(number));
        EventStream::try_open(pulso.port(), &path, &[]).await.expect_err("nobody owns it")
    };
    let mut answers: FuturesUnordered<_> = (0..40).map(|number| open(number, owner())).collect();
    for _ in 0..25 {
        let answer = answers.next().await.unwrap();
        match answer.status {
            403 => {}
            429 => {
                assert_eq!((answer.header("retry-after"), &answer.json()["message"]), (Some("10"), &TOO_MANY.into()));
            }
            _ => panic!("{answer:?}"),
        }
    }
    assert!(pulso.refused("OwnershipRate").await >= 15);
    assert_eq!(open(0, Claims::user(OTHER_OWNER)).await.status, 403);
}

#[tokio::test]
async fn what_exceeds_the_allowance_waits_its_turn_and_is_answered() {
    let (pulso, _database) = limited("1", "2").await;
    let mut dashboard = pulso.connect(&owner()).await;
    for number in 0..5 {
        dashboard.subscribe(&nobodys(number)).await;
    }
    dashboard.subscribe(NEGOCIO).await;
    for _ in 0..5 {
        assert_eq!(dashboard.error().await, NOT_ALLOWED);
    }
    dashboard.stats().await;
    assert_eq!(pulso.refused("OwnershipRate").await, 0);
}

#[tokio::test]
async fn fifty_screens_of_one_account_that_come_back_at_once_are_all_filled() {
    let (pulso, database) = limited("10", "20").await;
    database
        .execute(&format!(
            "INSERT INTO negocios SELECT ('99999999-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '{OWNER}', 'n'
             FROM generate_series(0, 49) n"
        ))
        .await;
    let come_back = async |number: usize| {
        let mut screen = pulso.connect(&owner()).await;
        // Its own shop, and the one that all of them show.
        screen.watch(&nobodys(number)).await;
        screen.watch(NEGOCIO).await;
        screen
    };
    let screens = join_all((0..50).map(come_back)).await;
    assert_eq!(pulso.refused("OwnershipRate").await, 0);
    assert_eq!(pulso.count("pulso_ownership_pairs_total").await, 51, "what is known costs nothing");
    drop(screens);
}

#[tokio::test]
async fn in_the_second_version_each_refusal_says_of_what_it_is_and_when_to_ask_again() {
    let (pulso, _database) = limited("1", "1").await;
    let codes = |answers: &[Value]| {
        let mut too_many = 0;
        for answer in answers {
            assert_eq!((&answer["type"], &answer["retry"]), (&json!("error"), &json!(false)), "{answer}");
            if answer["code"] == "too_many_checks" {
                assert_eq!((&answer["message"], &answer["after"]), (&json!(TOO_MANY), &json!(1_000)), "{answer}");
                too_many += 1;
            } else {
                assert_eq!((&answer["code"], answer.get("after")), (&json!("forbidden"), None), "{answer}");
            }
        }
        too_many
    };
    let mut dashboard = pulso.open(&format!("{}&v=2", signed("/ws", &owner()))).await;
    assert_eq!(dashboard.next().await["type"], "hello");
    let name = |number: usize| format!("estadisticas:{}", nobodys(number));
    for number in 0..20 {
        let reference = number.to_string();
        dashboard.send(&json!({ "type": "subscribe", "channel": name(number), "ref": reference })).await;
    }
    let mut answers = Vec::new();
    // Ten wait their turn at most, so that ten are answered at once.
    for _ in 0..8 {
        let answer = dashboard.next().await;
        assert_eq!(answer["channel"], name(answer["ref"].as_str().unwrap().parse().unwrap()), "{answer}");
        answers.push(answer);
    }
    assert!(codes(&answers) >= 5);

    let names: Vec<String> = (0..20).map(|number| format!("canal:{}:caja", nobodys(number))).collect();
    let asked = json!(names).to_string().replace('"', "%22");
    let path = format!("{}&v=2&channels={asked}", signed("/sse", &Claims::user(OTHER_OWNER)));
    let mut stream = pulso.events(&path).await;
    assert_eq!(stream.message().await["type"], "hello");
    let mut answers = Vec::new();
    for name in &names {
        answers.push(stream.message().await);
        assert_eq!(answers[answers.len() - 1]["channel"], *name);
    }
    assert!(codes(&answers) >= 5);
}
