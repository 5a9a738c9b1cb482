//! The hub with mailboxes and no sockets: who is handed what, and who has left.

use super::*;
use crate::hub::mailbox::{Next, Outgoing};
use crate::negocio::IdType;
use crate::publication::Frame;

fn channel(name: &str) -> Channel {
    Channel::Estadisticas(IdType::Text.parse(name).unwrap())
}

fn publication(name: &str, version: u64) -> Arc<Publication> {
    Arc::new(Publication::new(channel(name), version, Frame::text(&format!("{name} {version}")), None))
}

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(Arc::new(Metrics::new())))
}

fn member(hub: &Arc<Hub>, name: &str, capacity: usize) -> (Arc<Mailbox>, Membership) {
    let mailbox = Arc::new(Mailbox::new(capacity));
    mailbox.expect_channel(channel(name));
    let membership = hub.join(channel(name), Arc::clone(&mailbox));
    (mailbox, membership)
}

fn drain(mailbox: &Mailbox) -> Vec<u64> {
    std::iter::from_fn(|| mailbox.try_next())
        .map(|next| match next {
            Next::Message(Outgoing::State(state)) => state.version,
            other => panic!("unexpected {other:?}"),
        })
        .collect()
}

#[test]
fn a_publication_reaches_its_channel_and_no_other() {
    let hub = hub();
    let (mine, _stay) = member(&hub, "mine", 4);
    let (other, _stay_too) = member(&hub, "other", 4);
    assert_eq!(hub.publish(&publication("mine", 1)), 1);
    assert_eq!(drain(&mine), [1]);
    assert!(drain(&other).is_empty());
}

#[test]
fn an_older_version_never_follows_a_newer_one() {
    let hub = hub();
    let (mailbox, _stay) = member(&hub, "n", 4);
    hub.publish(&publication("n", 5));
    assert_eq!(drain(&mailbox), [5]);
    hub.publish(&publication("n", 4));
    hub.publish(&publication("n", 5));
    assert!(drain(&mailbox).is_empty());
    assert_eq!(mailbox.push_state_again(&publication("n", 5)), Push::Queued);
}

#[test]
fn an_unsent_state_is_replaced_by_the_newer_one() {
    let hub = hub();
    let (mailbox, _stay) = member(&hub, "n", 2);
    for version in 1..=1_000 {
        assert_eq!(hub.publish(&publication("n", version)), 1);
    }
    assert_eq!(drain(&mailbox), [1_000]);
}

#[test]
fn a_full_mailbox_overflows_and_others_still_receive() {
    let hub = hub();
    let (slow, _stay) = member(&hub, "n", 3);
    let (quick, _stay_too) = member(&hub, "n", 3);
    for _ in 0..3 {
        assert_eq!(slow.push_answer(Frame::text("{}")), Push::Queued);
    }
    assert_eq!(hub.publish(&publication("n", 1)), 1);
    assert!(matches!(slow.try_next(), Some(Next::Overflowed)));
    assert_eq!(slow.push_answer(Frame::text("{}")), Push::NotWanted);
    assert_eq!(drain(&quick), [1]);
}

#[test]
fn who_unsubscribed_gets_nothing_that_was_on_its_way() {
    let hub = hub();
    let (mailbox, stay) = member(&hub, "n", 4);
    hub.publish(&publication("n", 1));
    mailbox.forget_channel(&channel("n"));
    hub.publish(&publication("n", 2));
    assert!(drain(&mailbox).is_empty());
    drop(stay);
    assert_eq!(hub.subscribers(&channel("n")), 0);
    assert!(hub.watched().is_empty());
}

#[test]
fn a_walk_in_slices_misses_nobody_when_places_have_been_freed() {
    let hub = hub();
    let mut members: Vec<_> = (0..WALK_SLICE * 3).map(|_| member(&hub, "n", 2)).collect();
    let mut turn = 0;
    members.retain(|_| {
        turn += 1;
        turn % 3 != 0
    });
    assert_eq!(hub.publish(&publication("n", 1)), members.len());
    assert!(members.iter().all(|(mailbox, _)| drain(mailbox) == [1]));
}
