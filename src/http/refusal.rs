//! What is answered instead of what was asked for, and how it is counted.

use std::borrow::Cow;

use http::StatusCode;
use http::header::{
    ALLOW, CONNECTION, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use serde_json::json;
use warp::reply::Response;

use super::answer;
use crate::telemetry::metrics::RefusalReason;

/// A refusal: a word for programs, a sentence for people, a reason for the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: RefusalReason,
    word: &'static str,
    message: Cow<'static, str>,
    allow: &'static str,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        reason: RefusalReason,
        word: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, reason, word, message: message.into(), allow: "" }
    }

    pub(super) fn bad_request(reason: RefusalReason, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason, "bad_request", message)
    }

    /// For want of room; worth trying again in a second.
    pub(super) fn busy(reason: RefusalReason, message: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, reason, "busy", message)
    }

    /// A feed that cannot work before the operator sets `variable`.
    pub(super) fn not_configured(variable: &'static str) -> Self {
        let message = format!("this is not configured: set {variable}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, RefusalReason::NotConfigured, "not_configured", message)
    }

    /// What has to be asked of the database cannot be asked just now.
    pub(super) fn no_database() -> Self {
        Self::busy(RefusalReason::DatabaseUnavailable, "the database does not answer just now")
    }

    /// A feed that this installation does not have.
    pub(super) fn switched_off() -> Self {
        let message = "this feed is switched off; see FEEDS";
        Self::new(StatusCode::NOT_FOUND, RefusalReason::Path, "switched_off", message)
    }

    pub(super) fn not_allowed(allow: &'static str) -> Self {
        let message = format!("use {allow}");
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, RefusalReason::Method, "method_not_allowed", message);
        Self { allow, ..refusal }
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, RefusalReason::Path, "not_found", "there is nothing at this path")
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The answer, with the headers that its status wants.
    pub(super) fn into_response(self) -> Response {
        let mut response = answer::json(self.status, &json!({ "error": self.word, "message": self.message }));
        for (name, value) in self.headers() {
            response.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(self.allow));
        }
        response
    }

    fn headers(&self) -> &[(HeaderName, &'static str)] {
        match self.status {
            StatusCode::UNAUTHORIZED => &[(WWW_AUTHENTICATE, "Bearer")],
            StatusCode::SERVICE_UNAVAILABLE => &[(RETRY_AFTER, "1")],
            StatusCode::TOO_MANY_REQUESTS => &[(RETRY_AFTER, "60")],
            StatusCode::UPGRADE_REQUIRED => {
                &[(UPGRADE, "websocket"), (CONNECTION, "Upgrade"), (SEC_WEBSOCKET_VERSION, "13")]
            }
            _ => &[],
        }
    }
}
