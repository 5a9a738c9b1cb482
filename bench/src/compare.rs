//! The comparison: every work with every server in turn, round by round, in one run.
//!
//! Rounds are the outer loop and servers the inner one, so that whatever else the machine does falls on all alike.

mod broadcast;
pub mod builds;
mod channels;
mod connect;
mod fanout;
mod feeds;
mod idle;
mod pgbench;
mod slow;
mod socketio;
mod storm;
pub mod tokens;

use std::collections::BTreeMap;

use clap::ValueEnum;

use crate::peer::{Peer, Server, Setting};
use crate::sheet::{Figure, Sheet};
use crate::world::World;

/// Handshakes under way at once while nobody is in a hurry.
const CALMLY: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// One channel: what one delivery costs, how long it takes.
    Fanout,
    /// 64 callers, 100 channels, 10 subscribers each, beside pgbench with the same transaction.
    Channels,
    /// What it costs to connect, present a token, subscribe and get figures.
    Connect,
    /// The server is killed and 10,000 clients come back at once.
    Storm,
    /// Memory of 10,000 clients that do nothing, and what is left when they have gone.
    Idle,
    /// What 5,000 clients notice of 10 that do not read.
    Slow,
    /// Pulso's other feeds.
    Feeds,
    /// Socket.IO by WebSocket and by polling, beside npm's: a delivery, an idle client, a connection.
    Socketio,
    /// A handshake by how its token was signed.
    Tokens,
}

/// What is measured, on what, how often; and what came out.
pub struct Comparison<'a> {
    pub world: &'a World,
    pub peers: Vec<Peer>,
    pub sizes: Vec<u32>,
    pub rounds: u32,
    /// A look, not a measurement: fewer clients, fewer messages.
    pub is_quick: bool,
    pub sheet: Sheet,
    /// Servers that are not to be had here, and why.
    pub missing: BTreeMap<Peer, String>,
}

impl Comparison<'_> {
    /// Finds out which servers can be had, so that nobody waits an hour to read it.
    pub fn muster(&mut self) {
        println!("-- looking which servers are to be had here");
        for peer in self.peers.clone() {
            match peer.start(self.world, Setting::Plain) {
                Ok(_) => println!("   {}: here", peer.name()),
                Err(reason) => {
                    println!("   {}: NOT HERE, it is left out: {reason}", peer.name());
                    self.missing.insert(peer, reason);
                }
            }
        }
        self.peers.retain(|peer| !self.missing.contains_key(peer));
    }

    pub fn measure(&mut self, work: Work) {
        match work {
            Work::Fanout => fanout::measure(self),
            Work::Channels => channels::measure(self),
            Work::Connect => connect::measure(self),
            Work::Storm => storm::measure(self),
            Work::Idle => idle::measure(self),
            Work::Slow => slow::measure(self),
            Work::Feeds => feeds::measure(self),
            Work::Socketio => socketio::measure(self),
            Work::Tokens => tokens::measure(self),
        }
    }

    /// Calls `one` for every server in every round.
    fn interleave(&mut self, what: &str, peers: &[Peer], mut one: impl FnMut(&mut Self, Peer, Place)) {
        for round in 1..=self.rounds {
            println!("-- {what}: round {round} of {}", self.rounds);
            for &peer in peers {
                one(self, peer, Place { peer, round });
            }
        }
    }

    /// Everybody but the second Pulso, which `fanout` alone has.
    fn usual_peers(&self) -> Vec<Peer> {
        self.peers.iter().copied().filter(|&peer| peer != Peer::PulsoIoUring).collect()
    }

    fn start(&self, peer: Peer, setting: Setting) -> Server {
        peer.start(self.world, setting).unwrap_or_else(|reason| panic!("{} started before: {reason}", peer.name()))
    }

    /// `usual`, or `quick` where a look is enough.
    fn scaled(&self, usual: u32, quick: u32) -> u32 {
        if self.is_quick { quick } else { usual }
    }

    fn note(&mut self, work: &'static str, case: &str, place: Place, figures: &[(Figure, f64)]) {
        let said: Vec<String> = figures.iter().map(|(figure, value)| figure.say(*value)).collect();
        println!("   {:>14} {case}: {}", place.peer.name(), said.join(" · "));
        self.record(work, case, place, figures);
    }

    /// As [`Self::note`], without a word.
    fn record(&mut self, work: &'static str, case: &str, place: Place, figures: &[(Figure, f64)]) {
        for &(figure, value) in figures {
            self.sheet.add(work, case, place.peer, figure, place.round, value);
        }
    }
}

/// Where a figure belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub peer: Peer,
    pub round: u32,
}
