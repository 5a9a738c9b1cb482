//! What `pulso check` says about a Redis.

use jiff::Timestamp;

use super::*;
use crate::clock::Clock;
use crate::config::Secret;
use crate::finding::{Finding, Level};

fn now() -> Timestamp {
    Clock::system(jiff::tz::TimeZone::UTC).now()
}

async fn findings(config: RedisConfig) -> Vec<Finding> {
    inspect::inspect(&config, now).await
}

fn saying<'a>(findings: &'a [Finding], text: &str) -> &'a Finding {
    findings
        .iter()
        .find(|finding| finding.what.contains(text))
        .unwrap_or_else(|| panic!("{text:?} is not in {findings:#?}"))
}

#[tokio::test]
async fn a_server_that_keeps_what_it_is_given_has_nothing_to_mend_and_nothing_left_in_it() {
    let server = Server::with("appendonly yes\nmaxmemory 100mb\nmaxmemory-policy noeviction");
    let findings = findings(config(server.port(), "pulso")).await;
    assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:#?}");
    saying(&findings, "it is Redis ");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(server.say(&["DBSIZE"]), "0");
}

#[tokio::test]
async fn what_would_lose_events_is_said() {
    let server = Server::with("maxmemory 100mb\nmaxmemory-policy allkeys-lru");
    let found = findings(config(server.port(), "pulso")).await;
    assert!(saying(&found, "allkeys-lru").advice.as_ref().unwrap().contains("noeviction"));
    assert!(saying(&found, "append-only").advice.as_ref().unwrap().contains("appendonly yes"));
    let hour_off =
        inspect::inspect(&config(server.port(), "pulso"), || now() + jiff::SignedDuration::from_hours(1)).await;
    assert_eq!(saying(&hour_off, "s apart").level, Level::Warning);
    server.say(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(saying(&findings(config(server.port(), "pulso")).await, "no room").level, Level::Problem);
}

#[tokio::test]
async fn who_may_not_ask_is_told_what_to_allow_and_never_a_password() {
    let server = Server::start();
    server.say(&["ACL", "SETUSER", "tienda", "on", ">hunter2pw", "~{otra}:*", "+@all"]);
    let password = |password: &str| RedisConfig {
        user: Some("tienda".to_owned()),
        password: Some(Secret::new(password)),
        ..config(server.port(), "tienda")
    };
    for wrong in ["wrongpw", "hunter2pw"] {
        let found = findings(password(wrong)).await;
        let refused = saying(&found, "refused");
        assert_eq!(refused.level, Level::Problem);
        assert!(refused.advice.as_ref().unwrap().contains("~{tienda}:* "), "{refused:?}");
        assert!(!format!("{found:?}").contains(wrong));
    }
    // Who may come in is told the rest all the same.
    let found = findings(password("hunter2pw")).await;
    saying(&found, "it is Redis ");
    saying(&found, "append-only");
    // The rights that are asked for are enough, and leave some things unsaid.
    server.say(&["ACL", "SETUSER", "tienda", "reset", "on", ">hunter2pw"]);
    let rights = inspect::RIGHTS.replace("{pulso}", "{tienda}");
    server.say(&["ACL", "SETUSER", "tienda"].into_iter().chain(rights.split_whitespace()).collect::<Vec<_>>());
    saying(&findings(password("hunter2pw")).await, "answers all");
    server.say(&["ACL", "SETUSER", "tienda", "-info"]);
    let found = findings(password("hunter2pw")).await;
    assert_eq!(saying(&found, "maxmemory-policy").level, Level::Warning);
    saying(&found, "answers all");
}

#[tokio::test]
async fn a_server_that_is_another_kind_than_the_url_says_is_told_apart_from_wrong_passwords() {
    let server = Server::start();
    let one = config(server.port(), "pulso");
    let host = RedisHost { name: "127.0.0.1".to_owned(), port: server.port() };
    let sentinel = RedisServers::Sentinel { sentinels: vec![host.clone()], master: "caja".to_owned() };
    for (config, said) in [
        (RedisConfig { database: 16, ..one.clone() }, "the database's number"),
        (RedisConfig { servers: sentinel, ..one.clone() }, "whether its hosts are Sentinels"),
        (RedisConfig { servers: RedisServers::Cluster(vec![host]), ..one }, "members of a Cluster"),
    ] {
        let found = findings(config).await;
        let refused = saying(&found, "refused");
        assert!(refused.advice.as_ref().unwrap().contains(said), "{refused:?}");
    }
    let watcher = Server::sentinel(&format!("sentinel monitor caja 127.0.0.1 {} 1", server.port()));
    saying(&findings(config(watcher.port(), "pulso")).await, "it is a Sentinel");
}

#[tokio::test]
async fn a_server_that_is_away_is_said_to_be_so() {
    let mut server = Server::start();
    server.kill();
    let found = findings(config(server.port(), "pulso")).await;
    assert!(saying(&found, "not to be reached").advice.as_ref().unwrap().contains("REDIS_URL"));
}
