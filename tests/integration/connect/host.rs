//! `Host`: HTTP/1.1 names it once, on every path and before anything else is looked at.

use pulso_harness::http;

use crate::business::open;

#[tokio::test]
async fn a_request_that_does_not_name_its_host_once_is_refused_on_every_path() {
    let (pulso, _database) = open().await;
    let ask = async |request: &str| http::raw(pulso.port(), request.as_bytes()).await;
    let paths = ["/", "/ws", "/sse", "/health", "/ready", "/metrics", "/notify/cita", "/notify/sync", "/nothing"];
    let further = ["/socket.io/?EIO=4&transport=polling", "/sync/pull-changes", "/api/publish", "/ws/kiosk/orders/"];
    let mut refused = 0;
    for path in paths.into_iter().chain(further) {
        for method in ["GET", "POST"] {
            for hosts in ["", "host: a\r\nhost: b\r\n"] {
                let answer = ask(&format!("{method} {path} HTTP/1.1\r\n{hosts}connection: close\r\n\r\n")).await;
                assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("bad_request")), "{answer:?}");
                refused += 1;
            }
        }
    }
    assert_eq!(pulso.refused("Host").await, refused);
    assert_eq!(ask("GET /health HTTP/1.0\r\n\r\n").await.status, 200);
    assert_eq!(ask("GET /health HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n").await.status, 200);
}
