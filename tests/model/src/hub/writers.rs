//! Those who write to one socket: whoever publishes, the fan-out thread, the client's task.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use loom::future::block_on;
use loom::thread::{self, JoinHandle};

use super::mailbox::{Begun, Mailbox, Next, Outgoing};
use super::outlet::Outlet;
use crate::model::Channel;
use crate::model::CloseReason;
use crate::publication::{Encoding, Publication, frame};

/// Every frame is as long: its head, and one letter that says whose it is.
const LENGTH: usize = 3;
const HEAD: [u8; 2] = [0x81, 1];
const FRAMES: Encoding = Encoding::Frames { with_ids: false };
const CLOSE: &str = "C";

fn event(id: u64, name: &str) -> Arc<Publication> {
    Arc::new(Publication::event(Channel::Negocio(None), id, "", name))
}

fn state(version: u64, name: &str) -> Arc<Publication> {
    Arc::new(Publication::state(Channel::StaffOrders(None), version, name, None))
}

struct Client {
    mailbox: Arc<Mailbox>,
    outlet: Outlet,
}

impl Client {
    fn new(room: usize, capacity: usize) -> Self {
        let outlet = Outlet::new(room);
        let mailbox = Arc::new(Mailbox::with_outlet(capacity, outlet.clone(), FRAMES));
        mailbox.expect_channel(Channel::Negocio(None), 0);
        mailbox.expect_channel(Channel::StaffOrders(None), 0);
        Self { mailbox, outlet }
    }

    /// Does something on a thread of its own.
    fn beside(self: &Arc<Self>, act: impl FnOnce(&Self) + 'static) -> JoinHandle<()> {
        let client = Arc::clone(self);
        thread::spawn(move || act(&client))
    }

    /// What the fan-out thread does with io_uring: the send happens between two holds of the lock.
    fn send_by_ring(&self, publication: &Arc<Publication>) {
        if self.mailbox.begin(publication) == Begun::Send {
            let sent = self.outlet.try_send(self.mailbox.bytes_of(publication));
            self.mailbox.finish(publication, sent);
        }
    }

    /// What the client's task does with what it finds.
    fn write(&self, message: &Outgoing, from: usize) {
        self.outlet.write_all(&self.mailbox.bytes_of_outgoing(message)[from..]);
    }

    /// The client's task until so many frames are out. `false` if it has to end before.
    fn work_until(&self, frames: usize) -> bool {
        block_on(poll_fn(|cx| {
            loop {
                match self.mailbox.poll_next(cx, true) {
                    Poll::Ready(Next::Message(message, from)) => self.write(&message, from),
                    Poll::Ready(Next::Overflowed | Next::Dismissed(_)) => return Poll::Ready(false),
                    Poll::Pending if self.outlet.has_written(frames * LENGTH, cx.waker()) => return Poll::Ready(true),
                    Poll::Pending => return Poll::Pending,
                }
            }
        }))
    }

    /// The client's task says its farewell.
    fn close(&self, to_be_sent: bool) {
        self.mailbox.close(to_be_sent);
        while let Some(Next::Message(message, from)) = block_on(poll_fn(|cx| self.mailbox.poll_last(cx))) {
            self.write(&message, from);
        }
        self.outlet.write_all(&frame::text(CLOSE));
    }

    /// The frames on the line; fails if one is torn.
    fn frames(&self) -> String {
        let bytes = self.outlet.written();
        assert_eq!(bytes.len() % LENGTH, 0, "torn: {}", String::from_utf8_lossy(&bytes));
        let name = |frame: &[u8]| {
            assert_eq!(frame[..2], HEAD, "torn: {}", String::from_utf8_lossy(&bytes));
            char::from(frame[2])
        };
        bytes.chunks(LENGTH).map(name).collect()
    }
}

/// Tries every interleaving, for sockets that take everything, nothing, and a part.
fn check(scenario: impl Fn(usize) + Sync + Send + Clone + 'static) {
    for room in [0, 2, 4, 100] {
        let scenario = scenario.clone();
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(2);
        builder.check(move || scenario(room));
    }
}

#[test]
fn three_writers_never_tear_a_frame_nor_lose_one_nor_sleep_for_ever() {
    check(|room| {
        let client = Arc::new(Client::new(room, 8));
        let ring = client.beside(|client| {
            client.send_by_ring(&event(1, "a"));
            client.send_by_ring(&event(2, "b"));
        });
        let publisher = client.beside(|client| {
            let _ = client.mailbox.push_answer("x");
        });
        assert!(client.work_until(3));
        ring.join().expect("no panic");
        publisher.join().expect("no panic");
        let frames = client.frames();
        assert!(["abx", "axb", "xab"].contains(&frames.as_str()), "{frames}");
    });
}

/// Two threads publish states while the task writes; what then arrived.
fn frames_of_states(room: usize, by_ring: &'static [u64], by_push: &'static [u64]) -> String {
    let client = Arc::new(Client::new(room, 8));
    let ring = client.beside(move |client| {
        for &version in by_ring {
            client.send_by_ring(&state(version, &version.to_string()));
        }
    });
    let publisher = client.beside(move |client| {
        for &version in by_push {
            client.mailbox.push(&state(version, &version.to_string()));
        }
    });
    // At least one; when both threads are done, whatever is left.
    assert!(client.work_until(1));
    ring.join().expect("no panic");
    publisher.join().expect("no panic");
    while let Some(Next::Message(message, from)) = client.mailbox.try_next() {
        client.write(&message, from);
    }
    client.frames()
}

#[test]
fn the_newest_state_arrives_and_none_before_an_older_one() {
    check(|room| {
        let frames = frames_of_states(room, &[1], &[2]);
        assert!(["2", "12"].contains(&frames.as_str()), "{frames}");
    });
}

#[test]
fn of_three_states_the_newest_is_the_last_to_arrive_whoever_sends_them() {
    for (by_ring, by_push) in [(&[1][..], &[2, 3][..]), (&[1, 3], &[2]), (&[1, 2], &[3]), (&[2], &[1, 3])] {
        check(move |room| {
            let frames = frames_of_states(room, by_ring, by_push);
            assert!(frames.ends_with('3') && frames.as_bytes().is_sorted(), "{frames}");
        });
    }
}

#[test]
fn the_farewell_comes_last_and_behind_what_is_half_out() {
    check(|room| {
        let client = Arc::new(Client::new(room, 8));
        let ring = client.beside(|client| {
            client.send_by_ring(&event(1, "a"));
            client.send_by_ring(&event(2, "b"));
        });
        client.close(true);
        ring.join().expect("no panic");
        let frames = client.frames();
        assert!(["C", "aC", "abC"].contains(&frames.as_str()), "{frames}");
    });
}

#[test]
fn who_is_dismissed_in_the_middle_of_a_send_ends_with_a_whole_frame() {
    check(|room| {
        let client = Arc::new(Client::new(room, 8));
        let ring = client.beside(|client| client.send_by_ring(&event(1, "a")));
        let judge = client.beside(|client| client.mailbox.dismiss(CloseReason::SessionEnded));
        assert!(!client.work_until(usize::MAX / LENGTH));
        client.close(false);
        ring.join().expect("no panic");
        judge.join().expect("no panic");
        let frames = client.frames();
        assert!(["C", "aC"].contains(&frames.as_str()), "{frames}");
    });
}

#[test]
fn a_full_mailbox_ends_its_client_with_what_is_half_out_and_nothing_more() {
    check(|room| {
        let client = Arc::new(Client::new(room, 1));
        let ring = client.beside(|client| {
            for (id, name) in [(1, "a"), (2, "b"), (3, "c")] {
                client.send_by_ring(&event(id, name));
            }
        });
        // The task comes too late for some.
        let all = client.work_until(3);
        client.close(false);
        ring.join().expect("no panic");
        let frames = client.frames();
        let possible: &[_] = if all { &["abcC"] } else { &["C", "aC", "abC"] };
        assert!(possible.contains(&frames.as_str()), "{frames}");
    });
}
