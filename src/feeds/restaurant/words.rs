//! Restaurant orders: what the order service calls, and which Socket.IO events come of it, in which order.
//!
//! Names and payloads are fixed by the product's contract; a payload passes to the letter. Must not know Socket.IO.

use crate::json::{BadBody, Field, Fields, write};

const ORDER_NEW: &str = "order.new";
const ORDER_STATUS_CHANGED: &str = "order.status.changed";
const ITEM_STATUS_CHANGED: &str = "order.item.status.changed";

/// All of them.
pub const EVENTS: [&str; 3] = [ORDER_NEW, ORDER_STATUS_CHANGED, ITEM_STATUS_CHANGED];

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    OrderNew,
    OrderStatus,
    ItemStatus,
}

/// What one call has to say to one restaurant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestaurantEvents {
    pub restaurant: String,
    /// In the order in which they are sent.
    pub emissions: Vec<Emission>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emission {
    pub event: &'static str,
    /// The one argument, as JSON.
    pub payload: String,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::OrderNew, Self::OrderStatus, Self::ItemStatus];

    /// The hook's path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::OrderNew => "/notify/order/new",
            Self::OrderStatus => "/notify/order/status",
            Self::ItemStatus => "/notify/order/item-status",
        }
    }
}

/// The body of a hook: the event's payload.
pub fn decode(kind: Kind, body: &[u8]) -> Result<RestaurantEvents, BadBody> {
    let fields = Fields::read(body)?;
    fields.required("orderId")?.id()?;
    let restaurant = fields.required("restaurantId")?.id()?;
    let payload = fields.raw().to_owned();
    let emissions = match kind {
        Kind::OrderNew => {
            let confirmed = confirmation(&fields)?;
            vec![Emission { event: ORDER_NEW, payload }, Emission { event: ORDER_STATUS_CHANGED, payload: confirmed }]
        }
        Kind::OrderStatus => {
            check_change(&fields)?;
            vec![Emission { event: ORDER_STATUS_CHANGED, payload }]
        }
        Kind::ItemStatus => {
            fields.required("itemId")?.id()?;
            check_change(&fields)?;
            vec![Emission { event: ITEM_STATUS_CHANGED, payload }]
        }
    };
    Ok(RestaurantEvents { restaurant, emissions })
}

/// A new order is also a change of its status, from DRAFT; ids and times are spelt as in the order.
fn confirmation(order: &Fields<'_>) -> Result<String, BadBody> {
    order.required("tableSessionId")?.id()?;
    let (status, created_at) = (order.required("status")?, order.required("createdAt")?);
    status.any_text()?;
    created_at.any_text()?;
    if let Some(items) = order.optional("items") {
        for item in items.array()? {
            let item = item.object()?;
            for name in ["id", "orderId"] {
                item.optional(name).as_ref().map(Field::id).transpose()?;
            }
        }
    }
    Ok(write([
        ("orderId", order.required("orderId")?.raw()),
        ("restaurantId", order.required("restaurantId")?.raw()),
        ("previousStatus", r#""DRAFT""#),
        ("newStatus", status.raw()),
        ("updatedAt", created_at.raw()),
    ]))
}

fn check_change(fields: &Fields<'_>) -> Result<(), BadBody> {
    fields.required("newStatus")?.any_text()?;
    if let Some(previous) = fields.optional("previousStatus") {
        previous.any_text().map_err(|_| previous.must_be("a string or null"))?;
    }
    fields.optional("updatedAt").as_ref().map(Field::any_text).transpose()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::tests::with;

    const NEW: &str = r#"{
  "orderId": "o-1", "restaurantId": "r-1", "tableSessionId": "s-1", "status": "CONFIRMED",
  "items": [{"id": "i-1", "orderId": "o-1", "name": "Hamburguesa", "qty": 2, "unitPrice": "15.50", "notes": null}],
  "createdAt": "2024-01-01T00:00:00.000Z", "total": 31.00
}"#;
    const STATUS: &str = r#"{"orderId":"o-1","restaurantId":"r-1","previousStatus":"DRAFT","newStatus":"CONFIRMED","updatedAt":"2024-01-01T00:00:00.000Z"}"#;
    const ITEM: &str = r#"{"orderId":"o-1","itemId":7,"restaurantId":"r-1","previousStatus":"PENDING","newStatus":"IN_PROGRESS","updatedAt":"2024-01-01T00:00:00.000Z"}"#;
    const EACH: [(Kind, &str); 3] = [(Kind::OrderNew, NEW), (Kind::OrderStatus, STATUS), (Kind::ItemStatus, ITEM)];

    fn refused(kind: Kind, body: &str) -> String {
        decode(kind, body.as_bytes()).expect_err(body).to_string()
    }

    #[test]
    fn a_new_order_is_told_whole_and_then_as_a_change_from_draft() {
        let events = decode(Kind::OrderNew, NEW.as_bytes()).unwrap();
        let confirmed = r#"{"orderId":"o-1","restaurantId":"r-1","previousStatus":"DRAFT","newStatus":"CONFIRMED","updatedAt":"2024-01-01T00:00:00.000Z"}"#;
        assert_eq!(events.restaurant, "r-1");
        assert_eq!(
            events.emissions,
            [
                Emission { event: "order.new", payload: NEW.to_owned() },
                Emission { event: "order.status.changed", payload: confirmed.to_owned() },
            ]
        );
    }

    #[test]
    fn a_change_is_told_once_under_its_own_name_and_to_the_letter() {
        for (kind, body, event) in
            [(Kind::OrderStatus, STATUS, "order.status.changed"), (Kind::ItemStatus, ITEM, "order.item.status.changed")]
        {
            let events = decode(kind, format!("\n{body} ").as_bytes()).unwrap();
            assert_eq!(events.emissions, [Emission { event, payload: body.to_owned() }]);
        }
    }

    #[test]
    fn ids_keep_their_spelling_on_the_wire_and_name_one_restaurant() {
        let body =
            r#"{"orderId":9007199254740993,"restaurantId":42,"tableSessionId":1,"status":"\u0041","createdAt":"t"}"#;
        let events = decode(Kind::OrderNew, body.as_bytes()).unwrap();
        assert_eq!(events.restaurant, "42");
        assert_eq!(
            events.emissions[1].payload,
            r#"{"orderId":9007199254740993,"restaurantId":42,"previousStatus":"DRAFT","newStatus":"\u0041","updatedAt":"t"}"#
        );
        let text = decode(Kind::OrderNew, with(body, "restaurantId", "\"42\"").as_bytes()).unwrap();
        assert_eq!(text.restaurant, "42");
    }

    #[test]
    fn what_may_be_left_out_may_be_left_out() {
        for (kind, body, name, value) in [
            (Kind::OrderNew, NEW, "items", ""),
            (Kind::OrderNew, NEW, "items", "[]"),
            (Kind::OrderNew, NEW, "items", "[{}]"),
            (Kind::OrderNew, NEW, "items", "null"),
            (Kind::OrderNew, NEW, "items", "[{\"id\":null,\"orderId\":null}]"),
            (Kind::OrderNew, NEW, "note", r#""sin cebolla \ud83d""#),
            (Kind::OrderStatus, STATUS, "previousStatus", ""),
            (Kind::OrderStatus, STATUS, "previousStatus", "null"),
            (Kind::ItemStatus, ITEM, "updatedAt", ""),
            (Kind::ItemStatus, ITEM, "updatedAt", "null"),
        ] {
            assert!(decode(kind, with(body, name, value).as_bytes()).is_ok(), "{name} {value}");
        }
    }

    #[test]
    fn every_required_field_is_named_when_it_is_missing() {
        for (kind, body, names) in [
            (Kind::OrderNew, NEW, &["orderId", "restaurantId", "tableSessionId", "status", "createdAt"][..]),
            (Kind::OrderStatus, STATUS, &["orderId", "restaurantId", "newStatus"]),
            (Kind::ItemStatus, ITEM, &["orderId", "restaurantId", "itemId", "newStatus"]),
        ] {
            for name in names {
                assert_eq!(refused(kind, &with(body, name, "")), format!("{name} is missing"));
            }
        }
    }

    #[test]
    fn every_field_of_a_wrong_type_is_named_with_what_it_must_be() {
        let id = "must be an integer or a non-empty string";
        for (kind, body) in EACH {
            for name in ["orderId", "restaurantId"] {
                for value in ["null", "\"\"", "1.5", "[]", "true", r#""\u0000""#] {
                    assert_eq!(refused(kind, &with(body, name, value)), format!("{name} {id}"), "{value}");
                }
            }
        }
        for (kind, body, name, value, told) in [
            (Kind::OrderNew, NEW, "tableSessionId", "null", format!("tableSessionId {id}")),
            (Kind::OrderNew, NEW, "status", "1", "status must be a string".into()),
            (Kind::OrderNew, NEW, "createdAt", "null", "createdAt must be a string".into()),
            (Kind::OrderNew, NEW, "items", "{}", "items must be an array".into()),
            (Kind::OrderNew, NEW, "items", "[{},7]", "items[1] must be an object".into()),
            (Kind::OrderNew, NEW, "items", "[{\"id\":\"\"}]", format!("items[0].id {id}")),
            (Kind::OrderNew, NEW, "items", "[{},{\"orderId\":[]}]", format!("items[1].orderId {id}")),
            (Kind::OrderStatus, STATUS, "newStatus", "null", "newStatus must be a string".into()),
            (Kind::OrderStatus, STATUS, "previousStatus", "1", "previousStatus must be a string or null".into()),
            (Kind::OrderStatus, STATUS, "updatedAt", "1", "updatedAt must be a string".into()),
            (Kind::ItemStatus, ITEM, "itemId", "{}", format!("itemId {id}")),
            (Kind::ItemStatus, ITEM, "newStatus", "[]", "newStatus must be a string".into()),
        ] {
            assert_eq!(refused(kind, &with(body, name, value)), told);
        }
    }
}
