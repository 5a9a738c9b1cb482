//! The point of sale: what the shop's back end calls, and what every screen of the business is told on `/ws`.
//!
//! The wire is fixed by the product's contract. Must not know which screens may see a business.

use crate::json::{BadBody, Field, Fields, quoted};

/// What happened in the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Venta,
    Producto,
    Promocion,
    Mesa,
}

/// An event as it came by a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PosEvent {
    /// The business that the caller names.
    pub negocio: Option<String>,
    /// The event's object, without the business.
    pub data: String,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Venta, Self::Producto, Self::Promocion, Self::Mesa];

    /// The hook's path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Venta => "/notify/venta",
            Self::Producto => "/notify/producto",
            Self::Promocion => "/notify/promocion",
            Self::Mesa => "/notify/mesa",
        }
    }

    /// The event's `type` on the wire.
    pub const fn wire(self) -> &'static str {
        match self {
            Self::Venta => "newSale",
            Self::Producto => "updateProduct",
            Self::Promocion => "updatePromotion",
            Self::Mesa => "updateTable",
        }
    }
}

/// The body of a hook: the event's object and perhaps `negocio_id`. Fields that the contract doesn't name pass.
pub fn decode(kind: Kind, body: &[u8]) -> Result<PosEvent, BadBody> {
    let fields = Fields::read(body)?;
    match kind {
        Kind::Venta => {
            fields.required("saleId")?.id()?;
            id_or_null(&fields, "tableId")?;
            fields.required("total")?.money()?;
            fields.required("timestamp")?.any_text()?;
        }
        Kind::Producto => {
            fields.required("productId")?.id()?;
            fields.required("action")?.any_text()?;
            fields.optional("newStock").as_ref().map(Field::number).transpose()?;
        }
        Kind::Promocion => {
            fields.required("promotionId")?.id()?;
            fields.required("action")?.any_text()?;
            fields.optional("enabled").as_ref().map(Field::flag).transpose()?;
        }
        Kind::Mesa => {
            id_or_null(&fields, "tableId")?;
            fields.required("action")?.any_text()?;
            fields.optional("status").as_ref().map(Field::any_text).transpose()?;
        }
    }
    let negocio = fields.optional("negocio_id").as_ref().map(Field::id).transpose()?;
    Ok(PosEvent { negocio, data: fields.without(&["negocio_id"]) })
}

/// The message that screens are sent. `data` is [`PosEvent::data`]; `timestamp` is ISO 8601 in UTC.
pub fn encode(kind: Kind, data: &str, timestamp: &str) -> String {
    format!(r#"{{"type":"{}","data":{data},"timestamp":{}}}"#, kind.wire(), quoted(timestamp))
}

/// A sale across the counter has no table.
fn id_or_null(fields: &Fields<'_>, name: &str) -> Result<(), BadBody> {
    let Some(field) = fields.required(name)?.or_null() else { return Ok(()) };
    match field.id() {
        Ok(_) => Ok(()),
        Err(_) => Err(field.must_be("an integer, a non-empty string or null")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::json::tests::with;

    const VENTA: &str = r#"{"saleId":123,"tableId":5,"total":45.50,"timestamp":"2025-07-20T10:30:00Z"}"#;
    const PRODUCTO: &str = r#"{"productId":456,"action":"stock_updated","newStock":25}"#;
    const PROMOCION: &str = r#"{"promotionId":789,"action":"status_changed","enabled":true}"#;
    const MESA: &str = r#"{"tableId":12,"action":"status_changed","status":"occupied"}"#;
    const EACH: [(Kind, &str); 4] =
        [(Kind::Venta, VENTA), (Kind::Producto, PRODUCTO), (Kind::Promocion, PROMOCION), (Kind::Mesa, MESA)];

    fn refused(kind: Kind, body: &str) -> String {
        decode(kind, body.as_bytes()).expect_err(body).to_string()
    }

    #[test]
    fn each_event_of_the_contract_comes_out_as_it_went_in() {
        for (kind, body) in EACH {
            let event = decode(kind, body.as_bytes()).unwrap();
            assert_eq!(event, PosEvent { negocio: None, data: body.to_owned() });
        }
        assert_eq!(
            encode(Kind::Venta, VENTA, "2025-07-20T10:30:00Z"),
            format!(r#"{{"type":"newSale","data":{VENTA},"timestamp":"2025-07-20T10:30:00Z"}}"#)
        );
    }

    #[test]
    fn money_keeps_its_decimals_and_unknown_fields_pass_in_their_order() {
        let body = r#"{"z":[1.0, 2],"total":45.50,"negocio_id":7,"saleId":"v-1","tableId":null,
            "timestamp":"t","tip":"0.10","tax":1.2300000000000000000001}"#;
        let event = decode(Kind::Venta, body.as_bytes()).unwrap();
        assert_eq!(event.negocio.as_deref(), Some("7"));
        assert_eq!(
            event.data,
            r#"{"z":[1.0, 2],"total":45.50,"saleId":"v-1","tableId":null,"timestamp":"t","tip":"0.10","tax":1.2300000000000000000001}"#
        );
        let message: Value = serde_json::from_str(&encode(Kind::Venta, &event.data, "\"\n")).unwrap();
        assert_eq!((&message["data"]["tip"], &message["timestamp"]), (&json!("0.10"), &json!("\"\n")));
    }

    #[test]
    fn what_may_be_left_out_may_be_left_out() {
        for (kind, body, name) in [
            (Kind::Producto, PRODUCTO, "newStock"),
            (Kind::Promocion, PROMOCION, "enabled"),
            (Kind::Mesa, MESA, "status"),
        ] {
            assert!(decode(kind, with(body, name, "").as_bytes()).is_ok(), "{name}");
            let null = with(body, name, "null");
            assert_eq!(decode(kind, null.as_bytes()).unwrap(), PosEvent { negocio: None, data: null });
        }
    }

    #[test]
    fn every_required_field_is_named_when_it_is_missing() {
        for (kind, body, names) in [
            (Kind::Venta, VENTA, &["saleId", "tableId", "total", "timestamp"][..]),
            (Kind::Producto, PRODUCTO, &["productId", "action"]),
            (Kind::Promocion, PROMOCION, &["promotionId", "action"]),
            (Kind::Mesa, MESA, &["tableId", "action"]),
        ] {
            for name in names {
                assert_eq!(refused(kind, &with(body, name, "")), format!("{name} is missing"));
            }
        }
    }

    #[test]
    fn every_field_of_a_wrong_type_is_named_with_what_it_must_be() {
        let id = "an integer or a non-empty string";
        let table = "an integer, a non-empty string or null";
        let money = "a number or a decimal string";
        for (kind, body, name, must_be, values) in [
            (Kind::Venta, VENTA, "saleId", id, &["null", "1.5", "\"\"", "true", "[]", "1e3", r#""a\u0000b""#][..]),
            (Kind::Venta, VENTA, "tableId", table, &["false", "{}", "\"\"", "2.0", "-0"]),
            (Kind::Venta, VENTA, "total", money, &["null", "\"1e3\"", "\"caro\"", "\"\"", "[45.5]", "true"]),
            (Kind::Venta, VENTA, "timestamp", "a string", &["null", "1690000000", "{}"]),
            (Kind::Producto, PRODUCTO, "productId", id, &["null", "{}"]),
            (Kind::Producto, PRODUCTO, "action", "a string", &["null", "1"]),
            (Kind::Producto, PRODUCTO, "newStock", "a number", &["\"25\"", "true"]),
            (Kind::Promocion, PROMOCION, "promotionId", id, &["null", "[]"]),
            (Kind::Promocion, PROMOCION, "action", "a string", &["null", "[]"]),
            (Kind::Promocion, PROMOCION, "enabled", "true or false", &["1", "\"true\""]),
            (Kind::Mesa, MESA, "tableId", table, &["[]", "\" \""]),
            (Kind::Mesa, MESA, "action", "a string", &["{}", "0"]),
            (Kind::Mesa, MESA, "status", "a string", &["2", "{}"]),
            (Kind::Mesa, MESA, "negocio_id", id, &["\"\"", "1.5", "[\"a\"]", "true"]),
        ] {
            for value in values {
                assert_eq!(refused(kind, &with(body, name, value)), format!("{name} must be {must_be}"), "{value}");
            }
        }
    }

    #[test]
    fn a_second_total_or_an_endless_one_is_refused_by_name() {
        let twice = VENTA.replace('}', r#","\u0074otal":1}"#);
        assert_eq!(refused(Kind::Venta, &twice), "total is given twice");
        let endless = VENTA.replace("45.50", "1e999");
        assert!(refused(Kind::Venta, &endless).starts_with("total cannot be read: number out of range"));
    }
}
