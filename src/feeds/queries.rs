//! The live queries of an operator: one shared read per change of each, sent to everybody who watches it.
//!
//! Must not know how a query is read, nor what keeps its result current.

pub mod words;
