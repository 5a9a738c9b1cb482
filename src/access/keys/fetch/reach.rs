//! Where a fetch may lead: which addresses are dialled, whatever a name says they are.
//!
//! Must not know what is fetched.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The addresses that a fetch may dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) loopback: bool,
    /// Of a private network, of this link, or of no use at all.
    pub(super) private: bool,
    pub(super) public: bool,
}

/// An address that may not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it leads to {0}, where it may not")]
pub struct Elsewhere(Realm);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Realm {
    Loopback,
    Private,
    Public,
}

/// Looks names up for one fetch, and gives only what it may dial. There is no second look-up: what is checked is what is
/// dialled.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    reach: Reach,
    /// A proxy's name: the operator chose it, and it dials by itself.
    proxy: Option<String>,
    stays_in: Arc<AtomicBool>,
}

impl Reach {
    /// How far what the operator gave may lead: anywhere, but without TLS only where nobody is on the way.
    pub(super) fn of_operator(url: &Url, allow_http: bool) -> Self {
        let is_safe = url.scheme() == "https";
        Self { loopback: true, private: is_safe || allow_http, public: is_safe }
    }

    /// How far an address may lead that stands in what was fetched: into the operator's own network only where the
    /// operator's own address `stays_in` it.
    pub(super) fn of_another(url: &Url, allow_http: bool, stays_in: bool) -> Self {
        let own = Self::of_operator(url, allow_http);
        Self { loopback: own.loopback && stays_in, private: own.private && stays_in, ..own }
    }

    fn check(self, address: IpAddr) -> Result<(), Elsewhere> {
        let realm = realm(address);
        let may = match realm {
            Realm::Loopback => self.loopback,
            Realm::Private => self.private,
            Realm::Public => self.public,
        };
        if may { Ok(()) } else { Err(Elsewhere(realm)) }
    }
}

impl Guard {
    pub(super) fn new(reach: Reach, proxy: Option<String>) -> Self {
        Self { reach, proxy, stays_in: Arc::default() }
    }

    /// A host that is an address is never looked up, so it is checked here.
    pub(super) fn check_host(&self, url: &Url) -> Result<(), Elsewhere> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.take_note(address);
        self.reach.check(address)
    }

    /// Whether an address was met that is not public.
    pub(super) fn stays_in(&self) -> bool {
        self.stays_in.load(Ordering::Relaxed)
    }

    fn take_note(&self, address: IpAddr) {
        if realm(address) != Realm::Public {
            self.stays_in.store(true, Ordering::Relaxed);
        }
    }

    /// Those of the addresses that may be dialled.
    fn admit(&self, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let (mut admitted, mut refused) = (Vec::new(), None);
        for address in found {
            match self.reach.check(address.ip()) {
                Ok(()) => {
                    self.take_note(address.ip());
                    admitted.push(address);
                }
                Err(elsewhere) => refused = Some(elsewhere),
            }
        }
        match refused {
            Some(elsewhere) if admitted.is_empty() => Err(elsewhere.into()),
            _ if admitted.is_empty() => Err(io::Error::other("the name has no address").into()),
            _ => Ok(admitted),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            if guard.proxy.as_deref().is_some_and(|proxy| proxy.eq_ignore_ascii_case(name.as_str())) {
                let found: Vec<SocketAddr> = found.collect();
                return Ok(Box::new(found.into_iter()) as Addrs);
            }
            Ok(Box::new(guard.admit(found)?.into_iter()) as Addrs)
        })
    }
}

impl std::fmt::Display for Realm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Loopback => "this machine",
            Self::Private => "a private network",
            Self::Public => "the internet without TLS",
        })
    }
}

fn realm(address: IpAddr) -> Realm {
    match address {
        IpAddr::V4(address) => realm_of_v4(address),
        IpAddr::V6(address) => realm_of_v6(address),
    }
}

/// By IANA's registry of special addresses; what is of no use in it counts as private.
fn realm_of_v4(address: Ipv4Addr) -> Realm {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        // Linux dials itself at 0.0.0.0.
        (0 | 127, ..) => Realm::Loopback,
        (10 | 224.., ..)
        | (100, 64..=127, _)
        | (169, 254, _)
        | (172, 16..=31, _)
        | (192, 168, _)
        | (192, 0, 0 | 2)
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => Realm::Private,
        _ => Realm::Public,
    }
}

fn realm_of_v6(address: Ipv6Addr) -> Realm {
    if address.is_loopback() || address.is_unspecified() {
        return Realm::Loopback;
    }
    let [first, second, third, .., last_but_one, last] = address.segments();
    let v4 = |high: u16, low: u16| realm_of_v4(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)));
    match (first, second) {
        // An address of IPv4 in one of IPv6: mapped, translated (NAT64), tunnelled (6to4).
        (0, 0) | (0x64, 0xff9b) => v4(last_but_one, last),
        (0x2002, high) => v4(high, third),
        // Only 2000::/3 is given out; of it Teredo and documentation lead nowhere.
        (0x2001, 0 | 0xdb8) => Realm::Private,
        (0x2000..=0x3fff, _) => Realm::Public,
        _ => Realm::Private,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(address: &str) -> String {
        realm(address.parse().unwrap()).to_string()
    }

    #[test]
    fn addresses_are_told_apart_however_they_are_written() {
        for address in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
            assert_eq!(told(address), "this machine", "{address}");
        }
        for address in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "fe80::1",
            "fd00::1",
            "fec0::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:0a00:0001::1",
            "2001:db8::1",
            "100::1",
        ] {
            assert_eq!(told(address), "a private network", "{address}");
        }
        for address in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "2002:0808:0808::1"]
        {
            assert_eq!(realm(address.parse().unwrap()), Realm::Public, "{address}");
        }
    }

    fn reach(url: &str, allow_http: bool) -> Reach {
        Reach::of_operator(&Url::parse(url).unwrap(), allow_http)
    }

    #[test]
    fn without_tls_nothing_leaves_the_private_network_and_nothing_this_machine_unless_that_is_allowed() {
        assert_eq!(reach("https://a", false), Reach { loopback: true, private: true, public: true });
        assert_eq!(reach("http://a", false), Reach { loopback: true, private: false, public: false });
        assert_eq!(reach("http://a", true), Reach { loopback: true, private: true, public: false });
    }

    #[test]
    fn what_was_fetched_leads_into_the_private_network_only_from_within() {
        let another = |url: &str, stays_in| Reach::of_another(&Url::parse(url).unwrap(), true, stays_in);
        assert_eq!(another("https://b", false), Reach { loopback: false, private: false, public: true });
        assert_eq!(another("http://b", false), Reach { loopback: false, private: false, public: false });
        assert_eq!(another("https://b", true), Reach { loopback: true, private: true, public: true });
        assert_eq!(another("http://b", true), Reach { loopback: true, private: true, public: false });
    }

    #[tokio::test]
    async fn a_name_gives_only_addresses_that_may_be_dialled() {
        let outside = Reach { loopback: false, private: false, public: true };
        let guard = Guard::new(outside, None);
        let Err(refused) = guard.resolve("localhost".parse().unwrap()).await else { panic!("it leads to ourselves") };
        assert_eq!(refused.to_string(), "it leads to this machine, where it may not");
        // One that mixes: what is private is not dialled.
        let mixed = ["10.0.0.1:0", "1.1.1.1:0"].map(|address| address.parse().unwrap());
        assert_eq!(guard.admit(mixed.into_iter()).unwrap(), [mixed[1]]);
        assert!(!guard.stays_in());

        let inside = Guard::new(reach("https://a", false), None);
        assert!(inside.resolve("localhost".parse().unwrap()).await.is_ok() && inside.stays_in());
        let proxied = Guard::new(outside, Some("LOCALHOST".to_owned()));
        assert!(proxied.resolve("localhost".parse().unwrap()).await.is_ok() && !proxied.stays_in());
    }

    #[test]
    fn an_address_in_the_place_of_a_name_is_checked_too() {
        let guard = |url: &str| {
            let guard = Guard::new(Reach { loopback: false, private: false, public: true }, None);
            guard.check_host(&Url::parse(url).unwrap())
        };
        for url in ["https://169.254.169.254/x", "https://[::ffff:10.0.0.1]/", "https://2130706433/", "https://0x7f.1/"]
        {
            assert!(guard(url).is_err(), "{url}");
        }
        assert_eq!(guard("https://1.1.1.1/"), Ok(()));
        assert_eq!(guard("https://name.example/"), Ok(()));
    }
}
