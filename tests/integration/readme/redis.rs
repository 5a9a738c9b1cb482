//! The book's settings of Redis, in a real Redis with real nodes before it.

use std::collections::HashMap;

use pulso::config::{Bridge, Config, DjangoLayer};
use pulso_harness::redis::Redis;
use pulso_harness::{Claims, SECRET, wait};

use super::blocks::block_of;
use crate::balancer::sale;
use crate::business::{NEGOCIO, database, pulso};

const PASSWORD: &str = "change-me";

#[tokio::test]
async fn the_user_of_the_page_may_do_what_nodes_do_and_nothing_else() {
    let block = block_of("redis.md", "redis-conf");
    assert!(block.text.contains(PASSWORD));
    let mut redis = Redis::with(&block.text);
    let database = database().await;
    let url = format!("redis://pulso:{PASSWORD}@127.0.0.1:{}/0", redis.port());
    let node = pulso(&database.url()).with_hook_key().with("REDIS_URL", &url);
    let (here, there) = (node.ready().await, node.ready().await);
    let mut screen = there.connect(&Claims::naming("ana", &[NEGOCIO])).await;
    screen.ping().await;
    assert_eq!(here.post("/notify/venta", &sale(7).1).await.status, 200);
    assert_eq!(screen.next().await["data"]["saleId"], 7);
    let (_, said, _) = node.run(&["check"]).await;
    for praise in ["answers all that Pulso asks", "evicts nothing", "keeps an append-only file"] {
        assert!(said.lines().any(|line| line.starts_with("ok ") && line.contains(praise)), "{praise}: {said}");
    }

    redis.set_password(Some(PASSWORD));
    for forbidden in [&["flushall"][..], &["get", "somebody:else"], &["subscribe", "anything"], &["config", "get", "*"]]
    {
        let said = redis.cli(&[&["--user", "pulso", "--no-auth-warning"], forbidden].concat());
        let said = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
        assert!(said.contains("NOPERM"), "{forbidden:?}: {said}");
    }
}

#[tokio::test]
async fn a_master_without_its_replicas_takes_nothing() {
    let master = Redis::with(&block_of("redis.md", "redis-replicas").text);
    let writes = || String::from_utf8_lossy(&master.cli(&["set", "k", "v"]).stdout).contains("OK");
    assert!(!writes(), "it wrote without a replica");
    let _replica = Redis::with(&format!("replicaof 127.0.0.1 {}", master.port()));
    wait::until(async || writes(), "it takes a write with its replica").await;
}

#[test]
fn the_settings_of_the_page_of_existing_producers_are_read_as_it_says() {
    let block = block_of("existing-producers.md", "bridges");
    let mut set: HashMap<&str, &str> = block.text.lines().filter_map(|line| line.split_once('=')).collect();
    set.extend([("DATABASE_URL", "postgres://pulso@127.0.0.1/citas"), ("JWT_SECRET", SECRET)]);
    let (config, _) = Config::from_env(&|name| set.get(name).map(|&value| value.to_owned())).unwrap();
    let [Bridge::Django(django), Bridge::SocketIo(key)] = config.bridges.as_slice() else {
        panic!("two producers are listened to: {:?}", config.bridges);
    };
    assert_eq!((django.layer, key.as_str()), (DjangoLayer::Core, "socket.io"));
}

#[tokio::test]
async fn the_rights_of_the_page_of_existing_producers_are_what_each_bridge_needs_and_check_misses_them() {
    let redis = Redis::start();
    let page = block_of("redis.md", "redis-conf").text;
    let user = page.lines().find_map(|line| line.strip_prefix("user pulso ")).unwrap().to_owned();
    let block = block_of("existing-producers.md", "bridge-rights").text;
    let lines: Vec<Vec<&str>> = block
        .lines()
        .map(|line| line.strip_prefix("redis-cli ").unwrap().split(' ').map(|word| word.trim_matches('\'')).collect())
        .collect();
    let [core, pubsub, socketio] = &lines[..] else { panic!("three lines: {block}") };
    let database = database().await;
    let url = format!("redis://pulso:{PASSWORD}@127.0.0.1:{}/0", redis.port());
    let node = pulso(&database.url()).with_hook_key().with("REDIS_URL", &url);
    for (setting, value, bridge, rights) in [
        ("BRIDGE_DJANGO", "core", "django", core),
        ("BRIDGE_DJANGO", "pubsub", "django", pubsub),
        ("BRIDGE_SOCKETIO", "socket.io", "socketio", socketio),
    ] {
        redis.say(&[&["ACL", "SETUSER", "pulso", "reset"], &user.split(' ').collect::<Vec<_>>()[..]].concat());
        let node = node.clone().with(setting, value);
        let (_, said, _) = node.run(&["check"]).await;
        let problem = format!("PROBLEM  the bridge {bridge}:");
        assert!(said.contains(&problem) && said.contains(&rights.join(" ")), "{value}: {said}");
        redis.say(rights);
        let (_, said, _) = node.run(&["check"]).await;
        assert!(said.contains(&format!("ok       what the bridge {bridge} does is allowed")), "{value}: {said}");
        let node = node.ready().await;
        let on_duty = format!("pulso_bridge_on_duty{{bridge=\"{bridge}\"}}");
        node.until_count(&on_duty, 1).await;
    }
    assert_eq!(redis.say(&["KEYS", "*check*"]), "");
}
