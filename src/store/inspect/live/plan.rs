//! Where a plan compares the key, and what tables it reads.
//!
//! Must not know what the query is for, nor connect.

use std::collections::BTreeSet;

use serde_json::Value;

/// A column that `$1` is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Compared {
    pub schema: String,
    pub table: String,
    pub column: String,
    /// The index that finds the key's rows, if one does.
    pub index: Option<String>,
}

/// What a plan says (`EXPLAIN (VERBOSE, FORMAT JSON)`), made with `key` for `$1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// Every table, with its schema.
    pub tables: BTreeSet<(String, String)>,
    pub compared: Vec<Compared>,
}

pub(super) fn reads(plan: &str, key: &str) -> Reads {
    let mut reads = Reads::default();
    let plan: Value = serde_json::from_str(plan).unwrap_or_default();
    if let Some(plan) = plan.get(0).and_then(|first| first.get("Plan")) {
        visit(plan, key, &mut reads);
    }
    reads
}

fn visit(node: &Value, key: &str, reads: &mut Reads) {
    let text = |name: &str| node.get(name).and_then(Value::as_str);
    if let (Some(table), Some(schema)) = (text("Relation Name"), text("Schema")) {
        let place = (schema.to_owned(), table.to_owned());
        for (condition, is_index) in [("Index Cond", true), ("Filter", false)] {
            if let Some(column) = text(condition).and_then(|condition| column(condition, key)) {
                let index = if is_index { text("Index Name").map(str::to_owned) } else { None };
                reads.compared.push(Compared { schema: place.0.clone(), table: place.1.clone(), column, index });
            }
        }
        reads.tables.insert(place);
    }
    for child in node.get("Plans").and_then(Value::as_array).into_iter().flatten() {
        visit(child, key, reads);
    }
}

/// The column that a condition compares with `key`: `(pedidos.restaurante_id = 'r-1'::text)`.
fn column(condition: &str, key: &str) -> Option<String> {
    let (before, _) = condition.split_once(key)?;
    let mut compared = before.trim_end_matches('\'').trim_end_matches('(').strip_suffix(" = ")?;
    // `(a.b)::text` is a column in another type.
    while let Some((inner, cast)) = compared.rsplit_once(")::") {
        if !cast.chars().all(|letter| letter.is_ascii_lowercase() || letter == ' ') {
            break;
        }
        compared = inner;
    }
    let mut is_quoted = false;
    let begins = |letter: char| {
        is_quoted ^= letter == '"';
        !is_quoted && "( .".contains(letter)
    };
    let name = compared.rsplit(begins).next()?;
    let plain = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).map(|name| name.replace("\"\"", "\""));
    Some(plain.unwrap_or_else(|| name.to_owned())).filter(|name| !name.is_empty() && !name.contains(')'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_column_is_found_in_a_condition() {
        for (condition, found) in [
            ("(pedidos.restaurante_id = 'k-1'::text)", Some("restaurante_id")),
            ("((pedidos.restaurante_id)::text = 'k-1'::text)", Some("restaurante_id")),
            ("((p.estado <> 'x'::text) AND (p.\"de la casa\" = 'k-1'::text))", Some("de la casa")),
            ("(id = k-1)", Some("id")),
            ("(lower(p.id) = 'k-1'::text)", None),
            ("(p.id <> 'k-1'::text)", None),
            ("(p.id = 'other'::text)", None),
        ] {
            assert_eq!(column(condition, "k-1").as_deref(), found, "{condition}");
        }
    }

    #[test]
    fn a_plan_says_which_tables_it_reads_and_what_finds_the_key() {
        let scan = json!({"Node Type": "Index Scan", "Schema": "public", "Relation Name": "pedidos",
            "Index Name": "pedidos_r", "Index Cond": "(pedidos.r = 'k-1'::text)", "Filter": "(pedidos.a > 1)"});
        let other = json!({"Node Type": "Seq Scan", "Schema": "public", "Relation Name": "mesas",
            "Filter": "(mesas.r = 'k-1'::text)"});
        let plan = json!([{"Plan": {"Node Type": "Nested Loop", "Plans": [scan, other]}}]).to_string();
        let reads = reads(&plan, "k-1");
        assert_eq!(reads.tables.len(), 2);
        let found: Vec<_> = reads.compared.iter().map(|one| (one.table.as_str(), one.index.as_deref())).collect();
        assert_eq!(found, [("pedidos", Some("pedidos_r")), ("mesas", None)]);
    }
}
