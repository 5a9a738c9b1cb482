//! A Redis that is away, full, frozen, refuses or is another one.

use tokio::time::Instant;

use super::*;
use crate::config::Secret;

fn with_password(server: &Server, user: Option<&str>, password: &str) -> Redis {
    let config = config(server.port(), "pulso");
    Redis::new(RedisConfig { user: user.map(str::to_owned), password: Some(Secret::new(password)), ..config })
}

/// Why it cannot be dialled.
async fn refused(redis: &Redis) -> Trouble {
    redis.dial().await.err().unwrap()
}

#[tokio::test]
async fn a_server_that_ends_is_away_and_another_one_when_it_is_back() {
    let mut server = Server::start();
    let redis = way_to(&server);
    let line = redis.dial().await.unwrap();
    let before = line.identity().await.unwrap();
    append(&*line, &before, "one").await.unwrap();
    let waiting = redis.dial().await.unwrap();
    let newest = Position { events: before.now * 2, now: before.now * 2 };
    let (read, ()) = tokio::join!(waiting.read(newest, 10, Duration::from_secs(9)), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.kill();
    });
    assert!(matches!(read, Err(Trouble::Unanswered(_))), "{read:?}");
    assert!(append(&*line, &before, "two").await.unwrap_err().ends_the_line());
    assert!(matches!(append(&*line, &before, "three").await, Err(Trouble::Away(_))));
    assert!(matches!(refused(&redis).await, Trouble::Away(_)));
    server.revive();
    // The old lines are of no use any more.
    assert!(matches!(append(&*line, &before, "four").await, Err(Trouble::Away(_))));
    let line = redis.dial().await.unwrap();
    let after = line.identity().await.unwrap();
    assert_ne!((after.server, after.born, after.newest), (before.server, before.born, before.newest));
}

#[tokio::test]
async fn a_log_that_was_emptied_is_another_and_takes_nothing_for_the_old_one() {
    let server = Server::start();
    let line = way_to(&server).dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    append(&*line, &identity, "one").await.unwrap();
    server.say(&["FLUSHALL"]);
    assert_eq!(append(&*line, &identity, "two").await, Err(Trouble::Reborn));
    let anew = line.identity().await.unwrap();
    assert!(anew.born != identity.born && anew.server == identity.server);
    append(&*line, &anew, "three").await.unwrap();
}

#[tokio::test]
async fn a_full_server_refuses_the_whole_step_and_takes_it_when_there_is_room() {
    let server = Server::start();
    let line = way_to(&server).dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    append(&*line, &identity, "one").await.unwrap();
    server.say(&["CONFIG", "SET", "maxmemory", "1"]);
    let full = append(&*line, &identity, "two").await.unwrap_err();
    assert!(matches!(full, Trouble::Full(_)) && !full.ends_the_line(), "{full:?}");
    let body = Bytes::from_static(b"lost");
    let lost = ["a", "b"].map(|name| Lost { body: &body, ids: 1, call: Call { name, answer: &body } });
    let put_back = line.put_back(PutBack { born: &identity.born, floor: 0, lost: &lost }).await;
    assert!(matches!(put_back, Err(Trouble::Full(_))), "{put_back:?}");
    server.say(&["CONFIG", "SET", "maxmemory", "0"]);
    append(&*line, &identity, "three").await.unwrap();
    assert_eq!(read_on(&*line, &mut Position::default()).await, ["one", "three"]);
}

#[tokio::test]
async fn a_frozen_server_leaves_nobody_waiting_and_goes_on_where_it_was() {
    let server = Server::start();
    let redis = way_to(&server);
    let line = redis.dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    server.freeze();
    let from = Instant::now();
    assert!(matches!(append(&*line, &identity, "perhaps").await, Err(Trouble::Unanswered(_))));
    assert!(matches!(refused(&redis).await, Trouble::Away(_)));
    assert!(from.elapsed() < Duration::from_secs(6), "{:?}", from.elapsed());
    server.thaw();
    let line = redis.dial().await.unwrap();
    let after = line.identity().await.unwrap();
    assert_eq!((after.server, after.born), (identity.server, identity.born));
}

#[tokio::test]
async fn who_is_refused_is_told_so_and_no_password_is_shown() {
    let mut server = Server::with("requirepass hunter2pw");
    server.set_password(Some("hunter2pw"));
    let wrong = refused(&with_password(&server, None, "wrongpw")).await;
    assert!(matches!(wrong, Trouble::Refused(_)) && !wrong.to_string().contains("wrongpw"), "{wrong}");
    assert!(matches!(refused(&way_to(&server)).await, Trouble::Refused(_)));
    let line = with_password(&server, None, "hunter2pw").dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    server.say(&["CONFIG", "SET", "requirepass", "another"]);
    // Who is in stays in until the line is cut.
    append(&*line, &identity, "x").await.unwrap();
    let again = refused(&with_password(&server, None, "hunter2pw")).await;
    assert!(matches!(again, Trouble::Refused(_)) && !format!("{again:?}").contains("hunter2"), "{again}");
}

#[tokio::test]
async fn a_user_without_a_password_comes_as_that_user() {
    let server = Server::start();
    let rights = inspect::RIGHTS.split_whitespace();
    server.say(&["ACL", "SETUSER", "sola", "on", "nopass"].into_iter().chain(rights).collect::<Vec<_>>());
    server.say(&["ACL", "SETUSER", "default", "-@all"]);
    let stranger = way_to(&server).dial().await.unwrap();
    assert!(matches!(stranger.identity().await, Err(Trouble::Refused(_))));
    let line = with_password(&server, Some("sola"), "").dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    append(&*line, &identity, "x").await.unwrap();
}

#[tokio::test]
async fn a_user_needs_no_more_rights_than_the_book_says() {
    let server = Server::start();
    let rights = inspect::RIGHTS.trim();
    let rule: Vec<&str> =
        ["ACL", "SETUSER", "pulso", "on", ">secreto"].into_iter().chain(rights.split_whitespace()).collect();
    server.say(&rule);
    let line = with_password(&server, Some("pulso"), "secreto").dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    append(&*line, &identity, "x").await.unwrap();
    let node = NodeId(1);
    line.remember_dismissed(&[("u".to_owned(), 1)]).await.unwrap();
    line.dismissed().await.unwrap();
    line.tell_listeners(node, &[("c".to_owned(), 1)], Duration::from_secs(1)).await.unwrap();
    line.listeners(&["c".to_owned()], node).await.unwrap();
    line.forget_listeners(node).await.unwrap();
    line.watch(&["t".to_owned()], node, Duration::from_secs(1)).await.unwrap();
    line.unwatch(&["t".to_owned()], node).await.unwrap();
    line.hold("d", node, Duration::from_secs(1)).await.unwrap();
    line.release("d", node).await.unwrap();
    line.raise("r", 1).await.unwrap();
    line.lacks(&[1]).await.unwrap();
    assert_eq!(line.read(Position::default(), 10, Duration::ZERO).await.unwrap().len(), 1);
    // An id far ahead makes it look closer.
    server.say(&["XADD", "{pulso}:events", &format!("{}-0", u64::MAX), "x", "y"]);
    assert_eq!(append(&*line, &identity, "y").await, Err(Trouble::Reborn));

    server.say(&["ACL", "SETUSER", "pulso", "resetkeys", "~otro:*"]);
    let refused = append(&*line, &identity, "z").await.unwrap_err();
    assert!(matches!(refused, Trouble::Refused(_)), "{refused:?}");
}

#[tokio::test]
async fn a_replica_is_no_place_for_a_log() {
    let master = Server::start();
    let line = way_to(&master).dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    let other = Server::start();
    master.say(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    assert!(matches!(append(&*line, &identity, "x").await, Err(Trouble::Moved(_))));
    assert!(matches!(refused(&way_to(&master)).await, Trouble::Moved(_)));
    master.say(&["REPLICAOF", "NO", "ONE"]);
    way_to(&master).dial().await.unwrap();
}

#[tokio::test]
async fn a_master_that_lost_its_replicas_takes_nothing() {
    let server = Server::with("min-replicas-to-write 1");
    let line = way_to(&server).dial().await.unwrap();
    // It may not even be born.
    assert!(matches!(line.identity().await, Err(Trouble::Moved(_))));
    server.say(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    way_to(&server).dial().await.unwrap().identity().await.unwrap();
}

#[tokio::test]
async fn another_database_is_another_log() {
    let server = Server::start();
    let second = Redis::new(RedisConfig { database: 1, ..config(server.port(), "pulso") });
    let (first, second) = (way_to(&server).dial().await.unwrap(), second.dial().await.unwrap());
    assert_ne!(first.identity().await.unwrap().born, second.identity().await.unwrap().born);
    let none = Redis::new(RedisConfig { database: 99, ..config(server.port(), "pulso") });
    assert!(matches!(refused(&none).await, Trouble::Refused(_)));
}
