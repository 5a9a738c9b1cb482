//! What `pulso check` says of live queries beside what the database says: whether anybody may watch them, and whether what
//! announces a change can.

use std::sync::Arc;

use crate::config::{AccessPolicy, Config};
use crate::feeds;
use crate::finding::Finding;
use crate::queries::{AccessRule, Hint, LiveQuery};

/// In the order of the queries.
pub(super) fn inspect(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !config.queries.defined.is_empty() && !config.auth.takes_tokens() {
        let what = "live queries are watched with a token, and no tokens are taken";
        findings.push(Finding::problem(what, Some("set JWT_SECRET, or where the keys of your provider are")));
    }
    for query in &config.queries.defined {
        findings.extend(query.access.iter().filter_map(|rule| access(config, query, rule)));
        findings.extend(hints(config, query));
    }
    findings
}

/// Whether this part of `access` can ever let anybody in.
fn access(config: &Config, query: &Arc<LiveQuery>, rule: &AccessRule) -> Option<Finding> {
    let name = query.name.as_str();
    match rule {
        AccessRule::Negocio if config.auth.access == AccessPolicy::AnyAuthenticated => {
            let what = format!("{name}: access: negocio lets everybody with a good token in (SUBSCRIBE_ACCESS)");
            Some(Finding::warning(what, "set SUBSCRIBE_ACCESS=owner, or write another rule"))
        }
        AccessRule::Negocio if !config.database.asks_figures => {
            let what = format!("{name}: access: negocio asks who owns a business, and that is not asked (FEEDS)");
            Some(Finding::problem(what, Some("switch the feed appointments on, or write access: sql …")))
        }
        AccessRule::Authenticated if query.access.len() == 1 && query.is_keyed => {
            let what = format!("{name}: everybody with a good token may watch every key (access: authenticated)");
            Some(Finding::warning(what, "if that is not meant, write another rule"))
        }
        _ => None,
    }
}

/// What announces a change and cannot, or says less than it seems to.
fn hints(config: &Config, query: &LiveQuery) -> Vec<Finding> {
    let name = query.name.as_str();
    let mut findings = Vec::new();
    if query.hints.is_empty() && query.every.is_none() {
        let what = format!("{name} has neither hints nor every");
        let advice =
            "only POST /notify/consulta announces a change; without such calls a screen waits for the sentinel";
        findings.push(Finding::warning(what, advice));
    }
    for hint in &query.hints {
        let Hint::Hook(path) = hint else { continue };
        let Some((feed, hook)) = feeds::hook(path) else { continue };
        if !config.feeds.has(feed) {
            let what = format!("{name}: hints name {path}, and the feed {} is off", feed.word());
            findings.push(Finding::warning(what, "switch it on (FEEDS), or remove the hint"));
        } else if let Some(variable) = config.missing_setting(feed) {
            let what = format!("{name}: hints name {path}, which answers 503 until {variable} is set");
            findings.push(Finding::warning(what, "set it, or remove the hint"));
        } else if hook.id.is_none() && query.is_keyed {
            let what =
                format!("{name}: hints name {path}, whose calls carry no id: they hint queries of key: none only");
            findings.push(Finding::warning(what, "remove the hint, and let the caller use POST /notify/consulta"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use pulso_harness::scratch::Scratch;

    use super::*;

    /// What is said of one query in a server with these settings.
    fn said(text: &str, settings: &[(&str, &str)]) -> Vec<String> {
        let scratch = Scratch::new();
        scratch.write("q.sql", text);
        let vars = |name: &str| match name {
            "DATABASE_URL" => Some("postgres://localhost/a".to_owned()),
            "JWT_SECRET" => Some("a secret for tests, longer than 32 bytes".to_owned()),
            "NOTIFY_API_KEY" => Some("llave".to_owned()),
            "QUERIES_DIR" => Some(scratch.path().display().to_string()),
            other => settings.iter().find(|(name, _)| *name == other).map(|(_, value)| (*value).to_owned()),
        };
        let (config, _) = Config::from_env(&vars).unwrap();
        inspect(&config).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn what_lets_nobody_in_or_everybody_is_told() {
        let text = "-- access: negocio\n-- every: 5s\nSELECT $1 AS clave";
        assert_eq!(said(text, &[]), Vec::<String>::new());
        assert!(said(text, &[("SUBSCRIBE_ACCESS", "authenticated")])[0].contains("lets everybody"));
        assert!(said(text, &[("FEEDS", "pos,restaurant")])[0].contains("who owns a business"));
        let open = text.replace("negocio", "authenticated");
        assert!(said(&open, &[])[0].contains("may watch every key"));
    }

    #[test]
    fn a_change_that_nothing_announces_is_told() {
        assert!(said("-- access: user\nSELECT $1 AS clave", &[])[0].contains("neither hints nor every"));
        let hinted = "-- access: user\n-- hints: order/new\nSELECT $1 AS clave";
        assert_eq!(said(hinted, &[]), Vec::<String>::new());
        assert!(said(hinted, &[("FEEDS", "appointments,pos")])[0].contains("the feed restaurant is off"));
    }

    #[test]
    fn a_hook_whose_calls_name_no_key_is_told_where_the_query_has_one() {
        let text = "-- access: user\n-- hints: pedido/estado\nSELECT $1 AS clave";
        assert!(said(text, &[])[0].contains("whose calls carry no id"));
        let without_key = "-- access: authenticated\n-- key: none\n-- hints: pedido/estado\nSELECT 1 AS n";
        assert_eq!(said(without_key, &[]), Vec::<String>::new());
    }
}
