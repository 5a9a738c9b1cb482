//! The appointment statistics: what the appointments' API calls, and the `stats` message.
//!
//! The wire is fixed by the product's contract. Must not know which ids the database can hold.

use serde::Serialize;

use crate::json::{BadBody, Field, Fields};
use crate::model::{Figures, NegocioId};

const ACTIONS: [&str; 4] = ["created", "updated", "deleted", "status_changed"];

/// Something changed in a business's appointments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub negocio: String,
    /// Spelt as a number, which only a column of numbers may be told.
    pub is_number: bool,
    /// The transaction that made the change, as `pg_current_xact_id()` says it.
    pub xid: Option<u64>,
}

/// The body of `POST /notify/cita`.
pub fn decode(body: &[u8]) -> Result<Notice, BadBody> {
    let fields = Fields::read(body)?;
    let negocio = fields.required("negocio_id")?;
    let xid = fields.optional("xid").as_ref().map(Field::xid).transpose()?;
    let notice = Notice { negocio: negocio.id()?, is_number: negocio.integer().is_ok(), xid };
    if let Some(action) = fields.optional("action") {
        action.one_of(&ACTIONS)?;
    }
    Ok(notice)
}

/// A `stats` message. `timestamp` is Unix seconds of the read; `seq` grows with every read.
pub fn stats(negocio: &NegocioId, figures: &Figures, timestamp: i64, seq: u64) -> String {
    #[derive(Serialize)]
    struct Message<'a> {
        r#type: &'static str,
        data: Data<'a>,
        seq: u64,
    }
    #[derive(Serialize)]
    struct Data<'a> {
        negocio_id: &'a str,
        citas_hoy: i64,
        total_citas: i64,
        citas_completadas: i64,
        citas_canceladas: i64,
        timestamp: i64,
    }
    // A struct of strings and integers always serialises; an empty object would still be a valid message.
    serde_json::to_string(&Message {
        r#type: "stats",
        data: Data {
            negocio_id: negocio.as_str(),
            citas_hoy: figures.citas_hoy,
            total_citas: figures.total_citas,
            citas_completadas: figures.citas_completadas,
            citas_canceladas: figures.citas_canceladas,
            timestamp,
        },
        seq,
    })
    .unwrap_or_else(|_| "{}".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::IdType;

    #[test]
    fn stats_data_has_exactly_the_six_keys() {
        let negocio = IdType::Text.parse("a\"b").unwrap();
        let figures = Figures { citas_hoy: 12, total_citas: 156, citas_completadas: 142, citas_canceladas: 8 };
        let payload: Value = serde_json::from_str(&stats(&negocio, &figures, 1_234_567_890, 9)).unwrap();
        assert_eq!(
            payload,
            json!({"type":"stats","data":{"negocio_id":"a\"b","citas_hoy":12,"total_citas":156,
                "citas_completadas":142,"citas_canceladas":8,"timestamp":1_234_567_890},"seq":9})
        );
    }
}
