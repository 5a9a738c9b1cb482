//! Files of certificates: the authorities that a server of the operator's own is signed by.

use std::path::PathBuf;

use crate::config::reader::{Reader, quote};
use crate::trust;

/// The file that `variable` names; `None`, and a mistake, if nobody can be trusted by it.
pub(super) fn authority(reader: &mut Reader<'_>, variable: &'static str) -> Option<PathBuf> {
    let path = PathBuf::from(reader.text(variable)?);
    match trust::named(&path) {
        Ok(_) => Some(path),
        Err(unnamed) => {
            let shown = quote(&path.to_string_lossy());
            reader.mistake(variable, format!("{shown} {unnamed}"), "Name a readable PEM file");
            None
        }
    }
}
