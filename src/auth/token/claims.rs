//! What a token that is good says about its holder, as each feed reads it.
//!
//! Must not know signatures nor times.

use serde_json::{Map, Value};

use super::{TokenError, seconds};
use crate::negocio::{RestauranteId, UserId};

/// The claims of a token whose signature and times are good.
#[derive(Clone, Debug)]
pub struct Claims {
    claims: Map<String, Value>,
    expires_at: i64,
}

/// Whom a token of a dashboard or a shop names, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user: UserId,
    /// The businesses the token itself names, as it spells them.
    pub negocios: Vec<String>,
    /// Unix seconds at which a live connection with this token ends: its `exp`, and only for a token admitted inside
    /// the leeway `exp` + 30.
    pub expires_at: i64,
    /// Unix seconds, if the token says so.
    pub issued_at: Option<i64>,
}

/// Whom a restaurant's token names. Times as in [`Identity`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestaurantIdentity {
    pub user: Option<UserId>,
    pub restaurant: RestauranteId,
    pub expires_at: i64,
    pub issued_at: Option<i64>,
}

/// Whom the token of a clinic's staff names. Times as in [`Identity`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffIdentity {
    pub user: Option<UserId>,
    /// As the token spells them.
    pub negocios: Vec<String>,
    pub expires_at: i64,
    pub issued_at: Option<i64>,
}

impl Claims {
    pub(super) fn new(claims: Map<String, Value>, expires_at: i64) -> Self {
        Self { claims, expires_at }
    }

    /// As a dashboard's or a shop's: it must name a user.
    pub fn identity(&self) -> Result<Identity, TokenError> {
        let user = self.user().ok_or(TokenError::NoUser)?;
        let (expires_at, issued_at) = (self.expires_at, self.issued_at());
        Ok(Identity { user: UserId::new(&user), negocios: self.negocios(), expires_at, issued_at })
    }

    /// As a restaurant's; `None` if it names no restaurant.
    pub fn restaurant(&self) -> Option<RestaurantIdentity> {
        let restaurant = RestauranteId::named(&self.named("restaurantId")?)?;
        let user = self.named("userId").or_else(|| self.user()).as_deref().map(UserId::new);
        Some(RestaurantIdentity { user, restaurant, expires_at: self.expires_at, issued_at: self.issued_at() })
    }

    /// As a clinic's; `None` for who is neither staff nor admin.
    pub fn staff(&self) -> Option<StaffIdentity> {
        let user = self.user().as_deref().map(UserId::new);
        let (expires_at, issued_at) = (self.expires_at, self.issued_at());
        self.is_staff().then(|| StaffIdentity { user, negocios: self.negocios(), expires_at, issued_at })
    }

    /// Every name by which its user may have been dismissed.
    pub(super) fn users(&self) -> impl Iterator<Item = UserId> {
        ["id", "user_id", "sub", "userId"].into_iter().filter_map(|claim| self.named(claim)).map(|id| UserId::new(&id))
    }

    /// Unix seconds, if it says so.
    pub(super) fn issued_at(&self) -> Option<i64> {
        self.claims.get("iat").and_then(seconds)
    }

    /// Claim `id`, else `user_id`, else `sub`. An `id` that is there and is no string spoils the token.
    fn user(&self) -> Option<String> {
        match self.claims.get("id") {
            Some(Value::String(id)) if !id.is_empty() => return Some(id.clone()),
            Some(Value::String(_)) | None => {}
            Some(_) => return None,
        }
        let sub = || self.claims.get("sub").and_then(Value::as_str).filter(|sub| !sub.is_empty());
        self.named("user_id").or_else(|| sub().map(str::to_owned))
    }

    /// The businesses in `negocio_id` and in the array `negocios`.
    fn negocios(&self) -> Vec<String> {
        let one = self.claims.get("negocio_id");
        let many = self.claims.get("negocios").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut named: Vec<String> = one.into_iter().chain(many).filter_map(name).collect();
        // Held by every connection: most have one, and collecting made room for four.
        named.shrink_to_fit();
        named
    }

    fn is_staff(&self) -> bool {
        let is_role = |role: &Value| {
            role.as_str().is_some_and(|role| ["staff", "admin"].iter().any(|one| role.eq_ignore_ascii_case(one)))
        };
        let is_true = |claim: &str| self.claims.get(claim) == Some(&Value::Bool(true));
        self.claims.get("role").is_some_and(is_role)
            || self.claims.get("roles").and_then(Value::as_array).is_some_and(|roles| roles.iter().any(is_role))
            || is_true("is_staff")
            || is_true("is_superuser")
    }

    fn named(&self, claim: &str) -> Option<String> {
        self.claims.get(claim).and_then(name)
    }
}

/// A non-empty string, or an integer as text. Anything else names nothing.
fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(claims: &Value) -> Claims {
        Claims::new(claims.as_object().unwrap().clone(), 9)
    }

    #[test]
    fn staff_is_who_has_the_role_in_any_of_its_forms() {
        for good in [
            json!({"role":"STAFF"}),
            json!({"role":"admin"}),
            json!({"roles":["CLIENT","Staff"]}),
            json!({"role":"CLIENT","is_staff":true}),
            json!({"is_superuser":true}),
        ] {
            assert!(claims(&good).staff().is_some(), "{good}");
        }
        for bad in [
            json!({}),
            json!({"role":"STAFFER"}),
            json!({"role":["ADMIN"]}),
            json!({"roles":"ADMIN"}),
            json!({"is_staff":"true"}),
            json!({"is_staff":1}),
            json!({"is_superuser":null}),
        ] {
            assert!(claims(&bad).staff().is_none(), "{bad}");
        }
    }

    #[test]
    fn a_restaurant_is_needed_and_its_user_is_not() {
        let identity = claims(&json!({"restaurantId":"9F1C2B3A-0000-4000-8000-00000000ABCD"})).restaurant().unwrap();
        assert_eq!(identity.restaurant.as_str(), "9f1c2b3a-0000-4000-8000-00000000abcd");
        assert_eq!(identity.user, None);
        for none in [
            json!({"userId":"u"}),
            json!({"restaurantId":""}),
            json!({"restaurantId":["r"]}),
            json!({"restaurantId":1.5}),
        ] {
            assert_eq!(claims(&none).restaurant(), None, "{none}");
        }
    }
}
