//! What a mailbox does with a publication that the fan-out thread began to send and of which the socket took nothing.

use tokio::net::{TcpListener, TcpStream};

use super::{Arc, CloseReason, Mailbox, Publication, Push, channel, drain, publication};
use crate::hub::mailbox::Begun;
use crate::hub::outlet::Outlet;

/// A mailbox that listens to `n`; nothing is ever sent past its task here.
async fn mailbox() -> Mailbox {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mailbox = Mailbox::with_outlet(8, Outlet::new(stream), super::FRAMES);
    mailbox.expect_channel(channel("n"), 0);
    mailbox
}

fn event(id: u64) -> Arc<Publication> {
    Arc::new(Publication::event(channel("n"), id, "", "{}"))
}

#[tokio::test]
async fn an_unsent_state_gives_way_to_the_newer_one_that_came_meanwhile() {
    let mailbox = mailbox().await;
    let first = publication("n", 1);
    assert_eq!(mailbox.begin(&first), Begun::Send);
    assert_eq!(mailbox.push(&publication("n", 2)), Push::Queued);
    assert_eq!(mailbox.finish(&first, 0), Push::Replaced);
    assert_eq!(mailbox.push(&publication("n", 3)), Push::Replaced);
    assert_eq!(drain(&mailbox), [3]);
}

#[tokio::test]
async fn an_unsent_state_without_a_newer_one_keeps_its_place() {
    let mailbox = mailbox().await;
    mailbox.expect_channel(channel("other"), 0);
    let first = publication("n", 5);
    assert_eq!(mailbox.begin(&first), Begun::Send);
    assert_eq!(mailbox.push(&publication("other", 2)), Push::Queued);
    assert_eq!(mailbox.finish(&first, 0), Push::Queued);
    assert_eq!(drain(&mailbox), [5, 2]);
}

#[tokio::test]
async fn a_state_that_is_half_out_is_finished_before_the_newest() {
    let mailbox = mailbox().await;
    let first = publication("n", 1);
    assert_eq!(mailbox.begin(&first), Begun::Send);
    assert_eq!(mailbox.push(&publication("n", 2)), Push::Queued);
    assert_eq!(mailbox.finish(&first, 3), Push::Queued);
    assert_eq!(mailbox.push(&publication("n", 3)), Push::Replaced);
    assert_eq!(drain(&mailbox), [1, 3]);
}

#[tokio::test]
async fn an_unsent_event_goes_before_those_that_came_meanwhile() {
    let mailbox = mailbox().await;
    let first = event(1);
    assert_eq!(mailbox.begin(&first), Begun::Send);
    assert_eq!(mailbox.push(&event(2)), Push::Queued);
    assert_eq!(mailbox.finish(&first, 0), Push::Queued);
    assert_eq!(drain(&mailbox), [1, 2]);
}

#[tokio::test]
async fn who_left_a_channel_meanwhile_gets_nothing_of_it() {
    let mailbox = mailbox().await;
    let first = publication("n", 1);
    assert_eq!(mailbox.begin(&first), Begun::Send);
    mailbox.forget_channel(&channel("n"));
    assert_eq!(mailbox.finish(&first, 0), Push::NotWanted);
    assert!(drain(&mailbox).is_empty());
}

#[tokio::test]
async fn who_is_dismissed_meanwhile_gets_nothing_more() {
    let mailbox = mailbox().await;
    let first = publication("n", 1);
    assert_eq!(mailbox.begin(&first), Begun::Send);
    mailbox.dismiss(CloseReason::SessionEnded);
    assert_eq!(mailbox.finish(&first, 0), Push::NotWanted);
}
