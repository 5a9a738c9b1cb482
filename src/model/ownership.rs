//! Who owns a business: the question that a subscription may need answered.

use super::{NegocioId, UserId};

/// "This user owns this business": asked, and answered by its presence in a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ownership {
    pub negocio: NegocioId,
    pub user: UserId,
}
