//! Lines on their way to standard error: through a bounded queue, to a thread of their own. Who logs never waits for who
//! reads, and what cannot be written is lost and counted.
//!
//! `tracing-appender` would be the usual way. It counts no failed write, and where its queue is full at the end it waits
//! and prints to standard output: the very thing that must not matter here.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait to be written.
pub const MAX_WAITING_LINES: usize = 4_096;
/// Bytes of those that may wait.
pub const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Between two looks at what does not take more just now.
const PAUSE: Duration = Duration::from_millis(5);

/// The end of the queue where lines go in.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    queue: SyncSender<Order>,
    waiting_bytes: Arc<AtomicUsize>,
    lost: Counter,
}

#[derive(Debug)]
enum Order {
    Line(Vec<u8>),
    /// To be answered when everything before it has been written, or lost.
    Flush(SyncSender<()>),
}

/// Where lines are written, and whether the last one was torn.
struct Out<W> {
    out: W,
    is_torn: bool,
}

impl Lines {
    /// Starts the thread that writes to `out`; `held` is dropped if it ends.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        lost: Counter,
        held: impl Send + 'static,
    ) -> io::Result<Self> {
        let (queue, orders) = sync_channel(MAX_WAITING_LINES);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let lines = Self { queue, waiting_bytes: Arc::clone(&waiting_bytes), lost: lost.clone() };
        thread::Builder::new().name("log".into()).spawn(move || {
            let _held = held;
            write_out(&orders, out, &waiting_bytes, &lost);
        })?;
        Ok(lines)
    }

    /// Takes a whole line, or loses it.
    fn push(&self, line: &[u8]) {
        let before = self.waiting_bytes.fetch_add(line.len(), Ordering::Relaxed);
        let has_room = before + line.len() <= MAX_WAITING_BYTES;
        if !has_room || self.queue.try_send(Order::Line(line.to_vec())).is_err() {
            self.waiting_bytes.fetch_sub(line.len(), Ordering::Relaxed);
            self.lost.inc();
        }
    }

    /// Waits until all that was logged has been written, for no longer than `patience`.
    pub(super) fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let (done, is_done) = sync_channel(1);
        let mut order = Order::Flush(done);
        while let Err(TrySendError::Full(refused)) = self.queue.try_send(order) {
            if Instant::now() >= deadline {
                return;
            }
            order = refused;
            thread::sleep(PAUSE);
        }
        // Whoever does not read by then has no claim to the rest.
        let _ = is_done.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// The subscriber writes each line whole.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn write_out(orders: &Receiver<Order>, out: impl Write, waiting_bytes: &AtomicUsize, lost: &Counter) {
    let mut out = Out { out, is_torn: false };
    while let Ok(order) = orders.recv() {
        match order {
            Order::Line(line) => {
                waiting_bytes.fetch_sub(line.len(), Ordering::Relaxed);
                if out.write_line(&line).is_err() {
                    // A full disk may have room again for the next one, and a closed pipe costs a call.
                    lost.inc();
                }
            }
            Order::Flush(done) => {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
        }
    }
}

impl<W: Write> Out<W> {
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.write_all(b"\n")?;
        }
        self.write_all(line)
    }

    fn write_all(&mut self, mut rest: &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = &rest[written..];
                    self.is_torn = !rest.is_empty();
                }
                // Somebody else has made this a descriptor that does not block.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Written to as it is told: takes bytes, fails, or blocks until it is let go.
    #[derive(Clone, Default)]
    struct Reader(Arc<Mutex<Vec<u8>>>);

    impl Reader {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A reader that does not read before it is let go.
    struct Blocked(Receiver<()>, Reader);

    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // An end of the other side lets go for good.
            let _ = self.0.recv();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A disk that is full after some bytes, then has room again.
    struct Full {
        answers: Vec<io::Result<usize>>,
        reader: Reader,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.answers.pop().unwrap_or(Ok(usize::MAX)) {
                Ok(most) => self.reader.write(&bytes[..most.min(bytes.len())]),
                Err(error) => Err(error),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_never_waits_and_what_finds_no_room_is_counted() {
        let (release, blocked) = channel();
        let (reader, lost) = (Reader::default(), Counter::default());
        let lines = Lines::start(Blocked(blocked, reader.clone()), lost.clone(), ()).unwrap();
        for _ in 0..MAX_WAITING_LINES + 100 {
            lines.push(b"line\n");
        }
        // One may be on its way out already.
        assert!((99..=100).contains(&lost.get()), "{}", lost.get());
        lines.flush(Duration::from_millis(10));
        drop(release);
        lines.flush(PATIENCE);
        assert_eq!(reader.text().lines().count() as u64, (MAX_WAITING_LINES + 100) as u64 - lost.get());
    }

    #[test]
    fn long_lines_are_bounded_by_their_bytes() {
        let (release, blocked) = channel();
        let (reader, lost) = (Reader::default(), Counter::default());
        let lines = Lines::start(Blocked(blocked, reader), lost.clone(), ()).unwrap();
        for _ in 0..5 {
            lines.push(&vec![b'x'; MAX_WAITING_BYTES / 3]);
        }
        assert!((1..=2).contains(&lost.get()), "{}", lost.get());
        drop(release);
    }

    #[test]
    fn a_failed_line_is_counted_and_the_next_one_begins_on_a_line_of_its_own() {
        let (reader, lost) = (Reader::default(), Counter::default());
        let full = || Err(io::Error::from(ErrorKind::StorageFull));
        let again = || Err(io::Error::from(ErrorKind::WouldBlock));
        // The last comes first.
        let answers = vec![full(), Ok(3), again(), Ok(usize::MAX)];
        let lines = Lines::start(Full { answers, reader: reader.clone() }, lost.clone(), ()).unwrap();
        for line in ["one\n", "two and more\n", "three\n"] {
            lines.push(line.as_bytes());
        }
        lines.flush(PATIENCE);
        assert_eq!((reader.text().as_str(), lost.get()), ("one\ntwo\nthree\n", 1));
    }

    #[test]
    fn what_is_held_is_dropped_when_the_writer_panics() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                panic!("on purpose");
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (held, is_dropped) = channel::<()>();
        let lost = Counter::default();
        let lines = Lines::start(Broken, lost.clone(), held).unwrap();
        lines.push(b"line\n");
        assert!(is_dropped.recv_timeout(PATIENCE).is_err());
        while lost.get() == 0 {
            lines.push(b"line\n");
        }
        // And nobody waits for it.
        lines.flush(PATIENCE);
    }
}
