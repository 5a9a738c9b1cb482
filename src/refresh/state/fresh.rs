//! What a read has brought, and whether there is room to keep it.

use jiff::civil::Date;

use crate::model::Version;
use crate::refresh::answer::Mark;
use crate::refresh::refresher::Reading;
use crate::refresh::space::Taken;
use crate::store::Sight;

/// What was read, to be handed out.
#[derive(Debug)]
pub(in crate::refresh) struct Fresh {
    pub(in crate::refresh) reading: Reading,
    pub(in crate::refresh) room: Room,
    pub(in crate::refresh) version: Option<Version>,
    pub(in crate::refresh) mark: Mark,
    pub(in crate::refresh) day: Date,
    /// What it has shown of the transactions that were asked about.
    pub(in crate::refresh) seen: Vec<(u64, Sight)>,
}

/// Where it is kept.
#[derive(Debug)]
pub(in crate::refresh) enum Room {
    /// It is few bytes: no room is counted for it.
    Needless,
    Taken(Taken),
    /// It is handed out now, and not kept.
    None,
}

/// A reading that is kept.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) reading: Reading,
    _room: Option<Taken>,
}

impl Room {
    pub(super) fn hold(self, reading: Reading) -> Option<Held> {
        match self {
            Self::Needless => Some(Held { reading, _room: None }),
            Self::Taken(taken) => Some(Held { reading, _room: Some(taken) }),
            Self::None => None,
        }
    }
}
