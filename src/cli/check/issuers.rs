//! What `pulso check` says of whose tokens are believed: the keys that there are now, and what is of no use among them.

use crate::access::keys::{Key, KeySet};
use crate::cli::issuers::fetch_keys;
use crate::config::{IssuerConfig, IssuerKeys};
use crate::finding::Finding;

/// In the order in which they are configured. Keys that are fetched are fetched once.
pub(super) async fn inspect(issuers: &[IssuerConfig]) -> Vec<Finding> {
    let mut issuers = issuers.to_vec();
    let failed = fetch_keys(&mut issuers).await;
    let mut findings = Vec::new();
    for (issuer, error) in failed {
        let what = format!("the keys of {issuer} cannot be fetched: {error}");
        let advice = "Until they can be, who brings a token of this issuer is asked to come back.";
        findings.push(Finding::problem(what, Some(advice)));
    }
    for issuer in &issuers {
        if let IssuerKeys::Held(set) = &issuer.keys {
            of_set(issuer, set, &mut findings);
        }
    }
    findings
}

fn of_set(issuer: &IssuerConfig, set: &KeySet, findings: &mut Vec<Finding>) {
    let label = issuer.label();
    let keys: Vec<String> = set.keys().iter().map(|key| named(key)).collect();
    let what = format!("the keys of {label}: {}", keys.join(", "));
    let is_served = set.keys().iter().any(|key| issuer.algorithms.iter().any(|algorithm| key.serves(*algorithm)));
    findings.push(if is_served {
        Finding::ok(what)
    } else {
        let advice = "None of them serves an algorithm that is accepted. Name that of your tokens (JWT_ALGORITHMS).";
        Finding::problem(what, Some(advice))
    });
    for left_out in set.left_out() {
        let what = format!("a key of {label} is left out, {left_out}");
        findings.push(Finding::warning(what, "Tokens that it signs are refused."));
    }
}

fn named(key: &Key) -> String {
    match key.kid() {
        Some(kid) => format!("{kid:?} ({})", key.kind()),
        None => format!("one without a name ({})", key.kind()),
    }
}
