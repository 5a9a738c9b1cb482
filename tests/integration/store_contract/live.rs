//! Live queries: any statement of an operator's, its parameters, its values as JSON, and what is refused.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pulso::model::{Consulta, IdType, QueryName};
use pulso::queries::{LiveQuery, ResultForm};
use pulso::store::{ContactError, LiveRead, LiveResult, Store, StoreError};

use crate::backend::Prepared;

/// 11:30 in Madrid.
const NOW: &str = "2026-11-22T10:30:00.123456Z";

/// A query of this name, with a key if its text has `$1`.
pub fn query(name: &str, sql: &str) -> LiveQuery {
    LiveQuery {
        name: QueryName::parse(name).unwrap(),
        access: Vec::new(),
        is_keyed: sql.contains("$1"),
        hints: Vec::new(),
        form: ResultForm::Row,
        every: None,
        min_gap: Duration::ZERO,
        max_rows: 500,
        max_bytes: 65_536,
        zone: TimeZone::get("Europe/Madrid").unwrap(),
        sql: sql.into(),
        fingerprint: 1,
        file: format!("/etc/pulso/{name}.sql").into(),
        first_line: 3,
    }
}

pub fn rows(name: &str, sql: &str) -> LiveQuery {
    LiveQuery { form: ResultForm::Rows, ..query(name, sql) }
}

/// A read of `query` for `key`, at [`NOW`].
pub fn read(query: &LiveQuery, key: Option<&str>) -> LiveRead {
    let now: Timestamp = NOW.parse().unwrap();
    LiveRead {
        consulta: Consulta::new(query.name.clone(), key),
        today: now.to_zoned(query.zone.clone()).date(),
        now,
        query: Arc::new(query.clone()),
        xids: Vec::new(),
    }
}

/// What one read of a query that is learnt says.
pub async fn answer(store: &dyn Store, query: &LiveQuery, key: Option<&str>) -> Result<LiveResult, StoreError> {
    store.live(&[read(query, key)]).await?.remove(0)
}

pub async fn said(store: &dyn Store, query: &LiveQuery, key: Option<&str>) -> String {
    store.learn(query).await.unwrap_or_else(|error| panic!("{}: {error}", query.sql));
    answer(store, query, key).await.unwrap_or_else(|error| panic!("{}: {error}", query.sql)).data.to_string()
}

/// The reason for which `query` is turned off.
async fn refusal(store: &dyn Store, query: &LiveQuery) -> String {
    match store.learn(query).await.unwrap_err() {
        ContactError::WrongQuery { variable: "QUERIES_DIR", reason }
        | ContactError::Missing(reason)
        | ContactError::Store(StoreError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

promises_everywhere!(
    a_row_is_an_object_in_the_order_of_its_columns,
    no_row_is_one_of_nulls_and_two_are_an_error,
    rows_are_an_array_as_the_query_orders,
    what_is_too_much_is_refused_whole_and_the_next_read_is_answered,
    a_key_is_one_text_whatever_it_holds,
    today_and_now_are_of_one_instant,
    comments_strings_and_a_last_comment_are_left_alone,
    the_earliest_next_change_is_told_and_not_sent,
    several_queries_are_read_at_once,
    a_read_before_it_is_learnt_is_refused,
    what_is_wrong_is_named_with_its_file,
    one_that_fails_leaves_the_others_their_answers,
    a_query_that_writes_is_refused,
    pairs_are_confirmed_as_they_were_asked,
);

async fn a_row_is_an_object_in_the_order_of_its_columns(prepared: Prepared) {
    let store = prepared.store();
    let query = query("uno", "SELECT 2 AS zeta, 'a\"b' AS alfa, NULL AS nada, 1.5 AS media");
    assert_eq!(said(&*store, &query, None).await, r#"{"zeta":2,"alfa":"a\"b","nada":null,"media":1.5}"#);
    let learnt = store.learn(&query).await.unwrap();
    assert_eq!(learnt.key, None);
    let names: Vec<&str> = learnt.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["zeta", "alfa", "nada", "media"]);
}

async fn no_row_is_one_of_nulls_and_two_are_an_error(prepared: Prepared) {
    prepared
        .execute("CREATE TABLE pedidos (sala text, n integer); INSERT INTO pedidos VALUES ('a', 1), ('b', 1), ('b', 2)")
        .await;
    let store = prepared.store();
    let query = query("uno", "SELECT n, sala FROM pedidos WHERE sala = $1");
    assert_eq!(said(&*store, &query, Some("a")).await, r#"{"n":1,"sala":"a"}"#);
    assert_eq!(said(&*store, &query, Some("nadie")).await, r#"{"n":null,"sala":null}"#);
    assert!(matches!(answer(&*store, &query, Some("b")).await, Err(StoreError::Unsendable(_))));
}

async fn rows_are_an_array_as_the_query_orders(prepared: Prepared) {
    prepared
        .execute(
            "CREATE TABLE ventas (hora integer, total integer); INSERT INTO ventas VALUES (9, 1), (11, 3), (10, 2)",
        )
        .await;
    let store = prepared.store();
    let all = rows("todas", "SELECT hora, total FROM ventas ORDER BY hora DESC");
    assert_eq!(
        said(&*store, &all, None).await,
        r#"[{"hora":11,"total":3},{"hora":10,"total":2},{"hora":9,"total":1}]"#
    );
    assert_eq!(answer(&*store, &all, None).await.unwrap().rows, 3);
    let none = rows("ninguna", "SELECT hora FROM ventas WHERE hora > 20");
    assert_eq!(said(&*store, &none, None).await, "[]");
}

async fn what_is_too_much_is_refused_whole_and_the_next_read_is_answered(prepared: Prepared) {
    prepared.execute("CREATE TABLE textos (n integer, texto text); INSERT INTO textos VALUES (1, 'uno'), (2, 'dos'), (3, 'tres')").await;
    let store = prepared.store();
    let few = LiveQuery { max_rows: 2, ..rows("pocas", "SELECT n FROM textos ORDER BY n") };
    store.learn(&few).await.unwrap();
    assert!(matches!(answer(&*store, &few, None).await, Err(StoreError::Unsendable(why)) if why.contains("max_rows")));
    let short = LiveQuery { max_bytes: 40, ..rows("cortas", "SELECT texto FROM textos WHERE n < 3 ORDER BY n") };
    assert_eq!(said(&*store, &short, None).await, r#"[{"texto":"uno"},{"texto":"dos"}]"#);
    prepared.execute(&format!("UPDATE textos SET texto = '{}' WHERE n = 2", "x".repeat(100_000))).await;
    assert!(
        matches!(answer(&*store, &short, None).await, Err(StoreError::Unsendable(why)) if why.contains("max_bytes"))
    );
    // Each is short enough, all of them together are not.
    prepared.execute(&format!("UPDATE textos SET texto = '{}'", "x".repeat(15))).await;
    assert!(
        matches!(answer(&*store, &short, None).await, Err(StoreError::Unsendable(why)) if why.contains("max_bytes"))
    );
    prepared.execute("UPDATE textos SET texto = 'ok'").await;
    assert_eq!(said(&*store, &short, None).await, r#"[{"texto":"ok"},{"texto":"ok"}]"#);
}

async fn a_key_is_one_text_whatever_it_holds(prepared: Prepared) {
    let store = prepared.store();
    prepared.execute("CREATE TABLE salas (id text, n integer)").await;
    let by_key = query("sala", "SELECT count(*) AS n FROM salas WHERE id = $1");
    let keys = ["o'x", r"o\'x", r"\", "$1", "$$", "--", "/*", "ñ€😀", "a\"b", "a;b", "'; DROP TABLE salas; --", "%s"];
    for key in keys {
        prepared.execute(&format!("INSERT INTO salas VALUES ('{}', 1)", key.replace('\'', "''"))).await;
    }
    assert_eq!(said(&*store, &by_key, Some("nadie")).await, r#"{"n":0}"#);
    for key in keys {
        assert_eq!(answer(&*store, &by_key, Some(key)).await.unwrap().data.as_ref(), r#"{"n":1}"#, "{key}");
    }
}

async fn today_and_now_are_of_one_instant(prepared: Prepared) {
    let store = prepared.store();
    if prepared.is_postgres() {
        let all =
            query("tiempos", "SELECT $2::date AS dia, $3::timestamptz AS ahora, $3 - interval '30 minutes' AS antes");
        assert_eq!(
            said(&*store, &all, None).await,
            r#"{"dia":"2026-11-22","ahora":"2026-11-22T11:30:00.123456+01:00","antes":"2026-11-22T11:00:00.123456+01:00"}"#
        );
        for (sql, expected) in [
            ("SELECT $3::timestamp AS t", r#"{"t":"2026-11-22T11:30:00.123456"}"#),
            ("SELECT $3::date AS t", r#"{"t":"2026-11-22"}"#),
            ("SELECT $3::time AS t", r#"{"t":"11:30:00.123456"}"#),
            ("SELECT $3::text AS t", r#"{"t":"2026-11-22T11:30:00.123456+01:00"}"#),
            ("SELECT $2::timestamp AS t", r#"{"t":"2026-11-22T00:00:00"}"#),
            ("SELECT $2::timestamptz AS t", r#"{"t":"2026-11-22T00:00:00+01:00"}"#),
            ("SELECT $2::text AS t", r#"{"t":"2026-11-22"}"#),
        ] {
            assert_eq!(said(&*store, &query("t", sql), None).await, expected, "{sql}");
        }
        let there = LiveQuery {
            zone: TimeZone::get("Pacific/Kiritimati").unwrap(),
            ..query("k", "SELECT $2::date AS d, $3::timestamptz AS t")
        };
        assert_eq!(said(&*store, &there, None).await, r#"{"d":"2026-11-23","t":"2026-11-23T00:30:00.123456+14:00"}"#);
    } else {
        let all = query("tiempos", "SELECT $2 AS dia, $3 AS ahora, typeof($3) AS tipo");
        assert_eq!(
            said(&*store, &all, None).await,
            r#"{"dia":"2026-11-22","ahora":"2026-11-22 10:30:00.123","tipo":"text"}"#
        );
    }
}

async fn comments_strings_and_a_last_comment_are_left_alone(prepared: Prepared) {
    let store = prepared.store();
    let commented = query("c", "SELECT 'it''s $1;' AS a, /* $2 ; */ 1 AS b -- $1; no line's end");
    assert_eq!(said(&*store, &LiveQuery { is_keyed: false, ..commented }, None).await, r#"{"a":"it's $1;","b":1}"#);
    let backslash = query("d", r"SELECT '\' AS a, $1 AS b, '\n' AS c");
    assert_eq!(said(&*store, &backslash, Some("k")).await, r#"{"a":"\\","b":"k","c":"\\n"}"#);
    let with = query("w", "WITH uno AS (SELECT 1 AS n) SELECT n FROM uno");
    assert_eq!(said(&*store, &with, None).await, r#"{"n":1}"#);
}

async fn the_earliest_next_change_is_told_and_not_sent(prepared: Prepared) {
    let store = prepared.store();
    prepared.execute("CREATE TABLE citas (n integer, cambia timestamp)").await;
    let query = rows("relojes", "SELECT n, cambia AS next_change_at FROM citas ORDER BY n");
    assert_eq!(said(&*store, &query, None).await, "[]");
    assert_eq!(answer(&*store, &query, None).await.unwrap().next_change_at, None);
    prepared
        .execute("INSERT INTO citas VALUES (1, NULL), (2, '2026-11-22 12:00:00'), (3, '2026-11-22 11:45:00.5')")
        .await;
    let answer = answer(&*store, &query, None).await.unwrap();
    assert_eq!(answer.data.as_ref(), r#"[{"n":1},{"n":2},{"n":3}]"#);
    // A wall clock of the query's zone; SQLite is told, and tells, UTC.
    let expected = if prepared.is_postgres() { "2026-11-22T10:45:00.5Z" } else { "2026-11-22T11:45:00.5Z" };
    assert_eq!(answer.next_change_at, Some(expected.parse().unwrap()));
}

#[tokio::test]
async fn a_time_of_change_that_cannot_be_read_is_told_and_never_is_one() {
    let prepared = Prepared::sqlite().await;
    let store = prepared.store();
    for never in ["NULL", "'infinity'"] {
        let query = query("nunca", &format!("SELECT 1 AS n, {never} AS next_change_at"));
        assert_eq!(said(&*store, &query, None).await, r#"{"n":1}"#);
        assert_eq!(answer(&*store, &query, None).await.unwrap().next_change_at, None, "{never}");
    }
    for wrong in ["strftime('%s', '2026-11-22')", "julianday('2026-11-22')", "'luego'", "''", "x'00'"] {
        let query = query("mal", &format!("SELECT 1 AS n, {wrong} AS next_change_at"));
        store.learn(&query).await.unwrap();
        let refused = answer(&*store, &query, None).await;
        assert!(
            matches!(&refused, Err(StoreError::Unsendable(why)) if why.contains("no time")),
            "{wrong}: {refused:?}"
        );
    }
}

async fn several_queries_are_read_at_once(prepared: Prepared) {
    let store = prepared.store();
    let one = query("una", "SELECT $1 AS k");
    let other = LiveQuery { zone: TimeZone::get("Asia/Tokyo").unwrap(), ..rows("otra", "SELECT $2 AS d") };
    let third = query("tercera", r"SELECT '\' AS b, $1 AS k");
    for query in [&one, &other, &third] {
        store.learn(query).await.unwrap();
    }
    let asked = [
        read(&one, Some("a")),
        read(&other, None),
        read(&one, Some("b")),
        read(&third, Some("c")),
        read(&one, Some("d")),
        read(&one, Some("e")),
        read(&one, Some("f")),
        read(&other, None),
        read(&one, Some("g")),
        read(&one, Some("h")),
        read(&one, Some("i")),
    ];
    let answers = store.live(&asked).await.unwrap();
    let said: Vec<&str> = answers.iter().map(|answer| answer.as_ref().unwrap().data.as_ref()).collect();
    let k = |key: &str| format!(r#"{{"k":"{key}"}}"#);
    assert_eq!(
        said,
        [
            &k("a"),
            r#"[{"d":"2026-11-22"}]"#,
            &k("b"),
            r#"{"b":"\\","k":"c"}"#,
            &k("d"),
            &k("e"),
            &k("f"),
            r#"[{"d":"2026-11-22"}]"#,
            &k("g"),
            &k("h"),
            &k("i"),
        ]
    );
}

async fn a_read_before_it_is_learnt_is_refused(prepared: Prepared) {
    let store = prepared.store();
    let first = query("una", "SELECT 1 AS n");
    assert!(matches!(answer(&*store, &first, None).await, Err(StoreError::Refused(_))));
    store.learn(&first).await.unwrap();
    let changed = LiveQuery { fingerprint: 2, ..query("una", "SELECT 2 AS n") };
    assert!(
        matches!(answer(&*store, &changed, None).await, Err(StoreError::Refused(_))),
        "another text is another query"
    );
    assert_eq!(said(&*store, &changed, None).await, r#"{"n":2}"#);
}

async fn what_is_wrong_is_named_with_its_file(prepared: Prepared) {
    let store = prepared.store();
    for (sql, reasons) in [
        ("SELECT 1 AS n\nFROM nada", &["nada"][..]),
        ("SELECT 1 AS n, 2 AS n", &["called n"]),
        ("SELECT 1 AS n, 2 AS N", &["two columns are called"]),
        ("SELEC 1", &["syntax error"]),
    ] {
        let reason = refusal(&*store, &query("mala", sql)).await;
        assert!(reason.starts_with("mala.sql"), "{reason}");
        assert!(reasons.iter().all(|part| reason.contains(part)), "{reason}");
    }
    if prepared.is_postgres() {
        let reason = refusal(&*store, &query("mala", "SELECT 1 AS n\nFROM nada")).await;
        assert!(reason.starts_with("mala.sql:4: "), "the line of the file: {reason}");
        for (sql, part) in [
            ("SELECT 1", "has no name"),
            ("SELECT 'x'::bytea AS foto", "bytea"),
            ("SELECT ARRAY['x'::bytea] AS fotos", "bytea"),
            ("SELECT 1 AS next_change_at", "must be a time"),
            ("SELECT $3::interval AS t", "interval"),
            ("SELECT 1 AS n WHERE $1 > 1.5", "numeric"),
        ] {
            let reason = refusal(&*store, &query("mala", sql)).await;
            assert!(reason.contains(part), "{sql}: {reason}");
        }
    } else {
        let reason = refusal(&*store, &query("mala", "SELECT 1 AS \"\"")).await;
        assert!(reason.contains("has no name"), "{reason}");
    }
}

async fn one_that_fails_leaves_the_others_their_answers(prepared: Prepared) {
    prepared
        .execute("CREATE TABLE numeros (id text, n integer); INSERT INTO numeros VALUES ('a', 1), ('b', 0), ('c', 2)")
        .await;
    let store = prepared.store();
    let failing = if prepared.is_postgres() {
        query("f", "SELECT 10 / n AS n FROM numeros WHERE id = $1")
    } else {
        query(
            "f",
            "SELECT CASE n WHEN 0 THEN abs(-9223372036854775807 - 1) ELSE 10 / n END AS n FROM numeros WHERE id = $1",
        )
    };
    store.learn(&failing).await.unwrap();
    let asked = ["a", "b", "c"].map(|key| read(&failing, Some(key)));
    let answers = store.live(&asked).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap().data.as_ref(), r#"{"n":10}"#);
    assert!(matches!(&answers[1], Err(StoreError::Refused(_) | StoreError::Data(_))), "{:?}", answers[1]);
    assert_eq!(answers[2].as_ref().unwrap().data.as_ref(), r#"{"n":5}"#);
    let batch = store.live(&[read(&failing, Some("b")), read(&failing, Some("a"))]).await.unwrap();
    assert!(batch[0].is_err() && batch[1].is_ok(), "{batch:?}");
}

async fn a_query_that_writes_is_refused(prepared: Prepared) {
    prepared.execute("CREATE TABLE cuenta (n integer); INSERT INTO cuenta VALUES (1)").await;
    let store = prepared.store();
    let mut writers = vec!["DELETE FROM cuenta RETURNING n"];
    if prepared.is_postgres() {
        prepared
            .execute("CREATE FUNCTION suma() RETURNS integer LANGUAGE sql AS 'UPDATE cuenta SET n = n + 1 RETURNING n'")
            .await;
        writers.extend([
            "WITH borra AS (DELETE FROM cuenta RETURNING n) SELECT n FROM borra",
            "SELECT suma() AS n",
            "SELECT n FROM cuenta FOR UPDATE",
        ]);
    }
    for sql in writers {
        let writer = query("escribe", sql);
        let answer = match store.learn(&writer).await {
            Ok(_) => answer(&*store, &writer, None).await.map(drop),
            Err(error) => Err(StoreError::Refused(error.to_string())),
        };
        assert!(matches!(answer, Err(StoreError::Refused(_))), "{sql}: {answer:?}");
    }
    let count = query("cuenta", "SELECT n FROM cuenta");
    assert_eq!(said(&*store, &count, None).await, r#"{"n":1}"#);
}

async fn pairs_are_confirmed_as_they_were_asked(prepared: Prepared) {
    prepared.execute("CREATE TABLE personal (sala text, persona text); INSERT INTO personal VALUES ('a', 'ana'), ('b', 'luis'), ('c', NULL)").await;
    let store = prepared.store();
    let sql = if prepared.is_postgres() {
        "SELECT sala, persona AS user_id FROM personal WHERE sala = ANY ($1) AND persona = ANY ($2)"
    } else {
        "SELECT sala, persona AS user_id FROM personal WHERE sala IN (SELECT value FROM json_each($1)) AND persona IN (SELECT value FROM json_each($2))"
    };
    let pairs = pulso::queries::PairsQuery { file: "acceso.sql".into(), sql: sql.into() };
    let pair = |key: &str, user: &str| (key.to_owned(), user.to_owned());
    let asked = [pair("a", "ana"), pair("a", "luis"), pair("b", "luis"), pair("c", "ana"), pair("x\0", "ana")];
    let confirmed = store.pairs(&pairs, &asked).await.unwrap();
    assert_eq!(confirmed, [pair("a", "ana"), pair("b", "luis")].into());
    assert_eq!(store.pairs(&pairs, &[]).await.unwrap().len(), 0);
    prepared.execute("DROP TABLE personal").await;
    assert!(matches!(store.pairs(&pairs, &asked).await, Err(StoreError::Refused(_))));
    prepared.execute("CREATE TABLE personal (sala text, persona text); INSERT INTO personal VALUES ('a', 'ana')").await;
    assert_eq!(store.pairs(&pairs, &asked).await.unwrap(), [pair("a", "ana")].into());
}

#[tokio::test]
async fn a_key_is_of_the_type_that_the_database_says() {
    let prepared = Prepared::postgres().await;
    let store = prepared.store();
    for (kind, id, canonical) in [
        ("uuid", IdType::Uuid, "9f1c2b3a-0000-4000-8000-00000000abcd"),
        ("text", IdType::Text, "x"),
        ("varchar", IdType::Text, "x"),
        ("bpchar", IdType::Char, "x"),
        ("smallint", IdType::Int2, "-7"),
        ("integer", IdType::Int4, "7"),
        ("bigint", IdType::Int8, "9000000000"),
    ] {
        let keyed = query("clave", &format!("SELECT $1::{kind}::text AS k"));
        assert_eq!(store.learn(&keyed).await.unwrap().key, Some(id), "{kind}");
        assert_eq!(said(&*store, &keyed, Some(canonical)).await, format!(r#"{{"k":"{canonical}"}}"#));
    }
}
