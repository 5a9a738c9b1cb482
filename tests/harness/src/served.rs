//! A port of the loopback whose requests a test answers: one a connection, plain or behind TLS.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::postgres::tls::certify;
use crate::process::ServiceDir;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The port. It lives in the runtime that made it and is closed when dropped.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    acceptor: JoinHandle<()>,
}

/// What somebody asked, and the way to them.
pub(crate) struct Request {
    /// Without the empty line that ends it.
    pub head: String,
    pub body: Vec<u8>,
    pub stream: Box<dyn Stream>,
}

/// A certificate for this machine.
#[derive(Debug)]
pub(crate) struct Certificate {
    config: Arc<ServerConfig>,
    /// The certificate of the new authority that vouches for it, as long as this lives.
    pub authority: PathBuf,
    _dir: ServiceDir,
}

impl Port {
    /// A free one, whose requests are given to `answer`.
    pub async fn open<F>(
        certificate: Option<&Certificate>,
        answer: impl Fn(Request) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let number = listener.local_addr().expect("a bound listener").port();
        let tls = certificate.map(|certificate| TlsAcceptor::from(Arc::clone(&certificate.config)));
        let acceptor = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, answer) = (tls.clone(), answer.clone());
                tokio::spawn(async move {
                    let stream: Option<Box<dyn Stream>> = match tls {
                        Some(tls) => tls.accept(stream).await.ok().map(|stream| Box::new(stream) as _),
                        None => Some(Box::new(stream)),
                    };
                    // A peer that hangs up is no concern of the server's.
                    if let Some(request) = Request::read(stream).await {
                        answer(request).await;
                    }
                });
            }
        });
        Self { number, acceptor }
    }

    pub fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl Request {
    async fn read(stream: Option<Box<dyn Stream>>) -> Option<Self> {
        let mut stream = stream?;
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let mut body = bytes.split_off(end + 4);
        bytes.truncate(end + 2);
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let length = header(&head, "content-length").map_or(0, |length| length.parse().expect("a length in bytes"));
        while body.len() < length {
            if stream.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        Some(Self { head, body, stream })
    }

    /// `status` with its reason. The connection ends with it.
    pub async fn answer(mut self, status: &str, headers: &[(String, String)], body: &[u8]) {
        let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let _ = self.stream.write_all(&[head.as_bytes(), body].concat()).await;
        let _ = self.stream.shutdown().await;
    }
}

impl Certificate {
    pub fn new() -> Self {
        let dir = ServiceDir::new("served");
        let authority = certify(&dir);
        let certificate = CertificateDer::from_pem_file(dir.path().join("server.crt")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(dir.path().join("server.key")).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        let config = Arc::new(config.expect("a certificate and its key"));
        Self { config, authority, _dir: dir }
    }
}

/// What a head says by `name`, which is lower case.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    pairs.find(|(said, _)| said.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
