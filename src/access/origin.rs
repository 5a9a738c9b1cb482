//! Whether a browser's page may connect, by its `Origin`. What sends none is not a browser and passes: the token
//! decides about it.
//!
//! Must not know routes or responses.

use crate::config::AllowedOrigins;
use crate::config::origin::{Origin, split_authority};

/// `WS_ALLOWED_ORIGINS`, ready to compare.
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    allowed: Allowed,
}

#[derive(Clone, Debug)]
enum Allowed {
    Any,
    SameOriginAndLocalhost,
    Listed { origins: Vec<Origin>, null: bool },
}

impl OriginPolicy {
    pub fn new(allowed: AllowedOrigins) -> Self {
        let allowed = match allowed {
            AllowedOrigins::Any => Allowed::Any,
            AllowedOrigins::SameOriginAndLocalhost => Allowed::SameOriginAndLocalhost,
            AllowedOrigins::Listed(texts) => Allowed::Listed {
                origins: texts.iter().filter_map(|text| Origin::parse(text).ok()).collect(),
                null: texts.iter().any(|text| text == "null"),
            },
        };
        Self { allowed }
    }

    /// `origin` and `host` are the request's headers to the letter. Several `Origin` lines are the caller's to refuse;
    /// several values in one line are no origin.
    pub fn may_connect(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        match &self.allowed {
            Allowed::Any => true,
            Allowed::SameOriginAndLocalhost => Origin::parse(origin)
                .is_ok_and(|origin| is_web(&origin) && (is_localhost(&origin) || is_same(&origin, host))),
            Allowed::Listed { null: true, .. } if origin == "null" => true,
            Allowed::Listed { origins, .. } => Origin::parse(origin).is_ok_and(|origin| origins.contains(&origin)),
        }
    }
}

fn is_web(origin: &Origin) -> bool {
    matches!(origin.scheme.as_str(), "http" | "https")
}

fn is_localhost(origin: &Origin) -> bool {
    matches!(origin.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
}

/// The scheme is left out: behind a proxy that ends TLS the page is https and the request is not. So a missing port in
/// `Host` is the default of the page's scheme.
fn is_same(origin: &Origin, host: Option<&str>) -> bool {
    let Some(host) = host.map(str::to_ascii_lowercase) else { return false };
    let Some((name, port)) = split_authority(&host) else { return false };
    name == origin.host && port.or(crate::config::origin::default_port(&origin.scheme)) == origin.port
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unset() -> OriginPolicy {
        OriginPolicy::new(AllowedOrigins::SameOriginAndLocalhost)
    }

    fn listed(origins: &[&str]) -> OriginPolicy {
        OriginPolicy::new(AllowedOrigins::Listed(origins.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn what_is_no_browser_passes_everywhere() {
        for policy in [unset(), listed(&["https://a.example"]), OriginPolicy::new(AllowedOrigins::Any)] {
            assert!(policy.may_connect(None, Some("api.example.com")));
            assert!(policy.may_connect(None, None));
        }
    }

    #[test]
    fn unset_means_the_same_origin() {
        for (origin, host, may) in [
            ("https://panel.example.com", "panel.example.com", true),
            ("http://panel.example.com", "panel.example.com", true),
            ("https://panel.example.com", "panel.example.com:443", true),
            ("http://panel.example.com:80", "panel.example.com", true),
            ("http://panel.example.com:8080", "panel.example.com:8080", true),
            ("https://panel.example.com:8080", "panel.example.com:8080", true),
            ("HTTPS://PANEL.example.com", "panel.EXAMPLE.com", true),
            ("http://192.168.0.9:8080", "192.168.0.9:8080", true),
            ("http://[fe80::1]:8080", "[FE80::1]:8080", true),
            ("https://panel.example.com", "panel.example.com:8080", false),
            ("https://panel.example.com:8080", "panel.example.com", false),
            ("https://evil.com", "panel.example.com", false),
            ("https://panel.example.com.evil.com", "panel.example.com", false),
            ("https://evilpanel.example.com", "panel.example.com", false),
            ("https://example.com", "panel.example.com", false),
            ("https://panel.example.com@evil.com", "panel.example.com", false),
            ("https://evil.com/panel.example.com", "panel.example.com", false),
            ("https://evil.com#panel.example.com", "panel.example.com", false),
            ("https://panel.example.com.", "panel.example.com", false),
            ("https://panel.example.com", "panel.example.com, evil.com", false),
            ("https://panel.example.com", "user@panel.example.com", false),
            ("https://panel.example.com, https://evil.com", "panel.example.com", false),
            ("https://panel.example.com https://evil.com", "panel.example.com", false),
            ("chrome-extension://panel.example.com", "panel.example.com", false),
            ("panel.example.com", "panel.example.com", false),
            ("null", "panel.example.com", false),
            ("null", "null", false),
            ("", "panel.example.com", false),
            ("*", "panel.example.com", false),
            ("file://", "panel.example.com", false),
        ] {
            assert_eq!(unset().may_connect(Some(origin), Some(host)), may, "{origin} at {host}");
        }
        assert!(!unset().may_connect(Some("https://panel.example.com"), None));
    }

    #[test]
    fn unset_means_localhost_too() {
        for (origin, may) in [
            ("http://localhost", true),
            ("http://localhost:4200", true),
            ("https://LOCALHOST:8443", true),
            ("http://127.0.0.1:3000", true),
            ("http://[::1]:3000", true),
            ("http://localhost.evil.com", false),
            ("http://localhost.evil.com:4200", false),
            ("http://evil-localhost", false),
            ("http://localhost@evil.com", false),
            ("http://localhost:4200@evil.com", false),
            ("http://evil.com:localhost", false),
            ("http://127.0.0.1.evil.com", false),
            ("http://127.0.0.10", false),
            ("http://127.1", false),
            ("http://2130706433", false),
            ("http://0.0.0.0:8080", false),
            ("http://[::2]", false),
            ("http://[::1].evil.com", false),
            ("http://localhost\\.evil.com", false),
            ("http://localhost%00.evil.com", false),
            ("http://localhost:", false),
            ("http://localhost/", false),
            ("//localhost", false),
            ("javascript://localhost", false),
        ] {
            assert_eq!(unset().may_connect(Some(origin), Some("api.example.com")), may, "{origin}");
        }
    }

    #[test]
    fn a_list_is_the_whole_truth() {
        let policy = listed(&["https://panel.example.com", "http://localhost:4200", "capacitor://localhost"]);
        for (origin, may) in [
            ("https://panel.example.com", true),
            ("https://Panel.Example.com:443", true),
            ("http://localhost:4200", true),
            ("capacitor://localhost", true),
            ("http://panel.example.com", false),
            ("https://panel.example.com:8443", false),
            ("http://localhost", false),
            ("https://api.example.com", false),
            ("null", false),
            ("https://panel.example.com,https://evil.com", false),
        ] {
            assert_eq!(policy.may_connect(Some(origin), Some("api.example.com")), may, "{origin}");
        }
    }

    #[test]
    fn null_is_a_word_of_its_own() {
        let policy = listed(&["null"]);
        assert!(policy.may_connect(Some("null"), Some("a")));
        assert!(!policy.may_connect(Some("Null"), Some("a")));
        assert!(!policy.may_connect(Some("https://a"), Some("a")));
    }

    #[test]
    fn a_file_is_not_null_and_neither_is_allowed_unlisted() {
        let policy = listed(&["file://"]);
        for (origin, may) in [
            ("file://", true),
            ("FILE://", true),
            ("file:///", false),
            ("file:///home/kds.html", false),
            ("file://host", false),
            ("null", false),
            ("http://localhost", false),
        ] {
            assert_eq!(policy.may_connect(Some(origin), Some("a")), may, "{origin}");
        }
        assert!(!listed(&["null"]).may_connect(Some("file://"), Some("a")));
        assert!(!unset().may_connect(Some("file://"), Some("")));
        assert!(!unset().may_connect(Some("app://"), Some("")));
    }

    #[test]
    fn a_star_lets_every_page_connect() {
        let policy = OriginPolicy::new(AllowedOrigins::Any);
        for origin in ["https://evil.com", "null", "", "https://a, https://b"] {
            assert!(policy.may_connect(Some(origin), Some("a")));
        }
    }
}
