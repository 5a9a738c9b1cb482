//! What nodes say to each other of what they have read.
//!
//! Whoever reads it may be older or newer than who wrote, and anybody may have written anything. Must not know how it
//! travels.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::Answer;
use crate::model::{Channel, Figures, Version};

/// What another node has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) version: Version,
    /// The day that it is of.
    pub(super) day: Date,
    /// When it was read, in Unix seconds.
    pub(super) second: i64,
    pub(super) answer: Answer,
    /// Nobody asked for it: who shows the same need not say it again.
    pub(super) is_quiet: bool,
    /// Of a live query.
    pub(super) live: Option<ToldLive>,
}

/// What is said of a live query beside its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ToldLive {
    /// Of its definition: another one says nothing here.
    pub(super) fingerprint: u64,
    /// For which time it was read.
    pub(super) read_at: Timestamp,
    pub(super) next_change_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct Words {
    era: i64,
    completed: u64,
    day: String,
    second: i64,
    #[serde(default)]
    quiet: bool,
    #[serde(flatten)]
    said: Said,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Said {
    Figures { total_citas: i64, citas_hoy: i64, citas_completadas: i64, citas_canceladas: i64 },
    Live { fingerprint: u64, read: i64, changes: Option<i64>, data: String },
}

impl Told {
    pub(super) fn write(&self) -> String {
        let said = match (&self.answer, self.live) {
            (Answer::Figures(figures), _) => {
                let &Figures { citas_hoy, total_citas, citas_completadas, citas_canceladas } = figures;
                Said::Figures { total_citas, citas_hoy, citas_completadas, citas_canceladas }
            }
            (Answer::Data(data), Some(ToldLive { fingerprint, read_at, next_change_at })) => {
                let (read, changes) = (read_at.as_microsecond(), next_change_at.map(Timestamp::as_microsecond));
                Said::Live { fingerprint, read, changes, data: data.as_ref().to_owned() }
            }
            // Nobody could tell whose it is.
            (Answer::Data(_), None) => return String::new(),
        };
        let (era, completed) = (self.version.era(), self.version.completed());
        let words =
            Words { era, completed, day: self.day.to_string(), second: self.second, quiet: self.is_quiet, said };
        // Numbers and texts always serialise; of what is empty nobody takes anything.
        serde_json::to_string(&words).unwrap_or_default()
    }

    /// `None` where it says nothing that could be shown on this channel.
    pub(super) fn read(channel: &Channel, said: &str) -> Option<Self> {
        let words: Words = serde_json::from_str(said).ok()?;
        let (answer, live) = match (channel, words.said) {
            (
                Channel::Estadisticas(_),
                Said::Figures { total_citas, citas_hoy, citas_completadas, citas_canceladas },
            ) => {
                let is_count =
                    [total_citas, citas_hoy, citas_completadas, citas_canceladas].iter().all(|count| *count >= 0);
                let figures = Figures { citas_hoy, total_citas, citas_completadas, citas_canceladas };
                (is_count.then_some(Answer::Figures(figures))?, None)
            }
            (Channel::Consulta(_), Said::Live { fingerprint, read, changes, data }) => {
                let is_one_line = !data.contains(['\n', '\r']) && serde_json::from_str::<&RawValue>(&data).is_ok();
                let next_change_at = match changes {
                    Some(changes) => Some(Timestamp::from_microsecond(changes).ok()?),
                    None => None,
                };
                let read_at = Timestamp::from_microsecond(read).ok()?;
                let live = ToldLive { fingerprint, read_at, next_change_at };
                (is_one_line.then(|| Answer::Data(Arc::from(data)))?, Some(live))
            }
            _ => return None,
        };
        let version = Version::new(words.era, words.completed)?;
        let day = words.day.parse().ok()?;
        Some(Self { version, day, second: words.second, answer, is_quiet: words.quiet, live })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::model::{Consulta, NegocioId, QueryName};

    fn told(answer: Answer, live: Option<ToldLive>) -> Told {
        let version = Version::new(1_800_000_000_000_000, 77).unwrap();
        Told { version, day: date(2026, 3, 1), second: 1_772_000_000, answer, is_quiet: false, live }
    }

    #[test]
    fn what_is_said_is_understood_and_what_is_not_is_left() {
        let channel = Channel::Estadisticas(NegocioId::new("n"));
        let figures = Figures { citas_hoy: 1, total_citas: 9, citas_completadas: 3, citas_canceladas: 2 };
        let told = told(Answer::Figures(figures), None);
        let said = told.write();
        assert_eq!(Told::read(&channel, &said).as_ref(), Some(&told));
        let later = said.replacen('{', "{\"later\":1,", 1);
        assert_eq!(Told::read(&channel, &later), Some(told), "a newer node says more");
        for wrong in ["", "{}", "null", &said.replace(":9", ":-9"), &said.replace(":77", ":-77"), &said[..20]] {
            assert_eq!(Told::read(&channel, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_result_arrives_to_the_byte_and_with_whose_it_is() {
        let channel = Channel::Consulta(Consulta::new(QueryName::parse("cocina").unwrap(), Some("r-1")));
        let read_at = "2026-03-01T11:00:00.000001Z".parse().unwrap();
        let next_change_at = Some("2026-03-01T12:00:00.000001Z".parse().unwrap());
        for data in [r#"{"a": 1.50,"b":"\u0000\"ñ"}"#, "[]", "null"] {
            let live = ToldLive { fingerprint: u64::MAX, read_at, next_change_at };
            let told = told(Answer::Data(data.into()), Some(live));
            assert_eq!(Told::read(&channel, &told.write()), Some(told));
        }
        let live = Some(ToldLive { fingerprint: 1, read_at, next_change_at: None });
        for wrong in ["", "{", "{}\n", "{} {}"] {
            assert_eq!(Told::read(&channel, &told(Answer::Data(wrong.into()), live).write()), None, "{wrong}");
        }
        let figures = told(Answer::Figures(Figures::default()), None).write();
        assert_eq!(Told::read(&channel, &figures), None, "of another kind");
    }
}
