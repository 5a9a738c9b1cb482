//! The hub with mailboxes and no sockets: who is handed what, and who has left.

mod put_back;
mod standing;

use super::*;
use crate::hub::fanout::{AT_ONCE, WALK_SLICE};
use crate::hub::mailbox::{Next, Outgoing, Push};
use crate::hub::queue::MAX_BYTES;
use crate::model::IdType;
use crate::publication::{Draft, Encoding};

const FRAMES: Encoding = Encoding::Frames { with_ids: false };

fn channel(name: &str) -> Channel {
    // Of events, which a newcomer has by replay or by hand, never by both.
    Channel::Negocio(IdType::Text.parse(name))
}

fn publication(name: &str, version: u64) -> Arc<Publication> {
    Arc::new(Publication::state(channel(name), version, format!("{name} {version}"), None))
}

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(Arc::new(Metrics::new())))
}

fn member(hub: &Arc<Hub>, name: &str, capacity: usize) -> (Arc<Mailbox>, Membership) {
    let mailbox = Arc::new(Mailbox::new(capacity, FRAMES));
    let membership = hub.join(channel(name), &mailbox);
    (mailbox, membership)
}

fn drain(mailbox: &Mailbox) -> Vec<u64> {
    std::iter::from_fn(|| mailbox.try_next())
        .map(|next| match next {
            Next::Message(Outgoing::Published(state), _) => state.version,
            other => panic!("unexpected {other:?}"),
        })
        .collect()
}

/// Without it the ring's own tests have nothing to test, and pass.
#[test]
fn where_the_machine_has_io_uring_a_ring_is_set_up() {
    assert_eq!(set_up_ring().is_some(), pulso_harness::machine::has_io_uring());
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
    assert_eq!(mailbox.push_again(&publication("n", 5)), Push::Queued);
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
        assert_eq!(slow.push_answer("{}"), Push::Queued);
    }
    assert_eq!(hub.publish(&publication("n", 1)), 1);
    assert!(matches!(slow.try_next(), Some(Next::Overflowed)));
    assert_eq!(slow.push_answer("{}"), Push::NotWanted);
    assert_eq!(drain(&quick), [1]);
}

#[test]
fn a_mailbox_holds_no_more_bytes_than_it_may_and_states_replace_each_other_before_that_counts() {
    let hub = hub();
    let half = "x".repeat(MAX_BYTES / 2);
    let large = |version| Arc::new(Publication::state(channel("n"), version, half.as_str(), None));
    let (mailbox, _stay) = member(&hub, "n", 256);
    for version in 1..=10 {
        hub.publish(&large(version));
    }
    // With what a frame has before its text.
    assert_eq!(mailbox.push_answer(&half[16..]), Push::Queued);
    let first = mailbox.try_next();
    assert!(matches!(&first, Some(Next::Message(Outgoing::Published(state), 0)) if state.version == 10), "{first:?}");
    assert_eq!(mailbox.push_answer(&half[16..]), Push::Queued, "what went out makes room");

    let (slow, _stay_too) = member(&hub, "n", 256);
    hub.publish(&large(11));
    assert_eq!(slow.push_answer(&half[16..]), Push::Queued);
    assert_eq!(slow.push_answer("12345678901234567890"), Push::Overflowed);
    assert!(matches!(slow.try_next(), Some(Next::Overflowed)));

    let (alone, _stay_three) = member(&hub, "n", 256);
    assert_eq!(alone.push_answer("x".repeat(2 * MAX_BYTES)), Push::Queued, "else it could never be said");
    assert_eq!(alone.push_answer("x"), Push::Overflowed);
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
fn who_was_silenced_hears_again_when_it_joins_anew_and_not_before() {
    let hub = hub();
    let (mailbox, stay) = member(&hub, "n", 4);
    let (other, _stay_too) = member(&hub, "other", 4);
    hub.publish(&publication("n", 1));
    hub.publish(&publication("other", 1));
    hub.silence(|silenced| *silenced == channel("n"));
    hub.publish(&publication("n", 2));
    assert!(drain(&mailbox).is_empty(), "nor what waited");
    assert_eq!(drain(&other), [1]);
    assert_eq!(hub.subscribers(&channel("n")), 1);
    drop(stay);
    let _again = hub.join(channel("n"), &mailbox);
    hub.publish(&publication("n", 2));
    assert_eq!(drain(&mailbox), [2]);
}

#[tokio::test]
async fn a_walk_in_slices_misses_nobody_when_places_have_been_freed() {
    let hub = hub();
    hub.start(true, ()).unwrap();
    let mut members: Vec<_> = (0..WALK_SLICE * 3).map(|_| member(&hub, "n", 2)).collect();
    let mut turn = 0;
    members.retain(|_| {
        turn += 1;
        turn % 3 != 0
    });
    assert_eq!(hub.publish(&publication("n", 1)), members.len());
    hub.until_handed_out().await;
    assert!(members.iter().all(|(mailbox, _)| drain(mailbox) == [1]));
}

fn sale(name: &str) -> Draft {
    Draft::new(channel(name), "{}")
}

/// As the broker of a node that is alone.
fn publish_events(hub: &Hub, drafts: Vec<Draft>) -> Result<Vec<usize>, Full> {
    let mut sequence = hub.sequence()?;
    let deliver = |draft: Draft| {
        let id = sequence.last_id() + 1;
        sequence.deliver(draft.with_id(id))
    };
    Ok(drafts.into_iter().map(deliver).collect())
}

#[test]
fn events_are_not_conflated_and_a_full_mailbox_ends_its_client() {
    let hub = hub();
    let (mailbox, _stay) = member(&hub, "n", 2);
    assert_eq!(publish_events(&hub, vec![sale("n"), sale("n")]).unwrap(), [1, 1]);
    assert_eq!(drain(&mailbox).len(), 2);
    assert_eq!(publish_events(&hub, vec![sale("n"), sale("n"), sale("n"), sale("n")]).unwrap(), [1, 1, 0, 0]);
    assert!(matches!(mailbox.try_next(), Some(Next::Overflowed)));
}

#[test]
fn what_was_missed_comes_first_and_does_not_count_against_the_capacity() {
    let hub = hub();
    let before = publish_events(&hub, (0..100).map(|_| sale("n")).collect()).unwrap().len();
    let mailbox = Arc::new(Mailbox::new(2, FRAMES));
    let (_stay, outcome) = hub.join_since(&[channel("n")], &mailbox, Since::After(0), Words::default());
    assert_eq!(outcome, Ok(()));
    assert_eq!(publish_events(&hub, vec![sale("n"), sale("n")]).unwrap(), [1, 1]);
    let ids = drain(&mailbox);
    assert_eq!(ids.len(), before + 2);
    assert!(ids.is_sorted());
    assert_eq!(publish_events(&hub, vec![sale("n"), sale("n"), sale("n")]).unwrap(), [1, 1, 0]);
}

#[test]
fn a_gap_is_said_and_the_channel_joined_all_the_same() {
    let hub = hub();
    let mailbox = Arc::new(Mailbox::new(4, FRAMES));
    let (_stay, outcome) = hub.join_since(&[channel("n")], &mailbox, Since::Unknown, Words::default());
    assert_eq!(outcome, Err(Gap));
    publish_events(&hub, vec![sale("n")]).unwrap();
    assert_eq!(drain(&mailbox).len(), 1);
}

#[tokio::test]
async fn every_mailbox_sees_the_events_of_many_publishers_in_one_order_and_newcomers_miss_none() {
    let hub = hub();
    hub.start(true, ()).unwrap();
    let early: Vec<_> = (0..300).map(|_| member(&hub, "n", 10_000)).collect();
    let late = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    publish_events(&hub, vec![sale("n"), sale("other")]).unwrap();
                }
            });
        }
        let late: Vec<_> = (0..50)
            .map(|_| {
                let mailbox = Arc::new(Mailbox::new(10_000, FRAMES));
                let (stay, outcome) = hub.join_since(&[channel("n")], &mailbox, Since::After(0), Words::default());
                assert_eq!(outcome, Ok(()));
                (mailbox, stay)
            })
            .collect();
        late
    });
    hub.until_handed_out().await;
    let wanted = drain(&early[0].0);
    assert_eq!(wanted.len(), 80);
    assert!(wanted.is_sorted());
    let others = early[1..].iter().map(|(mailbox, _)| mailbox).chain(late.iter().map(|(mailbox, _)| mailbox));
    for mailbox in others {
        assert_eq!(drain(mailbox), wanted);
    }
}

#[test]
fn those_of_one_channel_can_be_dismissed_and_nobody_else() {
    let hub = hub();
    let (gone, _stay) = member(&hub, "gone", 4);
    let (other, _stay_too) = member(&hub, "other", 4);
    assert_eq!(hub.dismiss(&channel("gone"), CloseReason::SessionEnded), 1);
    assert!(matches!(gone.try_next(), Some(Next::Dismissed(CloseReason::SessionEnded))));
    assert!(other.try_next().is_none());
}

#[tokio::test]
async fn events_that_find_no_room_are_refused_whole_and_later_ones_are_taken() {
    let hub = hub();
    let members: Vec<_> = (0..=AT_ONCE).map(|_| member(&hub, "n", MAX_WAITING * 2)).collect();
    // Nobody works it off yet.
    for _ in 0..MAX_WAITING {
        assert_eq!(publish_events(&hub, vec![sale("n")]), Ok(vec![members.len()]));
    }
    assert_eq!(publish_events(&hub, vec![sale("n"), sale("other")]), Err(Full));
    hub.start(true, ()).unwrap();
    hub.until_handed_out().await;
    assert_eq!(publish_events(&hub, vec![sale("n")]), Ok(vec![members.len()]));
    hub.until_handed_out().await;
    for (mailbox, _) in &members {
        let ids = drain(mailbox);
        assert_eq!(ids.len(), MAX_WAITING + 1);
        assert_eq!(ids[MAX_WAITING], ids[0] + MAX_WAITING as u64, "what was refused took no id");
    }
}
