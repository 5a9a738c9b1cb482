//! A file of a live query is one statement that reads, or is objected to on lines that it has.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use pulso::model::QueryName;
use pulso::queries::PairsQuery;
use pulso::queries::file::{Fault, Reading, read_pairs};
use pulso::queries::scan::{Dialect, tokens};
use pulso::queries::statement::Statement;

fuzz_target!(|text: &str| {
    let lines = text.split('\n').count();
    let check = |faults: Vec<Fault>| {
        assert!(!faults.is_empty());
        assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.line) && !fault.remedy.is_empty()), "{faults:?}");
    };
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        if let Ok(tokens) = tokens(text, dialect) {
            let mut end = 0;
            for token in tokens {
                assert!(text[end..token.range.start].chars().all(char::is_whitespace) && !token.range.is_empty());
                end = token.range.end;
            }
        }
        let name = QueryName::parse("a").expect("a name");
        let reading = Reading { name, file: Path::new("a.sql"), zone: &TimeZone::UTC, dialect };
        let pairs = |file: &str| Ok(Some(Arc::new(PairsQuery { file: file.into(), sql: "SELECT 1".into() })));
        match reading.read(text, pairs) {
            Err(faults) => check(faults),
            Ok(query) => {
                assert!(text.contains(&*query.sql) && !query.access.is_empty());
                // What was taken is the whole of itself: as a subquery, too.
                let again = Statement::find(&query.sql, dialect).expect("a statement");
                assert_eq!(&*again.sql, &*query.sql);
                assert_eq!(again.parameters.contains(&1), query.is_keyed);
                let inner = format!("SELECT * FROM (\n{}\n) AS a", query.sql);
                assert!(Statement::find(&inner, dialect).is_ok_and(|outer| outer.parameters == again.parameters));
            }
        }
        if let Err(faults) = read_pairs(text, Path::new("b.sql"), dialect) {
            check(faults);
        }
    }
});
