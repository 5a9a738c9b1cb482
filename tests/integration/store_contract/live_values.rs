//! Live queries on PostgreSQL: every kind of value, types that change while they are read, what is slow, and what is left behind.

use std::time::Duration;

use pulso::queries::{LiveQuery, PairsQuery};
use pulso::store::{ContactError, Store, StoreError, open};
use pulso_harness::{Database, PgBouncer, Postgres, pgbouncer};

use super::live::{answer, query, read, rows, said};
use crate::backend::postgres_config;

async fn prepared() -> (Database, std::sync::Arc<dyn Store>) {
    let database = Postgres::shared().empty_database().await;
    let store = open(&postgres_config(&database.url())).unwrap();
    (database, store)
}

#[tokio::test]
async fn every_kind_of_value_is_written_as_the_contract_says() {
    let (database, store) = prepared().await;
    database
        .execute(
            "CREATE TYPE estado AS ENUM ('libre', 'ocupada'); CREATE TYPE punto AS (x integer, y text);
             CREATE DOMAIN cantidad AS integer CHECK (value > 0)",
        )
        .await;
    for (expression, expected) in [
        ("1::smallint", "1"),
        ("12345678901234567::bigint", "12345678901234567"),
        (
            "1234567890123456789012345678901234567890.0123456789::numeric",
            "1234567890123456789012345678901234567890.0123456789",
        ),
        ("'NaN'::numeric", "null"),
        ("'NaN'::float8", "null"),
        ("'Infinity'::float4", "null"),
        ("'-Infinity'::float8", "null"),
        ("0.1::float8 + 0.2::float8", "0.30000000000000004"),
        ("1e300::float8", "1e+300"),
        ("0.1::float4", "0.1"),
        ("true", "true"),
        ("false", "false"),
        ("NULL::text", "null"),
        ("5::cantidad", "5"),
        ("date '2026-02-03'", r#""2026-02-03""#),
        ("date '0044-03-15 BC'", r#""-000043-03-15""#),
        ("date '12345-03-15'", r#""+012345-03-15""#),
        ("'infinity'::date", "null"),
        ("timestamp '2026-02-03 04:05:06.7'", r#""2026-02-03T04:05:06.7""#),
        ("timestamptz '2026-07-03 04:05:06+00'", r#""2026-07-03T06:05:06+02:00""#),
        ("timestamptz '12026-07-03 04:05:06+00'", r#""+012026-07-03T06:05:06+02:00""#),
        ("'-infinity'::timestamptz", "null"),
        ("time '04:05:06'", r#""04:05:06""#),
        ("timetz '04:05:06+02'", r#""04:05:06+02:00""#),
        ("interval '1 day 2 hours 3.5 seconds'", r#""P1DT2H3.5S""#),
        ("'a\"b\\c'::text || chr(10) || chr(1) || 'ñ€😀'", r#""a\"b\\c\n\u0001ñ€😀""#),
        ("'  con relleno '::char(16)", r#""  con relleno   ""#),
        ("'9F1C2B3A-0000-4000-8000-00000000ABCD'::uuid", r#""9f1c2b3a-0000-4000-8000-00000000abcd""#),
        ("'ocupada'::estado", r#""ocupada""#),
        ("'10.0.0.1'::inet", r#""10.0.0.1""#),
        ("'[1,5)'::int4range", r#""[1,5)""#),
        (r#"E'{"b": 1,\n  "a" :\r\n [1, 2.50]}'::json"#, r#"{"b": 1,   "a" :   [1, 2.50]}"#),
        (r#"'{"b": 1, "a": null}'::jsonb"#, r#"{"a": null, "b": 1}"#),
        ("ARRAY[1, NULL, 3]", "[1,null,3]"),
        ("ARRAY[[1.5, 'NaN'::float8], ['-Infinity'::float8, 2]]", "[[1.5,null],[null,2]]"),
        ("ARRAY['a', 'b\"c', 'NaN']", r#"["a","b\"c","NaN"]"#),
        ("'{}'::text[]", "[]"),
        ("ARRAY[true]", "[true]"),
        ("ROW(1, 'dos')::punto", r#"{"x":1,"y":"dos"}"#),
        ("ARRAY[ROW(1, 'dos')::punto]", r#"[{"x":1,"y":"dos"}]"#),
        ("ROW(1, 'dos')", r#"{"f1":1,"f2":"dos"}"#),
        // Within others a value is what PostgreSQL makes of it in JSON, which has words for all of them as texts.
        ("ROW('NaN'::float8, '-Infinity'::numeric)", r#"{"f1":"NaN","f2":"-Infinity"}"#),
        (
            "ARRAY[date '12345-03-15', date '0044-03-15 BC', 'infinity']",
            r#"["12345-03-15","0044-03-15 BC","infinity"]"#,
        ),
    ] {
        let query = query("valor", &format!("SELECT {expression} AS v"));
        assert_eq!(said(&*store, &query, None).await, format!(r#"{{"v":{expected}}}"#), "{expression}");
    }
    let odd = query("raro", r#"SELECT 1 AS "Con ""comillas"" y ñ", 2 AS "select""#);
    assert_eq!(said(&*store, &odd, None).await, r#"{"Con \"comillas\" y ñ":1,"select":2}"#);
}

#[tokio::test]
async fn text_that_is_no_utf8_is_sent_with_what_can_be_read_of_it() {
    let (database, _) = prepared().await;
    let name = format!("{}_ascii", database.name());
    database
        .execute(&format!("CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"))
        .await;
    let store = open(&postgres_config(&database.url().replace(database.name(), &name))).unwrap();
    let broken = query("roto", r"SELECT E'caf\xe9 \xc3\xb1'::text AS v, 1 AS n");
    assert_eq!(said(&*store, &broken, None).await, "{\"v\":\"caf\u{fffd} ñ\",\"n\":1}");
}

#[tokio::test]
async fn operators_casts_and_quotes_of_every_kind_are_left_alone() {
    let (_database, store) = prepared().await;
    let sql = r#"SELECT '{"a": 1}'::jsonb ? 'a' AS uno, '{"b": 1}'::jsonb ?| ARRAY['a', 'b'] AS dos,
                        '{"a": 1}'::jsonb ?& ARRAY['a', $1::text] AS tres, $$it's $1; -- no$$ AS cuatro,
                        $q$ $$ $2 $q$ AS cinco, E'\'$1' AS seis, CAST($1 AS text) || '$3' AS siete, "n$1" AS ocho
                 FROM (SELECT 1 AS "n$1") AS s /* ; $1 /* */ ' */ -- '"#;
    let wanted = r#"{"uno":true,"dos":true,"tres":true,"cuatro":"it's $1; -- no","cinco":" $$ $2 ","seis":"'$1","siete":"a$3","ocho":1}"#;
    assert_eq!(said(&*store, &query("todo", sql), Some("a")).await, wanted);
}

#[tokio::test]
async fn a_change_that_never_comes_has_no_time() {
    let (_database, store) = prepared().await;
    for never in
        ["'infinity'::timestamptz", "'infinity'::timestamp", "'infinity'::date::timestamptz", "NULL::timestamptz"]
    {
        let query = query("nunca", &format!("SELECT {never} AS next_change_at, 1 AS n"));
        assert_eq!(said(&*store, &query, None).await, r#"{"n":1}"#);
        assert_eq!(answer(&*store, &query, None).await.unwrap().next_change_at, None, "{never}");
    }
}

#[tokio::test]
async fn types_are_those_of_the_moment() {
    let (database, store) = prepared().await;
    database.execute("CREATE TABLE pedidos (id integer, v integer); INSERT INTO pedidos VALUES (1, 7)").await;
    let beside = query("aparte", r"SELECT v, '\' AS b FROM pedidos WHERE id = $1");
    let query = query("valor", "SELECT v FROM pedidos WHERE id = $1");
    assert_eq!(said(&*store, &query, Some("1")).await, r#"{"v":7}"#);
    assert_eq!(said(&*store, &beside, Some("1")).await, r#"{"v":7,"b":"\\"}"#);
    for (kind, using, expected) in [
        ("numeric", "'NaN'::numeric", "null"),
        ("text", "'NaN'", r#""NaN""#),
        ("date", "date '2026-01-02'", r#""2026-01-02""#),
        ("integer[]", "ARRAY[1]", "[1]"),
        ("bigint", "9", "9"),
    ] {
        database.execute(&format!("ALTER TABLE pedidos ALTER COLUMN v TYPE {kind} USING {using}")).await;
        let answer_now = answer(&*store, &query, Some("1")).await.unwrap();
        assert_eq!(answer_now.data.as_ref(), format!(r#"{{"v":{expected}}}"#), "{kind}");
        let answer_now = answer(&*store, &beside, Some("1")).await.unwrap();
        assert_eq!(answer_now.data.as_ref(), format!(r#"{{"v":{expected},"b":"\\"}}"#), "{kind}");
    }
    database.execute("ALTER TABLE pedidos ALTER COLUMN v TYPE bytea USING 'x'").await;
    let refused = answer(&*store, &query, Some("1")).await;
    assert!(matches!(&refused, Err(StoreError::Refused(why)) if why.contains("bytea")), "{refused:?}");
    database.execute("ALTER TABLE pedidos ALTER COLUMN v TYPE text USING 'ya'").await;
    assert_eq!(said(&*store, &query, Some("1")).await, r#"{"v":"ya"}"#);
}

#[tokio::test]
async fn a_table_that_goes_a_namesake_and_a_key_of_another_type_fail_alone_and_come_back() {
    let (database, store) = prepared().await;
    database.execute("CREATE TABLE a (id integer, v integer); CREATE TABLE b (id integer, w integer); INSERT INTO a VALUES (1, 2); INSERT INTO b VALUES (1, 3)").await;
    let both = query("ambas", "SELECT v, w FROM a JOIN b USING (id) WHERE id = $1");
    let other = query("otra", "SELECT 1 AS n");
    assert_eq!(said(&*store, &both, Some("1")).await, r#"{"v":2,"w":3}"#);
    said(&*store, &other, None).await;
    for (change, back) in [
        ("ALTER TABLE b ADD COLUMN v integer", "ALTER TABLE b DROP COLUMN v"),
        ("ALTER TABLE a RENAME TO c", "ALTER TABLE c RENAME TO a"),
    ] {
        database.execute(change).await;
        let answers = store.live(&[read(&other, None), read(&both, Some("1")), read(&other, None)]).await.unwrap();
        assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
        assert!(matches!(answers[1], Err(StoreError::Refused(_))), "{answers:?}");
        assert!(store.learn(&both).await.is_err());
        database.execute(back).await;
        assert_eq!(answer(&*store, &both, Some("1")).await.unwrap().data.as_ref(), r#"{"v":2,"w":3}"#);
    }
    database.execute("ALTER TABLE a ALTER COLUMN id TYPE text; ALTER TABLE b ALTER COLUMN id TYPE text").await;
    assert!(matches!(answer(&*store, &both, Some("1")).await, Err(StoreError::Refused(_))));
    assert_eq!(said(&*store, &both, Some("1")).await, r#"{"v":2,"w":3}"#);
}

#[tokio::test]
async fn a_slow_one_is_given_up_and_the_others_are_answered() {
    let database = Postgres::shared().empty_database().await;
    let mut config = postgres_config(&database.url());
    config.statement_timeout = Duration::from_millis(800);
    let store = open(&config).unwrap();
    let slow = query(
        "lenta",
        "SELECT $1::text AS k, pg_sleep(CASE WHEN $1 = 'lenta' THEN 5 WHEN $1 = 'media' THEN 0.3 ELSE 0 END)::text AS s",
    );
    store.learn(&slow).await.unwrap();
    let asked: Vec<_> = ["a", "media", "b", "lenta", "c"].iter().map(|key| read(&slow, Some(key))).collect();
    let answers = store.live(&asked).await.unwrap();
    for (at, key) in [(0, "a"), (1, "media"), (2, "b"), (4, "c")] {
        let answer = answers[at].as_ref().unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_eq!(answer.data.as_ref(), format!(r#"{{"k":"{key}","s":""}}"#));
    }
    assert!(matches!(answers[3], Err(StoreError::TimedOut(_))), "{:?}", answers[3]);
    assert!(answer(&*store, &slow, Some("d")).await.is_ok());
}

#[tokio::test]
async fn what_a_query_sets_for_its_session_is_gone_behind_it() {
    let (database, _) = prepared().await;
    let pooler = PgBouncer::start(&database, pgbouncer::Options { pool_size: 1, max_prepared_statements: 0 });
    let store = open(&postgres_config(&pooler.url(&database))).unwrap();
    let sets = rows(
        "pone",
        "SELECT set_config('app.quien', 'yo', false) AS a, set_config('TimeZone', 'Asia/Tokyo', false) AS b",
    );
    assert!(said(&*store, &sets, None).await.contains("yo"));
    let beside = query("aparte", r"SELECT '\' AS b, $1 AS k");
    said(&*store, &beside, Some("k")).await;
    let failing = query("falla", r"SELECT 1 / length($1) AS n, '\' AS b");
    store.learn(&failing).await.unwrap();
    // Longer than any name, so that the division by nought is the server's.
    let asked = LiveQuery { fingerprint: 1, ..failing };
    assert!(answer(&*store, &asked, Some("")).await.is_err());
    let left = query(
        "queda",
        "SELECT coalesce(current_setting('app.quien', true), '') AS q, current_setting('TimeZone') AS z, \
                               (SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'pulso%') AS p",
    );
    assert_eq!(said(&*store, &left, None).await, r#"{"q":"","z":"Europe/Madrid","p":0}"#);
}

#[tokio::test]
async fn where_reads_are_ordered_each_says_where_it_stands() {
    let database = Postgres::shared().empty_database().await;
    let mut config = postgres_config(&database.url());
    (config.orders_reads, config.asks_figures) = (true, false);
    let store = open(&config).unwrap();
    store.contact().await.unwrap();
    let written = query("escrita", "SELECT $1::text AS k");
    let beside = query("aparte", r"SELECT '\' AS b, $1::text AS k");
    for query in [&written, &beside] {
        store.learn(query).await.unwrap();
    }
    let asked = [read(&written, Some("a")), read(&beside, Some("b")), read(&written, Some("c"))];
    let answers = store.live(&asked).await.unwrap();
    let orders: Vec<u64> =
        answers.iter().map(|answer| answer.as_ref().unwrap().order.expect("a primary tells")).collect();
    assert_eq!(orders[0], orders[2], "read together, at one moment");
    database.execute("CREATE TABLE mas (n integer)").await;
    let later = store.live(&asked[..1]).await.unwrap().remove(0).unwrap();
    assert!(later.order > Some(orders[0]), "{later:?} after {orders:?}");
}

#[tokio::test]
async fn bytes_are_refused_wherever_they_are() {
    let (database, store) = prepared().await;
    database
        .execute(
            "CREATE TYPE foto AS (n integer, datos bytea); CREATE DOMAIN bytes AS bytea; CREATE TYPE album AS (primera foto);
             CREATE TYPE sello AS (datos bytes)",
        )
        .await;
    for value in [
        "'x'::bytea",
        "ARRAY['x'::bytea]",
        "ROW(1, 'x')::foto",
        "ARRAY[ROW(1, 'x')::foto]",
        "'x'::bytes",
        "ARRAY['x'::bytes]",
        "ROW(ROW(1, 'x'))::album",
        "ROW('x')::sello",
    ] {
        let refused = store.learn(&query("foto", &format!("SELECT {value} AS v"))).await.unwrap_err();
        assert!(
            refused.to_string().contains("column v") && refused.to_string().contains("bytea"),
            "{value}: {refused}"
        );
    }
}

#[tokio::test]
async fn a_type_that_the_driver_does_not_know_is_asked_for_as_text() {
    let (_database, store) = prepared().await;
    let query = |value: &str| query("rango", &format!("SELECT {value} AS v"));
    let refused = store.learn(&query("'{[1,2)}'::int4multirange")).await.unwrap_err();
    assert!(refused.to_string().contains("rango.sql: ") && refused.to_string().contains("::text"), "{refused}");
    assert_eq!(said(&*store, &query("'{[1,2)}'::int4multirange::text"), None).await, r#"{"v":"{[1,2)}"}"#);
}

#[tokio::test]
async fn a_query_is_learnt_whatever_it_takes_its_key_for() {
    let (database, store) = prepared().await;
    database
        .execute(
            "CREATE TYPE estado AS ENUM ('libre', 'ocupada');
             CREATE TABLE mesas (id uuid, estado estado, dia date, n integer);
             INSERT INTO mesas VALUES ('9f1c2b3a-0000-4000-8000-00000000abcd', 'libre', '2026-02-03', 7)",
        )
        .await;
    let of = |condition: &str| query("mesas", &format!("SELECT count(*) AS n FROM mesas WHERE {condition}"));
    for (condition, key) in [
        ("estado = $1::text::estado", "libre"),
        ("dia = $1::text::date", "2026-02-03"),
        ("id = $1::text::uuid", "9f1c2b3a-0000-4000-8000-00000000abcd"),
        ("id = concat('9f1c2b3a-0000-4000-8000-', $1::text)::uuid", "00000000abcd"),
        ("n = split_part($1, '-', 2)::integer", "mesa-7"),
        ("n = 14 / $1::integer", "2"),
        (r"estado = $1::text::estado AND '\' <> ''", "libre"),
    ] {
        assert_eq!(said(&*store, &of(condition), Some(key)).await, r#"{"n":1}"#, "{condition}");
    }
    let by_state = of("estado = $1::text::estado");
    store.learn(&by_state).await.unwrap();
    let asked = ["rota", "libre"].map(|key| read(&by_state, Some(key)));
    let answers = store.live(&asked).await.unwrap();
    assert!(matches!(answers[0], Err(StoreError::Data(_))) && answers[1].is_ok(), "{answers:?}");
    // What is missing is found all the same, also a right.
    let missing = store.learn(&of("estado = $1::text::estado AND EXISTS (SELECT FROM nada)")).await.unwrap_err();
    assert!(matches!(missing, ContactError::Missing(_)), "{missing:?}");
    let role = format!("{}_sin_derechos", database.name());
    database.execute(&format!("CREATE ROLE {role} LOGIN")).await;
    let barred = open(&postgres_config(&database.url().replace("pulso@", &format!("{role}@")))).unwrap();
    for condition in ["estado = $1::text::estado", "id = $1::text::uuid", "n = 14 / $1::integer"] {
        let refused = barred.learn(&of(condition)).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{condition}: {refused}");
    }
}

#[tokio::test]
async fn who_asks_for_the_first_time_hears_nothing_of_connections_that_died_while_they_waited() {
    let (database, store) = prepared().await;
    database
        .execute(
            "CREATE TABLE devices (id integer, device_uid text, is_active boolean);
             CREATE TABLE turnos (sala text, persona text); INSERT INTO turnos VALUES ('a', 'ana')",
        )
        .await;
    let sql = "SELECT sala, persona AS user_id FROM turnos WHERE sala = ANY ($1) AND persona = ANY ($2)";
    let pairs = PairsQuery { file: "acceso.sql".into(), sql: sql.into() };
    let asked = [("a".to_owned(), "ana".to_owned())];
    for first in ["pairs", "devices", "live"] {
        store.ping().await.unwrap();
        assert!(database.terminate_connections().await > 0, "one waits");
        match first {
            "pairs" => assert_eq!(store.pairs(&pairs, &asked).await.unwrap(), asked.clone().into()),
            "devices" => assert_eq!(store.devices(&["ipad".to_owned()], &[]).await.unwrap(), []),
            _ => assert_eq!(said(&*store, &query("una", "SELECT 1 AS n"), None).await, r#"{"n":1}"#),
        }
    }
}

#[tokio::test]
async fn a_server_that_a_query_asks_in_vain_is_the_querys_own_failure() {
    let (database, store) = prepared().await;
    database
        .execute(
            "CREATE FUNCTION lejos(code text) RETURNS integer LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'could not connect to server \"lejos\"' USING ERRCODE = code; END $$",
        )
        .await;
    let near = query("cerca", "SELECT 1 AS n");
    store.learn(&near).await.unwrap();
    for code in ["08001", "08006", "HV00N"] {
        let far = query("lejos", &format!("SELECT lejos('{code}') AS n"));
        store.learn(&far).await.unwrap();
        let answers = store.live(&[read(&near, None), read(&far, None), read(&near, None)]).await.unwrap();
        assert!(answers[0].is_ok() && answers[2].is_ok(), "{code}: {answers:?}");
        assert!(matches!(&answers[1], Err(StoreError::Refused(why)) if why.contains("lejos")), "{code}: {answers:?}");
    }
}
