//! Where in a token stands what Pulso reads of it: paths, as an operator writes them.
//!
//! Must not know how a token is verified, nor what a feed makes of what it reads.

use std::fmt;

use serde_json::{Map, Value};

/// One way to a value of a token: `sub`, `app_metadata.negocio_id`, `"https://example.com/tenant"`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimPath(Box<[String]>);

/// Why a text is no list of paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    #[error("a part of it is empty")]
    Empty,
    #[error("a quote is not closed, or something stands right beside it")]
    Quote,
    #[error("an address stands there without quotes, and its dots would part it")]
    BareAddress,
}

/// The claims of one issuer's tokens, and the names by which its users are called here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimMap {
    /// `CLAIM_USER`: the first that names somebody is the user's id, the others are more names of hers.
    pub user: Vec<ClaimPath>,
    /// `CLAIM_NEGOCIO`: each may name one business.
    pub negocio: Vec<ClaimPath>,
    /// `CLAIM_NEGOCIOS`: arrays of businesses.
    pub negocios: Vec<ClaimPath>,
    /// `CLAIM_RESTAURANT`: the first that names one counts.
    pub restaurant: Vec<ClaimPath>,
    /// `CLAIM_ROLE`: each a role or an array of roles. `None`: the text `role`, the array `roles`, and `is_staff` and
    /// `is_superuser`, which are true.
    pub role: Option<Vec<ClaimPath>>,
    /// `STAFF_ROLES`, in any case.
    pub staff_roles: Vec<String>,
    /// `user_prefix`: stands before every name of a user.
    pub user_prefix: String,
    /// Prefixes of other issuers that begin with this one's: a name that begins with such a one is theirs to give.
    pub others_prefixes: Vec<String>,
}

/// What a user may write herself with the providers that have it.
const WRITTEN_BY_USERS: [&str; 3] = ["user_metadata", concat!("un", "safe_metadata"), "raw_user_meta_data"];

impl ClaimPath {
    /// A claim of this name at the top.
    fn top(name: &str) -> Self {
        Self(Box::new([name.to_owned()]))
    }

    /// Paths between commas. A part of a path that has dots, commas or white space stands in double quotes.
    pub fn list(text: &str) -> Result<Vec<Self>, PathProblem> {
        let (mut paths, mut parts) = (Vec::new(), Vec::new());
        let mut rest = text.trim_start();
        loop {
            let (part, behind) = part(rest)?;
            parts.push(part.to_owned());
            let behind = behind.trim_start();
            rest = match behind.chars().next() {
                None | Some(',') => {
                    paths.push(Self(std::mem::take(&mut parts).into()));
                    let Some(behind) = behind.strip_prefix(',') else { return Ok(paths) };
                    behind.trim_start()
                }
                Some('.') => &behind[1..],
                Some(_) => return Err(PathProblem::Quote),
            };
        }
    }

    /// The value there, if there is one.
    pub fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(claims.get(first)?, |value, part| value.as_object()?.get(part))
    }

    /// Puts a value there, for a token of our own.
    pub fn put(&self, claims: &mut Map<String, Value>, value: Value) {
        let Some((last, before)) = self.0.split_last() else { return };
        let mut at = claims;
        for part in before {
            let inner = at.entry(part).or_insert_with(|| Map::new().into());
            if !inner.is_object() {
                *inner = Map::new().into();
            }
            let Some(inner) = inner.as_object_mut() else { return };
            at = inner;
        }
        at.insert(last.clone(), value);
    }

    /// Whether it is the claim of this name at the top.
    pub fn is(&self, name: &str) -> bool {
        matches!(&*self.0, [only] if only == name)
    }

    /// Whether users may write there what they like.
    pub fn is_written_by_users(&self) -> bool {
        self.0.iter().any(|part| WRITTEN_BY_USERS.contains(&part.as_str()))
    }
}

/// The first part of what is left of a path, and what stands behind it.
fn part(text: &str) -> Result<(&str, &str), PathProblem> {
    let (part, rest) = if let Some(quoted) = text.strip_prefix('"') {
        quoted.split_once('"').ok_or(PathProblem::Quote)?
    } else {
        let end = text.find(|letter: char| ".,\"".contains(letter)).unwrap_or(text.len());
        (text[..end].trim(), &text[end..])
    };
    if part.is_empty() {
        return Err(PathProblem::Empty);
    }
    if !text.starts_with('"') && part.contains("://") {
        return Err(PathProblem::BareAddress);
    }
    Ok((part, rest))
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, part) in self.0.iter().enumerate() {
            let dot = if place == 0 { "" } else { "." };
            let is_plain = !part.contains(|letter: char| ".,\"".contains(letter) || letter.is_whitespace());
            if is_plain { write!(f, "{dot}{part}")? } else { write!(f, "{dot}\"{part}\"")? }
        }
        Ok(())
    }
}

impl fmt::Debug for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Default for ClaimMap {
    fn default() -> Self {
        let tops = |names: &[&str]| names.iter().map(|name| ClaimPath::top(name)).collect();
        Self {
            user: tops(&["id", "user_id", "sub", "userId"]),
            negocio: tops(&["negocio_id"]),
            negocios: tops(&["negocios"]),
            restaurant: tops(&["restaurantId"]),
            role: None,
            staff_roles: ["STAFF", "ADMIN"].map(str::to_owned).to_vec(),
            user_prefix: String::new(),
            others_prefixes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(text: &str) -> Result<Vec<String>, PathProblem> {
        ClaimPath::list(text).map(|paths| paths.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn paths_have_dots_and_quoted_parts() {
        for (text, read) in [
            ("sub", vec!["sub"]),
            (" id , sub ", vec!["id", "sub"]),
            ("app_metadata.negocio_id", vec!["app_metadata.negocio_id"]),
            ("\"https://example.com/tenant\"", vec!["\"https://example.com/tenant\""]),
            ("\"https://a.example/x\".id,custom:negocio_id", vec!["\"https://a.example/x\".id", "custom:negocio_id"]),
            ("a.\"b.c\".d,\"e,f\"", vec!["a.\"b.c\".d", "\"e,f\""]),
            ("\"plain\"", vec!["plain"]),
        ] {
            assert_eq!(list(text), Ok(read.into_iter().map(str::to_owned).collect()), "{text}");
        }
        for (text, problem) in [
            ("", PathProblem::Empty),
            ("a,", PathProblem::Empty),
            (",a", PathProblem::Empty),
            ("a..b", PathProblem::Empty),
            (".a", PathProblem::Empty),
            ("\"\"", PathProblem::Empty),
            ("\"a", PathProblem::Quote),
            ("\"a\"b", PathProblem::Quote),
            ("a\"b\"", PathProblem::Quote),
            ("https://example.com/tenant", PathProblem::BareAddress),
        ] {
            assert_eq!(list(text), Err(problem), "{text}");
        }
    }

    #[test]
    fn a_path_leads_through_objects_and_nothing_else() {
        let claims = json!({"a": {"b": {"c": 1}, "d": null}, "a.b": 2, "list": [{"x": 3}], "text": "t"});
        let find = |text: &str| ClaimPath::list(text).unwrap()[0].find(claims.as_object().unwrap()).cloned();
        assert_eq!(find("a.b.c"), Some(json!(1)));
        assert_eq!(find("\"a.b\""), Some(json!(2)));
        assert_eq!(find("a.d"), Some(json!(null)));
        for nothing in ["b", "a.x", "a.b.c.d", "list.0", "list.x", "text.length"] {
            assert_eq!(find(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_is_put_at_a_path_is_found_there() {
        let mut claims = json!({"a": {"x": 1}, "text": "t"}).as_object().cloned().unwrap();
        for text in ["a.b", "\"https://example.com/tenant\"", "text.part", "plain"] {
            let path = ClaimPath::list(text).unwrap().remove(0);
            path.put(&mut claims, json!(text));
            assert_eq!(path.find(&claims), Some(&json!(text)));
        }
        assert_eq!(claims["a"]["x"], 1);
    }

    #[test]
    fn what_users_write_themselves_is_known() {
        let is = |text: &str| ClaimPath::list(text).unwrap()[0].is_written_by_users();
        assert!(is("user_metadata.negocio_id") && is("unsafe_metadata.role") && is("x.user_metadata"));
        assert!(!is("app_metadata.negocio_id") && !is("sub") && !is("\"user_metadata.negocio_id\""));
    }
}
