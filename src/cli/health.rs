//! `pulso health`: one request to the server on this machine, for a HEALTHCHECK without a shell.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Client;

use super::destination::destination;
use super::{block_on, complain, or_complain};
use crate::config::env;

/// A server that takes longer is not healthy.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run() -> ExitCode {
    let listen = match or_complain(env::load_demo_listen()) {
        Ok(listen) => listen,
        Err(code) => return code,
    };
    let server = destination(SocketAddr::new(listen.address, listen.port));
    block_on(async {
        match ask(server).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                complain(&[format!("no healthy server at {server}: {why}")]);
                ExitCode::FAILURE
            }
        }
    })
}

async fn ask(server: SocketAddr) -> Result<(), String> {
    // No proxy stands between a machine and itself, whatever the environment says, and no certificate: an image has none.
    let client =
        Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build().map_err(|error| error.to_string())?;
    match client.get(format!("http://{server}/health")).send().await {
        Ok(answer) if answer.status().as_u16() == 200 => Ok(()),
        Ok(answer) => Err(format!("it answers {}", answer.status().as_u16())),
        Err(error) if error.is_timeout() => Err(format!("no answer within {PATIENCE:?}")),
        Err(error) if error.is_connect() => Err("cannot connect".to_owned()),
        Err(_) => Err("not an HTTP answer".to_owned()),
    }
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
        assert_eq!(ask(server).await, Err("cannot connect".to_owned()));
    }
}
