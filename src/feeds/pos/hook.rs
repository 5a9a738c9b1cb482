//! `POST /notify/venta`, `/notify/producto`, `/notify/promocion`, `/notify/mesa`.

use super::words::{Kind, decode, encode};
use crate::feeds::call::{Call, Rejection, Reply, negocio};
use crate::feeds::definition::{Answer, Hook, Key, Repetition};
use crate::model::Channel;
use crate::publication::Draft;

pub(super) const ALL: [Hook; 4] = [
    hook(Kind::Venta, |call| Box::pin(sale(call, Kind::Venta))),
    hook(Kind::Producto, |call| Box::pin(sale(call, Kind::Producto))),
    hook(Kind::Promocion, |call| Box::pin(sale(call, Kind::Promocion))),
    hook(Kind::Mesa, |call| Box::pin(sale(call, Kind::Mesa))),
];

const fn hook(kind: Kind, answer: Answer) -> Hook {
    Hook {
        path: kind.path(),
        id: Some("negocio_id"),
        reaches_tokens: true,
        key: Key::Always,
        repetition: Repetition::Remembered,
        answer,
    }
}

async fn sale(call: &mut Call, kind: Kind) -> Result<Reply, Rejection> {
    let event = decode(kind, &call.body)?;
    let negocio = match (event.negocio, call.context.publish.single_business) {
        (None, true) => None,
        (Some(named), false) => Some(negocio(&named)?),
        (None, false) => {
            let message = "negocio_id is missing; a server for one business alone has POS_SINGLE_BUSINESS=true";
            return Err(Rejection::bad(message));
        }
        (Some(_), true) => {
            return Err(Rejection::bad("negocio_id has no meaning here: POS_SINGLE_BUSINESS is set"));
        }
    };
    let message = encode(kind, &event.data, &call.context.timestamp());
    call.publish(vec![Draft::new(Channel::Negocio(negocio), message)]).await
}
