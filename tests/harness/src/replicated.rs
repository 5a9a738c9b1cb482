//! A Redis that lives in several processes: a master and its replica watched by three Sentinels, and a Cluster of three with a
//! replica each.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::steady_port;
use crate::redis::Redis;

/// The name that the Sentinels have for the master.
const NAME: &str = "pulso";
/// For all of them to know each other.
const JOINED_WITHIN: Duration = Duration::from_secs(30);

/// A master, a replica and three Sentinels, who take the master for dead after a second.
pub struct Guarded {
    servers: [Redis; 2],
    sentinels: [Redis; 3],
}

impl Guarded {
    pub fn start() -> Self {
        let master = Redis::start();
        let replica = Redis::with(&format!("replicaof 127.0.0.1 {}\nrepl-diskless-sync-delay 0", master.port()));
        let watch = format!(
            "sentinel monitor {NAME} 127.0.0.1 {} 2\nsentinel down-after-milliseconds {NAME} 1000\n\
             sentinel failover-timeout {NAME} 5000\n",
            master.port()
        );
        let sentinels = [(); 3].map(|()| Redis::sentinel(&watch));
        let guarded = Self { servers: [master, replica], sentinels };
        for sentinel in &guarded.sentinels {
            let knows_all = || {
                let said = sentinel.say(&["SENTINEL", "MASTER", NAME]);
                let facts: Vec<&str> = said.lines().collect();
                let fact = |name| facts.iter().position(|fact| *fact == name).map(|at| facts[at + 1]);
                (fact("num-slaves"), fact("num-other-sentinels"), fact("flags"))
                    == (Some("1"), Some("2"), Some("master"))
            };
            until("the Sentinels know each other and the replica", knows_all);
        }
        let is_level = || guarded.servers[1].say(&["INFO", "replication"]).contains("master_link_status:up");
        until("the replica follows", is_level);
        guarded
    }

    pub fn url(&self) -> String {
        let hosts: Vec<String> =
            self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port())).collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// Who is master now, as the first Sentinel says; the other one is the replica.
    pub fn master(&mut self) -> &mut Redis {
        let said = self.sentinels[0].say(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
        let port = said.lines().nth(1).and_then(|port| port.parse().ok());
        self.servers.iter_mut().find(|server| Some(server.port()) == port).expect("a master of ours")
    }

    /// Whoever was frozen goes on.
    pub fn thaw_all(&self) {
        self.servers.iter().for_each(Redis::thaw);
    }

    /// A failover that somebody orders; the old master lives on. Returns at once.
    pub fn fail_over(&self) {
        self.sentinels[0].say(&["SENTINEL", "FAILOVER", NAME]);
    }
}

/// Three masters with a third of the slots each, and a replica for each of them. A master is taken for dead after 1.5 s.
pub struct Cluster {
    members: Vec<Redis>,
}

impl Cluster {
    pub fn start() -> Self {
        let members: Vec<(Redis, u16)> = (0..6)
            .map(|_| {
                let bus = steady_port();
                let settings = format!(
                    "cluster-enabled yes\ncluster-node-timeout 1500\ncluster-port {bus}\nrepl-diskless-sync-delay 0"
                );
                (Redis::with(&settings), bus)
            })
            .collect();
        for (number, (member, _)) in members.iter().enumerate() {
            member.say(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        for (master, slots) in members.iter().zip([["0", "5460"], ["5461", "10922"], ["10923", "16383"]]) {
            master.0.say(&[&["CLUSTER", "ADDSLOTSRANGE"], &slots[..]].concat());
        }
        let (first, _) = &members[0];
        for (member, bus) in &members[1..] {
            first.say(&["CLUSTER", "MEET", "127.0.0.1", &member.port().to_string(), &bus.to_string()]);
        }
        let members: Vec<Redis> = members.into_iter().map(|(member, _)| member).collect();
        let info = |member: &Redis, line: &str| member.say(&["CLUSTER", "INFO"]).lines().any(|said| said == line);
        for member in &members {
            until("all know each other", || info(member, "cluster_known_nodes:6") && info(member, "cluster_state:ok"));
        }
        for (replica, master) in members[3..].iter().zip(&members) {
            let id = master.say(&["CLUSTER", "MYID"]);
            until("a replica has its master", || replica.cli(&["CLUSTER", "REPLICATE", &id]).status.success());
        }
        for replica in &members[3..] {
            until("a replica follows", || replica.say(&["INFO", "replication"]).contains("master_link_status:up"));
        }
        // A member that does not know of a replica votes for none.
        for member in &members {
            until("all know the replicas", || {
                let nodes = member.say(&["CLUSTER", "NODES"]);
                nodes.lines().filter(|node| node.contains("slave")).count() == 3
            });
        }
        Self { members }
    }

    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.members.iter().map(|member| format!("127.0.0.1:{}", member.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The master that has `key`.
    pub fn owner(&mut self, key: &str) -> &mut Redis {
        let at = self.position(key);
        &mut self.members[at]
    }

    /// Moves the slot of `key`, with all that is in it, to another master, while whoever likes goes on using it.
    pub fn move_slot(&mut self, key: &str) {
        let from = self.position(key);
        let to = (0..3).find(|other| *other != from).expect("another master");
        let (from, to) = (&self.members[from], &self.members[to]);
        let (source, target) = (from.say(&["CLUSTER", "MYID"]), to.say(&["CLUSTER", "MYID"]));
        let slot = from.say(&["CLUSTER", "KEYSLOT", key]);
        to.say(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]);
        from.say(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]);
        let mut moved = BTreeSet::new();
        loop {
            let keys = from.say(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            let keys: Vec<&str> = keys.lines().filter(|key| !key.is_empty()).collect();
            if keys.is_empty() {
                break;
            }
            let port = to.port().to_string();
            from.say(&[&["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"], &keys[..]].concat());
            moved.extend(keys.into_iter().map(str::to_owned));
        }
        to.say(&["CLUSTER", "SETSLOT", &slot, "NODE", &target]);
        from.say(&["CLUSTER", "SETSLOT", &slot, "NODE", &target]);
        assert!(!moved.is_empty(), "there was nothing to move");
        // Its new owner may die as soon as anybody has heard of it: its replica, and who votes, have to know.
        let owner = format!(":{}", to.port());
        for member in self.members.iter().filter(|member| member.port() != to.port()) {
            let knows = || String::from_utf8_lossy(&member.cli(&["EXISTS", key]).stderr).trim_end().ends_with(&owner);
            until("all know whose slot it is", knows);
        }
    }

    fn position(&self, key: &str) -> usize {
        // Only who has the slot answers; a replica points to its master.
        self.members.iter().position(|member| member.cli(&["EXISTS", key]).status.success()).expect("an owner")
    }
}

impl Redis {
    /// Waits until a replica has all that this master has, so that the master may die.
    pub fn until_followed(&self) {
        let is_followed = || {
            let said = self.say(&["INFO", "replication"]);
            let fact = |name: &str| said.lines().find_map(|line| line.trim().strip_prefix(name).map(str::to_owned));
            let has = fact("master_repl_offset:").expect("it is a master");
            fact("slave0:").is_some_and(|replica| replica.split(',').any(|field| field == format!("offset={has}")))
        };
        until("the replica has all that its master has", is_followed);
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + JOINED_WITHIN;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {JOINED_WITHIN:?}: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
