//! An id has one spelling: spelling it a second time changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::model::{IdType, MAX_ID_BYTES};

fuzz_target!(|text: &str| {
    for id_type in [IdType::Uuid, IdType::Text, IdType::Int2, IdType::Int4, IdType::Int8] {
        let Some(id) = id_type.canonical(text) else { continue };
        assert!(!id.is_empty() && id.len() <= MAX_ID_BYTES && !id.chars().any(char::is_control));
        assert_eq!(id_type.canonical(&id).as_ref(), Some(&id));
        assert_eq!(id_type.parse(text), id_type.parse(&id));
    }
});
