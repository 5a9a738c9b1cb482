//! What a token that is good says about its holder, for each feed to read, wherever its issuer puts it.
//!
//! Must not know signatures nor times, nor what a feed looks for.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::person::Person;
use super::{TokenError, seconds};
use crate::config::{ClaimMap, ClaimPath};
use crate::model::KeyId;

/// The claims of a token whose signature and times are good.
#[derive(Clone, Debug)]
pub struct Claims {
    said: Map<String, Value>,
    map: Arc<ClaimMap>,
    person: Option<Person>,
    key: Option<KeyId>,
    expires_at: i64,
    /// Whether an identity keeps all of them.
    is_kept: bool,
}

/// Whom a token of a dashboard or a shop names, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user: Person,
    /// The businesses the token itself names, as it spells them.
    pub negocios: Box<[String]>,
    /// Unix seconds at which a live connection with this token ends: its `exp`, and only for a token admitted inside
    /// the leeway `exp` + 30.
    pub expires_at: i64,
    /// Unix seconds, if the token says so.
    pub issued_at: Option<i64>,
    /// Elsewhere, for every connection holds an identity, and most have nothing of it.
    kept: Option<Box<Kept>>,
}

/// What few identities have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    /// What signed the token, if that may be withdrawn.
    key: Option<KeyId>,
    /// All that the token says, as JSON, where live queries may ask for any of it: a reload brings queries that ask for more.
    said: Option<Box<str>>,
}

impl Identity {
    /// What signed the token, if that may be withdrawn.
    pub fn key(&self) -> Option<KeyId> {
        self.kept.as_ref()?.key
    }

    /// The token's own claims, as they came; none where nobody may ask for them.
    pub fn said(&self) -> Map<String, Value> {
        let said = self.kept.as_ref().and_then(|kept| kept.said.as_deref());
        said.and_then(|said| serde_json::from_str(said).ok()).unwrap_or_default()
    }
}

impl Claims {
    /// `key`: what signed them, if that may be withdrawn.
    pub(super) fn new(said: Map<String, Value>, map: &Arc<ClaimMap>, key: Option<KeyId>, expires_at: i64) -> Self {
        Self { person: Person::named_by(&said, map), said, map: Arc::clone(map), key, expires_at, is_kept: false }
    }

    /// From now on an identity keeps all of them, or not.
    pub(in crate::access) fn keeping(self, is_kept: bool) -> Self {
        Self { is_kept, ..self }
    }

    /// As a dashboard's or a shop's: it must name a user, and what should be her id and names nobody spoils it.
    pub fn identity(&self) -> Result<Identity, TokenError> {
        let id = self.map.user.first().and_then(|path| self.at(path));
        let is_spoilt = id.is_some_and(|id| !id.is_string() && name(id).is_none());
        let user = self.person.clone().filter(|_| !is_spoilt).ok_or(TokenError::NoUser)?;
        let (negocios, expires_at, issued_at) = (self.negocios().into(), self.expires_at, self.issued_at());
        let said = self.is_kept.then(|| serde_json::to_string(&self.said).unwrap_or_default().into());
        let kept = (self.key.is_some() || said.is_some()).then(|| Box::new(Kept { key: self.key, said }));
        Ok(Identity { user, negocios, expires_at, issued_at, kept })
    }

    /// Whom it names, whatever else it says.
    pub fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// Unix seconds, if it says so.
    pub fn issued_at(&self) -> Option<i64> {
        self.said.get("iat").and_then(seconds)
    }

    /// Unix seconds at which a live connection with it ends.
    pub fn expires_at(&self) -> i64 {
        self.expires_at
    }

    /// What signed it, if that may be withdrawn.
    pub fn key(&self) -> Option<KeyId> {
        self.key
    }

    /// The businesses that it names, first one by one and then in arrays, as it spells them.
    pub fn negocios(&self) -> Vec<String> {
        let ones = self.map.negocio.iter().filter_map(|path| self.at(path));
        let many = self.map.negocios.iter().filter_map(|path| self.at(path)?.as_array()).flatten();
        ones.chain(many).filter_map(name).collect()
    }

    /// The restaurant that it names, as it spells it.
    pub fn restaurant(&self) -> Option<String> {
        self.map.restaurant.iter().find_map(|path| self.at(path).and_then(name))
    }

    /// Whether its user has one of the roles that staff has.
    pub fn is_staff(&self) -> bool {
        let counts = |role: &str| self.map.staff_roles.iter().any(|one| role.eq_ignore_ascii_case(one));
        let is_role = |role: &Value| role.as_str().is_some_and(counts);
        let has_role = |roles: &Value| roles.as_array().is_some_and(|roles| roles.iter().any(is_role));
        if let Some(paths) = &self.map.role {
            return paths.iter().filter_map(|path| self.at(path)).any(|said| is_role(said) || has_role(said));
        }
        let is_true = |claim: &str| self.said.get(claim) == Some(&Value::Bool(true));
        self.said.get("role").is_some_and(is_role)
            || self.said.get("roles").is_some_and(has_role)
            || is_true("is_staff")
            || is_true("is_superuser")
    }

    /// The first role that it says its user has, as it spells it.
    pub fn role(&self) -> Option<String> {
        let first = |said: &Value| match said {
            Value::Array(roles) => roles.iter().find_map(name),
            role => name(role),
        };
        match &self.map.role {
            Some(paths) => paths.iter().filter_map(|path| self.at(path)).find_map(first),
            None => ["role", "roles"].iter().filter_map(|claim| self.said.get(*claim)).find_map(first),
        }
    }

    fn at(&self, path: &ClaimPath) -> Option<&Value> {
        path.find(&self.said)
    }

    /// Those of a token that nobody has to sign.
    #[cfg(test)]
    pub(crate) fn of(said: &Value) -> Self {
        Self::new(said.as_object().cloned().unwrap_or_default(), &Arc::default(), None, 9)
    }
}

/// A non-empty string, or an integer as text. Anything else names nothing.
pub(super) fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}
