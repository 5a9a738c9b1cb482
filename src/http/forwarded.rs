//! Whose connection it is behind proxies that are trusted to say so.
//!
//! Proxies write more than the bare address: ports, brackets, quotes, zones, empty members, and words where they do not
//! want to say.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

/// The last address in `X-Forwarded-For` that is not a trusted proxy's; the peer's own if the peer is not trusted or names
/// nobody. `Err`: the member that had to be one and is not.
pub(super) fn client_address<'a>(peer: IpAddr, headers: &'a HeaderMap, trusted: &[IpNet]) -> Result<IpAddr, &'a [u8]> {
    let mut address = peer.to_canonical();
    if !is_trusted(address, trusted) {
        return Ok(address);
    }
    let lines: Vec<&[u8]> = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    let members = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
    for member in members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty()) {
        let named = std::str::from_utf8(member).ok().and_then(address_in).ok_or(member)?;
        address = named.to_canonical();
        if !is_trusted(address, trusted) {
            break;
        }
    }
    Ok(address)
}

pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// The address in one member, with whatever a proxy has put around it.
fn address_in(member: &str) -> Option<IpAddr> {
    let node = node(member).trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\''));
    if let Some(rest) = node.strip_prefix('[') {
        let (ip, port) = rest.split_once(']')?;
        let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return if is_whole { ip_in(ip) } else { None };
    }
    if let Some(ip) = ip_in(node) {
        return Some(ip);
    }
    let (ip, _port) = node.rsplit_once(':').filter(|(_, port)| is_port(port))?;
    // An IPv6 address with a port and without brackets can be told only where nothing of it is left out.
    ip_in(ip).filter(|ip| ip.is_ipv4() || !node.contains("::"))
}

/// The value of `for=` where the member is one of `Forwarded`.
fn node(member: &str) -> &str {
    let named = member.split(';').map(str::trim).find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    named.unwrap_or(member)
}

/// Without its zone, which means nothing to anybody else.
fn ip_in(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        Some((ip, _zone)) => ip.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// A number, nothing, or a name of the proxy's own.
fn is_port(text: &str) -> bool {
    text.starts_with('_') || (text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> Result<IpAddr, String> {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let client = client_address(peer.parse().unwrap(), &headers, &trusted);
        client.map_err(|member| String::from_utf8_lossy(member).into_owned())
    }

    fn address(peer: &str, forwarded: &[&str]) -> String {
        client(peer, forwarded).map(|ip| ip.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_stranger_cannot_borrow_an_address() {
        assert_eq!(address("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_is_believed_from_the_right() {
        assert_eq!(address("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn an_address_is_read_however_a_proxy_writes_it() {
        for (written, ip) in [
            ("198.51.100.1:50123", "198.51.100.1"),
            ("198.51.100.1:", "198.51.100.1"),
            ("\"198.51.100.1:50123\"", "198.51.100.1"),
            ("'198.51.100.1'", "198.51.100.1"),
            ("[198.51.100.1]:80", "198.51.100.1"),
            ("198.51.100.1:_hidden", "198.51.100.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("2001:db8:0:0:0:0:0:1:50123", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:443", "fe80::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("[::ffff:198.51.100.1]:443", "198.51.100.1"),
            ("for=198.51.100.1", "198.51.100.1"),
            ("For=\"[2001:db8::1]:4711\";proto=https;by=10.0.0.2", "2001:db8::1"),
            ("proto=https; for = \"198.51.100.1\"", "198.51.100.1"),
            (" ,198.51.100.1 \t,, ", "198.51.100.1"),
            ("1.1.1.1, 198.51.100.1:9, 10.0.0.2:5000", "198.51.100.1"),
            // What a stranger wrote before the proxy did spoils nothing.
            ("caf\u{e9}, 198.51.100.1", "198.51.100.1"),
        ] {
            assert_eq!(address("10.0.0.1", &[written]), ip, "{written}");
        }
    }

    #[test]
    fn what_names_nobody_that_can_be_read_is_said_to_be_so() {
        for written in [
            "unknown",
            "198.51.100.1, unknown",
            "unknown, 10.0.0.2",
            "_hidden",
            "for=_SEVKISEK",
            "unix:",
            "198.51.100.1:80:80",
            "[198.51.100.1",
            "[2001:db8::1]x",
            "198.51.100.1%eth0",
            "198.51.100.1:123456",
            "localhost",
            "caf\u{e9}",
        ] {
            assert!(client("10.0.0.1", &[written]).is_err(), "{written}");
        }
    }

    #[test]
    fn a_proxy_that_names_nobody_speaks_for_itself() {
        for lines in [&[][..], &[""], &[" , "]] {
            assert_eq!(address("10.0.0.1", lines), "10.0.0.1");
        }
    }
}
