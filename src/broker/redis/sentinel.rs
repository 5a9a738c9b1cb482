//! Who is master, as the Sentinels say.
//!
//! All are asked, and who speaks of the latest failover is believed: they hear of it one after the other. They are asked again each
//! second, because the old master of a failover that somebody ordered goes on taking writes for a while. If those who know of the
//! latest do not answer for a moment, the others lead nobody back.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::Value;
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::reply::{list, number, text};
use crate::broker::log::Trouble;
use crate::config::{RedisConfig, RedisHost};

/// How often they are asked.
const ASKED_EVERY: Duration = Duration::from_secs(1);
/// What was before a failover that a line knows of is believed when it was said so often, one time after the other.
const BELIEVED_AFTER: u32 = 3;
/// For a Sentinel's answer; the others' do for it.
const ANSWERED_WITHIN: Duration = Duration::from_millis(500);

/// Those who know where the master is.
pub(super) struct Sentinels {
    config: Arc<RedisConfig>,
    master: String,
    each: Vec<Sentinel>,
}

struct Sentinel {
    host: RedisHost,
    /// `None` before the first question and after one that had no answer.
    connection: Option<Connection>,
}

/// What one of them says.
struct Said {
    epoch: u64,
    /// `None` if it does not know that name.
    host: Option<RedisHost>,
}

/// Who is master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Master {
    /// The number of the failover that made it that; 0 where that is not told.
    epoch: u64,
    pub(super) host: RedisHost,
}

/// Whether who came to a master has to go elsewhere.
struct Watch {
    here: Master,
    /// How often in a row they spoke of what was before.
    of_before: u32,
}

impl Sentinels {
    pub(super) fn new(config: &Arc<RedisConfig>, hosts: &[RedisHost], master: &str) -> Self {
        let each = hosts.iter().map(|host| Sentinel { host: host.clone(), connection: None }).collect();
        Self { config: Arc::clone(config), master: master.to_owned(), each }
    }

    /// Who is master, as far as they know.
    pub(super) async fn master(&mut self) -> Result<Master, Trouble> {
        let (config, name) = (&self.config, &self.master);
        let mut latest: Option<Said> = None;
        let mut trouble = None;
        for said in join_all(self.each.iter_mut().map(|sentinel| sentinel.ask(config, name))).await {
            match said {
                Ok(said) if latest.as_ref().is_none_or(|latest| latest.epoch < said.epoch) => latest = Some(said),
                Ok(_) => {}
                Err(said) => trouble = Some(said),
            }
        }
        match (latest, trouble) {
            (Some(Said { epoch, host: Some(host) }), _) => Ok(Master { epoch, host }),
            (Some(_), _) => Err(Trouble::Refused(format!("the Sentinels know no master {name:?}"))),
            (None, trouble) => Err(trouble.unwrap_or_else(|| Trouble::Away("no Sentinel is named".to_owned()))),
        }
    }

    /// Waits until another than `here` is master.
    pub(super) async fn until_elsewhere(mut self, here: Master) {
        let mut watch = Watch { here, of_before: 0 };
        loop {
            sleep(ASKED_EVERY).await;
            if self.master().await.is_ok_and(|master| watch.is_elsewhere(&master)) {
                return;
            }
        }
    }
}

impl Watch {
    /// `master`: as they say now.
    fn is_elsewhere(&mut self, master: &Master) -> bool {
        if master.host == self.here.host {
            self.of_before = 0;
            return false;
        }
        self.of_before += 1;
        master.epoch >= self.here.epoch || self.of_before >= BELIEVED_AFTER
    }
}

impl Sentinel {
    async fn ask(&mut self, config: &RedisConfig, master: &str) -> Result<Said, Trouble> {
        let late = || Trouble::Away(format!("{}:{}: this Sentinel does not answer", self.host.name, self.host.port));
        let connection = self.connection.take();
        match timeout(ANSWERED_WITHIN, said(connection, config, &self.host, master)).await {
            Ok(Ok((connection, said))) => {
                self.connection = Some(connection);
                Ok(said)
            }
            Ok(Err(trouble)) => Err(trouble),
            Err(_) => Err(late()),
        }
    }
}

/// Most Sentinels want no password where their servers do: it is said to those only who ask for it.
async fn said(
    connection: Option<Connection>,
    config: &RedisConfig,
    host: &RedisHost,
    master: &str,
) -> Result<(Connection, Said), Trouble> {
    if let Some(connection) = connection {
        let said = of(&connection, master).await?;
        return Ok((connection, said));
    }
    let stranger = Connection::open(config, host, false).await?;
    match of(&stranger, master).await {
        Ok(said) => Ok((stranger, said)),
        Err(Trouble::Refused(_)) if config.password.is_some() => {
            let known = Connection::open(config, host, true).await?;
            let said = of(&known, master).await?;
            Ok((known, said))
        }
        Err(trouble) => Err(trouble),
    }
}

async fn of(connection: &Connection, master: &str) -> Result<Said, Trouble> {
    let command = |question: &str| {
        let mut command = redis::cmd("SENTINEL");
        command.arg(question).arg(master);
        command
    };
    // The number first: the other way round, what was before a failover might be taken for what came of it.
    let more = connection.ask_if_allowed(&command("MASTER"), ANSWERED_WITHIN).await?.unwrap_or_default();
    let address = connection.ask(&command("GET-MASTER-ADDR-BY-NAME"), ANSWERED_WITHIN).await?;
    let host = <[Value; 2]>::try_from(list(address)).ok().and_then(|[name, port]| {
        let port = number(port).and_then(|port| u16::try_from(port).ok())?;
        Some(RedisHost { name: text(name)?, port })
    });
    Ok(Said { epoch: epoch(list(more)), host })
}

/// Names and values in turn.
fn epoch(facts: Vec<Value>) -> u64 {
    let mut facts = facts.into_iter();
    while let (Some(name), Some(value)) = (facts.next(), facts.next()) {
        if text(name).as_deref() == Some("config-epoch") {
            return number(value).unwrap_or_default();
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(epoch: u64, port: u16) -> Master {
        Master { epoch, host: RedisHost { name: "h".to_owned(), port } }
    }

    #[test]
    fn who_has_not_heard_of_the_latest_failover_leads_nobody_back_while_the_others_are_slow_to_answer() {
        let (here, before) = (master(7, 2), master(6, 1));
        let mut watch = Watch { here: here.clone(), of_before: 0 };
        for _ in 0..5 {
            assert!(!watch.is_elsewhere(&before) && !watch.is_elsewhere(&before));
            assert!(!watch.is_elsewhere(&here));
        }
        assert!(watch.is_elsewhere(&master(8, 1)), "a later failover counts at once");
        assert!(watch.is_elsewhere(&master(7, 1)), "and what is not told apart");
        let mut watch = Watch { here, of_before: 0 };
        let last = (0..BELIEVED_AFTER).map(|_| watch.is_elsewhere(&before)).collect::<Vec<_>>();
        assert_eq!(last, [false, false, true], "they may have been set up anew");
    }
}
