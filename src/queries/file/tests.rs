//! What files of live queries say.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::queries::{Hint, ResultForm};

fn read(text: &str) -> Result<LiveQuery, Vec<Fault>> {
    read_by(text, Dialect::Postgres)
}

fn read_by(text: &str, dialect: Dialect) -> Result<LiveQuery, Vec<Fault>> {
    let name = QueryName::parse("cocina").unwrap();
    let reading = Reading { name, file: Path::new("q/cocina.sql"), zone: &TimeZone::UTC, dialect };
    reading.read(text, |file| {
        let sql = format!("SELECT {file}").into();
        Ok(Some(Arc::new(PairsQuery { file: file.into(), sql })))
    })
}

fn faults(text: &str) -> Vec<(usize, String)> {
    read(text).unwrap_err().into_iter().map(|fault| (fault.line, fault.problem)).collect()
}

const KITCHEN: &str = "\
-- Lo que espera en la cocina
-- access: claim restaurantId
-- hints: order/new order/status order/item-status

SELECT count(*) FILTER (WHERE estado = 'PENDING') AS pendientes, -- los nuevos
       min(prometido_para) FILTER (WHERE prometido_para > $3) AS next_change_at
FROM pedidos WHERE restaurante_id = $1; -- fin";

#[test]
fn a_file_is_its_lines_and_its_statement() {
    let query = read(KITCHEN).unwrap();
    assert!(query.sql.starts_with("SELECT count(*)") && query.sql.ends_with("restaurante_id = $1"));
    assert_eq!((query.first_line, query.hints.len(), query.access.len()), (5, 3, 1));
    assert_eq!(query.hints[2], Hint::Hook("/notify/order/item-status"));
    let defaults = (query.is_keyed, query.form, query.every, query.min_gap, query.max_rows, query.max_bytes);
    assert_eq!(defaults, (true, ResultForm::Row, None, Duration::ZERO, 500, 65_536));
}

#[test]
fn every_line_may_be_said_with_line_ends_of_any_system() {
    let text = "-- access: authenticated\r\n-- key: none\r\n--result:rows\r\n-- every: 5s\r\n-- min_gap: 200ms\r\n\
                -- max_rows: 3\r\n-- max_bytes: 99\r\n-- timezone: America/Lima\r\nVALUES ($2, $3)\r\n";
    let query = read(text).unwrap();
    assert_eq!((query.is_keyed, query.form), (false, ResultForm::Rows));
    assert_eq!((query.every, query.min_gap), (Some(Duration::from_secs(5)), Duration::from_millis(200)));
    assert_eq!((query.max_rows, query.max_bytes, query.first_line), (3, 99, 9));
    assert_eq!(query.zone.iana_name(), Some("America/Lima"));
    assert_eq!(&*query.sql, "VALUES ($2, $3)");
}

#[test]
fn all_that_is_wrong_is_said_at_once_with_its_line() {
    let text = "-- acces: negocio\n-- key: none\n-- every: 1ms\n-- every: 2s\n-- max_rows:\nSELECT $4,\n  1; SELECT 2";
    let found = faults(text);
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 1, 3, 4, 5, 7], "{found:?}");
    assert_eq!(faults("-- access: negocio\nSELECT $4, $5 + $1")[1].1, "there is no $5");
}

#[test]
fn who_may_watch_must_be_said() {
    assert_eq!(faults("SELECT $1"), [(1, "nothing says who may watch it".to_owned())]);
    assert_eq!(faults("-- access: anybody\nSELECT $1"), [(1, "\"anybody\" is no rule".to_owned())]);
}

#[test]
fn the_key_is_used_or_said_not_to_be_there() {
    assert_eq!(faults("-- access: user\nSELECT 1"), [(2, "$1, the key, is missing".to_owned())]);
    assert_eq!(faults("-- access: user\nSELECT '$1' -- $1"), [(2, "$1, the key, is missing".to_owned())]);
    let both = "-- key: none\n-- access: authenticated\nSELECT $1";
    assert_eq!(faults(both), [(3, "$1 is used, and key: none says that there is no key".to_owned())]);
    for rule in ["negocio", "user", "claim a", "sql a/b"] {
        let text = format!("-- access: claim a=b, {rule}\n-- key: none\nSELECT 1");
        assert_eq!(faults(&text).len(), 1, "{rule}");
    }
}

#[test]
fn a_line_behind_the_beginning_of_the_statement_is_not_passed_over() {
    let text = "-- access: user\nSELECT $1 -- key: is no line here\n  -- every: 5s\n, '\n-- every: 5s\n'";
    assert_eq!(faults(text), [(3, "the line every comes too late".to_owned())]);
    assert_eq!(faults("/* a */\n-- access: user\nSELECT $1").len(), 2);
}

#[test]
fn a_fingerprint_is_of_what_is_said_and_not_of_comments() {
    let of = |text: &str| read(text).unwrap().fingerprint;
    let plain = of(KITCHEN);
    assert_eq!(of(&KITCHEN.replace("Lo que", "Todo lo que")), plain);
    assert_eq!(of(&KITCHEN.replace("; -- fin", "")), plain);
    for (what, other) in [("= $1", "= $1 AND true"), ("order/new ", ""), ("claim restaurantId", "claim restaurantIds")]
    {
        assert_ne!(of(&KITCHEN.replace(what, other)), plain, "{what}");
    }
    assert_ne!(of(&KITCHEN.replace("-- hints", "-- min_gap: 1s\n-- hints")), plain);
}

#[test]
fn a_query_of_pairs_asks_by_keys_and_users() {
    let pairs = |text: &str| read_pairs(text, Path::new("a/b.sql"), Dialect::Postgres);
    let text = "-- whose\nSELECT a, b FROM c WHERE a = ANY ($1) AND b = ANY ($2);";
    assert_eq!(&*pairs(text).unwrap().sql, "SELECT a, b FROM c WHERE a = ANY ($1) AND b = ANY ($2)");
    for (text, line) in [("SELECT $1", 1), ("\nSELECT $1, $2, $3", 2), ("\n\nDELETE FROM a", 3), ("", 1)] {
        assert_eq!(pairs(text).unwrap_err()[0].line, line, "{text}");
    }
}

proptest! {
    /// Whatever stands in a file is read, or objected to on lines that there are.
    #[test]
    fn no_file_is_too_strange(text in "(-- (access|key|hints|every|x): ?[a-z$1=,\" ]{0,12}\n){0,3}[a-zA-Z1$;()'\"\n ñ-]{0,40}") {
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            match read_by(&text, dialect) {
                Ok(query) => prop_assert!(!query.sql.is_empty() && text.contains(&*query.sql)),
                Err(faults) => {
                    prop_assert!(!faults.is_empty());
                    let lines = text.split('\n').count();
                    prop_assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.line)), "{:?}", faults);
                }
            }
        }
    }
}
