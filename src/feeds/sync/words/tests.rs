//! Changes in, entries out, confirmations in.

use serde_json::{Value, json};

use super::*;

fn change(body: &str) -> Result<Change, String> {
    decode_change(body.as_bytes()).map_err(|error| error.to_string())
}

fn confirmations(body: &str) -> Result<Vec<Confirmation>, String> {
    decode_confirmations(body.as_bytes()).map_err(|error| error.to_string())
}

fn confirmed(entity: Entity, id: &str, version: Option<i64>) -> Confirmation {
    Confirmation { entity, id: id.into(), version }
}

fn entry(entity: Entity, id: &str, version: i64, payload: &str) -> Pending {
    Pending { entity, id: id.into(), version, payload: payload.into() }
}

#[test]
fn a_change_keeps_its_payload_to_the_letter() {
    let payload = r#"{ "total": 45.50, "items":[ ] , "id":"other"}"#;
    let body = format!(r#"{{"entity":"order","id":"o-1","payload":{payload},"tenant":"norte"}}"#);
    let wanted =
        Change { tenant: Some("norte".into()), entity: Entity::Order, id: "o-1".into(), payload: payload.into() };
    assert_eq!(change(&body), Ok(wanted.clone()));
    let customer = body.replace("\"order\"", "\"customer\"").replace("\"o-1\"", "7").replace("\"norte\"", "9");
    let wanted = Change { tenant: Some("9".into()), entity: Entity::Customer, id: "7".into(), ..wanted };
    assert_eq!(change(&customer), Ok(wanted));
    for entity in Entity::ALL {
        assert_eq!(Entity::parse(entity.as_str()), Some(entity));
    }
}

#[test]
fn every_field_of_a_change_that_is_missing_or_wrong_is_named() {
    let body = r#"{"entity":"order","id":"o-1","payload":{}}"#;
    let fields = Fields::read(body.as_bytes()).unwrap();
    let id = "must be an integer or a non-empty string";
    for name in ["entity", "id", "payload"] {
        assert_eq!(change(&fields.without(&[name])), Err(format!("{name} is missing")));
    }
    for (name, value, told) in [
        ("entity", "\"orders\"", "entity must be one of order, customer".to_owned()),
        ("entity", "null", "entity must be one of order, customer".into()),
        ("id", "null", format!("id {id}")),
        ("id", "\"\"", format!("id {id}")),
        ("id", "1.0", format!("id {id}")),
        ("id", r#""a\u0000""#, format!("id {id}")),
        ("payload", "[]", "payload must be an object".into()),
        ("payload", "null", "payload must be an object".into()),
        ("payload", "\"{}\"", "payload must be an object".into()),
        ("tenant", "[]", format!("tenant {id}")),
        ("tenant", "{}", format!("tenant {id}")),
    ] {
        assert_eq!(change(&fields.with(&[(name, value)])), Err(told), "{value}");
    }
    assert_eq!(change(&fields.with(&[("tenant", "null")])).map(|change| change.tenant), Ok(None));
    let twice = fields.with(&[("payload", r#"{"a":{"b":1,"b":2}}"#)]);
    assert_eq!(change(&twice), Err("b is given twice".into()));
    let endless = fields.with(&[("payload", r#"{"total":1e999}"#)]);
    assert!(change(&endless).unwrap_err().starts_with("payload cannot be read: number out of range"));
}

#[test]
fn confirmations_come_as_ids_or_with_the_version_they_are_for() {
    use Entity::{Customer, Order};
    for body in ["", " \n", "{}", r#"{"confirmedOrders":[],"confirmedCustomerIds":null,"more":1}"#] {
        assert_eq!(confirmations(body), Ok(vec![]), "{body}");
    }
    let body = r#"{
        "confirmedOrders":["o-1",7,{"orderId":"o-2","version":7},{"id":"o-3","orderId":null},{"id":"o-4","orderId":"o-4","total":1.5}],
        "confirmedCustomerIds":["c-1",{"customerId":3,"version":null},{"id":"c-4","version":-1}]}"#;
    assert_eq!(
        confirmations(body),
        Ok(vec![
            confirmed(Order, "o-1", None),
            confirmed(Order, "7", None),
            confirmed(Order, "o-2", Some(7)),
            confirmed(Order, "o-3", None),
            confirmed(Order, "o-4", None),
            confirmed(Customer, "c-1", None),
            confirmed(Customer, "3", None),
            confirmed(Customer, "c-4", Some(-1)),
        ])
    );
}

#[test]
fn a_confirmation_that_is_none_is_named_by_its_place() {
    for (list, told) in [
        (r#""confirmedOrders":"o-1""#, "confirmedOrders must be an array"),
        (r#""confirmedOrders":{"orderId":"o-1"}"#, "confirmedOrders must be an array"),
        (r#""confirmedOrders":["o-1",null]"#, "confirmedOrders[1] must be an id or an object with an id"),
        (r#""confirmedOrders":[1.5]"#, "confirmedOrders[0] must be an id or an object with an id"),
        (r#""confirmedOrders":[["o-1"]]"#, "confirmedOrders[0] must be an id or an object with an id"),
        (r#""confirmedOrders":[{}]"#, "confirmedOrders[0].orderId is missing"),
        (r#""confirmedOrders":[{"customerId":"c"}]"#, "confirmedOrders[0].orderId is missing"),
        (r#""confirmedOrders":[{"orderId":null}]"#, "confirmedOrders[0].orderId is missing"),
        (
            r#""confirmedOrders":[{"orderId":""}]"#,
            "confirmedOrders[0].orderId must be an integer or a non-empty string",
        ),
        (r#""confirmedOrders":[{"orderId":"a","id":"b"}]"#, "confirmedOrders[0].orderId and id differ"),
        (r#""confirmedCustomerIds":[{"version":1}]"#, "confirmedCustomerIds[0].customerId is missing"),
        (r#""confirmedCustomerIds":[{"id":"a","version":"1"}]"#, "confirmedCustomerIds[0].version must be an integer"),
        (r#""confirmedCustomerIds":[{"id":"a","version":1.0}]"#, "confirmedCustomerIds[0].version must be an integer"),
        (
            r#""confirmedCustomerIds":[{"id":"a","version":9223372036854775808}]"#,
            "confirmedCustomerIds[0].version must be a version that was handed out",
        ),
    ] {
        assert_eq!(confirmations(&format!("{{{list}}}")), Err(told.to_owned()));
    }
    assert_eq!(confirmations("[]"), Err("the body must be an object".into()));
}

#[test]
fn an_entry_is_the_stored_object_with_its_id_and_version() {
    use Entity::{Customer, Order};
    let entries = [
        entry(Order, "o-2", 9, r#"{"total": 45.50,"version":"mine","lines":[1.0]}"#),
        entry(Customer, "c-1", 3, r#"{"name":"\u00d1ica"}"#),
        entry(Order, "o\"1", 8, "{}"),
        entry(Order, "7", 1, r#"{"a":1,"id":7}"#),
        entry(Order, "7", 2, r#"{"id":8,"a":1}"#),
    ];
    let orders = r#"{"total":45.50,"version":9,"lines":[1.0],"id":"o-2"},{"id":"o\"1","version":8},{"a":1,"id":7,"version":1},{"id":"7","a":1,"version":2}"#;
    let customers = r#"{"name":"\u00d1ica","id":"c-1","version":3}"#;
    assert_eq!(
        encode_pull(&entries).unwrap(),
        format!(r#"{{"pending_orders":[{orders}],"updated_customers":[{customers}]}}"#)
    );
    assert_eq!(encode_orders_pending(&entries).unwrap(), format!(r#"{{"count":4,"orders":[{orders}]}}"#));
    assert_eq!(encode_pull(&[]).unwrap(), r#"{"pending_orders":[],"updated_customers":[]}"#);
    assert_eq!(encode_orders_pending(&[]).unwrap(), r#"{"count":0,"orders":[]}"#);
}

#[test]
fn what_was_pulled_can_be_sent_back_as_its_confirmation() {
    let pulled = encode_pull(&[entry(Entity::Order, "7", 4, r#"{"id":7,"total":1}"#)]).unwrap();
    let pulled: Value = serde_json::from_str(&pulled).unwrap();
    let body = json!({"confirmedOrders": pulled["pending_orders"]}).to_string();
    assert_eq!(confirmations(&body), Ok(vec![confirmed(Entity::Order, "7", Some(4))]));
}

#[test]
fn a_stored_payload_that_is_no_object_is_said_to_be_so() {
    let error = encode_pull(&[entry(Entity::Customer, "c\n1", 1, "[]")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"the stored payload of customer "c\n1" cannot be read: the body must be an object"#
    );
}
