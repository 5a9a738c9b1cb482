//! How often an address may begin a client, where that is limited; hooks never are.

use pulso_harness::{Dashboard, EventStream, Packets, SECRET};

use super::signed_path;
use crate::business::{NEGOCIO, database, owner, pulso};

#[tokio::test]
async fn a_page_that_connects_without_a_pause_is_told_to_wait_and_others_come_in() {
    let database = database().await;
    let pulso = pulso(&database.url())
        .with("CONNECTS_PER_ADDRESS", "1")
        .with("CONNECTS_BURST", "3")
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .ready()
        .await;
    let port = pulso.port();
    let stream = format!("/sse?token={}&channel=estadisticas:{NEGOCIO}", owner().sign(SECRET));
    let page = [("x-forwarded-for", "2001:db8:1:2::1")];
    let mut refused = 0;
    for _ in 0..4 {
        refused += usize::from(Dashboard::try_connect(port, &signed_path(), &page).await.is_err());
        refused += usize::from(EventStream::try_open(port, &stream, &page).await.is_err());
        refused += usize::from(Packets::try_open(port, &page).await.is_err());
    }
    // Three at once, and one a second for as long as this takes.
    assert!(refused >= 1, "nobody was refused");
    assert_eq!(pulso.refused("TooManyConnects").await, refused as u64);

    for number in 0..3 {
        let address = format!("2001:db8:1:{}::1", 3 + number);
        let other = [("x-forwarded-for", address.as_str())];
        Dashboard::connect(port, &signed_path(), &other).await.watch(NEGOCIO).await;
        EventStream::open(port, &stream, &other).await.next().await.unwrap();
        Packets::open(port, &other).await;
    }
    let call = "POST /notify/cita HTTP/1.1\ncontent-type: application/json\nx-forwarded-for: 2001:db8:1:2::1";
    let body = format!(r#"{{"negocio_id":"{NEGOCIO}"}}"#);
    for _ in 0..10 {
        assert_eq!(pulso.exchange(call, &body).await.status, 200);
    }
}

#[tokio::test]
async fn who_begins_too_many_is_told_when_to_come_back_by_every_transport() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("CONNECTS_PER_ADDRESS", "1").with("CONNECTS_BURST", "1").ready().await;
    let stream = format!("/sse?token={}&channel=estadisticas:{NEGOCIO}", owner().sign(SECRET));
    let polling = "/socket.io/?EIO=4&transport=polling".to_owned();
    for head in [super::upgrade(&signed_path()), format!("GET {stream} HTTP/1.1"), format!("GET {polling} HTTP/1.1")] {
        let until_refused = async {
            loop {
                // A granted one keeps its connection: only the head of the answer is waited for.
                let mut line = pulso_harness::http::Line::open(pulso.port()).await;
                line.send(format!("{}\r\nhost: x\r\n\r\n", head.replace('\n', "\r\n"))).await;
                let answer = line.answer().await;
                if answer.status == 429 {
                    return answer;
                }
            }
        };
        let answer = tokio::time::timeout(pulso_harness::wait::LIMIT, until_refused).await.expect("a refusal");
        assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
        assert_eq!(answer.json()["error"], "too_many_connects");
    }
}
