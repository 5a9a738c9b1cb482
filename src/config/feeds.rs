//! Which feeds an installation has.
//!
//! Must not know what a feed is about.

/// One feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    Stats,
    Pos,
    Restaurant,
    Sync,
    Clinic,
    Channels,
}

impl Feed {
    pub const ALL: [Self; 6] = [Self::Stats, Self::Pos, Self::Restaurant, Self::Sync, Self::Clinic, Self::Channels];

    /// As an operator writes it in `FEEDS`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stats => "stats",
            Self::Pos => "pos",
            Self::Restaurant => "restaurant",
            Self::Sync => "sync",
            Self::Clinic => "clinic",
            Self::Channels => "channels",
        }
    }
}

/// `FEEDS`: those that are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feeds([bool; Feed::ALL.len()]);

impl Feeds {
    pub fn all() -> Self {
        Self([true; Feed::ALL.len()])
    }

    pub fn none() -> Self {
        Self([false; Feed::ALL.len()])
    }

    pub fn switch_on(&mut self, feed: Feed) {
        self.0[feed as usize] = true;
    }

    pub fn has(self, feed: Feed) -> bool {
        self.0[feed as usize]
    }

    /// Whether any of `feeds` is on.
    pub fn has_any(self, feeds: &[Feed]) -> bool {
        feeds.iter().any(|feed| self.has(*feed))
    }
}
