//! Calls that carry what happened: checked, made into messages and handed to the hub at once.

use super::Reply;
use crate::channel::{Canal, Channel};
use crate::database::Database;
use crate::dialect::fields::BadBody;
use crate::dialect::{canal, clinic, pos, restaurant};
use crate::http::Gate;
use crate::http::hooks::call::bad;
use crate::http::refusal::Refusal;
use crate::hub::{Draft, Full};
use crate::negocio::{NegocioId, RestauranteId};
use crate::publication::Frame;
use crate::telemetry::metrics::RefusalReason;

/// `POST /notify/venta`, `/notify/producto`, `/notify/promocion`, `/notify/mesa`.
pub(super) fn sale(gate: &Gate, kind: pos::Kind, body: &[u8]) -> Result<Reply, Refusal> {
    let event = pos::decode(kind, body).map_err(|why| refused(&why))?;
    let negocio = match (event.negocio, gate.environment.single_business) {
        (None, true) => None,
        (Some(named), false) => Some(negocio(&named, &gate.environment.database)?),
        (None, false) => {
            return Err(bad("negocio_id is missing; a server for one business alone has POS_SINGLE_BUSINESS=true"));
        }
        (Some(_), true) => return Err(bad("negocio_id has no meaning here: POS_SINGLE_BUSINESS is set")),
    };
    let message = pos::encode(kind, &event.data, &timestamp(gate));
    publish(gate, vec![draft(Channel::Negocio(negocio), &message)])
}

/// `POST /notify/order/new`, `/notify/order/status`, `/notify/order/item-status`.
pub(super) fn order(gate: &Gate, kind: restaurant::Kind, body: &[u8]) -> Result<Reply, Refusal> {
    let events = restaurant::decode(kind, body).map_err(|why| refused(&why))?;
    let restaurant = RestauranteId::named(&events.restaurant).ok_or_else(|| bad("restaurantId is no id"))?;
    let draft = |emission: restaurant::Emission| Draft {
        channel: Channel::Restaurante(restaurant.clone()),
        event: emission.event,
        frame: Frame::text(&emission.payload),
    };
    publish(gate, events.emissions.into_iter().map(draft).collect())
}

/// `POST /notify/pedido`.
pub(super) fn new_order(gate: &Gate, body: &[u8]) -> Result<Reply, Refusal> {
    let order = clinic::decode_new_order(body).map_err(|why| refused(&why))?;
    let clinic = order.negocio.map(|named| negocio(&named, &gate.environment.database)).transpose()?;
    publish(gate, vec![draft(Channel::StaffOrders(clinic), &order.message)])
}

/// `POST /api/publish`: all of a batch, or nothing.
pub(super) fn messages(gate: &Gate, body: &[u8]) -> Result<Reply, Refusal> {
    let messages = canal::decode(body, gate.publish.max_batch).map_err(|why| refused(&why))?;
    let id_type = gate.environment.database.id_type().ok_or_else(Refusal::no_database)?;
    let timestamp = timestamp(gate);
    let drafts = messages.into_iter().map(|mut message| {
        let negocio = id_type.parse(&message.negocio);
        let negocio = negocio.ok_or_else(|| bad("channel names what cannot be the id of a business"))?;
        negocio.as_str().clone_into(&mut message.negocio);
        let channel = Channel::Canal(Canal::new(negocio, &message.name));
        Ok(draft(channel, &canal::encode(&message, &timestamp)))
    });
    publish_all(gate, drafts.collect::<Result<_, Refusal>>()?)
}

/// What to say of a body that a dialect does not take.
pub(super) fn refused(why: &BadBody) -> Refusal {
    bad(why.to_string())
}

/// Hands out the events of one happening: who is reached by one of them is reached.
pub(super) fn publish(gate: &Gate, drafts: Vec<Draft>) -> Result<Reply, Refusal> {
    let reached = hand_over(gate, drafts)?;
    Ok(Reply::reached(reached.into_iter().max().unwrap_or(0)))
}

/// Hands out events that have nothing to do with each other.
fn publish_all(gate: &Gate, drafts: Vec<Draft>) -> Result<Reply, Refusal> {
    Ok(Reply::reached(hand_over(gate, drafts)?.into_iter().sum()))
}

fn hand_over(gate: &Gate, drafts: Vec<Draft>) -> Result<Vec<usize>, Refusal> {
    let reached = gate.environment.hub.publish_events(drafts);
    reached.map_err(|Full| Refusal::busy(RefusalReason::TooManyPublications, "too many events wait to be handed out"))
}

pub(super) fn draft(channel: Channel, message: &str) -> Draft {
    Draft { channel, event: "", frame: Frame::text(message) }
}

fn negocio(named: &str, database: &Database) -> Result<NegocioId, Refusal> {
    NegocioId::named(named, database.id_type()).ok_or_else(|| bad("negocio_id is no id"))
}

/// ISO 8601, UTC, in milliseconds.
fn timestamp(gate: &Gate) -> String {
    format!("{:.3}", gate.environment.clock.now())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    #[test]
    fn a_time_is_written_as_browsers_write_it() {
        assert_eq!(
            format!("{:.3}", Timestamp::from_millisecond(1_752_999_000_005).unwrap()),
            "2025-07-20T08:10:00.005Z"
        );
    }
}
