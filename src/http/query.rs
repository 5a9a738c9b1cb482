//! The query of a handshake: nothing given twice, nothing hidden.
//!
//! Must not know what its parameters mean.

use std::borrow::Cow;

use crate::hub::history::Since;

/// What a handshake may say in its query. Other parameters are of no interest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) token: Option<String>,
    pub(super) since: Option<Since>,
    pub(super) device_uid: Option<String>,
    pub(super) channel: Option<String>,
}

impl Query {
    pub(super) fn parse(query: &str) -> Result<Self, &'static str> {
        let mut names: Vec<Cow<'_, str>> = Vec::new();
        let mut parsed = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if names.contains(&name) {
                return Err("a query parameter is given twice");
            }
            if name.chars().chain(value.chars()).any(char::is_control) {
                return Err("the query contains control characters");
            }
            match &*name {
                "token" => parsed.token = Some(value.into_owned()),
                "since" => parsed.since = Some(Since::parse(&value)),
                "device_uid" => parsed.device_uid = Some(value.into_owned()),
                "channel" => parsed.channel = Some(value.into_owned()),
                _ => {}
            }
            names.push(name);
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_among_others() {
        let query = Query::parse("a=1&token=t.t.t&since=&device_uid=ipad%20101").unwrap();
        assert_eq!(query.token.as_deref(), Some("t.t.t"));
        assert_eq!(query.since, Some(Since::Now));
        assert_eq!(query.device_uid.as_deref(), Some("ipad 101"));
        assert_eq!(query.channel, None);
    }

    #[test]
    fn what_is_given_twice_or_hidden_is_refused() {
        for query in ["token=a&token=a", "a=1&a=2", "token=a%00", "a%0a=1"] {
            assert!(Query::parse(query).is_err(), "{query}");
        }
    }
}
