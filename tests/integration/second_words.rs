//! The second version of the words, asked for by `v=2`: what each frame says, of what, and when.

mod socket;
mod socket_endings;
mod socket_feeds;
