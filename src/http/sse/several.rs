//! `/sse?v=2&channels=[…]`: the names that a stream of the second version asks for, and what it has to show for them.
//!
//! Must not know what becomes of a name that a token may open.

use http::HeaderMap;

use crate::access::grant::{Denial, Grant};
use crate::address::Address;
use crate::config::Feed;
use crate::feeds;
use crate::feeds::listening::Listening;
use crate::http::admission::{Admission, Endpoint};
use crate::http::query::Query;
use crate::http::refusal::Refusal;
use crate::model::Wording;
use crate::session::{Names, Purpose, granted};
use crate::telemetry::metrics::RefusalReason;

/// Names that may be asked for, to one that may be held: what is refused is answered, too.
const ASKED_TO_HELD: usize = 2;

/// What the stream is for, and whose it is if it is one feed's.
pub(super) async fn purpose(
    admission: &Admission,
    headers: &HeaderMap,
    query: &Query,
    address: Address,
) -> Result<(Purpose, Option<Feed>), Refusal> {
    let context = &admission.sessions;
    let names = names(query)?;
    if names.len() > context.limits.max_channels * ASKED_TO_HELD {
        return Err(admission.denied(Denial::TooManyChannels));
    }
    if let Some((name, feed, listening)) = names.first().and_then(|name| tokenless(name))
        && names.iter().all(|other| other == name)
    {
        // Nothing else is asked for: refused by a status, as it always was.
        admission.approach(Endpoint::Own(feed, listening), headers, address)?;
        let grant = admission.grant(listening, headers, query.clone(), address).await;
        let grant = grant.map_err(|denial| admission.denied(denial))?;
        return Ok((Purpose::Listen(Ok(grant)), Some(feed)));
    }
    admission.approach(Endpoint::NamedDashboard, headers, address)?;
    let bearer = admission
        .claims(headers, query)
        .and_then(|claims| granted(&claims.ok_or(Denial::NoToken)?, Wording::Second, context))
        .map_err(|denial| admission.denied(denial))?;
    let mut elsewhere = Vec::new();
    for (name, feed, listening) in names.iter().filter_map(|name| tokenless(name)) {
        if elsewhere.iter().any(|(known, _)| known == name) {
            continue;
        }
        match without_token(admission, feed, listening, headers, query, address).await {
            // No refusal: who comes again may have it.
            Err(denial @ Denial::DeviceUnchecked) => return Err(admission.denied(denial)),
            granted => elsewhere.push((name.to_owned(), granted)),
        }
    }
    Ok((Purpose::Names(Box::new(Names { bearer, names, elsewhere })), None))
}

fn names(query: &Query) -> Result<Vec<String>, Refusal> {
    let names = query.channels.as_deref().filter(|_| query.channel.is_none());
    names.and_then(|names| serde_json::from_str(names).ok()).ok_or_else(|| {
        let message = "with v=2 say channels, a JSON array of names, in place of channel";
        Refusal::bad_request(RefusalReason::Channels, message)
    })
}

/// A name that no token opens, whose it is, and who may listen to it.
fn tokenless(name: &str) -> Option<(&str, Feed, &'static Listening)> {
    let (feed, stream) = feeds::stream(name)?;
    (!stream.listening.needs_token).then_some((name, feed, &stream.listening))
}

async fn without_token(
    admission: &Admission,
    feed: Feed,
    listening: &Listening,
    headers: &HeaderMap,
    query: &Query,
    address: Address,
) -> Result<Grant, Denial> {
    let context = &admission.sessions;
    if !context.feeds.has(feed) {
        return Err(Denial::SwitchedOff);
    }
    match (listening.barred)(context, address) {
        Some(denial) => Err(denial),
        None => admission.grant(listening, headers, query.clone(), address).await,
    }
}
