//! Limits that no setting moves and that people are told of: their numbers stand in the book, beside the settings.
//!
//! Must not know who keeps to them.

/// A `JWT_SECRET` shorter than this can be guessed from one token.
pub const MIN_SECRET_BYTES: usize = 32;
/// Longest `Idempotency-Key`.
pub const MAX_KEY_BYTES: usize = 255;
/// A request head may have this many bytes; more is a 431.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Dismissed users remembered; beyond them the one who was dismissed first is forgotten.
pub const MAX_DISMISSED: usize = 10_000;
/// Tokens of which it is remembered that a public key's signature was good, as digests; beyond them those are forgotten that
/// have not come for longest.
pub const MAX_VERIFIED: usize = 65_536;
/// Messages of another producer by pub/sub that wait to be checked and published; what comes behind them is lost.
pub const MAX_BRIDGE_WAITING: usize = 1_024;
