//! What the database is asked about a user: whether a business is hers, or whether a query of the operator's pairs her with a
//! key.
//!
//! Must not know who asks, nor how the questions travel.

use std::collections::HashSet;
use std::sync::Arc;

use crate::database::Database;
use crate::model::{Ownership, UserId};
use crate::queries::PairsQuery;
use crate::store::StoreError;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// `OWNER_SQL`.
    Owns(Ownership),
    /// `access: sql` of a live query.
    Pair(Pair),
}

/// Whether a query of the operator's pairs a user with a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    pub query: Arc<PairsQuery>,
    pub key: Arc<str>,
    pub user: UserId,
}

/// Which question it is: those of one kind are put together. `None`: who owns a business.
pub(super) type Kind = Option<Arc<PairsQuery>>;

impl Asked {
    pub(super) fn user(&self) -> &UserId {
        match self {
            Self::Owns(ownership) => &ownership.user,
            Self::Pair(pair) => &pair.user,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Owns(_) => None,
            Self::Pair(pair) => Some(Arc::clone(&pair.query)),
        }
    }
}

/// Those of `asked`, all of one kind, that hold.
pub(super) async fn holding(database: &Database, kind: &Kind, asked: &[Asked]) -> Result<HashSet<Asked>, StoreError> {
    let Some(query) = kind else {
        let ownership = |asked: &Asked| if let Asked::Owns(ownership) = asked { Some(ownership.clone()) } else { None };
        let asked: Vec<_> = asked.iter().filter_map(ownership).collect();
        return Ok(database.owners(&asked).await?.into_iter().map(Asked::Owns).collect());
    };
    let pair = |asked: &Asked| match asked {
        Asked::Pair(pair) => Some((pair.key.as_ref().to_owned(), pair.user.as_str().to_owned())),
        Asked::Owns(_) => None,
    };
    let pairs: Vec<_> = asked.iter().filter_map(pair).collect();
    let holding = database.pairs(query, &pairs).await?;
    let asked = asked.iter().filter(|asked| pair(asked).is_some_and(|pair| holding.contains(&pair)));
    Ok(asked.cloned().collect())
}
