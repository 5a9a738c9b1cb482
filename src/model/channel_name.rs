//! A channel as a client names it: `estadisticas:<negocio>`, `consulta:<name>:<key>` or `canal:<negocio>:<name>`.
//!
//! Must not know whether there is such a business, nor how its id is spelt in the database.

use std::fmt;

use super::MAX_ID_BYTES;

const ESTADISTICAS: &str = "estadisticas:";
const CONSULTA: &str = "consulta:";
const CANAL: &str = "canal:";
/// Longest name of a channel, and of a type.
pub const MAX_NAME_CHARS: usize = 64;

/// A channel as a client names it, the business as the client spells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ChannelName {
    Estadisticas(String),
    /// Whatever stands for a query's name, and for a key behind the first colon.
    Consulta {
        query: String,
        key: Option<String>,
    },
    Canal {
        negocio: String,
        name: String,
    },
}

impl ChannelName {
    /// `estadisticas:<negocio>`, `consulta:<name>`, `consulta:<name>:<key>` or `canal:<negocio>:<name>`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(named) = text.strip_prefix(CONSULTA) {
            // The first colon: a key may have some, and a query's name has none.
            let (query, key) =
                named.split_once(':').map_or((named, None), |(query, key)| (query, Some(key.to_owned())));
            return (!named.is_empty()).then(|| Self::Consulta { query: query.to_owned(), key });
        }
        match text.strip_prefix(ESTADISTICAS) {
            Some(negocio) => (!negocio.is_empty()).then(|| Self::Estadisticas(negocio.to_owned())),
            None => parse_canal(text)
                .map(|(negocio, name)| Self::Canal { negocio: negocio.to_owned(), name: name.to_owned() }),
        }
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Estadisticas(negocio) => write!(f, "{ESTADISTICAS}{negocio}"),
            Self::Consulta { query, key: None } => write!(f, "{CONSULTA}{query}"),
            Self::Consulta { query, key: Some(key) } => write!(f, "{CONSULTA}{query}:{key}"),
            Self::Canal { negocio, name } => write!(f, "{CANAL}{negocio}:{name}"),
        }
    }
}

/// The business and the name of a channel that is spelt `canal:<negocio>:<name>`.
pub fn parse_canal(channel: &str) -> Option<(&str, &str)> {
    // The last colon: a business's id may have some.
    let (negocio, name) = channel.strip_prefix(CANAL)?.rsplit_once(':')?;
    (may_be_id(negocio) && is_name(name, "_.-")).then_some((negocio, name))
}

/// Whether a text can be an id of anything.
pub fn may_be_id(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_ID_BYTES && !text.chars().any(char::is_control)
}

/// 1 to [`MAX_NAME_CHARS`] letters, digits and `signs`.
pub fn is_name(text: &str, signs: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || signs.contains(letter);
    (1..=MAX_NAME_CHARS).contains(&text.len()) && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_channel_is_named_in_one_way_only(text in prop_oneof![
            ".{0,20}",
            "(estadisticas|consulta|canal)(:[0-9a-z:]{0,12})?",
        ]) {
            if let Some(name) = ChannelName::parse(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
