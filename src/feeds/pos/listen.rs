//! Who may listen to the point of sale: a user whose token names the shop.
//!
//! Must not know how a listener comes in.

use std::future::ready;

use crate::access::grant::{Bounds, Denial, Grant};
use crate::access::token::Identity;
use crate::feeds::listening::{Guest, Listening, Stream, nobody};
use crate::model::{Channel, NegocioId};

const LISTENING: Listening =
    Listening { needs_token: true, barred: nobody, grant: |guest| Box::pin(ready(one_of(&guest))) };

pub(super) const SHOP: Stream = Stream {
    form: "negocio:<negocio>",
    is: |text| text.strip_prefix(OF_ONE).is_some_and(|negocio| !negocio.is_empty()),
    listening: LISTENING,
};

/// Where there is one business.
pub(super) const ONLY_SHOP: Stream = Stream { form: "negocio", is: |text| text == "negocio", listening: LISTENING };

const OF_ONE: &str = "negocio:";

fn one_of(guest: &Guest) -> Result<Grant, Denial> {
    let named = guest.channel.as_deref().and_then(|channel| channel.strip_prefix(OF_ONE));
    one(named, &guest.identity()?, guest.context.bounds())
}

/// The shops that a token opens: the only place that says so. Each once; where there is one business, that.
pub fn own(identity: &Identity, bounds: Bounds) -> Vec<Channel> {
    if bounds.single_business {
        return vec![Channel::Negocio(None)];
    }
    let mut channels = Vec::new();
    for named in identity.negocios.iter().take(bounds.max_channels) {
        let channel = NegocioId::named(named).map(|negocio| Channel::Negocio(Some(negocio)));
        channels.extend(channel.filter(|channel| !channels.contains(channel)));
    }
    channels
}

/// One of them; `None` where there is one business.
pub fn one(named: Option<&str>, identity: &Identity, bounds: Bounds) -> Result<Grant, Denial> {
    let negocio = named.map(|named| NegocioId::named(named).ok_or(Denial::NotAllowed)).transpose()?;
    let channel = Channel::Negocio(negocio);
    if !own(identity, bounds).contains(&channel) {
        return Err(Denial::NotAllowed);
    }
    Ok(Grant::of_user(identity, vec![channel]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::access::token::Claims;

    const SEVERAL: Bounds = Bounds { max_channels: 2, single_business: false };
    const ONE: Bounds = Bounds { max_channels: 2, single_business: true };

    fn identity(negocios: &Value) -> Identity {
        Claims::of(&json!({"id":"ana","negocios":negocios})).identity().unwrap()
    }

    fn shop(negocio: &str) -> Channel {
        Channel::Negocio(NegocioId::named(negocio))
    }

    #[test]
    fn a_token_opens_the_shops_that_it_names_each_once_and_no_more_than_it_may() {
        assert_eq!(own(&identity(&json!(["a", "b", "c"])), SEVERAL), [shop("a"), shop("b")]);
        assert_eq!(own(&identity(&json!(["a", "a", "c"])), SEVERAL), [shop("a")]);
        assert_eq!(own(&identity(&json!([])), SEVERAL), []);
        assert_eq!(own(&identity(&json!(["a", "b"])), ONE), [Channel::Negocio(None)]);
    }

    #[test]
    fn one_shop_is_one_that_the_token_opens() {
        let cashier = identity(&json!(["a", "b", "c"]));
        let one = |named, bounds| one(named, &cashier, bounds).map(|grant| grant.channels);
        assert_eq!(one(Some("b"), SEVERAL), Ok(vec![shop("b")]));
        assert_eq!(one(None, ONE), Ok(vec![Channel::Negocio(None)]));
        for (named, bounds) in [(Some("c"), SEVERAL), (Some("d"), SEVERAL), (None, SEVERAL), (Some("a"), ONE)] {
            assert_eq!(one(named, bounds), Err(Denial::NotAllowed), "{named:?} {bounds:?}");
        }
    }
}
