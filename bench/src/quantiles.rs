//! Medians and percentiles of what was measured.

use std::time::Duration;

/// The value below which `share` (0 to 1) of `values` lie. Sorts them.
pub fn quantile<T: Copy + PartialOrd>(values: &mut [T], share: f64) -> Option<T> {
    values.sort_unstable_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    let place = (values.len() as f64 * share).ceil() as usize;
    values.get(place.saturating_sub(1)).copied()
}

pub fn median(values: &mut [Duration]) -> Duration {
    quantile(values, 0.5).unwrap_or_default()
}

/// The median: of an even number the mean of the two in the middle. Sorts them.
pub fn middle(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

/// Milliseconds for the report.
pub fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// `time` as a multiple of `of`.
pub fn times(time: Duration, of: Duration) -> f64 {
    time.as_secs_f64() / of.as_secs_f64()
}
