//! What is asked of the database: figures or live queries, never both at once, and how each answers.
//!
//! Must not know what becomes of an answer.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::time::Instant;

use super::{Refresher, is_of};
use crate::database::{Admission, Urgency};
use crate::model::{Channel, Code, NegocioId};
use crate::queries::{Live, LiveQuery, Standing};
use crate::refresh::answer::Answer;
use crate::refresh::state::Beginning;
use crate::store::{Counted, LiveRead, LiveResult, Sight, StoreError};

/// One read that has begun.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) channel: Channel,
    pub(super) beginning: Beginning,
    /// What is read, where it is a live query.
    pub(super) query: Option<Arc<LiveQuery>>,
    pub(super) read_at: Timestamp,
    pub(super) day: Date,
}

/// What the database says.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) answer: Answer,
    pub(super) order: Option<u64>,
    /// The rollup did not say the same.
    pub(super) drifted: bool,
    pub(super) rows: usize,
    pub(super) next_change_at: Option<Timestamp>,
    /// Of each transaction that was asked about.
    pub(super) seen: Vec<(u64, Sight)>,
}

/// Why a read was not made, or has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The database's: it says nothing of what is read.
    Away,
    /// Of what is read.
    Own,
    /// Of what is read: there is more of it than may be sent.
    TooLarge,
}

impl Trouble {
    pub(super) fn of(channel: &Channel, failure: &StoreError) -> Self {
        match (channel, failure) {
            (Channel::Consulta(_), StoreError::Unreachable(_)) | (Channel::Estadisticas(_), _) => Self::Away,
            (_, StoreError::Unsendable(_)) => Self::TooLarge,
            _ => Self::Own,
        }
    }

    /// What its watchers are told is wrong, if it is of what is read.
    pub(super) fn code(self) -> Option<Code> {
        match self {
            Self::Away => None,
            Self::Own => Some(Code::Unavailable),
            Self::TooLarge => Some(Code::TooLarge),
        }
    }
}

impl Refresher {
    /// Why a channel is not read now, though it is to be.
    pub(super) fn barred(&self, channel: &Channel) -> Option<Trouble> {
        let Channel::Consulta(consulta) = channel else { return None };
        let Some(live) = self.queries.find(consulta.query()) else { return Some(Trouble::Own) };
        match live.standing {
            Standing::Unknown => Some(Trouble::Away),
            Standing::Off(_) => Some(Trouble::Own),
            Standing::On(_) => {
                let may_read = self.lock().health.may_read(consulta.query(), channel, Instant::now());
                (!may_read).then_some(Trouble::Own)
            }
        }
    }

    /// The live query of a channel, if it can be read.
    pub(super) fn query_of(&self, channel: &Channel) -> Option<Arc<LiveQuery>> {
        let Channel::Consulta(consulta) = channel else { return None };
        let live = self.queries.find(consulta.query())?;
        let Live { query, standing: Standing::On(_), .. } = live.as_ref() else { return None };
        Some(Arc::clone(query))
    }

    /// A channel was read: where its query did not work until now, all of its keys are read.
    pub(super) fn note_success(self: &Arc<Self>, channel: &Channel) {
        let Channel::Consulta(consulta) = channel else { return };
        let query = consulta.query();
        let worked_not = self.lock().health.on_success(query);
        if worked_not {
            self.read_again(|channel| is_of(channel, query));
        }
    }

    /// Waits for a connection's turn.
    pub(super) async fn admit(&self, channel: &Channel, urgency: Urgency) -> Result<Admission<'_>, StoreError> {
        match channel {
            Channel::Consulta(consulta) => self.database.admit_for(consulta.query(), urgency).await,
            _ => self.database.admit(urgency).await,
        }
    }

    /// How many such reads may be made at once.
    pub(super) fn most_at_once(&self, channel: &Channel) -> usize {
        match channel {
            Channel::Consulta(_) => self.database.most_live_at_once(),
            _ => self.database.most_at_once(),
        }
    }
}

/// Puts questions of one kind.
pub(super) async fn ask(admission: Admission<'_>, turns: &[Turn]) -> Result<Vec<Result<Said, StoreError>>, StoreError> {
    let reads: Vec<LiveRead> = turns.iter().filter_map(live_read).collect();
    if !reads.is_empty() {
        let answers = admission.live(&reads).await?;
        return Ok(answers
            .into_iter()
            .zip(turns)
            .map(|(answer, turn)| answer.map(|said| of_live(said, turn)))
            .collect());
    }
    let negocios: Vec<NegocioId> = turns.iter().filter_map(negocio_of).collect();
    let Some(day) = turns.first().map(|turn| turn.day) else { return Ok(Vec::new()) };
    let xids: Vec<u64> = turns.iter().flat_map(|turn| turn.beginning.xids.iter().copied()).collect();
    let (counted, sights) = match negocios.as_slice() {
        [negocio] if turns[0].beginning.verifies && xids.is_empty() => {
            (vec![admission.verified_figures(negocio, day).await?], Vec::new())
        }
        _ if xids.is_empty() => (admission.figures(&negocios, day).await?, Vec::new()),
        _ => admission.figures_seeing(&negocios, day, &xids).await?,
    };
    let seen: Vec<(u64, Sight)> = xids.into_iter().zip(sights).collect();
    Ok(counted.into_iter().map(|counted| Ok(of_figures(counted, &seen))).collect())
}

fn live_read(turn: &Turn) -> Option<LiveRead> {
    let (Channel::Consulta(consulta), Some(query)) = (&turn.channel, &turn.query) else { return None };
    Some(LiveRead {
        query: Arc::clone(query),
        consulta: consulta.clone(),
        today: turn.day,
        now: turn.read_at,
        xids: turn.beginning.xids.clone(),
    })
}

fn negocio_of(turn: &Turn) -> Option<NegocioId> {
    match &turn.channel {
        Channel::Estadisticas(negocio) => Some(negocio.clone()),
        _ => None,
    }
}

fn of_live(LiveResult { data, rows, next_change_at, order, seen }: LiveResult, turn: &Turn) -> Said {
    let seen = turn.beginning.xids.iter().copied().zip(seen).collect();
    Said { answer: Answer::Data(data), order, drifted: false, rows, next_change_at, seen }
}

fn of_figures(Counted { figures, drifted, order, .. }: Counted, seen: &[(u64, Sight)]) -> Said {
    let answer = Answer::Figures(figures);
    Said { answer, order, drifted, rows: 1, next_change_at: None, seen: seen.to_vec() }
}
