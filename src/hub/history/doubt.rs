//! Positions of which nobody knows what their client has: somewhere before them events came late, on one node or another.
//!
//! Must not know why.

/// Stretches that are told apart; beyond them the two oldest become one.
const STRETCHES: usize = 64;

/// Stretches of positions, each after the one and up to the other, in their order.
#[derive(Debug, Default)]
pub(super) struct Doubts(Vec<(u64, u64)>);

impl Doubts {
    pub(super) fn add(&mut self, after: u64, up_to: u64) {
        if after >= up_to {
            return;
        }
        let (mut after, mut up_to) = (after, up_to);
        self.0.retain(|(from, to)| {
            let touches = *from <= up_to && after <= *to;
            if touches {
                (after, up_to) = (after.min(*from), up_to.max(*to));
            }
            !touches
        });
        let place = self.0.partition_point(|(from, _)| *from < after);
        self.0.insert(place, (after, up_to));
        if self.0.len() > STRETCHES {
            let (oldest, _) = self.0.remove(0);
            self.0[0].0 = oldest;
        }
    }

    pub(super) fn has(&self, position: u64) -> bool {
        self.0.iter().any(|(after, up_to)| *after < position && position <= *up_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubts(stretches: &[(u64, u64)]) -> Doubts {
        let mut doubts = Doubts::default();
        for (after, up_to) in stretches {
            doubts.add(*after, *up_to);
        }
        doubts
    }

    #[test]
    fn a_stretch_begins_after_the_one_and_ends_with_the_other() {
        let doubts = doubts(&[(10, 20), (30, 30), (40, 35)]);
        let found: Vec<u64> = (0..50).filter(|position| doubts.has(*position)).collect();
        assert_eq!(found, (11..=20).collect::<Vec<_>>());
    }

    #[test]
    fn what_touches_is_one_in_whatever_order_it_comes() {
        for stretches in [[(10, 20), (30, 40), (15, 35)], [(15, 35), (30, 40), (10, 20)]] {
            assert_eq!(doubts(&stretches).0, [(10, 40)]);
        }
        assert_eq!(doubts(&[(30, 40), (10, 20)]).0, [(10, 20), (30, 40)]);
    }

    #[test]
    fn beyond_the_bound_more_is_doubted_and_never_less() {
        let mut doubts = Doubts::default();
        (0..200).for_each(|n| doubts.add(n * 10, n * 10 + 2));
        assert_eq!(doubts.0.len(), STRETCHES);
        assert!((0..200).all(|n| doubts.has(n * 10 + 1) && doubts.has(n * 10 + 2)));
        assert!(!doubts.has(1995));
    }
}
