//! Whose connection it is, and what is counted by address: the one way from an IP address to a key.
//!
//! Must not know what is counted, nor how an address was learnt.

use std::fmt;
use std::net::IpAddr;

/// The other end of a connection, as far as it can be told. Prints as the whole address, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    ip: IpAddr,
    stands_for_many: bool,
}

/// What is counted as one: an IPv4 address, or an IPv6 network of 64 bits, which is what a single customer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpAddr);

impl Address {
    /// An IPv4 address that came as IPv6 is its IPv4.
    pub fn of(ip: IpAddr) -> Self {
        Self { ip: ip.to_canonical(), stands_for_many: false }
    }

    /// Somebody behind a proxy that does not say who, so that all of them look alike.
    pub fn hidden_behind(proxy: IpAddr) -> Self {
        Self { ip: proxy.to_canonical(), stands_for_many: true }
    }

    pub fn ip(self) -> IpAddr {
        self.ip
    }

    /// With whom it shares what is shared out fairly.
    pub fn network(self) -> Network {
        Network(match self.ip {
            IpAddr::V4(ip) => ip.into(),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                [a, b, c, d, 0, 0, 0, 0].into()
            }
        })
    }

    /// By what a client may be refused; `None` for one that cannot be told from others, who would be refused with it.
    pub fn own_network(self) -> Option<Network> {
        (!self.stands_for_many).then(|| self.network())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Address::of(text.parse().unwrap()).network()
    }

    #[test]
    fn an_ipv6_customer_is_one_whatever_address_of_its_network_it_uses() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }

    #[test]
    fn an_ipv4_address_counts_for_itself_however_it_is_written() {
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("::ffff:192.0.2.1"), network("::ffff:192.0.2.2"));
        assert_eq!(Address::of("::ffff:192.0.2.1".parse().unwrap()).to_string(), "192.0.2.1");
    }

    #[test]
    fn who_cannot_be_told_from_others_is_refused_for_nobody_else() {
        let proxy = "10.0.0.1".parse().unwrap();
        assert_eq!(Address::of(proxy).own_network(), Some(Address::of(proxy).network()));
        assert_eq!(Address::hidden_behind(proxy).own_network(), None);
    }
}
