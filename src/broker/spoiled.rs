//! What a test leaves out on purpose, to see that the others would notice.
//!
//! In the product nothing is.

/// A rule that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Everybody puts back what a log has lost, whoever published it.
    EverybodyPutsBack,
    /// What was put back is known by its first id.
    FirstIds,
    /// Positions of which nobody knows what their client has are told as that.
    Doubt,
    /// Who watches says so before it reads.
    RegisterFirst,
}

#[cfg(not(test))]
pub(super) const fn is_left_out(_: Rule) -> bool {
    false
}

#[cfg(test)]
pub(super) fn is_left_out(rule: Rule) -> bool {
    LEFT_OUT.get() == Some(rule)
}

#[cfg(test)]
thread_local! {
    pub(super) static LEFT_OUT: std::cell::Cell<Option<Rule>> = const { std::cell::Cell::new(None) };
}
