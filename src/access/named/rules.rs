//! The `access` of a live query: what of it the token says, and what is left for the database to say.
//!
//! Must not know how the database is asked.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Gate, owns};
use crate::access::grant::Denial;
use crate::access::ownership::{Asked, Pair};
use crate::access::token::Identity;
use crate::model::IdType;
use crate::queries::AccessRule;

/// What somebody wants to watch a query for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    /// In its one form.
    pub(super) text: &'a str,
    pub(super) id_type: IdType,
}

impl Key<'_> {
    /// Whether somebody else's spelling means this one.
    fn is(self, spelling: &str) -> bool {
        self.id_type.canonical(spelling).is_some_and(|spelt| spelt == self.text)
    }
}

/// What the database has to say of somebody who may have it by all that her token says.
pub(super) fn judge(
    rules: &[AccessRule],
    key: Option<Key<'_>>,
    identity: &Identity,
    gate: &Gate<'_>,
) -> Result<Vec<Asked>, Denial> {
    let mut asked = Vec::new();
    let mut is_unknown = false;
    // Read once, and only where somebody asks.
    let mut said = None;
    for rule in rules {
        let holds = match (rule, key) {
            (AccessRule::Authenticated, _) => true,
            (AccessRule::Claim { path, value: Some(value) }, _) => {
                let said = said.get_or_insert_with(|| identity.said());
                path.find(said).is_some_and(|claim| any(claim, |one| spelt(one).as_deref() == Some(value)))
            }
            (AccessRule::Claim { path, value: None }, Some(key)) => {
                let said: &Map<_, _> = said.get_or_insert_with(|| identity.said());
                path.find(said).is_some_and(|claim| any(claim, |one| named(one).is_some_and(|one| key.is(&one))))
            }
            (AccessRule::User, Some(key)) => {
                key.is(identity.user.id().as_str()) || key.is(identity.user.spelt().as_str())
            }
            (AccessRule::Negocio, Some(key)) => {
                let is_named = gate.access.lets_everybody_in() || identity.negocios.iter().any(|named| key.is(named));
                match gate.id_type {
                    _ if is_named => true,
                    None => {
                        is_unknown = true;
                        true
                    }
                    Some(id_type) => match id_type.parse(key.text) {
                        Some(negocio) => {
                            asked.push(owns(negocio, identity));
                            true
                        }
                        None => false,
                    },
                }
            }
            (AccessRule::Sql(query), Some(key)) => {
                let (query, user) = (Arc::clone(query), identity.user.spelt().clone());
                asked.push(Asked::Pair(Pair { query, key: key.text.into(), user }));
                true
            }
            // A rule about a key that there is not.
            (AccessRule::Claim { .. } | AccessRule::User | AccessRule::Negocio | AccessRule::Sql(_), None) => false,
        };
        if !holds {
            return Err(Denial::NotAllowed);
        }
    }
    // Nobody is let in by no rule at all.
    match (rules.is_empty(), is_unknown) {
        (true, _) => Err(Denial::NotAllowed),
        (false, true) => Err(Denial::OwnershipUnchecked),
        (false, false) => Ok(asked),
    }
}

/// Whether a claim is such a value, or an array that holds one.
fn any(claim: &Value, is: impl Fn(&Value) -> bool) -> bool {
    match claim {
        Value::Array(values) => values.iter().any(is),
        value => is(value),
    }
}

/// What may be a key: a text, or an integer.
fn named(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// As an operator writes it in a query's file.
fn spelt(value: &Value) -> Option<String> {
    match value {
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        value => named(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::ownership::Access;
    use crate::access::token::Claims;
    use crate::config::{AuthConfig, ClaimPath, ClientLimits, Secret};
    use crate::hub::Hub;
    use crate::model::{NegocioId, Ownership, UserId};
    use crate::queries::{PairsQuery, Queries};
    use crate::telemetry::metrics::Metrics;

    const UUID: &str = "9f1c2b3a-0000-4000-8000-00000000abcd";

    fn claim(path: &str, value: Option<&str>) -> AccessRule {
        let path = ClaimPath::list(path).unwrap().remove(0);
        AccessRule::Claim { path, value: value.map(Into::into) }
    }

    fn judged(rules: &[AccessRule], key: Option<(&str, IdType)>, claims: &Value) -> Result<Vec<Asked>, Denial> {
        let metrics = Arc::new(Metrics::new());
        let (access, _) =
            Access::new(&AuthConfig::new(Secret::new("x")), &ClientLimits::default(), Arc::clone(&metrics));
        let (queries, hub) = (Queries::default(), Hub::new(metrics));
        let gate = Gate { id_type: Some(IdType::Text), access: &access, queries: &queries, hub: &hub };
        let identity = Claims::of(claims).keeping(true).identity().unwrap();
        judge(rules, key.map(|(text, id_type)| Key { text, id_type }), &identity, &gate)
    }

    fn may(rule: &AccessRule, key: (&str, IdType), claims: &Value) -> bool {
        match judged(std::slice::from_ref(rule), Some(key), claims) {
            Ok(asked) => asked.is_empty(),
            Err(denial) => {
                assert_eq!(denial, Denial::NotAllowed);
                false
            }
        }
    }

    #[test]
    fn a_claim_is_the_key_or_an_array_that_holds_it() {
        let (rule, text) = (claim("app.restaurantId", None), ("r-1", IdType::Text));
        let said = |claim: Value| json!({"id": "ana", "app": {"restaurantId": claim}});
        for claim in [json!("r-1"), json!(["r-1"]), json!([7, null, {}, "r-1"])] {
            assert!(may(&rule, text, &said(claim.clone())), "{claim}");
        }
        for claim in [
            json!("r-2"),
            json!(" r-1"),
            json!("R-1"),
            json!(""),
            json!(null),
            json!(true),
            json!({"r-1": "r-1"}),
            json!([["r-1"]]),
            json!([{"id": "r-1"}]),
            json!("r-1,r-2"),
        ] {
            assert!(!may(&rule, text, &said(claim.clone())), "{claim}");
        }
        assert!(!may(&rule, text, &json!({"id": "ana", "app.restaurantId": "r-1", "restaurantId": "r-1"})));
        assert!(
            may(&rule, ("7", IdType::Int4), &said(json!(7))) && may(&rule, ("7", IdType::Int4), &said(json!("007")))
        );
        assert!(!may(&rule, ("7", IdType::Int4), &said(json!(7.0))));
        assert!(!may(&rule, ("7", IdType::Text), &said(json!("007"))));
        assert!(may(&rule, (UUID, IdType::Uuid), &said(json!(UUID.to_uppercase()))));
        assert!(!may(&rule, (UUID, IdType::Text), &said(json!(UUID.to_uppercase()))));
    }

    #[test]
    fn a_claim_has_a_value_whatever_the_key_is() {
        let rule = |value| [claim("role", Some(value))];
        let judged = |value, claims: Value| judged(&rule(value), None, &claims);
        for (value, role) in
            [("chef", json!("chef")), ("chef", json!(["x", "chef"])), ("true", json!(true)), ("3", json!(3))]
        {
            assert_eq!(judged(value, json!({"id": "ana", "role": role})), Ok(vec![]), "{role}");
        }
        for role in [json!("Chef"), json!("chef "), json!({"chef": true}), json!([["chef"]]), json!(null)] {
            assert_eq!(judged("chef", json!({"id": "ana", "role": role})), Err(Denial::NotAllowed), "{role}");
        }
        assert_eq!(judged("chef", json!({"id": "ana"})), Err(Denial::NotAllowed));
    }

    #[test]
    fn a_user_is_known_by_her_id_and_by_no_other_name() {
        let may = |key: &str, claims: Value| may(&AccessRule::User, (key, IdType::Text), &claims);
        assert!(may("ana", json!({"id": "ana"})) && may("7", json!({"sub": 7})));
        assert!(may(UUID, json!({"id": UUID.to_uppercase()})));
        assert!(!may("ana", json!({"id": "eva", "user_id": "ana", "sub": "ana"})));
        assert!(!may("ana", json!({"id": "Ana"})));
    }

    #[test]
    fn all_rules_must_hold_and_the_database_is_asked_what_is_left() {
        let query = Arc::new(PairsQuery { file: "a.sql".into(), sql: "".into() });
        let rules = [claim("role", Some("chef")), AccessRule::Negocio, AccessRule::Sql(Arc::clone(&query))];
        let key = Some(("n-1", IdType::Text));
        let user = UserId::new("ana");
        let owns = Asked::Owns(Ownership { negocio: NegocioId::new("n-1"), user: user.clone() });
        let pair = Asked::Pair(Pair { query, key: "n-1".into(), user });
        assert_eq!(judged(&rules, key, &json!({"id": "ana", "role": "chef"})), Ok(vec![owns, pair.clone()]));
        let named = json!({"id": "ana", "role": "chef", "negocio_id": "n-1"});
        assert_eq!(judged(&rules, key, &named), Ok(vec![pair]));
        assert_eq!(judged(&rules, key, &json!({"id": "ana", "negocio_id": "n-1"})), Err(Denial::NotAllowed));
    }

    #[test]
    fn no_rule_lets_nobody_in_and_no_rule_about_a_key_holds_without_one() {
        let ana = json!({"id": "ana", "negocio_id": "", "k": null});
        assert_eq!(judged(&[], Some(("k", IdType::Text)), &ana), Err(Denial::NotAllowed));
        assert_eq!(judged(&[AccessRule::Authenticated], None, &ana), Ok(vec![]));
        let query = Arc::new(PairsQuery { file: "a.sql".into(), sql: "".into() });
        for rule in [AccessRule::User, AccessRule::Negocio, claim("k", None), AccessRule::Sql(query)] {
            assert_eq!(judged(std::slice::from_ref(&rule), None, &ana), Err(Denial::NotAllowed), "{rule:?}");
        }
    }
}
