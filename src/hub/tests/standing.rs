//! Where somebody stands who joins, and of what she has missed something.

use super::*;

/// Joins, and gives what was told meanwhile.
fn join(hub: &Arc<Hub>, names: &[&str], mailbox: &Arc<Mailbox>, since: Since) -> (Vec<Membership>, Standing) {
    let channels: Vec<Channel> = names.iter().map(|name| channel(name)).collect();
    let mut told = None;
    let memberships = hub.join_telling(&channels, mailbox, since, |standing| told = Some(standing.clone()));
    (memberships, told.expect("it is told"))
}

fn newcomer() -> Arc<Mailbox> {
    Arc::new(Mailbox::new(1_000, FRAMES))
}

#[test]
fn who_joins_is_told_where_the_events_stand_and_hears_the_next() {
    let hub = hub();
    publish_events(&hub, vec![sale("n"), sale("n")]).unwrap();
    let mailbox = newcomer();
    let (_stay, standing) = join(&hub, &["n"], &mailbox, Since::Now);
    let last = hub.sequence().unwrap().last_id();
    assert_eq!(standing, Standing { position: last, holes: Vec::new() });
    publish_events(&hub, vec![sale("n")]).unwrap();
    assert_eq!(drain(&mailbox), [last + 1]);
    // With that position nothing was missed, and nothing comes twice.
    let mailbox = newcomer();
    let (_stay, standing) = join(&hub, &["n"], &mailbox, Since::After(last));
    assert_eq!((standing.position, drain(&mailbox)), (last, vec![last + 1]));
}

#[test]
fn a_channel_with_a_hole_is_named_and_the_others_are_replayed() {
    let hub = hub();
    hub.begin_after(10);
    publish_events(&hub, vec![sale("whole")]).unwrap();
    let events = history::KEPT_EVENTS + 1;
    publish_events(&hub, (0..events).map(|_| sale("hole")).collect()).unwrap();
    publish_events(&hub, vec![sale("whole")]).unwrap();
    let mailbox = newcomer();
    let (_stay, standing) = join(&hub, &["whole", "hole"], &mailbox, Since::After(10));
    assert_eq!(standing, Standing { position: 10, holes: vec![channel("hole")] });
    assert_eq!(drain(&mailbox), [11, 12 + events as u64]);
    // Where nothing can be replayed there is nothing to go on from but now.
    let (_stay, standing) = join(&hub, &["hole"], &newcomer(), Since::After(10));
    assert_eq!(standing.position, hub.sequence().unwrap().last_id());
}

#[tokio::test]
async fn nobody_is_told_to_stand_behind_what_is_still_to_be_handed_out() {
    let hub = hub();
    let _crowd: Vec<_> = (0..=AT_ONCE).map(|_| member(&hub, "n", 10)).collect();
    publish_events(&hub, vec![sale("n")]).unwrap();
    let first = hub.sequence().unwrap().last_id();
    publish_events(&hub, vec![sale("n")]).unwrap();
    // Nobody works it off yet.
    let mut told = None;
    hub.tell_position(|position| told = Some(position));
    assert_eq!(told, Some(first - 1));
    hub.start(true, ()).unwrap();
    hub.until_handed_out().await;
    hub.tell_position(|position| told = Some(position));
    assert_eq!(told, Some(first + 1));
}
