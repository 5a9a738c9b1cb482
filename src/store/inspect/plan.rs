//! How PostgreSQL would run a query, read from its plan.
//!
//! Must not know what the query is for.

use serde_json::Value;

/// How the rows are found, the worst of all ways in a plan last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    /// No table is read.
    Nothing,
    /// The index answers by itself.
    IndexOnly(String),
    /// The index finds the rows, and the table is read for each.
    Index(String),
    /// The index is read from end to end: none of its parts is what is compared.
    WholeIndex(String),
    /// The table is read from end to end.
    Table(String),
    /// Another server finds them.
    Elsewhere(String),
}

/// The worst access in a plan (`EXPLAIN (FORMAT JSON)`). `None` for what is no plan.
pub(super) fn worst_access(plan: &str) -> Option<Access> {
    let plan: Value = serde_json::from_str(plan).ok()?;
    let mut worst = Access::Nothing;
    visit(plan.get(0)?.get("Plan")?, &mut worst);
    Some(worst)
}

fn visit(node: &Value, worst: &mut Access) {
    let text = |name: &str| node.get(name).and_then(Value::as_str).unwrap_or_default();
    let has_condition = node.get("Index Cond").is_some();
    let index = || text("Index Name").to_owned();
    let access = match text("Node Type") {
        "Index Only Scan" if has_condition => Some(Access::IndexOnly(index())),
        // What a bitmap finds is read from the table.
        "Index Scan" | "Bitmap Index Scan" if has_condition => Some(Access::Index(index())),
        "Index Only Scan" | "Index Scan" | "Bitmap Index Scan" => Some(Access::WholeIndex(index())),
        "Seq Scan" | "Sample Scan" => Some(Access::Table(text("Relation Name").to_owned())),
        "Foreign Scan" => Some(Access::Elsewhere(text("Relation Name").to_owned())),
        _ => None,
    };
    if let Some(access) = access.filter(|access| access > worst) {
        *worst = access;
    }
    for child in node.get("Plans").and_then(Value::as_array).into_iter().flatten() {
        visit(child, worst);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn worst(plans: &[Value]) -> Access {
        worst_access(&json!([{"Plan": {"Node Type": "Aggregate", "Plans": plans}}]).to_string()).unwrap()
    }

    #[test]
    fn a_filter_on_an_index_is_told_from_a_condition() {
        let only = json!({"Node Type": "Index Only Scan", "Index Name": "a", "Index Cond": "(x = 1)"});
        let whole = json!({"Node Type": "Index Only Scan", "Index Name": "a", "Filter": "(x = 1)"});
        assert_eq!(worst(&[only]), Access::IndexOnly("a".to_owned()));
        assert_eq!(worst(&[whole]), Access::WholeIndex("a".to_owned()));
    }

    #[test]
    fn of_several_parts_the_worst_counts() {
        let only = json!({"Node Type": "Index Only Scan", "Index Name": "a", "Index Cond": "(x = 1)"});
        let scan = json!({"Node Type": "Seq Scan", "Relation Name": "citas_2025", "Filter": "(x = 1)"});
        let bitmap = json!({"Node Type": "Bitmap Heap Scan", "Relation Name": "citas", "Plans": [
            {"Node Type": "Bitmap Index Scan", "Index Name": "b", "Index Cond": "(x = 1)"}]});
        assert_eq!(worst(&[only.clone(), bitmap.clone()]), Access::Index("b".to_owned()));
        assert_eq!(worst(&[only, scan, bitmap]), Access::Table("citas_2025".to_owned()));
        assert_eq!(worst(&[]), Access::Nothing);
        assert_eq!(worst_access("Seq Scan on citas"), None);
    }
}
