//! What is answered instead of what was asked for, and how it is counted.

use std::borrow::Cow;

use http::StatusCode;
use http::header::{
    ALLOW, CONNECTION, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use serde_json::json;
use warp::reply::Response;

use super::answer;
use crate::access::grant::Denial;
use crate::feeds::call::Rejection;
use crate::model::ErrorWord;
use crate::telemetry::metrics::RefusalReason;

/// A refusal: a word for programs, a sentence for people, a reason for the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: RefusalReason,
    word: ErrorWord,
    message: Cow<'static, str>,
    allow: &'static str,
}

impl Refusal {
    pub(super) fn new(reason: RefusalReason, word: ErrorWord, message: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, word, message: message.into(), allow: "" }
    }

    pub(super) fn bad_request(reason: RefusalReason, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(reason, ErrorWord::BadRequest, message)
    }

    /// For want of room; worth trying again in a second.
    pub(super) fn busy(reason: RefusalReason, message: &'static str) -> Self {
        Self::new(reason, ErrorWord::Busy, message)
    }

    /// This node goes away; another, or its successor, takes the request.
    pub(super) fn shutting_down() -> Self {
        Self::busy(RefusalReason::ShuttingDown, "shutting down")
    }

    /// A feed that cannot work before the operator sets `variable`.
    pub(super) fn not_configured(variable: &'static str) -> Self {
        let message = format!("this is not configured: set {variable}");
        Self::new(RefusalReason::NotConfigured, ErrorWord::NotConfigured, message)
    }

    /// What has to be asked of the database cannot be asked just now.
    pub(super) fn no_database() -> Self {
        Rejection::no_database().into()
    }

    /// What was asked of the database was not answered. Where that is up, a table or a right is missing.
    pub(super) fn unanswered(database_is_down: bool) -> Self {
        Rejection::unanswered(database_is_down).into()
    }

    /// A feed that this installation does not have.
    pub(super) fn switched_off() -> Self {
        let message = "this feed is switched off; see FEEDS";
        Self::new(RefusalReason::Path, ErrorWord::SwitchedOff, message)
    }

    /// A call without the key that it must carry.
    pub(super) fn wrong_key() -> Self {
        let message = "send the key as Authorization: Bearer … or X-API-Key";
        Self::new(RefusalReason::HookKey, ErrorWord::Unauthorized, message)
    }

    /// What somebody is answered who was denied what they came for. `database_is_down`: as it is known just now.
    pub(super) fn denied(denial: Denial, database_is_down: bool) -> Self {
        let reason = denial.reason();
        match denial {
            Denial::NoToken => Self::unauthorized("a token is needed"),
            Denial::BadToken(refused) => Self::unauthorized(refused.to_string()),
            Denial::TokenUnchecked => Self::busy(reason, "the token cannot be checked right now"),
            Denial::NoKey | Denial::WrongKey | Denial::NoSession => Self::unauthorized("a key is needed"),
            Denial::NoSecret => Self::not_configured("JWT_SECRET"),
            Denial::NotStaff | Denial::NoRestaurant | Denial::BadDevice | Denial::NotAllowed | Denial::Withdrawn => {
                Self::new(reason, ErrorWord::Forbidden, "not allowed to listen to this channel")
            }
            Denial::TooManyDevices => {
                let message = "too many unknown devices from this address; wait a minute";
                Self::new(reason, ErrorWord::TooManyDevices, message)
            }
            Denial::DeviceUnchecked => Self::unanswered(database_is_down),
            Denial::OwnershipUnchecked => Self::no_database(),
            Denial::TooManyChecks => {
                let message = "too many ownership checks; wait a little";
                Self::new(reason, ErrorWord::TooManyChecks, message)
            }
            Denial::TooManyChannels => Self::bad_request(reason, "too many channels on this connection"),
            Denial::NoSuchChannel => {
                let message = "channel must be estadisticas:…, consulta:…, canal:…:…, negocio:…, staff_orders or device (with device_uid)";
                Self::bad_request(reason, message)
            }
            Denial::SwitchedOff => Self::switched_off(),
        }
    }

    fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalReason::Token, ErrorWord::InvalidToken, message)
    }

    pub(super) fn not_allowed(allow: &'static str) -> Self {
        let message = format!("use {allow}");
        let refusal = Self::new(RefusalReason::Method, ErrorWord::MethodNotAllowed, message);
        Self { allow, ..refusal }
    }

    pub(super) fn not_found() -> Self {
        Self::new(RefusalReason::Path, ErrorWord::NotFound, "there is nothing at this path")
    }

    /// Some servers of Socket.IO have the client's script, too.
    pub(super) fn no_script() -> Self {
        let message = "the client's script is not served here: it is socket.io-client, from your own packages";
        Self::new(RefusalReason::Path, ErrorWord::NotFound, message)
    }

    pub(super) fn status(&self) -> StatusCode {
        // Every word's is one.
        StatusCode::from_u16(self.word.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The answer, with the headers that its status wants.
    pub(super) fn into_response(self) -> Response {
        let status = self.status();
        let mut response = answer::json(status, &json!({ "error": self.word.text(), "message": self.message }));
        for (name, value) in self.headers() {
            response.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(self.allow));
        }
        response
    }

    fn headers(&self) -> &[(HeaderName, &'static str)] {
        match self.status() {
            StatusCode::UNAUTHORIZED => &[(WWW_AUTHENTICATE, "Bearer")],
            StatusCode::SERVICE_UNAVAILABLE => &[(RETRY_AFTER, "1")],
            StatusCode::TOO_MANY_REQUESTS if self.reason == RefusalReason::OwnershipRate => &[(RETRY_AFTER, "10")],
            StatusCode::TOO_MANY_REQUESTS if self.reason == RefusalReason::TooManyConnects => &[(RETRY_AFTER, "1")],
            StatusCode::TOO_MANY_REQUESTS => &[(RETRY_AFTER, "60")],
            StatusCode::UPGRADE_REQUIRED => {
                &[(UPGRADE, "websocket"), (CONNECTION, "Upgrade"), (SEC_WEBSOCKET_VERSION, "13")]
            }
            _ => &[],
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(Rejection { reason, word, message }: Rejection) -> Self {
        Self::new(reason, word, message)
    }
}
