//! Whom a token names: the only place that says so.
//!
//! Must not know what the names are used for.

use serde_json::{Map, Value};

use super::claims::name;
use crate::config::ClaimMap;
use crate::model::UserId;

/// The user of a token, who may have several names there. Nearly all have one, so the others lie elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    id: UserId,
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct More {
    /// Names beside the id, each once.
    names: Vec<UserId>,
    /// The id as the token spells it.
    spelt: UserId,
}

impl Person {
    /// Whom `claims` name, if anybody.
    pub(super) fn named_by(claims: &Map<String, Value>, map: &ClaimMap) -> Option<Self> {
        let spellings = map.user.iter().filter_map(|path| path.find(claims).and_then(name));
        let mut called = spellings.filter_map(|spelling| called(spelling, map));
        let (id, spelt) = called.next()?;
        let mut names = Vec::new();
        for (name, _) in called {
            if name != id && !names.contains(&name) {
                names.push(name);
            }
        }
        let is_plain = names.is_empty() && id.as_str() == spelt;
        let more = (!is_plain).then(|| Box::new(More { names, spelt: UserId::new(&spelt) }));
        Some(Self { id, more })
    }

    /// By which two tokens are the same user's.
    pub fn id(&self) -> &UserId {
        &self.id
    }

    /// For the database, whose column may be a text.
    pub fn spelt(&self) -> &UserId {
        self.more.as_ref().map_or(&self.id, |more| &more.spelt)
    }

    /// Every name by which the user may be called, each once.
    pub fn names(&self) -> impl Iterator<Item = &UserId> {
        std::iter::once(&self.id).chain(self.more.iter().flat_map(|more| &more.names))
    }
}

/// How a user is called here whom her issuer calls so, in one form and as it is spelt; nobody, if that name is another
/// issuer's to give.
fn called(spelling: String, map: &ClaimMap) -> Option<(UserId, String)> {
    let prefix = &map.user_prefix;
    let named = UserId::named(&spelling);
    let (id, spelt) = if prefix.is_empty() {
        (named, spelling)
    } else {
        (UserId::new(&format!("{prefix}{}", named.as_str())), format!("{prefix}{spelling}"))
    };
    let is_anothers = map.others_prefixes.iter().any(|others| spelt.starts_with(others));
    (!is_anothers).then_some((id, spelt))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UUID: &str = "9f1c2b3a-0000-4000-8000-00000000abcd";

    fn person(claims: &Value) -> Option<Person> {
        Person::named_by(claims.as_object().unwrap(), &ClaimMap::default())
    }

    #[test]
    fn a_person_has_every_name_once_and_the_first_is_the_id() {
        for (claims, names) in [
            (json!({"id": "a", "user_id": "b", "sub": "c", "userId": "d"}), vec!["a", "b", "c", "d"]),
            (json!({"id": 5, "user_id": "5", "sub": 5, "userId": "cinco"}), vec!["5", "cinco"]),
            (json!({"userId": 7, "sub": "ana@example.com"}), vec!["ana@example.com", "7"]),
            (json!({"id": ["x"], "sub": "c"}), vec!["c"]),
            (json!({"id": UUID.to_uppercase(), "sub": format!("{{{UUID}}}"), "userId": "x"}), vec![UUID, "x"]),
        ] {
            let person = person(&claims).unwrap();
            assert_eq!(person.names().map(UserId::as_str).collect::<Vec<_>>(), names, "{claims}");
            assert_eq!(person.id().as_str(), names[0]);
        }
        for nobody in [json!({}), json!({"id": "", "sub": null, "userId": {}}), json!({"email": "a", "jti": "b"})] {
            assert_eq!(person(&nobody), None, "{nobody}");
        }
    }

    #[test]
    fn only_numbers_written_as_integers_are_names() {
        for (text, name) in [
            ("5", Some("5")),
            ("-7", Some("-7")),
            ("0", Some("0")),
            ("9007199254740993", Some("9007199254740993")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("18446744073709551616", None),
            ("1.0", None),
            ("1e3", None),
            ("-0", None),
            ("true", None),
        ] {
            let claims: Value = serde_json::from_str(&format!("{{\"sub\":{text}}}")).unwrap();
            assert_eq!(person(&claims).as_ref().map(|person| person.id().as_str()), name, "{text}");
        }
    }

    #[test]
    fn the_database_is_asked_about_the_id_as_it_is_spelt() {
        assert_eq!(person(&json!({"id": UUID.to_uppercase()})).unwrap().spelt().as_str(), UUID.to_uppercase());
        assert_eq!(person(&json!({"id": "ana", "sub": "x"})).unwrap().spelt().as_str(), "ana");
        assert_eq!(person(&json!({"id": 5})).unwrap().spelt().as_str(), "5");
    }

    #[test]
    fn an_issuer_gives_no_name_that_is_another_ones_to_give() {
        let map = |prefix: &str, others: &[&str]| ClaimMap {
            user_prefix: prefix.to_owned(),
            others_prefixes: others.iter().map(|other| (*other).to_owned()).collect(),
            ..ClaimMap::default()
        };
        let names = |claims: Value, map: &ClaimMap| {
            let person = Person::named_by(claims.as_object().unwrap(), map)?;
            Some((person.names().map(|name| name.as_str().to_owned()).collect::<Vec<_>>(), person.spelt().clone()))
        };
        let own = |text: &str| vec![text.to_owned()];
        let (plain, acme) = (map("", &["acme:", "acme:x:"]), map("acme:", &["acme:x:"]));
        assert_eq!(names(json!({"sub": 42}), &plain), Some((own("42"), UserId::new("42"))));
        assert_eq!(names(json!({"sub": 42}), &acme), Some((own("acme:42"), UserId::new("acme:42"))));
        assert_eq!(names(json!({"sub": "acme:42"}), &plain), None);
        assert_eq!(names(json!({"id": "acme:42", "sub": "7"}), &plain), Some((own("7"), UserId::new("7"))));
        assert_eq!(names(json!({"sub": "x:42"}), &acme), None);
        let (known, spelt) = names(json!({"sub": UUID.to_uppercase()}), &acme).unwrap();
        assert_eq!((known, spelt.as_str()), (own(&format!("acme:{UUID}")), &*format!("acme:{}", UUID.to_uppercase())));
    }
}
