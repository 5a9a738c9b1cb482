//! Clinic orders: what the clinic's API calls, and what its staff and the kiosk that ordered are told.
//!
//! The wire is fixed by the product's contract. Must not know which device is active, nor who is staff.

use crate::json::{BadBody, Field, Fields, Problem, write};
use crate::model::DeviceName;

/// What an order can be.
pub const STATUSES: [&str; 5] = ["PLACED", "PREPARING", "READY", "DELIVERED", "CANCELLED"];

pub const NEW_ORDER: &str = "new_order";
pub const STATUS_CHANGED: &str = "order_status_changed";

/// An order has come in: for the staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// The clinic that the caller names.
    pub negocio: Option<String>,
    /// What the staff is sent.
    pub message: String,
}

/// An order is somewhere else now: for the device that ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    pub device: DeviceName,
    /// What the device is sent.
    pub message: String,
}

/// The body of `POST /notify/pedido`.
pub fn decode_new_order(body: &[u8]) -> Result<NewOrder, BadBody> {
    let fields = Fields::read(body)?;
    check_type(&fields, NEW_ORDER)?;
    let (order, device, placed_at) =
        (fields.required("order_id")?, fields.required("device_uid")?, fields.required("placed_at")?);
    order.integer()?;
    device.text_id()?;
    placed_at.any_text()?;
    let room = fields.optional("room_code");
    if let Some(room) = &room {
        room.any_text().map_err(|_| room.must_be("a string or null"))?;
    }
    let negocio = fields.optional("negocio_id").as_ref().map(Field::id).transpose()?;
    let message = write([
        ("type", r#""new_order""#),
        ("order_id", order.raw()),
        ("room_code", room.as_ref().map_or("null", Field::raw)),
        ("device_uid", device.raw()),
        ("placed_at", placed_at.raw()),
    ]);
    Ok(NewOrder { negocio, message })
}

/// The body of `POST /notify/pedido/estado`.
pub fn decode_status_change(body: &[u8]) -> Result<StatusChange, BadBody> {
    let fields = Fields::read(body)?;
    check_type(&fields, STATUS_CHANGED)?;
    let device = match (fields.optional("device_uid"), fields.optional("device_id")) {
        (Some(uid), None) => DeviceName::Uid(uid.text_id()?),
        (None, Some(id)) => DeviceName::Id(id.id()?),
        (None, None) => return Err(fields.wrong("device_uid", Problem::Rule("or device_id is missing"))),
        (Some(_), Some(_)) => return Err(fields.wrong("device_uid", Problem::Rule("and device_id exclude each other"))),
    };
    let (order, status, from_status, changed_at) = (
        fields.required("order_id")?,
        fields.required("status")?,
        fields.required("from_status")?,
        fields.required("changed_at")?,
    );
    order.integer()?;
    status.one_of(&STATUSES)?;
    from_status.one_of(&STATUSES)?;
    changed_at.any_text()?;
    let message = write([
        ("type", r#""order_status_changed""#),
        ("order_id", order.raw()),
        ("status", status.raw()),
        ("from_status", from_status.raw()),
        ("changed_at", changed_at.raw()),
    ]);
    Ok(StatusChange { device, message })
}

/// A body may say what it is, as its message does.
fn check_type(fields: &Fields<'_>, wanted: &'static str) -> Result<(), BadBody> {
    fields.optional("type").map_or(Ok(()), |said| said.one_of(&[wanted]).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::tests::with;

    const ORDER: &str = r#"{"type":"new_order","order_id":123,"room_code":"101","device_uid":"ipad-room-101","placed_at":"2025-01-15T14:30:00.000Z"}"#;
    const CHANGE: &str = r#"{"type":"order_status_changed","order_id":123,"status":"READY","from_status":"PREPARING","changed_at":"2025-01-15T14:35:00.000Z"}"#;

    fn order(body: &str) -> Result<NewOrder, String> {
        decode_new_order(body.as_bytes()).map_err(|error| error.to_string())
    }

    fn change(body: &str) -> Result<StatusChange, String> {
        decode_status_change(body.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_order_is_told_in_exactly_the_contracts_words() {
        let wanted = NewOrder { negocio: None, message: ORDER.to_owned() };
        assert_eq!(order(ORDER).unwrap(), wanted);
        for name in ["type", "negocio_id"] {
            for absent in ["", "null"] {
                assert_eq!(order(&with(ORDER, name, absent)).unwrap(), wanted, "{name} {absent}");
            }
        }
        let more = with(&with(ORDER, "patient", "\"Ana\""), "negocio_id", "\"clinica\"");
        assert_eq!(order(&more).unwrap(), NewOrder { negocio: Some("clinica".into()), ..wanted });
        for room in ["", "null"] {
            assert_eq!(order(&with(ORDER, "room_code", room)).unwrap().message, ORDER.replace("\"101\"", "null"));
        }
    }

    #[test]
    fn what_was_cut_in_the_middle_of_a_character_is_passed_on_as_it_came() {
        let cut = with(ORDER, "room_code", r#""101 \ud83d""#);
        assert_eq!(order(&cut).unwrap().message, cut);
        assert!(order(&with(ORDER, "device_uid", r#""\ud83d""#)).is_err());
    }

    #[test]
    fn a_change_is_told_in_exactly_the_contracts_words_to_the_one_device_named() {
        for (name, value, device) in [
            ("device_uid", "\"ipad-room-101\"", DeviceName::Uid("ipad-room-101".into())),
            ("device_id", "7", DeviceName::Id("7".into())),
            ("device_id", "\"d-7\"", DeviceName::Id("d-7".into())),
        ] {
            let told = change(&with(&with(CHANGE, "secret", "1"), name, value)).unwrap();
            assert_eq!(told, StatusChange { device, message: CHANGE.to_owned() });
        }
        for status in STATUSES {
            let body = with(&with(CHANGE, "device_id", "7"), "status", &format!("\"{status}\""));
            assert!(change(&body).unwrap().message.contains(&format!(r#""status":"{status}","from_status""#)));
        }
    }

    #[test]
    fn an_unknown_status_is_told_which_there_are() {
        let body = with(CHANGE, "device_id", "7");
        for name in ["status", "from_status"] {
            for value in ["\"ready\"", "\"LOST\"", "null", "3", "[]", "\"\""] {
                let told = format!("{name} must be one of PLACED, PREPARING, READY, DELIVERED, CANCELLED");
                assert_eq!(change(&with(&body, name, value)), Err(told), "{value}");
            }
        }
    }

    #[test]
    fn a_change_names_exactly_one_device() {
        assert_eq!(change(CHANGE), Err("device_uid or device_id is missing".into()));
        let both = with(&with(CHANGE, "device_id", "7"), "device_uid", "\"a\"");
        assert_eq!(change(&both), Err("device_uid and device_id exclude each other".into()));
        let one = change(&with(&both, "device_id", "null")).unwrap();
        assert_eq!(one.device, DeviceName::Uid("a".into()));
        assert_eq!(change(&with(&both, "device_uid", "null")).unwrap().device, DeviceName::Id("7".into()));
        for value in ["7", "\"\"", "{}", r#""\u0000""#] {
            let told = change(&with(CHANGE, "device_uid", value));
            assert_eq!(told, Err("device_uid must be a non-empty string".into()), "{value}");
        }
        for value in ["1.5", "\" \"", "[]"] {
            let told = change(&with(CHANGE, "device_id", value));
            assert_eq!(told, Err("device_id must be an integer or a non-empty string".into()), "{value}");
        }
    }

    #[test]
    fn every_field_that_is_missing_or_of_a_wrong_type_is_named() {
        for name in ["order_id", "device_uid", "placed_at"] {
            assert_eq!(order(&with(ORDER, name, "")), Err(format!("{name} is missing")));
        }
        let with_device = with(CHANGE, "device_id", "7");
        for name in ["order_id", "status", "from_status", "changed_at"] {
            assert_eq!(change(&with(&with_device, name, "")), Err(format!("{name} is missing")));
        }
        for (name, value, must_be) in [
            ("type", "\"order_status_changed\"", "\"new_order\""),
            ("order_id", "\"123\"", "an integer"),
            ("order_id", "1.5", "an integer"),
            ("order_id", "-0", "an integer"),
            ("order_id", "null", "an integer"),
            ("room_code", "101", "a string or null"),
            ("device_uid", "7", "a non-empty string"),
            ("device_uid", "null", "a non-empty string"),
            ("placed_at", "1736951400", "a string"),
            ("negocio_id", "[7]", "an integer or a non-empty string"),
        ] {
            assert_eq!(order(&with(ORDER, name, value)), Err(format!("{name} must be {must_be}")), "{value}");
        }
        for (name, value, must_be) in [
            ("type", "\"new_order\"", "\"order_status_changed\""),
            ("order_id", "{}", "an integer"),
            ("changed_at", "null", "a string"),
        ] {
            assert_eq!(change(&with(&with_device, name, value)), Err(format!("{name} must be {must_be}")), "{value}");
        }
    }
}
