//! One origin as browsers serialise it (`https://panel.example.com`, `http://localhost:4200`), parsed strictly; and as
//! applications do whose pages come from no host (`file://`).
//!
//! Must not know which origins are allowed.

/// Scheme, host and port; a scheme's default port and an absent one are equal. Only a scheme without hosts has an empty one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub scheme: String,
    pub host: String,
    pub port: Option<u16>,
}

/// Why a text is no serialised origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    #[error("it has no scheme")]
    NoScheme,
    #[error("it ends in a slash or has a path")]
    Path,
    #[error("its host or port is not valid")]
    Authority,
}

impl Origin {
    /// Upper case counts as lower case; anything an origin does not have (path, user, query, spaces) is refused.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let text = text.to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://").ok_or(OriginError::NoScheme)?;
        let mut letters = scheme.bytes();
        if !letters.next().is_some_and(|first| first.is_ascii_lowercase())
            || !letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
        {
            return Err(OriginError::NoScheme);
        }
        if authority.contains('/') {
            return Err(OriginError::Path);
        }
        if authority.is_empty() && default_port(scheme).is_none() {
            return Ok(Self { scheme: scheme.to_owned(), host: String::new(), port: None });
        }
        let (host, port) = split_authority(authority).ok_or(OriginError::Authority)?;
        Ok(Self { scheme: scheme.to_owned(), port: port.or(default_port(scheme)), host: host.to_owned() })
    }
}

/// Host and port of `Host` or of an origin's authority; `None` if it is not exactly that.
pub fn split_authority(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if authority.starts_with('[') {
        let (host, rest) = authority.split_at(authority.find(']')? + 1);
        host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().ok()?;
        (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
    } else {
        let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        let valid = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if host.is_empty() || !host.bytes().all(valid) {
            return None;
        }
        (host, port)
    };
    let port = match port {
        None => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
        Some(_) => return None,
    };
    Some((host, port))
}

pub fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_ports_and_letter_case_do_not_matter() {
        assert_eq!(Origin::parse("https://Panel.Example.com"), Origin::parse("HTTPS://panel.example.com:443"));
        assert_ne!(Origin::parse("https://a.example"), Origin::parse("http://a.example"));
        assert_ne!(Origin::parse("https://a.example:8443"), Origin::parse("https://a.example"));
        assert!(Origin::parse("capacitor://localhost").is_ok());
        assert!(Origin::parse("http://[::1]:4200").is_ok());
    }

    #[test]
    fn a_page_that_comes_from_no_host_has_its_scheme_alone() {
        assert_eq!(Origin::parse("file://"), Origin::parse("FILE://"));
        assert!(Origin::parse("app://").is_ok());
        assert_ne!(Origin::parse("file://"), Origin::parse("app://"));
        assert_ne!(Origin::parse("app://localhost"), Origin::parse("app://"));
        assert_eq!(Origin::parse("file:///"), Err(OriginError::Path));
        for text in ["http://", "https://", "ws://", "wss://", "https://:443", "file://:1", "://"] {
            assert!(Origin::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_browsers_never_send_is_no_origin() {
        for text in [
            "",
            "null",
            "*",
            "panel.example.com",
            "https:/a",
            "://a",
            "https://",
            "https://a b",
            "https://u@a",
            "https://u:p@a",
            "https://a?x",
            "https://a#x",
            "https://a\\b",
            "https://a:",
            "https://a:99999",
            "https://a:+80",
            "https://[::1",
            "https://[::1]x",
            "https://[zz]",
            "https://a,https://b",
            "https://a https://b",
            "1http://a",
            "https://ejemplo.es\n",
        ] {
            assert!(Origin::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Origin::parse("https://a/"), Err(OriginError::Path));
        assert_eq!(Origin::parse("https://a/panel"), Err(OriginError::Path));
    }
}
