//! What clients are told of a read, by the feed whose channel it is.
//!
//! Must not know what is asked of a database.

use crate::feeds::appointments::words;
use crate::model::{Channel, Figures};

/// `second`: Unix seconds of the read.
pub(super) fn frame(channel: &Channel, figures: &Figures, second: i64, seq: u64) -> String {
    match channel {
        Channel::Estadisticas(negocio) => words::stats(negocio, figures, second, seq),
        // Nothing else is read.
        _ => String::new(),
    }
}
