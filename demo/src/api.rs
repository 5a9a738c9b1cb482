//! The customers' own REST APIs, as the demo plays them: what is asked at which path. Every change goes to Pulso's hooks
//! over HTTP, as any customer's would.
//!
//! Must not know sockets, nor anything of Pulso but its hooks and the tokens that it takes.

mod accounts;
mod tokens;

use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::clinic::Clinic;
use crate::refused::Refused;
use crate::restaurant::{Restaurant, Status};

pub(crate) use accounts::Accounts;
pub use accounts::{ADMIN, CLINIC_PASSWORD, KITCHEN, PASSWORD, WAITER};

const PATHS: [&str; 3] = ["/api/v1/", "/api/auth/", "/api/public/"];

/// Everything that the customers' developers may ask.
#[derive(Debug)]
pub struct Api {
    pub(crate) accounts: Accounts,
    pub(crate) restaurant: Arc<Restaurant>,
    pub(crate) clinic: Arc<Clinic>,
}

/// One request, with its whole body.
#[derive(Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What is answered: JSON.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

/// Why there is no answer.
enum Failure {
    Refused(Refused),
    BadBody,
    NoToken,
    NotFound,
    NotAllowed,
}

#[derive(Deserialize)]
struct Login {
    email: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenOrder {
    table_session_id: String,
}

#[derive(Deserialize)]
struct SetStatus {
    status: Status,
}

impl Call {
    fn bearer(&self) -> Option<&str> {
        self.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
    }
}

impl Api {
    /// Whether it answers what is asked at `path`.
    pub fn owns(path: &str) -> bool {
        PATHS.iter().any(|prefix| path.starts_with(prefix))
    }

    pub async fn answer(&self, call: &Call) -> Answer {
        match self.ask(call).await {
            Ok((status, body)) => Answer { status, body },
            Err(failure) => failure.into(),
        }
    }

    async fn ask(&self, call: &Call) -> Result<(StatusCode, Value), Failure> {
        let path: Vec<&str> = call.path.split('/').skip(2).collect();
        let is_get = call.method == Method::GET;
        if !is_get && call.method != Method::POST {
            return Err(Failure::NotAllowed);
        }
        match (is_get, path.as_slice()) {
            (false, ["v1", "auth", "login"]) => {
                let Login { email, password } = body(call)?;
                let token = self.accounts.restaurant(&email, &password).ok_or(Failure::NoToken)?;
                Ok((StatusCode::OK, json!({ "accessToken": token })))
            }
            (false, ["auth", "login"]) => {
                let Login { email, password } = body(call)?;
                let token = self.accounts.clinic(&email, &password).ok_or(Failure::NoToken)?;
                Ok((StatusCode::OK, json!({ "access": token })))
            }
            (false, ["public", "orders", "create"]) => {
                Ok((StatusCode::CREATED, self.clinic.place(&body(call)?).await?))
            }
            (_, ["v1", "orders", rest @ ..]) => {
                if !self.accounts.may_order(call.bearer(), &self.restaurant.id) {
                    return Err(Failure::NoToken);
                }
                self.order(call, is_get, rest).await
            }
            _ => Err(Failure::NotFound),
        }
    }

    async fn order(&self, call: &Call, is_get: bool, path: &[&str]) -> Result<(StatusCode, Value), Failure> {
        let restaurant = &self.restaurant;
        match (is_get, path) {
            (false, []) => {
                let OpenOrder { table_session_id } = body(call)?;
                Ok((StatusCode::CREATED, restaurant.open(&table_session_id).await?))
            }
            (true, [order]) => Ok((StatusCode::OK, restaurant.find(order).await?)),
            (false, [order, "items"]) => Ok((StatusCode::CREATED, restaurant.add(order, body(call)?).await?)),
            (false, [order, "confirm"]) => Ok((StatusCode::OK, restaurant.confirm(order).await?)),
            (false, [order, "items", item, "status"]) => {
                let SetStatus { status } = body(call)?;
                Ok((StatusCode::OK, restaurant.set_item(order, item, status).await?))
            }
            _ => Err(Failure::NotFound),
        }
    }
}

fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Failure> {
    serde_json::from_slice(&call.body).map_err(|error| {
        tracing::debug!(%error, "demo: body refused");
        Failure::BadBody
    })
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        let (status, message) = match failure {
            Failure::Refused(refused) => {
                let status = match refused {
                    Refused::Invalid(_) => StatusCode::BAD_REQUEST,
                    Refused::Unknown(_) => StatusCode::NOT_FOUND,
                    Refused::Conflict(_) => StatusCode::CONFLICT,
                    Refused::Full(_) => StatusCode::SERVICE_UNAVAILABLE,
                };
                (status, refused.to_string())
            }
            Failure::BadBody => (StatusCode::BAD_REQUEST, "El cuerpo no es el JSON que se espera aquí".to_owned()),
            Failure::NoToken => (StatusCode::UNAUTHORIZED, "Credenciales inválidas".to_owned()),
            Failure::NotFound => (StatusCode::NOT_FOUND, "No hay nada en esta ruta".to_owned()),
            Failure::NotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "Método no permitido".to_owned()),
        };
        Self { status, body: json!({ "message": message }) }
    }
}

#[cfg(test)]
mod tests;
