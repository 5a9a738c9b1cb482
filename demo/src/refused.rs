//! Why one of the customers' APIs does not do what it is asked. Who reads it is their developer: Spanish, like them.
//!
//! Must not know HTTP.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0}")]
    Invalid(&'static str),
    #[error("{0}")]
    Unknown(&'static str),
    /// Not in the state that it is in.
    #[error("{0}")]
    Conflict(&'static str),
    #[error("{0}")]
    Full(&'static str),
}
