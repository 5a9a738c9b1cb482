//! What is asked of the same server beside the log: keys and channels of others, and who has a duty.
//!
//! Must not know what is in them.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use redis::{Cmd, Value};
use tokio::time::timeout;

use super::Redis;
use super::connection::{ANSWERED_WITHIN, Connection};
use super::line::RedisLine;
use super::trouble::{Moment, trouble};
use crate::broker::log::{Line, NodeId, Trouble};
use crate::config::RedisHost;

/// A line for that.
pub(in crate::broker) struct Beside<'a> {
    redis: &'a Redis,
    line: RedisLine,
    host: RedisHost,
}

/// Somebody's message, and the channel that it came by.
pub(in crate::broker) type Published = (String, Vec<u8>);

impl Redis {
    /// A line beside the log, to the server that has the log at this moment.
    pub(in crate::broker) async fn beside(&self) -> Result<Beside<'_>, Trouble> {
        let (line, host) = self.line_and_host().await?;
        Ok(Beside { redis: self, line, host })
    }
}

impl Beside<'_> {
    pub(in crate::broker) async fn ask(&self, command: &Cmd) -> Result<Value, Trouble> {
        self.line.ask(command, ANSWERED_WITHIN).await
    }

    /// As [`Line::hold`].
    pub(in crate::broker) async fn hold(&self, duty: &str, node: NodeId, lasting: Duration) -> Result<bool, Trouble> {
        self.line.hold(duty, node, lasting).await
    }

    /// As [`Line::release`].
    pub(in crate::broker) async fn release(&self, duty: &str, node: NodeId) -> Result<(), Trouble> {
        self.line.release(duty, node).await
    }

    /// Whatever is published by channels of these patterns from now on. It ends with its line, and a line may be dead
    /// without an end.
    pub(in crate::broker) async fn listen(
        &self,
        patterns: &[String],
    ) -> Result<BoxStream<'static, Published>, Trouble> {
        let mut listener = Connection::listener(&self.redis.config, &self.host).await?;
        let server = self.line.connection().server();
        let late = |_| Trouble::Away(format!("{server}: no answer within {ANSWERED_WITHIN:?}"));
        for pattern in patterns {
            let subscribed = timeout(ANSWERED_WITHIN, listener.psubscribe(pattern)).await.map_err(late)?;
            subscribed.map_err(|error| trouble(server, &error, Moment::Asked))?;
        }
        let published = listener
            .into_on_message()
            .map(|message| (message.get_channel_name().to_owned(), message.get_payload_bytes().to_vec()));
        Ok(published.boxed())
    }
}
