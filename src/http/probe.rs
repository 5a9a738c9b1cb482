//! Asks a server on this machine whether it is well.
//!
//! Must not know who wants to know.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::HOST;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server that takes longer is not healthy.
const PATIENCE: Duration = Duration::from_secs(5);

/// `Ok` where it says so itself, else what is wrong in words for an operator.
///
/// Without TLS or a proxy, whatever the environment says: nothing stands between a machine and itself, and an image has no
/// certificates.
pub async fn ask(server: SocketAddr) -> Result<(), String> {
    let not_http = |_| "not an HTTP answer".to_owned();
    let asking = async {
        let stream = TcpStream::connect(server).await.map_err(|error| format!("cannot connect: {error}"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(not_http)?;
        let question = Request::get("/health").header(HOST, server.to_string()).body(Empty::<Bytes>::new());
        let question = question.map_err(|error| error.to_string())?;
        let answering = async { sender.send_request(question).await.map(|answer| answer.status().as_u16()) };
        // The connection is driven until there is an answer, and no longer.
        let answered = tokio::select! {
            biased;
            answered = answering => answered,
            Err(error) = connection => Err(error),
        };
        match answered.map_err(not_http)? {
            200 => Ok(()),
            status => Err(format!("it answers {status}")),
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_that_is_not_there_or_not_well_or_no_server_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        for (answer, told) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..], Ok(())),
            (&b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"[..], Err("it answers 503".to_owned())),
            (&b"220 smtp\r\n"[..], Err("not an HTTP answer".to_owned())),
        ] {
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                // An answer that comes before its question is none.
                assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
                stream.write_all(answer).await.unwrap();
                stream
            };
            assert_eq!(tokio::join!(ask(server), serve).0, told);
        }
        drop(listener);
        assert!(ask(server).await.unwrap_err().starts_with("cannot connect: "));
    }
}
