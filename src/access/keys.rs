//! With what tokens are verified: single keys, the sets in which they come, and where a set comes from.
//!
//! Must not know tokens nor what they say. A key of a set is never shown, only its name (`kid`) and its kind. HTTP is spoken
//! in `fetch` alone.

mod fetch;
mod jwk;
mod keep;
mod key;
mod pem;
mod set;
mod source;

#[cfg(test)]
mod tests;

pub use crate::config::Algorithm;
pub use crate::model::KeyId;
pub use fetch::{FetchError, Fetched, KEPT_AT_LEAST, KEPT_AT_MOST, PATIENCE, fetch};
pub use keep::{BETWEEN_FETCHES, keep};
pub use key::{Key, Kind};
pub use set::{Candidates, KeySet, KeysError, LeftOut, MAX_BYTES, MAX_KEYS, Unfit};
pub use source::{Looked, Source, Standing};
