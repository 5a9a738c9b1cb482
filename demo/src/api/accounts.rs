//! Who may log in at the customers' APIs, and the tokens that they are given: the same that Pulso's feeds take.
//!
//! The passwords are those of the walk-throughs: a demo has nothing to guard.

use super::tokens::{Bearer, Tokens};
use crate::clock::Clock;

/// The restaurant's waiter and cook.
pub const WAITER: &str = "waiter@restaurante.com";
pub const KITCHEN: &str = "kitchen@restaurante.com";
pub const PASSWORD: &str = "password123";
/// The clinic's administrator.
pub const ADMIN: &str = "admin@example.com";
pub const CLINIC_PASSWORD: &str = "tu_password";

#[derive(Debug)]
pub(crate) struct Accounts {
    tokens: Tokens,
    restaurant: String,
    clinic: String,
    clock: Clock,
}

impl Accounts {
    /// For `restaurant` and `clinic`, with tokens signed by `secret`.
    pub(crate) fn new(secret: &str, restaurant: String, clinic: String, clock: Clock) -> Self {
        Self { tokens: Tokens::new(secret), restaurant, clinic, clock }
    }

    /// A token of the restaurant's.
    pub(super) fn restaurant(&self, email: &str, password: &str) -> Option<String> {
        let role = match email {
            WAITER => "WAITER",
            KITCHEN => "KITCHEN",
            _ => return None,
        };
        let bearer = Bearer {
            id: email.to_owned(),
            restaurant: Some(self.restaurant.clone()),
            restaurant_user: Some(email.to_owned()),
            role: Some(role.to_owned()),
            clinic: None,
        };
        (password == PASSWORD).then(|| self.tokens.sign(&bearer, self.clock.now()))?
    }

    /// A token of the clinic's.
    pub(super) fn clinic(&self, email: &str, password: &str) -> Option<String> {
        let bearer = Bearer {
            id: email.to_owned(),
            clinic: Some(self.clinic.clone()),
            role: Some("ADMIN".to_owned()),
            ..Bearer::default()
        };
        (email == ADMIN && password == CLINIC_PASSWORD).then(|| self.tokens.sign(&bearer, self.clock.now()))?
    }

    /// Whether the bearer of `token` works at `restaurant`.
    pub(super) fn may_order(&self, token: Option<&str>, restaurant: &str) -> bool {
        let bearer = token.and_then(|token| self.tokens.read(token));
        bearer.and_then(|bearer| bearer.restaurant).is_some_and(|works_at| works_at == restaurant)
    }
}
