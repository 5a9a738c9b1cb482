//! Tokens as a business's login service would sign them, and as an attacker would.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Map, Value, json};

/// The claims of a token. Expires in an hour unless told otherwise.
#[derive(Clone, Debug)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// What real tokens carry: the user and nothing about businesses.
    pub fn user(id: &str) -> Self {
        Self::empty().with("id", json!(id)).expiring_in(3_600)
    }

    /// A token that names its businesses.
    pub fn naming(id: &str, negocios: &[&str]) -> Self {
        Self::user(id).with("negocios", json!(negocios))
    }

    pub fn empty() -> Self {
        Self(Map::new())
    }

    #[must_use]
    pub fn with(mut self, claim: &str, value: Value) -> Self {
        self.0.insert(claim.into(), value);
        self
    }

    #[must_use]
    pub fn without(mut self, claim: &str) -> Self {
        self.0.remove(claim);
        self
    }

    /// Seconds from now; negative for the past.
    #[must_use]
    pub fn expiring_in(self, seconds: i64) -> Self {
        self.with("exp", json!(now() + seconds))
    }

    /// Signed with HS256.
    pub fn sign(&self, secret: &str) -> String {
        self.sign_with(&Header::new(Algorithm::HS256), secret)
    }

    pub fn sign_with(&self, header: &Header, secret: &str) -> String {
        encode(header, &self.0, &EncodingKey::from_secret(secret.as_bytes())).expect("claims that can be signed")
    }

    /// The claims as JSON, for tokens made by hand.
    pub fn json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// Unix seconds.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock before the year 292277026596")
}
