//! The text form of a channel: one text for each, and each text back.
//!
//! For whoever has to write a channel down. Must not be fed what a peer says: that is a
//! [`ChannelName`](super::super::ChannelName), whose ids are in no one form yet.

use std::fmt;

use super::super::{Consulta, DeviceId, KeyId, NegocioId, QueryName, RestauranteId, Tenant, UserId};
use super::{Canal, Channel, Kiosk};

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Estadisticas(negocio) => write!(f, "estadisticas:{}", negocio.as_str()),
            Self::Consulta(consulta) => match consulta.key() {
                Some(key) => write!(f, "consulta:{}:{key}", consulta.query().as_str()),
                None => write!(f, "consulta:{}", consulta.query().as_str()),
            },
            Self::Canal(canal) => write!(f, "canal:{}:{}", canal.negocio().as_str(), canal.name()),
            Self::Negocio(None) => f.write_str("negocio"),
            Self::Negocio(Some(negocio)) => write!(f, "negocio:{}", negocio.as_str()),
            Self::Restaurante(restaurant) => write!(f, "restaurant:{}", restaurant.as_str()),
            Self::StaffOrders(None) => f.write_str("staff_orders"),
            Self::StaffOrders(Some(clinic)) => write!(f, "staff_orders:{}", clinic.as_str()),
            Self::Device(device) => write!(f, "device:{}", device.as_str()),
            Self::Sync(tenant) => write!(f, "sync:{}", tenant.as_str()),
            Self::User(user) => write!(f, "user:{}", user.as_str()),
            // Either may have colons: the length of the first says where the second begins.
            Self::Kiosk(kiosk) => {
                let device = kiosk.device().as_str();
                write!(f, "kiosk:{}:{device}:{}", device.len(), kiosk.uid())
            }
            Self::Key(key) => write!(f, "key:{key}"),
        }
    }
}

impl Channel {
    /// The channel of this text; `None` if no channel has it.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((kind, rest)) = text.split_once(':') else {
            return match text {
                "negocio" => Some(Self::Negocio(None)),
                "staff_orders" => Some(Self::StaffOrders(None)),
                _ => None,
            };
        };
        Some(match kind {
            "estadisticas" => Self::Estadisticas(NegocioId::new(rest)),
            "consulta" => {
                // The first colon: a key may have some, and a query's name has none.
                let (query, key) = rest.split_once(':').map_or((rest, None), |(query, key)| (query, Some(key)));
                Self::Consulta(Consulta::new(QueryName::parse(query)?, key))
            }
            "canal" => {
                // The last colon: a business's id may have some, and a name has none.
                let (negocio, name) = rest.rsplit_once(':')?;
                Self::Canal(Canal::new(NegocioId::new(negocio), name))
            }
            "negocio" => Self::Negocio(Some(NegocioId::new(rest))),
            "restaurant" => Self::Restaurante(RestauranteId::new(rest)),
            "staff_orders" => Self::StaffOrders(Some(NegocioId::new(rest))),
            "device" => Self::Device(DeviceId::new(rest)),
            "sync" => Self::Sync(Tenant::new(rest)),
            "user" => Self::User(UserId::new(rest)),
            "kiosk" => Self::Kiosk(kiosk(rest)?),
            "key" => Self::Key(KeyId::parse(rest)?),
            _ => return None,
        })
    }
}

fn kiosk(text: &str) -> Option<Kiosk> {
    let (length, names) = text.split_once(':')?;
    let device_bytes: usize = length.parse().ok().filter(|bytes: &usize| bytes.to_string() == length)?;
    let (device, uid) = names.split_at_checked(device_bytes)?;
    Some(Kiosk::new(DeviceId::new(device), uid.strip_prefix(':')?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ids and names that look like other channels.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![".{0,12}", "[:0-9a-z_]{0,12}", Just(String::new()), Just("negocio:1:staff_orders".to_owned())]
    }

    fn channel() -> impl Strategy<Value = Channel> {
        (0..14, text(), text(), "[a-zA-Z0-9_.-]{1,12}", any::<[u8; 16]>()).prop_map(|(kind, id, uid, name, key)| {
            let negocio = NegocioId::new(&id);
            match kind {
                0 => Channel::Estadisticas(negocio),
                1 => Channel::Canal(Canal::new(negocio, &name)),
                2 => Channel::Negocio(None),
                3 => Channel::Negocio(Some(negocio)),
                4 => Channel::Restaurante(RestauranteId::new(&id)),
                5 => Channel::StaffOrders(None),
                6 => Channel::StaffOrders(Some(negocio)),
                7 => Channel::Device(DeviceId::new(&id)),
                8 => Channel::Sync(Tenant::new(&id)),
                9 => Channel::User(UserId::new(&id)),
                10 => Channel::Key(KeyId::new(key)),
                11 => Channel::Consulta(Consulta::new(query(&name), None)),
                12 => Channel::Consulta(Consulta::new(query(&name), Some(&id))),
                _ => Channel::Kiosk(Kiosk::new(DeviceId::new(&id), &uid)),
            }
        })
    }

    fn query(name: &str) -> QueryName {
        QueryName::parse(&format!("q{}", name.to_lowercase())).unwrap()
    }

    proptest! {
        #[test]
        fn every_channel_is_read_back_from_its_text(channel in channel()) {
            prop_assert_eq!(Channel::parse(&channel.to_string()), Some(channel));
        }

        #[test]
        fn no_two_channels_share_a_text(one in channel(), other in channel()) {
            prop_assert_eq!(one == other, one.to_string() == other.to_string());
        }

        #[test]
        fn what_is_read_is_written_as_it_was(text in prop_oneof![
            ".{0,20}",
            "(estadisticas|consulta|canal|negocio|restaurant|staff_orders|device|sync|user|kiosk|key)(:[0-9a-z:]{0,12})?",
        ]) {
            if let Some(channel) = Channel::parse(&text) {
                prop_assert_eq!(channel.to_string(), text);
            }
        }
    }

    #[test]
    fn what_no_channel_is_called_is_none() {
        for text in [
            "",
            ":",
            "Negocio",
            "negocios",
            "device",
            "canal:a",
            "consulta:",
            "consulta:A:b",
            "kiosk:1",
            "kiosk:01:a:b",
            "kiosk:2:ñ",
            "x:y",
            "key:0a",
        ] {
            assert_eq!(Channel::parse(text), None, "{text}");
        }
    }
}
