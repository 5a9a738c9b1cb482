//! A channel as clients of the second version are told it, and as they ask for those that no [`ChannelName`] names.
//!
//! Must not know who may hear it.
//!
//! [`ChannelName`]: super::super::ChannelName

use std::fmt;

use super::super::{NegocioId, RestauranteId};
use super::Channel;

const NEGOCIO: &str = "negocio";
const STAFF_ORDERS: &str = "staff_orders";
const RESTAURANTE: &str = "restaurante";

/// The text of a channel on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Wire<'a>(&'a Channel);

impl Channel {
    pub fn wire(&self) -> Wire<'_> {
        Wire(self)
    }

    /// The channel of a shop, of a clinic's staff or of a restaurant that a client names; `None` if it names none of these.
    pub fn of_a_feed(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(':').map_or((text, None), |(kind, id)| (kind, Some(id)));
        match (kind, id) {
            (NEGOCIO, None) => Some(Self::Negocio(None)),
            (STAFF_ORDERS, None) => Some(Self::StaffOrders(None)),
            (NEGOCIO, Some(id)) => Some(Self::Negocio(Some(NegocioId::named(id)?))),
            (STAFF_ORDERS, Some(id)) => Some(Self::StaffOrders(Some(NegocioId::named(id)?))),
            (RESTAURANTE, Some(id)) => Some(Self::Restaurante(RestauranteId::named(id)?)),
            _ => None,
        }
    }
}

impl fmt::Display for Wire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Channel::Restaurante(restaurant) => write!(f, "{RESTAURANTE}:{}", restaurant.as_str()),
            // Whose it is the client knows: it is its own, and there is no other.
            Channel::Device(_) => f.write_str("device"),
            channel => channel.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeviceId;

    #[test]
    fn what_a_client_names_it_is_told_in_one_spelling() {
        let uuid = "9f1c2b3a-0000-4000-8000-00000000abcd";
        for (named, told) in [
            ("negocio", "negocio".to_owned()),
            ("negocio:a:b", "negocio:a:b".into()),
            ("staff_orders", "staff_orders".into()),
            (&*format!("staff_orders:{}", uuid.to_uppercase()), format!("staff_orders:{uuid}")),
            (&*format!("restaurante:{}", uuid.to_uppercase()), format!("restaurante:{uuid}")),
        ] {
            assert_eq!(Channel::of_a_feed(named).unwrap().wire().to_string(), told);
        }
        assert_eq!(Channel::Device(DeviceId::new("7")).wire().to_string(), "device");
    }

    #[test]
    fn what_names_no_feeds_channel_is_none() {
        for none in [
            "",
            "negocio:",
            "restaurante",
            "restaurante:",
            "restaurant:1",
            "device",
            "user:ana",
            "estadisticas:a",
            "negocio:a\n",
        ] {
            assert_eq!(Channel::of_a_feed(none), None, "{none}");
        }
    }
}
