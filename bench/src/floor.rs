//! The least that sending one message to each of many sockets can cost: one `write()` each, from one thread.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// As long as a `stats` frame.
const FRAME: [u8; 212] = [0; 212];

/// Processor time of one write, over `messages` rounds to `subscribers` sockets.
pub async fn measure(subscribers: usize, messages: u32) -> Duration {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let (go, turns) = sync_channel::<()>(1);
    let sender = thread::spawn(move || {
        let mut sockets: Vec<_> = (0..subscribers).map(|_| listener.accept().expect("a connection").0).collect();
        for socket in &sockets {
            socket.set_nodelay(true).expect("a TCP socket");
        }
        let mut spent = Duration::ZERO;
        for () in turns {
            let from = thread_time();
            for socket in &mut sockets {
                socket.write_all(&FRAME).expect("a reader");
            }
            spent += thread_time().saturating_sub(from);
        }
        spent
    });
    let mut readers = Vec::with_capacity(subscribers);
    for _ in 0..subscribers {
        readers.push(TcpStream::connect(address).await.expect("a connection"));
    }
    let (done, mut waiting) = tokio::sync::mpsc::channel::<()>(subscribers);
    let mut tasks = JoinSet::new();
    for mut reader in readers {
        let done = done.clone();
        tasks.spawn(async move {
            let mut frame = FRAME;
            while reader.read_exact(&mut frame).await.is_ok() {
                if done.send(()).await.is_err() {
                    return;
                }
            }
        });
    }
    for _ in 0..messages {
        go.send(()).expect("the sender waits");
        for _ in 0..subscribers {
            waiting.recv().await.expect("every reader has its frame");
        }
    }
    drop(go);
    let spent = tokio::task::spawn_blocking(move || sender.join()).await;
    spent.expect("a thread").expect("the sender ends well") / messages / u32::try_from(subscribers).unwrap_or(u32::MAX)
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
