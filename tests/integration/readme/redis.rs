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
