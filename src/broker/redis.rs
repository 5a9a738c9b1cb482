//! The log in Redis (6.2 or newer) or Valkey: one server, what Sentinels say is the master, or the owner of one slot of a Cluster.
//!
//! Two streams, read by a blocking `XREAD`; what is written is a script each. No pub/sub: it delivers at most once, and is
//! cut from readers that are slow. Must not know what an entry says, nor who the nodes are.

mod beside;
mod cluster;
mod connection;
mod greeting;
pub mod inspect;
mod keys;
mod line;
mod reply;
mod script;
mod sentinel;
#[cfg(test)]
mod tests;
mod trouble;

use std::sync::Arc;

use async_trait::async_trait;

use super::log::{Engine, Line, Trouble};
use crate::config::{RedisConfig, RedisHost, RedisServers};
pub(in crate::broker) use beside::{Beside, Published};
use connection::Connection;
use keys::Keys;
use line::RedisLine;
use sentinel::Sentinels;

/// The way to a log in Redis.
#[derive(Debug)]
pub struct Redis {
    config: Arc<RedisConfig>,
    keys: Arc<Keys>,
}

impl Redis {
    /// Nothing is dialled yet.
    pub fn new(config: RedisConfig) -> Self {
        let keys = Arc::new(Keys::new(&config.prefix));
        Self { config: Arc::new(config), keys }
    }
}

#[async_trait]
impl Engine for Redis {
    async fn dial(&self) -> Result<Arc<dyn Line>, Trouble> {
        let line = self.line().await.map_err(|trouble| match trouble {
            // Nothing was asked yet but who is there.
            Trouble::Unanswered(reason) => Trouble::Away(reason),
            trouble => trouble,
        })?;
        Ok(Arc::new(line))
    }
}

impl Redis {
    async fn line(&self) -> Result<RedisLine, Trouble> {
        self.line_and_host().await.map(|(line, _)| line)
    }

    /// Also where it leads.
    async fn line_and_host(&self) -> Result<(RedisLine, RedisHost), Trouble> {
        let config = &self.config;
        let (host, watched) = match &config.servers {
            RedisServers::One(host) => (host.clone(), None),
            RedisServers::Cluster(members) => (cluster::owner(config, members).await?, None),
            RedisServers::Sentinel { sentinels, master } => {
                let mut sentinels = Sentinels::new(config, sentinels, master);
                let master = sentinels.master().await?;
                (master.host.clone(), Some((sentinels, master)))
            }
        };
        let connection = Connection::open(config, &host, true).await?;
        let greeting = greeting::greet(&connection, config.database).await?;
        let elsewhere = watched.map(|(sentinels, master)| sentinels.until_elsewhere(master));
        Ok((RedisLine::new(connection, Arc::clone(&self.keys), greeting.run, elsewhere), host))
    }
}
