//! Every metric, and every reason of a refusal.

use super::table::{Heads, Table, code, said};
use crate::described::{Entry, Language};
use crate::telemetry::metrics::{METRICS, REFUSALS};

const HEADS: Heads<3> = [("name", "nombre"), ("kind", "tipo"), ("meaning", "significado")];
const REASONS: Heads<2> = [("reason", "motivo"), ("meaning", "significado")];

pub(super) fn tables(language: Language) -> String {
    let title = match language {
        Language::En => "Reasons of `pulso_refusals_total`",
        Language::Es => "Motivos de `pulso_refusals_total`",
    };
    let metric = |entry: &Entry| [code(entry.name), entry.facts.join(" "), said(entry, language, 0)];
    let reason = |entry: &Entry| [code(entry.name), said(entry, language, 0)];
    let metrics = Table::new(language, HEADS, METRICS.iter().map(metric));
    let reasons = Table::new(language, REASONS, REFUSALS.iter().map(reason));
    format!("{metrics}\n## {title}\n\n{reasons}")
}
