//! The codes of `error`: one place has them, and every document has each of them.

use std::collections::BTreeSet;

use pulso::model::Code;

const ASYNCAPI: &str = include_str!("../../../docs/asyncapi.yaml");
const ERRORS: &str = include_str!("../../../docs/book/en/src/reference/errors.md");

/// The first cell of every row of a section's table, which is in backticks.
fn listed(section: &str) -> BTreeSet<&'static str> {
    let section = ERRORS.split(section).nth(1).expect("the section");
    let table = section.split("\n## ").next().unwrap();
    table.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0)).collect()
}

/// The values that a schema allows.
fn allowed(schema: &str) -> BTreeSet<&'static str> {
    let schema = ASYNCAPI.split(schema).nth(1).expect("the schema");
    let values = schema.split("enum:\n").nth(1).unwrap();
    values.lines().map_while(|line| line.trim().strip_prefix("- ")).collect()
}

#[test]
fn every_code_of_an_error_has_its_row_and_is_in_asyncapi() {
    let known: BTreeSet<&str> = Code::ALL.iter().map(|code| code.word()).collect();
    assert_eq!(known.len(), Code::ALL.len(), "each is another");
    assert_eq!(listed("## Codes of `error` in the second version"), known);
    assert_eq!(allowed("\n    ErrorCode:\n"), known);
}
