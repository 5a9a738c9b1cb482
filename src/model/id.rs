//! The ids of the domain and the one place where text becomes an id.
//!
//! Owns the canonical form of an id: two spellings of one id compare equal after [`IdType::parse`].
//! Must not know where ids come from (socket, hook, token) nor how a query binds them.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Longest id accepted, in bytes. Longer text is no id of any column type.
pub const MAX_ID_BYTES: usize = 200;

/// An id as a shared text, told apart by its type.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(id: &str) -> Self {
                Self(id.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

id!(
    /// A business. What a peer says becomes one by [`IdType::parse`] or [`NegocioId::named`] only.
    NegocioId
);
id!(
    /// A user. What a token or a call says becomes one by [`UserId::named`] only.
    UserId
);
id!(
    /// A restaurant of the orders' feed; see [`RestauranteId::named`].
    RestauranteId
);
id!(
    /// A clinic's kiosk, as the database prints its id.
    DeviceId
);
id!(
    /// A customer of order synchronisation, as `CLOUD_API_KEYS` names it; empty where there is only one.
    Tenant
);

impl NegocioId {
    /// The business that a token or a call names, for feeds whose businesses need not be in the database: one spelling
    /// of it, whatever the id column is and whether it is known yet. A uuid is the same in upper and lower case and
    /// without its hyphens; everything else is told apart by letter, as text is.
    pub fn named(raw: &str) -> Option<Self> {
        named(raw).as_deref().map(Self::new)
    }
}

impl UserId {
    /// The user that a token or a call names. A uuid is one id however a uuid column could be told it; every other name
    /// counts to the letter.
    pub fn named(raw: &str) -> Self {
        match Uuid::try_parse(raw) {
            Ok(id) => Self::new(id.hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Err(_) => Self::new(raw),
        }
    }
}

impl RestauranteId {
    /// The restaurant that a token or a call names. A uuid is the same in upper and lower case.
    pub fn named(raw: &str) -> Option<Self> {
        named(raw).as_deref().map(Self::new)
    }
}

fn named(raw: &str) -> Option<String> {
    IdType::Uuid.canonical(raw).or_else(|| IdType::Text.canonical(raw))
}

/// The type of an id column, read from the database at first contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdType {
    Uuid,
    Text,
    /// `char(n)`: text whose spaces at the end are padding.
    Char,
    Int2,
    Int4,
    Int8,
}

impl IdType {
    /// The type as SQL calls it.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Text => "text",
            Self::Char => "char",
            Self::Int2 => "smallint",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
        }
    }

    /// `raw` as an id of this column, or `None` if the column cannot hold it.
    pub fn parse(self, raw: &str) -> Option<NegocioId> {
        self.canonical(raw).as_deref().map(NegocioId::new)
    }

    /// `raw` spelt as a column of this type prints it: lower-case hyphenated uuid, plain decimal, text unchanged.
    pub fn canonical(self, raw: &str) -> Option<String> {
        if raw.is_empty() || raw.len() > MAX_ID_BYTES || raw.chars().any(char::is_control) {
            return None;
        }
        match self {
            Self::Uuid => Uuid::try_parse(raw).ok().map(|id| id.hyphenated().to_string()),
            Self::Text => Some(raw.to_owned()),
            Self::Char => Some(raw.trim_end_matches(' ').to_owned()).filter(|id| !id.is_empty()),
            Self::Int2 => raw.parse::<i16>().ok().map(|id| id.to_string()),
            Self::Int4 => raw.parse::<i32>().ok().map(|id| id.to_string()),
            Self::Int8 => raw.parse::<i64>().ok().map(|id| id.to_string()),
        }
    }

    pub fn is_integer(self) -> bool {
        matches!(self, Self::Int2 | Self::Int4 | Self::Int8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_uuid_is_the_same_negocio() {
        let upper = IdType::Uuid.parse("9F1C2B3A-0000-4000-8000-00000000ABCD");
        let lower = IdType::Uuid.parse("9f1c2b3a-0000-4000-8000-00000000abcd");
        assert!(upper.is_some());
        assert_eq!(upper, lower);
    }

    #[test]
    fn a_user_whose_id_is_a_uuid_is_one_user_however_it_is_spelt() {
        let ana = UserId::named("9f1c2b3a-0000-4000-8000-00000000abcd");
        for spelling in [
            "9F1C2B3A-0000-4000-8000-00000000ABCD",
            "9f1c2b3a000040008000 00000000abcd".replace(' ', "").as_str(),
            "{9f1c2b3a-0000-4000-8000-00000000abcd}",
            "urn:uuid:9F1C2B3A-0000-4000-8000-00000000abcd",
        ] {
            assert_eq!(UserId::named(spelling), ana, "{spelling}");
        }
        for other in ["9f1c2b3a-0000-4000-8000-00000000abce", " 9f1c2b3a-0000-4000-8000-00000000abcd", "Ana", "007"] {
            assert_eq!(UserId::named(other).as_str(), other);
        }
        assert_ne!(UserId::named("Ana"), UserId::named("ana"));
    }

    #[test]
    fn integers_compare_by_value_and_text_by_letter() {
        assert_eq!(IdType::Int4.parse("007"), IdType::Int4.parse("7"));
        assert_ne!(IdType::Text.parse("007"), IdType::Text.parse("7"));
    }

    #[test]
    fn a_business_of_the_events_has_one_spelling_before_and_after_the_first_contact() {
        let lower = NegocioId::named("9f1c2b3a-0000-4000-8000-00000000abcd");
        assert_eq!(NegocioId::named("9F1C2B3A-0000-4000-8000-00000000ABCD"), lower);
        assert_eq!(NegocioId::named("9f1c2b3a00004000800000000000abcd"), lower);
        assert_ne!(NegocioId::named("007"), NegocioId::named("7"), "two businesses of a text column");
    }

    #[test]
    fn padding_is_no_part_of_an_id() {
        assert_eq!(IdType::Char.parse("centro  "), IdType::Char.parse("centro"));
        assert_ne!(IdType::Text.parse("centro  "), IdType::Text.parse("centro"));
        assert_eq!(IdType::Char.parse("   "), None);
    }

    #[test]
    fn what_the_column_cannot_hold_is_no_id() {
        assert_eq!(IdType::Uuid.parse("negocio_123"), None);
        assert_eq!(IdType::Int2.parse("40000"), None);
        assert_eq!(IdType::Int8.parse("1e3"), None);
        assert_eq!(IdType::Text.parse(""), None);
        assert_eq!(IdType::Text.parse("a\nb"), None);
        assert_eq!(IdType::Text.parse(&"x".repeat(MAX_ID_BYTES + 1)), None);
    }
}
