//! Which version of its words a client asks for: `?v=`.
//!
//! Must not know the words.

/// A version of what clients are told and may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wording {
    /// What a client gets that asks for nothing.
    #[default]
    First,
    /// Every message says of what it is, and every question has its answer.
    Second,
}

impl Wording {
    /// The version of this number, or the greatest there is below it; `None` if it is no whole number from 1.
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        match text {
            _ if !is_number || text.starts_with('0') => None,
            "1" => Some(Self::First),
            _ => Some(Self::Second),
        }
    }

    pub fn number(self) -> u8 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_whole_number_and_a_greater_one_is_the_greatest_there_is() {
        assert_eq!(Wording::parse("1"), Some(Wording::First));
        for greater in ["2", "3", "10", "99999999999999999999999"] {
            assert_eq!(Wording::parse(greater), Some(Wording::Second), "{greater}");
        }
        for none in ["", "0", "02", "-1", "+2", "2.0", "2e0", " 2", "2 ", "two", "\u{662}"] {
            assert_eq!(Wording::parse(none), None, "{none}");
        }
    }
}
