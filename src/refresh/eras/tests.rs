//! Nodes that read one database and tell each other of it, by messages that are late, out of order and doubled: no screen
//! goes back, and none is left behind.

mod world;

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use super::*;
use world::{Op, Order, World, op};

const NOW: u64 = 1_800_000_000_000_000;

fn version(era: u64, completed: u64) -> Version {
    Version::new(i64::try_from(era).unwrap(), completed).unwrap()
}

fn at(stand: Stand) -> Version {
    match stand {
        Stand::At(version) | Stand::Begins(version) => version,
        Stand::Outdated => panic!("it is to be made again"),
    }
}

#[test]
fn the_first_read_begins_at_the_clock_and_later_ones_count_transactions() {
    let mut eras = Eras::default();
    let first = at(eras.read(eras.begin(), 500, NOW));
    assert_eq!(first.seq(), NOW);
    let later = at(eras.read(eras.begin(), 507, NOW + 90));
    assert_eq!(later.seq(), NOW + 7);
    assert_eq!(at(eras.read(eras.begin(), 507, NOW + 99)), later, "the same snapshot is the same version");
}

#[test]
fn reads_that_overtake_each_other_are_ordered_by_what_they_saw() {
    let mut eras = Eras::default();
    at(eras.read(eras.begin(), 500, NOW));
    let (slow, quick) = (eras.begin(), eras.begin());
    let newer = at(eras.read(quick, 520, NOW));
    let older = at(eras.read(slow, 510, NOW));
    assert!(older < newer && older.seq() < newer.seq());
}

#[test]
fn a_database_that_has_less_than_before_begins_an_era_above_all_screens() {
    let (mut here, mut there) = (Eras::default(), Eras::default());
    let first = at(here.read(here.begin(), 1_000_000, NOW));
    assert_eq!(there.hear(first, NOW), Heard::NewEra);
    let running = there.begin();
    let Stand::Begins(restored) = here.read(here.begin(), 100, NOW + 5) else { panic!("it is another database") };
    assert!(restored > first && restored.seq() > first.seq());
    assert_eq!(there.hear(restored, NOW), Heard::NewEra);
    assert_eq!(there.read(running, 1_000_001, NOW), Stand::Outdated, "it may have read the one before");
    assert_eq!(at(there.read(there.begin(), 101, NOW)).seq(), restored.seq() + 1);
    assert_eq!(there.hear(first, NOW), Heard::Incomparable, "somebody has not heard of it yet");
}

#[test]
fn of_two_eras_begun_at_once_the_greater_one_stays() {
    let (mut here, mut there) = (Eras::default(), Eras::default());
    let ours = at(here.read(here.begin(), 500, NOW));
    let theirs = at(there.read(there.begin(), 510, NOW + 300));
    assert_eq!(here.hear(theirs, NOW), Heard::NewEra);
    assert_eq!(there.hear(ours, NOW), Heard::Incomparable);
    assert_eq!(at(here.read(here.begin(), 511, NOW)), at(there.read(there.begin(), 511, NOW)));
}

#[test]
fn what_is_far_ahead_of_the_clock_is_believed_by_nobody() {
    let mut eras = Eras::default();
    let real = at(eras.read(eras.begin(), 500, NOW));
    let day = 86_400_000_000;
    for forged in [version(NOW + day, 500), version(1, (1 << 53) - 2), version((1 << 53) - 2, 1)] {
        assert_eq!(eras.hear(forged, NOW), Heard::Incomparable);
    }
    assert_eq!(at(eras.read(eras.begin(), 501, NOW)).seq(), real.seq() + 1);
}

#[test]
fn what_was_forged_within_reason_is_overtaken_by_the_next_read() {
    let mut eras = Eras::default();
    let real = at(eras.read(eras.begin(), 500, NOW));
    let forged = Version::new(real.era(), 500_000_000).unwrap();
    assert_eq!(eras.hear(forged, NOW), Heard::Current);
    let Stand::Begins(mended) = eras.read(eras.begin(), 501, NOW + 5) else { panic!("that was never so") };
    assert!(mended > forged && mended.seq() > forged.seq());
}

#[test]
fn a_node_that_comes_late_reads_in_the_era_that_there_is() {
    let (mut here, mut late) = (Eras::default(), Eras::default());
    let Stand::Begins(first) = here.read(here.begin(), 500, NOW) else { panic!("nobody knows of any") };
    let era = u64::try_from(first.era()).unwrap();
    let running = late.begin();
    assert!(late.hear_era(era, NOW + 9) && !late.hear_era(era, NOW + 9) && !late.hear_era(era - 1, NOW + 9));
    assert_eq!(late.read(running, 501, NOW + 9), Stand::Outdated);
    assert_eq!(late.read(late.begin(), 501, NOW + 9), Stand::At(Version::new(first.era(), 501).unwrap()));
}

#[test]
fn figures_without_order_keep_growing_with_the_others() {
    let mut eras = Eras::default();
    let real = at(eras.read(eras.begin(), 500, NOW));
    assert_eq!(eras.read_without_order(7), real.seq() + 1, "the database is a standby for a while");
    assert_eq!(eras.read_without_order(real.seq() + 9), real.seq() + 9);
    let Stand::Begins(again) = eras.read(eras.begin(), 501, NOW) else { panic!("no screen would be moved") };
    assert!(again.seq() > real.seq() + 9);
}

/// Plays many cases; the one that fails.
fn play(order: Order) -> Result<(), TestError<Vec<Op>>> {
    let max_shrink_iters = if order == Order::Snapshots { 10_000 } else { 0 };
    let config =
        ProptestConfig { cases: 2_000, failure_persistence: None, max_shrink_iters, ..ProptestConfig::default() };
    TestRunner::new(config).run(&prop::collection::vec(op(), 1..120), |ops| {
        let mut world = World::new(order);
        ops.into_iter().try_for_each(|op| world.play(op))?;
        world.end()
    })
}

#[test]
fn no_screen_goes_back_and_none_is_left_behind() {
    if let Err(failure) = play(Order::Snapshots) {
        panic!("{failure}");
    }
}

#[test]
fn by_wall_clocks_screens_would_go_back_or_be_left_behind() {
    let Err(TestError::Fail(..)) = play(Order::WallClocks) else { panic!("the test would not notice") };
}

#[test]
fn by_a_counter_that_all_share_screens_would_go_back_or_be_left_behind() {
    let Err(TestError::Fail(..)) = play(Order::SharedCounter) else { panic!("the test would not notice") };
}
