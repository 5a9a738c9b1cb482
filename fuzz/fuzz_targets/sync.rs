//! A change is handed out as it was stored, with its id and version; what is handed out can be confirmed as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::model::{Entity, Pending};
use pulso::feeds::sync::words::{decode_change, decode_confirmations, encode_orders_pending, encode_pull};
use pulso_fuzz::{check_refusal, message, sound, without};

fuzz_target!(|body: &[u8]| {
    if let Err(error) = decode_confirmations(body) {
        check_refusal(&error);
    }
    let change = match decode_change(body) {
        Ok(change) => change,
        Err(error) => return check_refusal(&error),
    };
    let payload = sound(&change.payload);
    assert!(payload.is_object() && !change.id.is_empty());
    let entry = Pending { entity: change.entity, id: change.id, version: 7, payload: change.payload };
    let pulled = message(&encode_pull(std::slice::from_ref(&entry)).unwrap());
    let (list, confirmed_in) = match entry.entity {
        Entity::Order => ("pending_orders", "confirmedOrders"),
        Entity::Customer => ("updated_customers", "confirmedCustomerIds"),
    };
    let object = &pulled[list][0];
    assert_eq!(without(object.clone(), &["id", "version"]), without(payload.clone(), &["id", "version"]));
    assert_eq!(object["version"], 7);
    let pending = message(&encode_orders_pending(&[entry.clone()]).unwrap());
    assert_eq!(pending["count"], i32::from(entry.entity == Entity::Order));
    // A payload may have an orderId of its own, which is another one.
    let own = if entry.entity == Entity::Order { "orderId" } else { "customerId" };
    let back = format!(r#"{{"{confirmed_in}":[{}]}}"#, without(object.clone(), &[own]));
    // Two levels deeper than it came it may be too deep, and numbers were read as floats on the way.
    if let Ok(confirmed) = decode_confirmations(back.as_bytes()) {
        assert_eq!((confirmed.len(), confirmed[0].entity, confirmed[0].version), (1, entry.entity, Some(7)));
    }
});
