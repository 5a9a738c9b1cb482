//! How many device ids an address may try, and that good kiosks behind it get in all the same.

use futures_util::future::join_all;
use pulso_harness::{Dashboard, EventStream, Running};

use super::{closed, device_refused, kiosk_path};
use crate::feeds::configured;

const MANY: &str = "
    CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices SELECT n, 'ipad-' || n, true FROM generate_series(0, 199) n;";

/// How an attempt went.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    In,
    /// Told that there is no such device.
    Unknown,
    /// Told nothing.
    TooMany,
}
use Outcome::{In, TooMany, Unknown};

async fn by_socket(pulso: &Running, uid: &str) -> (Outcome, Option<Dashboard>) {
    let mut kiosk = match Dashboard::try_connect(pulso.port(), &kiosk_path(uid), &[]).await {
        Ok(kiosk) => kiosk,
        Err(refused) => {
            assert_eq!(refused.status, 429);
            return (TooMany, None);
        }
    };
    kiosk.send_text(r#"{"type":"ping"}"#).await;
    match kiosk.text_or_close().await {
        Ok(_) => (In, Some(kiosk)),
        Err(end) if end == device_refused() => (Unknown, None),
        Err(end) => {
            assert_eq!(end, closed(1013, "too many unknown devices"));
            (TooMany, None)
        }
    }
}

async fn by_stream(pulso: &Running, uid: &str) -> (Outcome, Option<EventStream>) {
    let path = format!("/sse?channel=device&device_uid={uid}");
    match EventStream::try_open(pulso.port(), &path, &[]).await {
        Ok(stream) => (In, Some(stream)),
        Err(answer) if answer.status == 403 => (Unknown, None),
        Err(answer) => {
            assert_eq!((answer.status, answer.header("retry-after")), (429, Some("60")), "{answer:?}");
            (TooMany, None)
        }
    }
}

fn count<T>(outcomes: &[(Outcome, Option<T>)], wanted: &Outcome) -> usize {
    outcomes.iter().filter(|(outcome, _)| outcome == wanted).count()
}

#[tokio::test]
async fn two_hundred_kiosks_behind_one_address_that_start_at_once_all_get_in() {
    let (pulso, database) = configured().await;
    database.execute(MANY).await;
    let pulso = pulso.ready().await;
    let numbers: Vec<String> = (0..200).map(|number| format!("ipad-{number}")).collect();
    let (sockets, streams) = numbers.split_at(100);
    let (sockets, streams) = tokio::join!(
        join_all(sockets.iter().map(|uid| by_socket(&pulso, uid))),
        join_all(streams.iter().map(|uid| by_stream(&pulso, uid))),
    );
    assert_eq!((count(&sockets, &In), count(&streams, &In)), (100, 100));
    assert_eq!(pulso.refused("Device").await, 0);
}

#[tokio::test]
async fn who_tries_many_ids_at_once_is_told_of_as_many_as_one_after_the_other() {
    let (pulso, database) = configured().await;
    database.execute(MANY).await;
    let pulso = pulso.with("BAD_DEVICES_PER_MINUTE", "10").ready().await;
    let guesses: Vec<String> = (0..150).map(|number| format!("guess-{number}")).collect();
    let (sockets, streams) = tokio::join!(
        join_all(guesses.iter().map(|uid| by_socket(&pulso, uid))),
        join_all(guesses.iter().map(|uid| by_stream(&pulso, uid))),
    );
    assert_eq!(count(&sockets, &Unknown) + count(&streams, &Unknown), 10);
    assert_eq!(count(&sockets, &TooMany) + count(&streams, &TooMany), 290);
    assert_eq!(by_socket(&pulso, "ipad-8").await.0, TooMany);
    assert_eq!(by_stream(&pulso, "ipad-8").await.0, TooMany);
}
