//! The triggers of live queries' `hints`, an option: each tells which keys of one table's column a statement has touched.
//! Only [`super::Store::change_hints`] creates or removes them.
//!
//! Must not know a database's dialect, nor who listens.

/// Longest subject, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 63;

/// One of `pulso migrate --listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HintTrigger {
    /// As SQL would name it, with its schema or without.
    pub table: String,
    /// The very name of the column that the keys are in.
    pub column: String,
    pub subject: String,
    /// `HINTS_CHANNEL`.
    pub channel: String,
}

/// What is to become of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintChange {
    /// Install it, or install it anew.
    Create,
    Remove,
}

impl HintTrigger {
    /// What is wrong with the subject, if anything.
    pub fn mistake(&self) -> Option<String> {
        let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || b"_.-".contains(&letter);
        let is_fit = (1..=MAX_SUBJECT_BYTES).contains(&self.subject.len()) && self.subject.bytes().all(is_plain);
        (!is_fit).then(|| {
            format!(
                "{:?} is no subject: write letters, digits, _, . and -, at most {MAX_SUBJECT_BYTES}",
                self.subject.chars().take(80).collect::<String>()
            )
        })
    }
}
