//! How metrics are written: OpenMetrics, or the text that was there before it.
//!
//! Must not know any metric.

use std::fmt::Write as _;

/// What a scraper reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    OpenMetrics,
    /// Version 0.0.4 of Prometheus's own.
    Older,
}

impl Format {
    /// As `Accept` says: the older text for who names it and would rather have it.
    pub fn accepted<'a>(headers: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut open_metrics, mut older) = (0.0, 0.0);
        for range in headers.into_iter().flat_map(|header| header.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let quality: &mut f32 = match parts.next() {
                Some(named) if named.eq_ignore_ascii_case("application/openmetrics-text") => &mut open_metrics,
                Some(named) if named.eq_ignore_ascii_case("text/plain") => &mut older,
                _ => continue,
            };
            let given = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            *quality = quality.max(given);
        }
        if older > open_metrics { Self::Older } else { Self::OpenMetrics }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Older => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The older text of what is OpenMetrics: there a counter is described by the name that it is read by, and nothing ends the text.
pub(super) fn older(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = "";
    for line in open_metrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|typed| typed.split_once(' ')) {
            let total = if kind == "counter" { "_total" } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name}{total} {help}\n# TYPE {name}{total} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_neither_gets_openmetrics_and_who_would_rather_have_it_the_older_text() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;\
                          q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, wanted) in [
            (&[][..], Format::OpenMetrics),
            (&["*/*"], Format::OpenMetrics),
            (&["text/html,*/*;q=0.8"], Format::OpenMetrics),
            (&[prometheus], Format::OpenMetrics),
            (&["text/plain"], Format::Older),
            (&["Text/Plain;version=0.0.4;q=0.5, */*;q=0.1"], Format::Older),
            (&["application/openmetrics-text;q=0.5", "text/plain"], Format::Older),
            (&["application/openmetrics-text, text/plain"], Format::OpenMetrics),
            (&["text/plain;q=0"], Format::OpenMetrics),
            (&["text/plain;q=many"], Format::OpenMetrics),
        ] {
            assert_eq!(Format::accepted(accept.iter().copied()), wanted, "{accept:?}");
        }
    }

    #[test]
    fn a_counter_is_described_by_the_name_that_it_is_read_by() {
        let open_metrics = "# HELP a Of a.\n# TYPE a counter\na_total 1\n# HELP b Of b.\n# TYPE b gauge\nb 2\n# EOF\n";
        let wanted = "# HELP a_total Of a.\n# TYPE a_total counter\na_total 1\n# HELP b Of b.\n# TYPE b gauge\nb 2\n";
        assert_eq!(older(open_metrics), wanted);
    }
}
