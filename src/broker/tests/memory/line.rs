//! The lines to a log in memory, and what is lost on the way.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rand::Rng;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::kept::Log;
use super::log::{Append, Appended, Engine, Identity, Line, Logged, Lost, NodeId, Position, PutBack, Stream, Trouble};
use super::{Shared, Weather};

#[derive(Debug)]
pub(crate) struct Way {
    pub(super) shared: Arc<Shared>,
    pub(super) number: usize,
}

#[async_trait]
impl Engine for Way {
    async fn dial(&self) -> Result<Arc<dyn Line>, Trouble> {
        let run = {
            let state = self.shared.lock();
            let server = &state.servers[state.led.get(&self.number).copied().unwrap_or_default()];
            if server.is_away {
                return Err(Trouble::Away("nobody listens".to_owned()));
            }
            server.run
        };
        let line = MemoryLine { shared: Arc::clone(&self.shared), number: self.number, run };
        line.arrive().await;
        Ok(Arc::new(line))
    }
}

struct MemoryLine {
    shared: Arc<Shared>,
    number: usize,
    /// Which run of which server it leads to.
    run: u64,
}

impl MemoryLine {
    /// Takes the way, one way; never arrives where it is cut.
    async fn arrive(&self) {
        let delay = {
            let mut state = self.shared.lock();
            let most = state.weather.delay;
            if most.is_zero() { most } else { state.draw.random_range(Duration::ZERO..most) }
        };
        if !delay.is_zero() {
            sleep(delay).await;
        }
        if self.shared.lock().cut.contains(&self.number) {
            pending::<()>().await;
        }
    }

    fn is_lost(&self, percent: impl Fn(&Weather) -> u32) -> bool {
        let mut state = self.shared.lock();
        let percent = percent(&state.weather);
        percent > 0 && state.draw.random_range(0..100) < percent
    }

    /// Half of what is lost is noticed at once.
    async fn lose(&self, trouble: Trouble) -> Trouble {
        if self.shared.lock().draw.random() {
            pending::<()>().await;
        }
        trouble
    }

    async fn ask<T: Send>(
        &self,
        act: impl FnOnce(&mut Log, u64, bool) -> Result<T, Trouble> + Send,
    ) -> Result<T, Trouble> {
        self.arrive().await;
        if self.is_lost(|weather| weather.lost_requests) {
            return Err(self.lose(Trouble::Away("the request is lost".to_owned())).await);
        }
        let answer = loop {
            let paused_until = {
                let mut state = self.shared.lock();
                let led = state.led.get(&self.number).copied().unwrap_or_default();
                let Some(at) = state.servers.iter().position(|server| server.run == self.run) else {
                    return Err(Trouble::Away("the line has ended".to_owned()));
                };
                if at != led {
                    return Err(Trouble::Moved("another server is in charge".to_owned()));
                }
                let server = &mut state.servers[at];
                if let Some(until) = server.paused_until.filter(|until| *until > Instant::now()) {
                    until
                } else {
                    let (now, is_full) = (self.shared.now(server), server.is_full);
                    break act(&mut server.log, now, is_full);
                }
            };
            sleep_until(paused_until).await;
        };
        self.arrive().await;
        if self.is_lost(|weather| weather.lost_answers) {
            return Err(self.lose(Trouble::Unanswered("the answer is lost".to_owned())).await);
        }
        answer
    }
}

#[async_trait]
impl Line for MemoryLine {
    async fn identity(&self) -> Result<Identity, Trouble> {
        let born = format!("{:016x}", self.shared.lock().draw.random::<u64>());
        let server = self.run.to_string();
        self.ask(move |log, now, _| {
            let born = log.born.get_or_insert(born).clone();
            let oldest = log.events.first_key_value().map_or(0, |(id, _)| *id);
            Ok(Identity { server, born, oldest, newest: log.last, now })
        })
        .await
    }

    async fn append(&self, append: Append<'_>) -> Result<Appended, Trouble> {
        let Append { stream, body, ids, floor, born, call, watched } = append;
        let news = Arc::clone(&self.shared);
        self.ask(move |log, now, is_full| {
            log.may_be_appended_to(born, is_full)?;
            if let Some(answer) = call.and_then(|call| log.answer(call)) {
                return Ok(Appended::Repeated(answer));
            }
            let first = log.append(now, stream, body, ids, floor, call);
            log.trim(now);
            news.news.notify_waiters();
            let watching = watched
                .and_then(|topic| log.watches.get(topic))
                .map_or(0, |nodes| nodes.values().filter(|until| **until > Instant::now()).count());
            Ok(Appended::At { first, watching })
        })
        .await
    }

    async fn put_back(&self, put_back: PutBack<'_>) -> Result<Vec<Option<u64>>, Trouble> {
        let PutBack { born, floor, lost } = put_back;
        let news = Arc::clone(&self.shared);
        self.ask(move |log, now, is_full| {
            log.may_be_appended_to(born, is_full)?;
            let each = lost.iter().map(|Lost { body, ids, call }| {
                let is_there = log.answer(*call).is_some();
                (!is_there).then(|| log.append(now, Stream::Events, body, *ids, floor, Some(*call)))
            });
            let firsts = each.collect();
            log.trim(now);
            news.news.notify_waiters();
            Ok(firsts)
        })
        .await
    }

    async fn read(&self, after: Position, most: usize, wait: Duration) -> Result<Vec<Logged>, Trouble> {
        let until = Instant::now() + wait;
        loop {
            let notified = self.shared.news.notified();
            let page = self.ask(|log, _, _| Ok(log.behind(after, most))).await?;
            if !page.is_empty() || timeout_at(until, notified).await.is_err() {
                return Ok(page);
            }
        }
    }

    async fn lacks(&self, ids: &[u64]) -> Result<Vec<u64>, Trouble> {
        self.ask(|log, _, _| Ok(ids.iter().copied().filter(|id| !log.events.contains_key(id)).collect())).await
    }

    async fn remember_dismissed(&self, dismissed: &[(String, i64)]) -> Result<(), Trouble> {
        self.ask(|log, _, _| {
            for (user, at) in dismissed {
                let until = log.dismissed.entry(user.clone()).or_insert(*at);
                *until = at.max(until).to_owned();
            }
            Ok(())
        })
        .await
    }

    async fn dismissed(&self) -> Result<Vec<(String, i64)>, Trouble> {
        self.ask(|log, _, _| Ok(log.dismissed.iter().map(|(user, at)| (user.clone(), *at)).collect())).await
    }

    async fn watch(&self, topics: &[String], node: NodeId, lasting: Duration) -> Result<(), Trouble> {
        self.ask(|log, _, _| {
            for topic in topics {
                log.watches.entry(topic.clone()).or_default().insert(node, Instant::now() + lasting);
            }
            Ok(())
        })
        .await
    }

    async fn unwatch(&self, topics: &[String], node: NodeId) -> Result<(), Trouble> {
        self.ask(|log, _, _| {
            for topic in topics {
                if let Some(nodes) = log.watches.get_mut(topic) {
                    nodes.remove(&node);
                }
            }
            Ok(())
        })
        .await
    }

    async fn tell_listeners(&self, node: NodeId, counts: &[(String, u64)], lasting: Duration) -> Result<(), Trouble> {
        self.ask(|log, _, _| {
            let told = log.listeners.entry(node).or_insert_with(|| (HashMap::new(), Instant::now()));
            if told.1 < Instant::now() {
                told.0.clear();
            }
            told.1 = Instant::now() + lasting;
            for (channel, count) in counts {
                match count {
                    0 => told.0.remove(channel),
                    count => told.0.insert(channel.clone(), *count),
                };
            }
            Ok(())
        })
        .await
    }

    async fn listeners(&self, channels: &[String], except: NodeId) -> Result<Vec<u64>, Trouble> {
        self.ask(|log, _, _| {
            let now = Instant::now();
            let others = || log.listeners.iter().filter(|(node, (_, until))| **node != except && *until > now);
            let sum = |channel| others().filter_map(|(_, (counts, _))| counts.get(channel)).sum();
            Ok(channels.iter().map(sum).collect())
        })
        .await
    }

    async fn forget_listeners(&self, node: NodeId) -> Result<(), Trouble> {
        self.ask(|log, _, _| {
            log.listeners.remove(&node);
            Ok(())
        })
        .await
    }

    async fn hold(&self, duty: &str, node: NodeId, lasting: Duration) -> Result<bool, Trouble> {
        self.ask(|log, _, _| {
            let now = Instant::now();
            let holder = log.duties.get(duty).filter(|(_, until)| *until > now).map_or(node, |(holder, _)| *holder);
            if holder == node {
                log.duties.insert(duty.to_owned(), (node, now + lasting));
            }
            Ok(holder == node)
        })
        .await
    }

    async fn release(&self, duty: &str, node: NodeId) -> Result<(), Trouble> {
        self.ask(|log, _, _| {
            if log.duties.get(duty).is_some_and(|(holder, _)| *holder == node) {
                log.duties.remove(duty);
            }
            Ok(())
        })
        .await
    }

    async fn raise(&self, register: &str, value: u64) -> Result<u64, Trouble> {
        self.ask(|log, _, _| {
            let held = log.registers.entry(register.to_owned()).or_default();
            *held = value.max(*held);
            Ok(*held)
        })
        .await
    }
}
