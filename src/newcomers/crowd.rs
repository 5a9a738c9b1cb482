//! Who goes when there is no room: the oldest of the address that holds most, and nobody who has just come while somebody
//! else has been there for longer.
//!
//! Every step costs the logarithm of how many there are, also while strangers come by the thousand.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::address::Network;

/// Who has been here for less goes only if nobody has been here for longer: signing in takes a moment.
const GRACE: Duration = Duration::from_secs(1);
/// An address holds much from this part of all places on. Below it all are alike and the oldest goes: a thousand addresses
/// with one place each must not push out a shop's three.
const MUCH: usize = 64;

/// A member's number; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// Everybody who is there, by age and by address.
#[derive(Debug)]
pub(super) struct Crowd<T> {
    much: usize,
    next: u64,
    members: BTreeMap<u64, Member<T>>,
    addresses: HashMap<Network, BTreeSet<u64>>,
    /// The addresses whose oldest member has been here for long enough to go, and the others.
    settled: BTreeSet<Rank>,
    fresh: BTreeSet<Rank>,
    /// Numbers below this one are beyond their grace.
    settled_below: u64,
}

#[derive(Debug)]
struct Member<T> {
    network: Network,
    since: Instant,
    holds: T,
}

/// How much an address holds, and its oldest member. The last one goes first.
type Rank = (usize, Reverse<u64>);

impl<T> Crowd<T> {
    pub(super) fn new(places: usize) -> Self {
        Self {
            much: (places / MUCH).max(1),
            next: 0,
            members: BTreeMap::new(),
            addresses: HashMap::new(),
            settled: BTreeSet::new(),
            fresh: BTreeSet::new(),
            settled_below: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn enter(&mut self, network: Network, now: Instant, holds: T) -> Ticket {
        let number = self.next;
        self.next += 1;
        self.members.insert(number, Member { network, since: now, holds });
        self.change(network, |held| held.insert(number));
        Ticket(number)
    }

    pub(super) fn get_mut(&mut self, Ticket(number): Ticket) -> Option<&mut T> {
        self.members.get_mut(&number).map(|member| &mut member.holds)
    }

    pub(super) fn leave(&mut self, Ticket(number): Ticket) -> Option<T> {
        let Member { network, holds, .. } = self.members.remove(&number)?;
        self.change(network, |held| held.remove(&number));
        Some(holds)
    }

    /// Takes out whose turn it is.
    pub(super) fn push_out(&mut self, now: Instant) -> Option<T> {
        self.settle(now);
        let (_, Reverse(oldest)) = *self.settled.last().or(self.fresh.last())?;
        self.leave(Ticket(oldest))
    }

    fn settle(&mut self, now: Instant) {
        while let Some((&number, member)) = self.members.range(self.settled_below..).next()
            && now.duration_since(member.since) >= GRACE
        {
            let network = member.network;
            let rank = self.addresses.get(&network).and_then(|held| self.rank(held));
            self.settled_below = number + 1;
            if let Some(rank) = rank.filter(|(_, Reverse(oldest))| *oldest == number) {
                self.fresh.remove(&rank);
                self.settled.insert(rank);
            }
        }
    }

    fn change(&mut self, network: Network, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        let mut held = self.addresses.remove(&network).unwrap_or_default();
        if let Some(rank) = self.rank(&held) {
            self.ranked(rank).remove(&rank);
        }
        change(&mut held);
        if let Some(rank) = self.rank(&held) {
            self.ranked(rank).insert(rank);
            self.addresses.insert(network, held);
        }
    }

    /// `None` for an address that holds nothing.
    fn rank(&self, held: &BTreeSet<u64>) -> Option<Rank> {
        Some((held.len().max(self.much), Reverse(*held.first()?)))
    }

    fn ranked(&mut self, (_, Reverse(oldest)): Rank) -> &mut BTreeSet<Rank> {
        if oldest < self.settled_below { &mut self.settled } else { &mut self.fresh }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    fn network(number: u32) -> Network {
        Address::of(std::net::Ipv4Addr::from(number).into()).network()
    }

    /// Fills a crowd at one moment, in this order.
    fn crowd(places: usize, now: Instant, from: &[u32]) -> Crowd<usize> {
        let mut crowd = Crowd::new(places);
        for (member, address) in from.iter().enumerate() {
            crowd.enter(network(*address), now, member);
        }
        crowd
    }

    #[tokio::test]
    async fn the_oldest_of_the_address_that_holds_most_goes() {
        let now = Instant::now();
        let mut crowd = crowd(6, now, &[1, 2, 3, 2, 2, 3]);
        let gone: Vec<_> = std::iter::from_fn(|| crowd.push_out(now)).collect();
        // The second address until it holds no more than the third; among equals who came first.
        assert_eq!(gone, [1, 2, 3, 0, 4, 5]);
    }

    #[tokio::test]
    async fn nobody_who_has_just_come_goes_while_another_has_been_there_for_longer() {
        let start = Instant::now();
        let mut crowd = crowd(4, start, &[1, 2]);
        let later = start + GRACE;
        for member in 2..8 {
            crowd.enter(network(3), later, member);
        }
        assert_eq!([crowd.push_out(later), crowd.push_out(later)], [Some(0), Some(1)]);
        assert_eq!(crowd.push_out(later), Some(2));
    }

    #[tokio::test]
    async fn a_thousand_addresses_do_not_push_out_a_shops_three() {
        let now = Instant::now();
        let mut crowd = Crowd::new(512);
        let mut tickets = Vec::new();
        for address in 0..1_000 {
            if crowd.len() == 512 {
                assert_ne!(crowd.push_out(now), Some("shop"));
            }
            if [600, 601, 602].contains(&address) {
                tickets.push(crowd.enter(network(7_000), now, "shop"));
            } else {
                crowd.enter(network(address), now, "stranger");
            }
        }
        assert!(tickets.into_iter().all(|ticket| crowd.leave(ticket) == Some("shop")));
    }

    #[tokio::test]
    async fn who_leaves_leaves_nothing_behind() {
        let start = Instant::now();
        let mut crowd = crowd(4, start, &[1, 2, 2]);
        assert_eq!(crowd.push_out(start + GRACE), Some(1));
        for number in [0, 2, 2] {
            crowd.leave(Ticket(number));
        }
        assert!(crowd.members.is_empty() && crowd.addresses.is_empty());
        assert!(crowd.fresh.is_empty() && crowd.settled.is_empty());
        assert_eq!(crowd.push_out(start), None);
    }
}
