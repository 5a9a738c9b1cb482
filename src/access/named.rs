//! A channel that somebody asks for by name: what it is, and whether it is granted by the token or by the database.
//!
//! Asked here alone, and once. Must not know what becomes of the answer.

mod rules;

use futures_util::future::join_all;

use super::grant::{Denial, Grant};
use super::ownership::{Access, Asked, Unanswered, Verdict};
use super::token::Identity;
use crate::hub::Hub;
use crate::model::{ChannelName, Consulta, Defined, IdType, NegocioId, Ownership, QueryName, Topic};
use crate::queries::{Live, Queries};

/// By what a channel is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// What the token says is enough, or the operator lets everybody in.
    Token,
    /// By the database, if it says all of this, which is at least one thing.
    Database(Vec<Asked>),
}

/// What decides about names.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// Of the businesses' ids; `None` while the database has not said it.
    pub id_type: Option<IdType>,
    pub access: &'a Access,
    pub queries: &'a Queries,
    pub hub: &'a Hub,
}

impl Gate<'_> {
    /// What a name means. [`Denial::OwnershipUnchecked`] where only the database can say that, and has not yet.
    pub fn meaning(&self, name: &ChannelName) -> Result<Topic, Denial> {
        match name {
            ChannelName::Consulta { query, key } => self.query(query, key.as_deref()),
            // Not a word about whether such a business exists, or could.
            name => Topic::of(name, self.id_type.ok_or(Denial::OwnershipUnchecked)?).ok_or(Denial::NotAllowed),
        }
    }

    /// As [`Self::meaning`], in the text that the others hold who listen to it.
    pub fn topic(&self, name: &ChannelName) -> Result<Topic, Denial> {
        let topic = self.meaning(name)?;
        let shared = self.hub.shared(topic.channel());
        Ok(topic.sharing(shared))
    }

    fn query(&self, query: &str, key: Option<&str>) -> Result<Topic, Denial> {
        let live = QueryName::parse(query).and_then(|query| self.queries.find(&query)).ok_or(Denial::NotAllowed)?;
        if live.is_unknown() || (live.query.is_keyed && live.learnt.is_none()) {
            return Err(Denial::OwnershipUnchecked);
        }
        let consulta = live.consulta(key).ok_or(Denial::NotAllowed)?;
        Ok(Topic::Consulta(Defined::new(consulta, live.edition)))
    }

    /// By what somebody may have it, if that is not known to be nothing. Of a live query that is not what it was when the topic
    /// was asked for nothing is known.
    pub fn right(&self, topic: &Topic, identity: &Identity) -> Result<Right, Denial> {
        let negocio = match topic {
            Topic::Estadisticas(negocio) => negocio,
            Topic::Canal(canal) => canal.negocio(),
            Topic::Consulta(defined) => {
                let live = self.queries.find(defined.consulta().query());
                let live = live.filter(|live| live.edition == defined.edition());
                return self.right_to(defined.consulta(), &*live.ok_or(Denial::OwnershipUnchecked)?, identity);
            }
        };
        let id_type = self.id_type.ok_or(Denial::OwnershipUnchecked)?;
        if self.access.is_granted_by_token(identity, negocio, id_type) {
            return Ok(Right::Token);
        }
        Ok(Right::Database(vec![owns(negocio.clone(), identity)]))
    }

    fn right_to(&self, consulta: &Consulta, live: &Live, identity: &Identity) -> Result<Right, Denial> {
        let key = match consulta.key() {
            None => None,
            Some(key) => {
                let id_type = live.learnt.as_ref().and_then(|learnt| learnt.key).ok_or(Denial::OwnershipUnchecked)?;
                Some(rules::Key { text: key, id_type })
            }
        };
        let asked = rules::judge(&live.query.access, key, identity, self)?;
        Ok(if asked.is_empty() { Right::Token } else { Right::Database(asked) })
    }

    /// Whether the database has not been asked yet about the live query of this name, which it soon will be.
    pub fn is_to_be_learnt(&self, name: &ChannelName) -> bool {
        let ChannelName::Consulta { query, .. } = name else { return false };
        let live = QueryName::parse(query).and_then(|query| self.queries.find(&query));
        live.is_some_and(|live| live.is_unknown())
    }

    /// As [`Self::topic`] and [`Self::right`], for who can wait for the answer.
    pub async fn watch(self, name: &ChannelName, identity: Identity) -> Result<Grant, Denial> {
        let topic = self.topic(name)?;
        let by_database = match self.right(&topic, &identity)? {
            Right::Token => false,
            Right::Database(asked) => match all_hold(self.access, asked).await {
                Ok(true) => true,
                Ok(false) => return Err(Denial::NotAllowed),
                Err(unanswered) => return Err(unanswered.into()),
            },
        };
        Ok(Grant::to_watch(identity, topic, by_database))
    }
}

/// Whether the database says all of this. Asked when this returns.
pub fn all_hold(access: &Access, asked: Vec<Asked>) -> impl Future<Output = Verdict> + Send + use<> {
    all(asked.into_iter().map(|asked| access.holds(asked)).collect())
}

/// As [`all_hold`], of what was granted before.
pub fn all_still_hold(access: &Access, asked: Vec<Asked>) -> impl Future<Output = Verdict> + Send + use<> {
    all(asked.into_iter().map(|asked| access.still_holds(asked)).collect())
}

/// What is refused is refused whatever else cannot be checked.
async fn all(verdicts: Vec<impl Future<Output = Verdict>>) -> Verdict {
    let verdicts = join_all(verdicts).await;
    if verdicts.contains(&Ok(false)) {
        Ok(false)
    } else {
        verdicts.into_iter().find(Result::is_err).unwrap_or(Ok(true))
    }
}

fn owns(negocio: NegocioId, identity: &Identity) -> Asked {
    Asked::Owns(Ownership { negocio, user: identity.user.spelt().clone() })
}

impl From<Unanswered> for Denial {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::CannotCheck => Self::OwnershipUnchecked,
            Unanswered::TooMany => Self::TooManyChecks,
        }
    }
}
