//! What somebody may hear, or why not: the one answer of the gate, whatever the connection is carried by.
//!
//! Each feed says who may listen to it (`feeds/<feed>/listen.rs`); each transport puts a denial into its own words. Must
//! not know transports nor feeds.

use super::token::{Claims, Identity, Person, TokenError};
use crate::model::{Channel, KeyId, NegocioId, RestauranteId, Topic, UserId};
use crate::telemetry::metrics::RefusalReason;

/// What a connection may hear, and until when.
#[derive(Debug)]
pub struct Grant {
    /// Joined at once, and heard.
    pub channels: Vec<Channel>,
    /// Where the connection is found when it has to end: its user's names, a kiosk's own, the key of its token if that may be
    /// withdrawn. Nothing is heard there.
    pub found_by: Vec<Channel>,
    /// As its token says (Unix seconds).
    pub issued_at: Option<i64>,
    /// When its token ends (Unix seconds); `None` for who needs no token.
    pub expires_at: Option<i64>,
    pub about: About,
    pub speech: Speech,
}

/// What a token says of its holder beside her names, for her to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The businesses that it names, each once, in their one form.
    pub negocios: Vec<String>,
    pub restaurant: Option<String>,
    pub role: Option<String>,
}

/// What a holder may say.
#[derive(Debug)]
pub enum Speech {
    /// Nothing but a ping.
    Ping,
    /// It asks for channels in this user's name, and may show a newer token of hers.
    Ask(Identity),
    /// The same in the second version: for channels of feeds, too, of which the token `opens` these. It may name no user.
    AskByName { identity: Option<Identity>, opens: Vec<Channel> },
    /// Nothing. Its one channel was asked for in this user's name, and is looked after as if she had subscribed to it.
    /// `by_database`: that granted it, and has to be asked again.
    Watch { identity: Identity, topic: Topic, by_database: bool },
}

/// What every grant of an installation keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Channels that one token opens at most.
    pub max_channels: usize,
    /// Point-of-sale events name no business and go to every token.
    pub single_business: bool,
}

impl Grant {
    /// To listen for as long as a token is good, whether or not that names a user.
    pub fn by_token(claims: &Claims, channels: Vec<Channel>) -> Self {
        let (issued_at, expires_at) = (claims.issued_at(), Some(claims.expires_at()));
        let found_by = found_by(claims.person(), claims.key());
        Self { channels, found_by, issued_at, expires_at, about: About::of(claims), speech: Speech::Ping }
    }

    /// To listen in a user's name.
    pub fn of_user(identity: &Identity, channels: Vec<Channel>) -> Self {
        let (issued_at, expires_at) = (identity.issued_at, Some(identity.expires_at));
        let found_by = found_by(Some(&identity.user), identity.key());
        Self { channels, found_by, issued_at, expires_at, about: About::default(), speech: Speech::Ping }
    }

    /// To hear `channels` in a user's name, and to ask for more.
    pub fn to_ask(identity: Identity, channels: Vec<Channel>) -> Self {
        let grant = Self::of_user(&identity, channels);
        Self { speech: Speech::Ask(identity), ..grant }
    }

    /// To watch one channel that was asked for in a user's name.
    pub fn to_watch(identity: Identity, topic: Topic, by_database: bool) -> Self {
        let grant = Self::of_user(&identity, vec![topic.channel()]);
        Self { speech: Speech::Watch { identity, topic, by_database }, ..grant }
    }

    /// To listen without a token.
    pub fn without_token(channels: Vec<Channel>, found_by: Vec<Channel>) -> Self {
        let (issued_at, expires_at, about) = (None, None, About::default());
        Self { channels, found_by, issued_at, expires_at, about, speech: Speech::Ping }
    }

    /// The key of its token, if that may be withdrawn.
    pub fn key(&self) -> Option<KeyId> {
        self.found_by.iter().find_map(|channel| if let Channel::Key(key) = channel { Some(*key) } else { None })
    }

    /// The names of its user, each once.
    pub fn names(&self) -> impl Iterator<Item = &UserId> {
        self.found_by.iter().filter_map(|channel| if let Channel::User(name) = channel { Some(name) } else { None })
    }
}

impl About {
    fn of(claims: &Claims) -> Self {
        let mut negocios: Vec<String> = Vec::new();
        for negocio in claims.negocios().iter().filter_map(|named| NegocioId::named(named)) {
            if !negocios.iter().any(|known| known == negocio.as_str()) {
                negocios.push(negocio.as_str().to_owned());
            }
        }
        let restaurant = claims.restaurant().and_then(|named| RestauranteId::named(&named));
        Self { negocios, restaurant: restaurant.map(|id| id.as_str().to_owned()), role: claims.role() }
    }
}

fn found_by(person: Option<&Person>, key: Option<KeyId>) -> Vec<Channel> {
    let names = person.into_iter().flat_map(Person::names).cloned().map(Channel::User);
    names.chain(key.map(Channel::Key)).collect()
}

listed! {
    /// Why somebody may not.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Denial {
        /// One is needed.
        NoToken,
        BadToken(TokenError = TokenError::Empty),
        /// Whether the token is good is not known yet: its key may be one that was not there when keys were last fetched.
        TokenUnchecked,
        /// The server has none to check tokens with.
        NoSecret,
        NoKey,
        WrongKey,
        /// The token is a good one of neither staff nor admin.
        NotStaff,
        /// The token names none.
        NoRestaurant,
        /// Unknown or switched off.
        BadDevice,
        /// Its address has named too many that are none.
        TooManyDevices,
        DeviceUnchecked,
        /// No feed has a channel of this name.
        NoSuchChannel,
        /// This installation does not have the feed.
        SwitchedOff,
        /// The channel is somebody else's, or none: as little is said of either.
        NotAllowed,
        /// It was allowed and is not any more.
        Withdrawn,
        OwnershipUnchecked,
        /// Of one user's businesses, at once.
        TooManyChecks,
        /// On one connection.
        TooManyChannels,
        /// A connection that nobody let in.
        NoSession,
    }
}

impl Denial {
    /// As it is counted.
    pub fn reason(self) -> RefusalReason {
        match self {
            Self::NoToken | Self::BadToken(_) | Self::NoKey | Self::WrongKey | Self::NoRestaurant | Self::NoSession => {
                RefusalReason::Token
            }
            Self::TokenUnchecked => RefusalReason::KeysUnavailable,
            Self::NoSecret => RefusalReason::NotConfigured,
            Self::NotStaff | Self::NotAllowed | Self::Withdrawn => RefusalReason::Ownership,
            Self::BadDevice | Self::TooManyDevices => RefusalReason::Device,
            Self::DeviceUnchecked | Self::OwnershipUnchecked => RefusalReason::DatabaseUnavailable,
            Self::SwitchedOff => RefusalReason::Path,
            Self::TooManyChecks => RefusalReason::OwnershipRate,
            Self::NoSuchChannel | Self::TooManyChannels => RefusalReason::Channels,
        }
    }
}

impl From<TokenError> for Denial {
    fn from(refused: TokenError) -> Self {
        match refused {
            TokenError::Unchecked => Self::TokenUnchecked,
            refused => Self::BadToken(refused),
        }
    }
}
