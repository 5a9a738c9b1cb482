//! `GET /page/name?negocio=…`: what a business is called, for who may watch it. The page shows it in place of an id.
//!
//! Must not know where the name comes from.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use warp::reply::Response;

use super::admission::Admission;
use super::query::Query;
use super::refusal::Refusal;
use super::{Peer, answer};
use crate::access::grant::{Denial, Speech};
use crate::model::{ChannelName, Topic};
use crate::queries::names::Names;
use crate::telemetry::metrics::RefusalReason;

/// What names are told with.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) admission: Arc<Admission>,
    pub(super) names: Arc<Names>,
}

/// A business, in the server's spelling of its id.
#[derive(Debug, Serialize)]
struct Named {
    negocio: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Page {
    pub(super) async fn name(&self, method: &Method, headers: &HeaderMap, query: &str, peer: Peer) -> Response {
        if method != Method::GET {
            return Refusal::not_allowed("GET").into_response();
        }
        match self.named(headers, query, peer).await {
            Ok(named) => answer::json(StatusCode::OK, &named),
            Err(refusal) => {
                self.admission.sessions.metrics.refuse(refusal.reason);
                refusal.into_response()
            }
        }
    }

    async fn named(&self, headers: &HeaderMap, query: &str, peer: Peer) -> Result<Named, Refusal> {
        let bad = |message| Refusal::bad_request(RefusalReason::Handshake, message);
        let query = Query::parse(query).map_err(bad)?;
        let (admission, context) = (&self.admission, &self.admission.sessions);
        admission.check_origin(headers)?;
        admission.may_connect(admission.address(peer, headers))?;
        let denied = |denial| admission.denied(denial);
        if !context.tokens.is_configured() {
            return Err(denied(Denial::NoSecret));
        }
        // By a header alone: an address is written down on its way.
        let claims = admission.claims(headers, &Query::default()).map_err(denied)?.ok_or(denied(Denial::NoToken))?;
        let identity = claims.identity().map_err(|refused| denied(refused.into()))?;
        let negocio = query.negocio.ok_or_else(|| bad("say negocio, the id of a business"))?;
        let watching = context.gate().watch(&ChannelName::Estadisticas(negocio), identity).await;
        let Speech::Watch { topic: Topic::Estadisticas(negocio), .. } = watching.map_err(denied)?.speech else {
            return Err(denied(Denial::NotAllowed));
        };
        let name = self.names.of(&negocio).await.map_err(|_| Refusal::unanswered(context.database.is_down()))?;
        Ok(Named { negocio: negocio.as_str().to_owned(), name })
    }
}
