//! What an operator probably meant: names that nearly match.

/// Levenshtein distance with adjacent swaps counted as one, ASCII case ignored.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().map(|c| c.to_ascii_lowercase()).collect(), b.chars().map(|c| c.to_ascii_lowercase()).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// The candidate nearest to `text`, if any is within `limit` edits.
pub(crate) fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>, limit: usize) -> Option<&'a str> {
    candidates
        .filter(|candidate| candidate.len().abs_diff(text.len()) <= limit)
        .map(|candidate| (distance(text, candidate), candidate))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_letters_are_one_edit() {
        assert_eq!(distance("JWT_SECERT", "JWT_SECRET"), 1);
        assert_eq!(distance("TIME_ZONE", "TIMEZONE"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("port", "PORT"), 0);
    }

    #[test]
    fn the_nearest_candidate_wins_and_far_ones_do_not() {
        let names = ["PORT", "TIMEZONE", "JWT_SECRET"];
        assert_eq!(nearest("TIMZONE", names.into_iter(), 2), Some("TIMEZONE"));
        assert_eq!(nearest("PATH", names.into_iter(), 1), None);
    }
}
