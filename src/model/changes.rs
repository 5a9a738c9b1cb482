//! What a restaurant's back end has to learn: changes, until it confirms them.

/// What kind of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entity {
    Order,
    Customer,
}

impl Entity {
    pub const ALL: [Self; 2] = [Self::Order, Self::Customer];

    /// As the hook and the table call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Customer => "customer",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.as_str() == word)
    }
}

/// Something changed; `payload` is kept letter by letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub tenant: String,
    pub entity: Entity,
    pub id: String,
    pub payload: String,
}

/// A change that waits for its confirmation. A version is never used twice, and a later change has a greater one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub entity: Entity,
    pub id: String,
    pub version: i64,
    pub payload: String,
}

/// "I have this": the change of exactly that version; without one, the newest if the answer to another call brought it, or
/// if it was handed out twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    pub entity: Entity,
    pub id: String,
    pub version: Option<i64>,
}
