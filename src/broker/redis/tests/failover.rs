//! A log that moves from one server to another: by Sentinels, and within a Cluster.

use pulso_harness::wait::LIMIT;
use pulso_harness::{Cluster, Guarded};
use tokio::time::{Instant, sleep, timeout};

use super::*;

/// As a node does: dials until it can, and then asks who is there.
async fn dial_again(redis: &Redis) -> (Arc<dyn Line>, Identity, Duration) {
    let from = Instant::now();
    let dialled = timeout(LIMIT, async {
        loop {
            if let Ok(line) = redis.dial().await
                && let Ok(identity) = line.identity().await
            {
                return (line, identity);
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let (line, identity) = dialled.await.expect("a server in time");
    (line, identity, from.elapsed())
}

/// Appends until the line is of no use any more.
async fn append_on(line: &dyn Line, identity: &Identity) {
    let from = Instant::now();
    while !append(line, identity, "x").await.is_err_and(|trouble| trouble.ends_the_line()) {
        assert!(from.elapsed() < LIMIT, "the line goes on");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_lead_to_the_master_that_they_made() {
    let mut guarded = Guarded::start();
    let redis = Redis::new(RedisConfig::parse(&guarded.url()).unwrap());
    let (line, identity, _) = dial_again(&redis).await;
    append(&*line, &identity, "before").await.unwrap();
    guarded.master().until_followed();

    guarded.fail_over();
    append_on(&*line, &identity).await;
    let (line, after, took) = dial_again(&redis).await;
    assert!(after.server != identity.server && after.born == identity.born, "after {took:?}");
    assert_eq!(read_on(&*line, &mut Position::default()).await[0], "before");

    // The old one has to be a replica again before it can be taken for one.
    guarded.master().until_followed();
    guarded.master().kill();
    let from = Instant::now();
    append_on(&*line, &after).await;
    let (_, last, _) = dial_again(&redis).await;
    assert!(last.server != after.server && last.born == identity.born);
    eprintln!("a master that died was replaced after {:?}", from.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_leads_to_the_owner_of_the_slot() {
    let mut cluster = Cluster::start();
    let redis = Redis::new(RedisConfig::parse(&cluster.url()).unwrap());
    let (line, identity, _) = dial_again(&redis).await;
    append(&*line, &identity, "before").await.unwrap();

    cluster.move_slot("{pulso}:events");
    let moved = append(&*line, &identity, "x").await.unwrap_err();
    assert!(matches!(moved, Trouble::Moved(_)), "{moved:?}");
    let (line, after, took) = dial_again(&redis).await;
    assert!(after.server != identity.server && after.born == identity.born, "after {took:?}");
    assert_eq!(read_on(&*line, &mut Position::default()).await, ["before"]);

    let owner = cluster.owner("{pulso}:events");
    owner.until_followed();
    owner.kill();
    let from = Instant::now();
    append_on(&*line, &after).await;
    let (line, last, _) = dial_again(&redis).await;
    assert!(last.server != after.server && last.born == identity.born);
    assert_eq!(read_on(&*line, &mut Position::default()).await[0], "before");
    eprintln!("an owner that died was replaced after {:?}", from.elapsed());
}
