//! What nodes say to each other of figures.
//!
//! Whoever reads it may be older or newer than who wrote, and anybody may have written anything. Must not know how it
//! travels.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::model::{Figures, Version};

/// Figures as another node has read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) version: Version,
    /// The business's day that they are of.
    pub(super) day: Date,
    /// When they were read, in Unix seconds.
    pub(super) second: i64,
    pub(super) figures: Figures,
}

#[derive(Serialize, Deserialize)]
struct Words {
    era: i64,
    completed: u64,
    day: String,
    second: i64,
    total_citas: i64,
    citas_hoy: i64,
    citas_completadas: i64,
    citas_canceladas: i64,
}

impl Told {
    pub(super) fn write(&self) -> String {
        let Figures { citas_hoy, total_citas, citas_completadas, citas_canceladas } = self.figures;
        let words = Words {
            era: self.version.era(),
            completed: self.version.completed(),
            day: self.day.to_string(),
            second: self.second,
            total_citas,
            citas_hoy,
            citas_completadas,
            citas_canceladas,
        };
        // Numbers and one text always serialise; of what is empty nobody takes anything.
        serde_json::to_string(&words).unwrap_or_default()
    }

    /// `None` where it says nothing that could be shown.
    pub(super) fn read(said: &str) -> Option<Self> {
        let words: Words = serde_json::from_str(said).ok()?;
        let Words { total_citas, citas_hoy, citas_completadas, citas_canceladas, .. } = words;
        let figures = Figures { citas_hoy, total_citas, citas_completadas, citas_canceladas };
        let is_count = [total_citas, citas_hoy, citas_completadas, citas_canceladas].iter().all(|count| *count >= 0);
        let version = Version::new(words.era, words.completed)?;
        let day = words.day.parse().ok()?;
        is_count.then_some(Self { version, day, second: words.second, figures })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn what_is_said_is_understood_and_what_is_not_is_left() {
        let version = Version::new(1_800_000_000_000_000, 77).unwrap();
        let figures = Figures { citas_hoy: 1, total_citas: 9, citas_completadas: 3, citas_canceladas: 2 };
        let told = Told { version, day: date(2026, 3, 1), second: 1_772_000_000, figures };
        let said = told.write();
        assert_eq!(Told::read(&said), Some(told));
        assert_eq!(Told::read(&said.replacen('{', "{\"later\":1,", 1)), Some(told), "a newer node says more");
        for wrong in ["", "{}", "null", &said.replace(":9", ":-9"), &said.replace(":77", ":-77"), &said[..20]] {
            assert_eq!(Told::read(wrong), None, "{wrong}");
        }
    }
}
