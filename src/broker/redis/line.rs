//! A line to the log: every question to Redis that the broker may ask.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::connection::{ANSWERED_WITHIN, Connection};
use super::keys::Keys;
use super::reply::{EntryId, bytes, entries, list, number, text};
use super::script::{APPEND, HOLD, IDENTITY, LACKS, LISTENERS, Lua, RAISE, TELL_LISTENERS, WATCH};
use crate::broker::log::{
    Append, Appended, Call, Identity, KEPT_EVENTS, KEPT_FOR, KEPT_NOW, Line, Logged, Lost, NodeId, Position, PutBack,
    Stream, Trouble,
};
use crate::config::MAX_DISMISSED;
use crate::idempotency::{REMEMBERED, REMEMBERED_FOR};

/// What goes to the server in one question, where there is much of it: others wait for no longer than that takes.
const AT_ONCE: usize = 500;
/// An id further ahead of the clock than this is nobody's. As the scripts have it.
const HORIZON_US: u64 = 10 * 365 * 24 * 3_600 * 1_000_000;

pub(super) struct RedisLine {
    connection: Connection,
    keys: Arc<Keys>,
    /// Which run of the server this is.
    run: String,
    /// Cancelled when the Sentinels say that the master is elsewhere.
    moved: CancellationToken,
    /// Who asks the Sentinels, if there are any.
    _watcher: Option<AbortOnDropHandle<()>>,
    read_to: Mutex<ReadTo>,
}

/// Up to where this line has read, to the whole id. Somebody else's entry may have one between two of ours, and would be found again
/// and again behind a position.
#[derive(Debug, Default)]
struct ReadTo {
    events: EntryId,
    now: EntryId,
    /// The server's clock as it was last told (µs).
    clock: u64,
}

impl ReadTo {
    fn of(&mut self, stream: Stream) -> &mut EntryId {
        match stream {
            Stream::Events => &mut self.events,
            Stream::Now => &mut self.now,
        }
    }

    /// Where to read on behind `after`.
    fn behind(&mut self, stream: Stream, after: u64) -> String {
        let read = *self.of(stream);
        let behind = if read.id == after { read.behind } else { 0 };
        format!("{after}-{behind}")
    }
}

/// Where entries are appended, and what is asked with that.
struct To<'a> {
    stream: Stream,
    born: &'a str,
    floor: u64,
    /// The key of who watches.
    watched: Option<&'a str>,
}

#[async_trait]
impl Line for RedisLine {
    async fn identity(&self) -> Result<Identity, Trouble> {
        let Keys { meta, events, now, .. } = &*self.keys;
        let fresh = format!("{:032x}", rand::random::<u128>());
        let said = list(self.run(&IDENTITY, &[meta, events, now], &[fresh.as_bytes()]).await?);
        let [born, oldest, newest, now] = <[Value; 4]>::try_from(said).map_err(|_| self.odd())?;
        let now = number(now).ok_or_else(|| self.odd())?;
        // What was read of a log that was begun anew is read again.
        *self.read_to() = ReadTo { clock: now, ..ReadTo::default() };
        Ok(Identity {
            server: self.run.clone(),
            born: text(born).ok_or_else(|| self.odd())?,
            oldest: number(oldest).unwrap_or_default(),
            newest: number(newest).unwrap_or_default(),
            now,
        })
    }

    async fn append(&self, append: Append<'_>) -> Result<Appended, Trouble> {
        let Append { stream, body, ids, floor, born, call, watched } = append;
        let watched = watched.map(|topic| self.keys.watch(topic));
        let to = To { stream, born, floor, watched: watched.as_deref() };
        self.append_all(to, &[(body, ids, call)]).await?.pop().ok_or_else(|| self.odd())
    }

    async fn put_back(&self, put_back: PutBack<'_>) -> Result<Vec<Option<u64>>, Trouble> {
        let PutBack { born, floor, lost } = put_back;
        let entries: Vec<_> = lost.iter().map(|Lost { body, ids, call }| (*body, *ids, Some(*call))).collect();
        let to = To { stream: Stream::Events, born, floor, watched: None };
        let first = |appended| match appended {
            Appended::At { first, .. } => Some(first),
            Appended::Repeated(_) => None,
        };
        Ok(self.append_all(to, &entries).await?.into_iter().map(first).collect())
    }

    async fn read(&self, after: Position, most: usize, wait: Duration) -> Result<Vec<Logged>, Trouble> {
        let Keys { events, now, .. } = &*self.keys;
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(most);
        if !wait.is_zero() {
            command.arg("BLOCK").arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
        }
        let (events_behind, now_behind) = {
            let mut read_to = self.read_to();
            (read_to.behind(Stream::Events, after.events), read_to.behind(Stream::Now, after.now))
        };
        command.arg("STREAMS").arg(events).arg(now).arg(events_behind).arg(now_behind);
        let found = tokio::select! {
            found = self.ask(&command, wait + ANSWERED_WITHIN) => found?,
            () = self.moved.cancelled() => return Err(self.elsewhere()),
        };
        let found = entries(found, events);
        let mut is_spoilt = false;
        let logged = {
            let mut read_to = self.read_to();
            let horizon = read_to.clock.saturating_add(HORIZON_US);
            let mut logged = Vec::with_capacity(found.len());
            for (whole, entry) in found {
                if read_to.clock > 0 && whole.id > horizon {
                    // Nothing could be appended behind it.
                    is_spoilt = true;
                    let id = if entry.stream == Stream::Events { after.events } else { after.now };
                    logged.push(Logged { id, body: Bytes::new(), ..entry });
                } else {
                    *read_to.of(entry.stream) = whole;
                    logged.push(entry);
                }
            }
            logged
        };
        if is_spoilt {
            self.identity().await?;
        }
        Ok(logged)
    }

    async fn lacks(&self, ids: &[u64]) -> Result<Vec<u64>, Trouble> {
        let mut missing = Vec::new();
        for some in ids.chunks(AT_ONCE) {
            let texts: Vec<String> = some.iter().map(u64::to_string).collect();
            let arguments: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
            missing
                .extend(list(self.run(&LACKS, &[&self.keys.events], &arguments).await?).into_iter().filter_map(number));
        }
        Ok(missing)
    }

    async fn remember_dismissed(&self, dismissed: &[(String, i64)]) -> Result<(), Trouble> {
        for some in dismissed.chunks(AT_ONCE) {
            let mut command = redis::cmd("ZADD");
            command.arg(&self.keys.dismissed).arg("GT");
            for (user, at) in some {
                command.arg(*at).arg(user);
            }
            self.ask(&command, ANSWERED_WITHIN).await?;
        }
        let mut forget = redis::cmd("ZREMRANGEBYRANK");
        forget.arg(&self.keys.dismissed).arg(0).arg(format!("-{}", MAX_DISMISSED + 1));
        self.ask(&forget, ANSWERED_WITHIN).await?;
        Ok(())
    }

    async fn dismissed(&self) -> Result<Vec<(String, i64)>, Trouble> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(&self.keys.dismissed).arg(0).arg(-1).arg("WITHSCORES");
        let mut said = list(self.ask(&command, ANSWERED_WITHIN).await?).into_iter();
        let mut dismissed = Vec::new();
        while let (Some(user), Some(at)) = (said.next(), said.next()) {
            if let (Some(user), Some(at)) = (text(user), text(at).and_then(|at| at.parse().ok())) {
                dismissed.push((user, at));
            }
        }
        Ok(dismissed)
    }

    async fn watch(&self, topics: &[String], node: NodeId, lasting: Duration) -> Result<(), Trouble> {
        self.watch_for(topics, node, lasting.max(Duration::from_millis(1))).await
    }

    async fn unwatch(&self, topics: &[String], node: NodeId) -> Result<(), Trouble> {
        self.watch_for(topics, node, Duration::ZERO).await
    }

    async fn tell_listeners(&self, node: NodeId, counts: &[(String, u64)], lasting: Duration) -> Result<(), Trouble> {
        let keys = [self.keys.nodes.as_str(), &self.keys.clients_of(node)];
        let (node, lasting) = (node.to_string(), milliseconds(lasting));
        let chunks = if counts.is_empty() { vec![counts] } else { counts.chunks(AT_ONCE).collect() };
        for some in chunks {
            let counts: Vec<(&[u8], String)> =
                some.iter().map(|(channel, count)| (channel.as_bytes(), count.to_string())).collect();
            let mut arguments: Vec<&[u8]> = vec![node.as_bytes(), lasting.as_bytes()];
            arguments.extend(counts.iter().flat_map(|(channel, count)| [*channel, count.as_bytes()]));
            self.run(&TELL_LISTENERS, &keys, &arguments).await?;
        }
        Ok(())
    }

    async fn listeners(&self, channels: &[String], except: NodeId) -> Result<Vec<u64>, Trouble> {
        let (prefix, except) = (self.keys.clients(), except.to_string());
        let mut counts = Vec::with_capacity(channels.len());
        for some in channels.chunks(AT_ONCE) {
            let mut arguments: Vec<&[u8]> = vec![prefix.as_bytes(), except.as_bytes()];
            arguments.extend(some.iter().map(String::as_bytes));
            let said = list(self.run(&LISTENERS, &[&self.keys.nodes], &arguments).await?);
            if said.len() != some.len() {
                return Err(self.odd());
            }
            counts.extend(said.into_iter().map(|count| number(count).unwrap_or_default()));
        }
        Ok(counts)
    }

    async fn forget_listeners(&self, node: NodeId) -> Result<(), Trouble> {
        self.ask(redis::cmd("DEL").arg(self.keys.clients_of(node)), ANSWERED_WITHIN).await?;
        self.ask(redis::cmd("ZREM").arg(&self.keys.nodes).arg(node.to_string()), ANSWERED_WITHIN).await?;
        Ok(())
    }

    async fn hold(&self, duty: &str, node: NodeId, lasting: Duration) -> Result<bool, Trouble> {
        let lasting = milliseconds(lasting.max(Duration::from_millis(1)));
        let held =
            self.run(&HOLD, &[&self.keys.duty(duty)], &[node.to_string().as_bytes(), lasting.as_bytes()]).await?;
        Ok(number(held) == Some(1))
    }

    async fn release(&self, duty: &str, node: NodeId) -> Result<(), Trouble> {
        self.run(&HOLD, &[&self.keys.duty(duty)], &[node.to_string().as_bytes(), b"0"]).await?;
        Ok(())
    }

    async fn raise(&self, register: &str, value: u64) -> Result<u64, Trouble> {
        let field = format!("register:{register}");
        let held = self.run(&RAISE, &[&self.keys.meta], &[field.as_bytes(), value.to_string().as_bytes()]).await?;
        number(held).ok_or_else(|| self.odd())
    }
}

impl RedisLine {
    /// To the run `run` of a server; `elsewhere` ends when the Sentinels, if there are any, say that another is master.
    pub(super) fn new(
        connection: Connection,
        keys: Arc<Keys>,
        run: String,
        elsewhere: Option<impl Future<Output = ()> + Send + 'static>,
    ) -> Self {
        let moved = CancellationToken::new();
        let watcher = elsewhere.map(|elsewhere| {
            let told = moved.clone();
            AbortOnDropHandle::new(tokio::spawn(async move {
                elsewhere.await;
                told.cancel();
            }))
        });
        Self { connection, keys, run, moved, _watcher: watcher, read_to: Mutex::default() }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) async fn ask(&self, command: &redis::Cmd, within: Duration) -> Result<Value, Trouble> {
        self.still_here()?;
        self.connection.ask(command, within).await
    }

    async fn run(&self, lua: &Lua, keys: &[&str], arguments: &[&[u8]]) -> Result<Value, Trouble> {
        self.still_here()?;
        self.connection.run(lua, keys, arguments).await
    }

    /// What became of each of these: its body, how many ids it takes, its call.
    async fn append_all(
        &self,
        to: To<'_>,
        entries: &[(&Bytes, u64, Option<Call<'_>>)],
    ) -> Result<Vec<Appended>, Trouble> {
        let (most, kept) = match to.stream {
            Stream::Events => (KEPT_EVENTS, KEPT_FOR.as_micros()),
            Stream::Now => (KEPT_NOW, 0),
        };
        let Keys { meta, calls, order, .. } = &*self.keys;
        let mut keys = vec![meta.as_str(), self.keys.stream(to.stream), calls, order];
        keys.extend(to.watched);
        let numbers = [to.floor.into(), most.into(), kept, REMEMBERED.into(), REMEMBERED_FOR.as_micros()]
            .map(|number: u128| number.to_string());
        let ids: Vec<String> = entries.iter().map(|(_, ids, _)| ids.to_string()).collect();
        let mut arguments: Vec<&[u8]> = vec![to.born.as_bytes()];
        arguments.extend(numbers.iter().map(String::as_bytes));
        for ((body, _, call), ids) in entries.iter().zip(&ids) {
            let (name, answer) = call.map_or(("", &b""[..]), |Call { name, answer }| (name, &answer[..]));
            arguments.extend([&body[..], ids.as_bytes(), name.as_bytes(), answer]);
        }
        let mut said = list(self.run(&APPEND, &keys, &arguments).await?).into_iter();
        match said.next().and_then(text).as_deref() {
            Some("appended") => {}
            Some("reborn") => return Err(Trouble::Reborn),
            _ => return Err(self.odd()),
        }
        let watching = said.next().and_then(number).and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
        let mut each = Vec::with_capacity(entries.len());
        while let (Some(word), Some(value)) = (said.next(), said.next()) {
            each.push(appended(word, value, watching).ok_or_else(|| self.odd())?);
        }
        if each.len() == entries.len() { Ok(each) } else { Err(self.odd()) }
    }

    /// For no time at all: not any more.
    async fn watch_for(&self, topics: &[String], node: NodeId, lasting: Duration) -> Result<(), Trouble> {
        let (node, lasting) = (node.to_string(), milliseconds(lasting));
        for some in topics.chunks(AT_ONCE) {
            let keys: Vec<String> = some.iter().map(|topic| self.keys.watch(topic)).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            self.run(&WATCH, &keys, &[node.as_bytes(), lasting.as_bytes()]).await?;
        }
        Ok(())
    }

    fn still_here(&self) -> Result<(), Trouble> {
        if self.moved.is_cancelled() { Err(self.elsewhere()) } else { Ok(()) }
    }

    fn elsewhere(&self) -> Trouble {
        Trouble::Moved(format!("{}: the Sentinels say that another is master now", self.connection.server()))
    }

    fn odd(&self) -> Trouble {
        Trouble::Unanswered(format!("{}: the answer is not understood", self.connection.server()))
    }

    fn read_to(&self) -> std::sync::MutexGuard<'_, ReadTo> {
        self.read_to.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of one entry.
fn appended(word: Value, value: Value, watching: usize) -> Option<Appended> {
    match text(word)?.as_str() {
        "at" => number(value).map(|first| Appended::At { first, watching }),
        "repeated" => bytes(value).map(|answer| Appended::Repeated(answer.into())),
        _ => None,
    }
}

fn milliseconds(duration: Duration) -> String {
    duration.as_millis().to_string()
}
