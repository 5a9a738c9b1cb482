//! Who may log in at the customers' APIs, and the tokens that they are given: the same that Pulso's feeds take.
//!
//! The passwords are those of the walk-throughs: a demo has nothing to guard.

use std::time::Duration;

use crate::auth::token::{Holder, TokenVerifier, mint};
use crate::clock::Clock;
use crate::config::{AuthConfig, Secret};

/// The restaurant's waiter and cook.
pub const WAITER: &str = "waiter@restaurante.com";
pub const KITCHEN: &str = "kitchen@restaurante.com";
pub const PASSWORD: &str = "password123";
/// The clinic's administrator.
pub const ADMIN: &str = "admin@example.com";
pub const CLINIC_PASSWORD: &str = "tu_password";

const TOKEN_LIFE: Duration = Duration::from_hours(12);

#[derive(Debug)]
pub(in crate::demo) struct Accounts {
    secret: Secret,
    tokens: TokenVerifier,
    restaurant: String,
    clinic: String,
    clock: Clock,
}

impl Accounts {
    /// For `restaurant` and `clinic`, with tokens signed by `secret`.
    pub fn new(secret: Secret, restaurant: String, clinic: String, clock: Clock) -> Self {
        let tokens = TokenVerifier::new(&AuthConfig::new(secret.clone()));
        Self { secret, tokens, restaurant, clinic, clock }
    }

    /// A token of the restaurant's.
    pub fn restaurant(&self, email: &str, password: &str) -> Option<String> {
        let role = match email {
            WAITER => "WAITER",
            KITCHEN => "KITCHEN",
            _ => return None,
        };
        let holder =
            Holder { restaurant: Some(self.restaurant.clone()), role: Some(role.to_owned()), ..Holder::user(email) };
        (password == PASSWORD).then(|| self.sign(&holder))?
    }

    /// A token of the clinic's.
    pub fn clinic(&self, email: &str, password: &str) -> Option<String> {
        let holder =
            Holder { negocios: vec![self.clinic.clone()], role: Some("ADMIN".to_owned()), ..Holder::user(email) };
        (email == ADMIN && password == CLINIC_PASSWORD).then(|| self.sign(&holder))?
    }

    /// Whether the bearer of `token` works at `restaurant`.
    pub fn may_order(&self, token: Option<&str>, restaurant: &str) -> bool {
        let claims = token.and_then(|token| self.tokens.claims(token, self.clock.now()).ok());
        let works_at = claims.and_then(|claims| claims.restaurant());
        works_at.is_some_and(|works_at| works_at.restaurant.as_str() == restaurant)
    }

    fn sign(&self, holder: &Holder) -> Option<String> {
        mint(&self.secret, holder, TOKEN_LIFE, self.clock.now()).ok()
    }
}
