//! A TCP line that can be cut, silenced and refused, between Pulso and whatever it talks to.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Open,
    Silent,
    Refusing,
}

#[derive(Clone, Copy, Debug)]
struct State {
    line: Line,
    /// Connections of an older generation are cut.
    generation: u64,
}

/// The proxy. It lives in the runtime that made it and ends when dropped.
pub struct ChaosProxy {
    port: u16,
    state: watch::Sender<State>,
    acceptor: JoinHandle<()>,
}

impl ChaosProxy {
    /// Listens on a free port and forwards to `upstream`, a port of 127.0.0.1.
    pub async fn start(upstream: u16) -> Self {
        let listener = listen(0).await;
        let port = listener.local_addr().expect("a bound listener").port();
        let (state, watcher) = watch::channel(State { line: Line::Open, generation: 0 });
        let acceptor = tokio::spawn(accept(listener, upstream, watcher));
        Self { port, state, acceptor }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection; new ones are forwarded.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// A black hole: connections are accepted, and neither old nor new ones carry a byte.
    pub fn silence(&self) {
        self.set(Line::Silent);
    }

    /// Ends every connection and refuses new ones. Returns when the port is closed.
    pub async fn refuse(&self) {
        self.state.send_modify(|state| *state = State { line: Line::Refusing, generation: state.generation + 1 });
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Forwards again; silenced connections go on where they stopped. Returns when the port is open.
    pub async fn restore(&self) {
        self.set(Line::Open);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    fn set(&self, line: Line) {
        self.state.send_modify(|state| state.line = line);
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.cut();
    }
}

async fn listen(port: u16) -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("the proxy's port")
}

async fn accept(listener: TcpListener, upstream: u16, mut state: watch::Receiver<State>) {
    let port = listener.local_addr().expect("a bound listener").port();
    let mut listener = Some(listener);
    loop {
        let refusing = state.borrow_and_update().line == Line::Refusing;
        if refusing {
            listener = None;
        } else if listener.is_none() {
            listener = Some(listen(port).await);
        }
        tokio::select! {
            biased;
            changed = state.changed() => if changed.is_err() { return },
            Ok(client) = next(listener.as_ref()) => {
                tokio::spawn(serve(client, upstream, state.clone()));
            }
        }
    }
}

async fn next(listener: Option<&TcpListener>) -> std::io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn serve(client: TcpStream, upstream: u16, mut state: watch::Receiver<State>) {
    let generation = state.borrow().generation;
    let mut cut = state.clone();
    let forwarding = async {
        opened(&mut state).await;
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await else { return };
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // Either side's end ends both.
        tokio::select! {
            () = pump(from_client, to_server, state.clone()) => {}
            () = pump(from_server, to_client, state) => {}
        }
    };
    tokio::select! {
        () = forwarding => {}
        _ = cut.wait_for(|state| state.generation != generation) => {}
    }
}

async fn opened(state: &mut watch::Receiver<State>) {
    if state.wait_for(|state| state.line == Line::Open).await.is_err() {
        // The proxy is gone; `serve` is being cut.
        std::future::pending::<()>().await;
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read) = from.read(&mut buffer).await else { return };
        opened(&mut state).await;
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
