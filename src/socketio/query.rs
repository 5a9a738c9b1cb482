//! The path and the query of an Engine.IO request, read as the library reads them: the first of each name counts.

use http::Uri;
use socketioxide::socket::Sid;

pub(super) const PATH: &str = "/socket.io";

/// Whether a path is Socket.IO's.
pub fn is_below(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a request says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query<'a> {
    pub version: Option<&'a str>,
    pub transport: Option<&'a str>,
    /// The session, for all but the request that opens it.
    pub sid: Option<&'a str>,
}

impl<'a> Query<'a> {
    pub fn read(query: &'a str) -> Self {
        let first = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let word = |name: &str| first(name).and_then(|value| value.split('=').next());
        Self { version: word("EIO"), transport: word("transport"), sid: first("sid") }
    }

    /// Nothing but what the library looks at: it keeps the address of a session's first request.
    pub(super) fn to_uri(self) -> Uri {
        let pair = |name, value: Option<&str>| value.map(|value| format!("{name}={value}"));
        let pairs = [pair("EIO", self.version), pair("transport", self.transport), pair("sid", self.sid)];
        let query: Vec<_> = pairs.into_iter().flatten().collect();
        format!("{PATH}/?{}", query.join("&")).parse().unwrap_or_default()
    }
}

/// The address of a request of our own.
pub(super) fn uri(transport: &str, sid: Option<Sid>) -> Uri {
    let sid = sid.map(|sid| sid.to_string());
    Query { version: Some("4"), transport: Some(transport), sid: sid.as_deref() }.to_uri()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_name_counts_and_the_rest_is_left_behind() {
        let query = Query::read("t=abc&EIO=4&transport=polling=x&sid=&EIO=3&sid=b&xsid=c&transport=websocket");
        assert_eq!(query, Query { version: Some("4"), transport: Some("polling"), sid: Some("") });
        assert_eq!(query.to_uri(), "/socket.io/?EIO=4&transport=polling&sid=");
        assert_eq!(Query::read("EIO&transport"), Query::default());
    }

    #[test]
    fn a_path_that_only_begins_alike_is_another() {
        for (path, is) in
            [("/socket.io", true), ("/socket.io/", true), ("/socket.io/x", true), ("/socket.iox", false), ("/", false)]
        {
            assert_eq!(is_below(path), is, "{path}");
        }
    }
}
