//! The query of a handshake: nothing given twice, nothing hidden.
//!
//! Must not know what its parameters mean.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::hub::history::Since;
use crate::model::Wording;

/// What a handshake may say in its query. Other parameters are of no interest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) token: Option<String>,
    pub(super) since: Option<Since>,
    /// `since` by another name: that of clients which cannot set a header, and say so when they come back.
    pub(super) last_event_id: Option<Since>,
    pub(super) device_uid: Option<String>,
    pub(super) channel: Option<String>,
    /// A business whose name is asked for.
    pub(super) negocio: Option<String>,
    /// Several names, as JSON.
    pub(super) channels: Option<String>,
    /// In which version of the words the client is spoken to.
    pub(super) wording: Wording,
}

impl Query {
    pub(super) fn parse(query: &str) -> Result<Self, &'static str> {
        // A set: a head holds thousands of names, and nobody has shown a token yet.
        let mut names: HashSet<Cow<'_, str>> = HashSet::new();
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
                "lastEventId" => parsed.last_event_id = Some(Since::parse(&value)),
                "device_uid" => parsed.device_uid = Some(value.into_owned()),
                "v" => parsed.wording = Wording::parse(&value).ok_or("v must be a whole number from 1")?,
                "channel" => parsed.channel = Some(value.into_owned()),
                "negocio" => parsed.negocio = Some(value.into_owned()),
                "channels" => parsed.channels = Some(value.into_owned()),
                _ => {}
            }
            names.insert(name);
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

    #[test]
    fn a_version_of_the_words_is_asked_for_by_its_number() {
        for (query, wording) in
            [("", Wording::First), ("v=1", Wording::First), ("v=2", Wording::Second), ("v=7", Wording::Second)]
        {
            assert_eq!(Query::parse(query).unwrap().wording, wording, "{query}");
        }
        for query in ["v=", "v=0", "v=2.0", "v=-2", "v=two", "v=2&v=2", "v=%202"] {
            assert!(Query::parse(query).is_err(), "{query}");
        }
    }

    #[test]
    fn thousands_of_names_are_read_as_quickly_as_they_come() {
        // What is compared with each other would be 200 million comparisons, half a minute in a build like this.
        let mut query = (0..20_000).map(|name| name.to_string()).collect::<Vec<_>>().join("&");
        assert!(Query::parse(&query).is_ok());
        query.push_str("&0");
        assert!(Query::parse(&query).is_err());
    }
}
