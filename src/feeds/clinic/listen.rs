//! Who may listen to a clinic's orders: its staff by token, a kiosk by the name that it gives itself.
//!
//! Must not know how a listener comes in.

use std::future::ready;

use super::devices::{Devices, Refused};
use crate::access::grant::{Bounds, Denial, Grant};
use crate::access::token::Claims;
use crate::address::Address;
use crate::feeds::listening::{Listening, nobody};
use crate::model::{Channel, DeviceId, Kiosk, NegocioId};

/// Its staff, by token.
pub(super) const STAFF: Listening = Listening {
    needs_token: true,
    barred: nobody,
    grant: |guest| Box::pin(ready(guest.claims().and_then(|claims| staff(claims, guest.context.bounds())))),
};

/// A kiosk, by its name.
pub(super) const KIOSK: Listening = Listening {
    needs_token: false,
    barred: |context, address| context.devices.are_too_many(address).then_some(Denial::TooManyDevices),
    grant: |guest| {
        Box::pin(async move { kiosk(guest.device_uid.as_deref(), guest.address, &guest.context.devices).await })
    },
};

/// The new orders of the clinics that the token names; of a token that names none, those of the one clinic there is.
pub fn staff(claims: &Claims, bounds: Bounds) -> Result<Grant, Denial> {
    if !claims.is_staff() {
        return Err(Denial::NotStaff);
    }
    let negocios = claims.negocios();
    let named = negocios.iter().take(bounds.max_channels);
    let clinics: Vec<Option<NegocioId>> = match negocios.as_slice() {
        [] => vec![None],
        _ => named.filter_map(|named| NegocioId::named(named)).map(Some).collect(),
    };
    let mut channels = Vec::with_capacity(clinics.len());
    for channel in clinics.into_iter().map(Channel::StaffOrders) {
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    Ok(Grant::by_token(claims, channels))
}

/// The orders of the kiosk of this name, if the database knows it and it is switched on.
pub async fn kiosk(uid: Option<&str>, address: Address, devices: &Devices) -> Result<Grant, Denial> {
    let device = devices.find(address, uid).await.map_err(|refused| match refused {
        Refused::Unknown => Denial::BadDevice,
        Refused::TooMany => Denial::TooManyDevices,
        Refused::CannotCheck => Denial::DeviceUnchecked,
    })?;
    let id = DeviceId::new(&device.id);
    let kiosk = Kiosk::new(id.clone(), uid.unwrap_or_default());
    Ok(Grant::without_token(vec![Channel::Device(id)], vec![Channel::Kiosk(kiosk)]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const BOUNDS: Bounds = Bounds { max_channels: 3, single_business: false };

    #[test]
    fn staff_is_who_has_the_role_in_any_of_its_forms() {
        for good in [
            json!({"role":"STAFF"}),
            json!({"role":"admin"}),
            json!({"roles":["CLIENT","Staff"]}),
            json!({"role":"CLIENT","is_staff":true}),
            json!({"is_superuser":true}),
        ] {
            assert!(staff(&Claims::of(&good), BOUNDS).is_ok(), "{good}");
        }
        for bad in [
            json!({}),
            json!({"role":"STAFFER"}),
            json!({"role":["ADMIN"]}),
            json!({"roles":"ADMIN"}),
            json!({"is_staff":"true"}),
            json!({"is_staff":1}),
            json!({"is_superuser":null}),
        ] {
            assert_eq!(staff(&Claims::of(&bad), BOUNDS).unwrap_err(), Denial::NotStaff, "{bad}");
        }
    }

    #[test]
    fn staff_hears_the_clinics_of_its_token_each_once_and_no_more_than_it_may() {
        let hears = |negocios: Value| {
            let claims = Claims::of(&json!({"role":"staff","id":"ana","negocios":negocios}));
            staff(&claims, BOUNDS).unwrap().channels
        };
        let clinic = |clinic: &str| Channel::StaffOrders(NegocioId::named(clinic));
        assert_eq!(hears(json!(null)), [Channel::StaffOrders(None)]);
        assert_eq!(hears(json!(["a", "b", "a", "c"])), [clinic("a"), clinic("b")]);
        assert_eq!(hears(json!(["a\n"])), [], "a token of a clinic that is none is not one of all clinics");
    }
}
