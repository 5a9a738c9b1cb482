//! The path and the query of an Engine.IO request: the first of each name counts.

const PATH: &str = "/socket.io";

/// Whether a path is Socket.IO's.
pub fn is_below(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a path is that of sessions, which a slash may end.
pub fn is_sessions(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| matches!(rest, "" | "/"))
}

/// What a request says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query<'a> {
    pub version: Option<&'a str>,
    pub transport: Option<&'a str>,
    /// The session, for all but the request that opens it.
    pub sid: Option<&'a str>,
    /// The answer is to be a script.
    pub is_script: bool,
}

impl<'a> Query<'a> {
    pub fn read(query: &'a str) -> Self {
        let (mut version, mut transport, mut sid, mut script) = (None, None, None, None);
        // Once through, for it is read at every request: who polls asks at every event.
        for pair in query.split('&') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let place = match name {
                "EIO" => &mut version,
                "transport" => &mut transport,
                "sid" => &mut sid,
                "j" => &mut script,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        // An empty one is none, as for the original.
        Self { version, transport, sid: sid.filter(|sid| !sid.is_empty()), is_script: script.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_name_counts_and_the_rest_is_left_behind() {
        let query = Query::read("t=abc&EIO=4&transport=polling&sid=&EIO=3&sid=b&xsid=c&transport=websocket&b64=1");
        let read = Query { version: Some("4"), transport: Some("polling"), sid: None, is_script: false };
        assert_eq!(query, read);
        assert_eq!(Query::read("EIO&transport"), Query::default());
        assert_eq!(Query::read("sid=a&j=0"), Query { sid: Some("a"), is_script: true, ..Query::default() });
    }

    #[test]
    fn a_path_that_only_begins_alike_is_another() {
        for (path, is) in
            [("/socket.io", true), ("/socket.io/", true), ("/socket.io/x", true), ("/socket.iox", false), ("/", false)]
        {
            assert_eq!(is_below(path), is, "{path}");
        }
        assert!(is_sessions("/socket.io") && is_sessions("/socket.io/"));
        assert!(!is_sessions("/socket.io/socket.io.js") && !is_sessions("/socket.iox"));
    }
}
