//! What a body may be: its size, its type, its form, the ids it names, and whether it comes at all.

use pulso_harness::{Claims, Database, Line, Postgres};
use serde_json::json;

use super::{POST, assert_refused, body_of, tells_nothing};
use crate::business::{NEGOCIO, OTHER_NEGOCIO, database, open, owner, pulso};

/// The least tables with a business `id` of `kind`.
async fn least(kind: &str, id: &str) -> Database {
    let database = Postgres::shared().empty_database().await;
    database
        .execute(&format!(
            "CREATE TABLE negocios (id {kind} PRIMARY KEY, admin_negocio_id text);
             CREATE TABLE citas (negocio_id {kind} NOT NULL, fecha date NOT NULL, estado text NOT NULL);
             INSERT INTO negocios VALUES ('{id}', 'ana');
             INSERT INTO citas VALUES ('{id}', '2020-01-01', 'atendida')"
        ))
        .await;
    database
}

#[tokio::test]
async fn a_body_that_is_not_right_is_a_400() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let queries = pulso.count("pulso_queries_total").await;
    let good = body_of(NEGOCIO);
    let deep = format!("{{\"negocio_id\":{}{}}}", "[".repeat(3_000), "]".repeat(3_000));
    let with_id = |id: &str| format!("{{\"negocio_id\":{id}}}");
    let with_action = |action: &str| format!("{{\"negocio_id\":\"{NEGOCIO}\",\"action\":{action}}}");
    let texts: Vec<String> = [
        "",
        " ",
        "{",
        "}",
        "null",
        "true",
        "7",
        "\"x\"",
        "[]",
        "{}",
        "negocio_id=7",
        "{\"negocio_id\":}",
        "{'negocio_id':'x'}",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([
        format!("[{good}]"),
        format!("{good}{good}"),
        format!("{good} x"),
        format!("{good},"),
        format!("{good}\0"),
        format!("\u{feff}\u{feff}{good}"),
        format!("[\"{NEGOCIO}\",\"created\"]"),
        deep,
        with_id("\"\""),
        with_id("\"  \""),
        with_id("null"),
        with_id("true"),
        with_id("[]"),
        with_id("{}"),
        with_id(&format!("[\"{NEGOCIO}\"]")),
        with_id("7"),
        with_id("7.5"),
        with_id("-1"),
        with_id("1e400"),
        with_id(&"9".repeat(5_000)),
        with_id("\"no-uuid\""),
        with_id("\"7\""),
        with_id(&format!("\" {NEGOCIO}\"")),
        with_id(&format!("\"{NEGOCIO} \"")),
        with_id(&format!("\"{NEGOCIO}\\u0000\"")),
        with_id("\"\\ud800\""),
        with_id(&format!("\"{NEGOCIO}' OR 1=1\"")),
        with_id(&format!("\"{}\"", "x".repeat(10_000))),
        with_action("\"borrada\""),
        with_action("\"CREATED\""),
        with_action("\"\""),
        with_action("[]"),
        with_action("7"),
        with_action("[\"created\"]"),
        with_action("{}"),
        json!({ "negocioId": NEGOCIO }).to_string(),
        json!({ "NEGOCIO_ID": NEGOCIO }).to_string(),
        json!({ "data": { "negocio_id": NEGOCIO } }).to_string(),
        format!("{{\"negocio_id\":\"{NEGOCIO}\",\"negocio_id\":\"{OTHER_NEGOCIO}\"}}"),
        format!("{{\"negocio_id\":\"{NEGOCIO}\",\"action\":\"created\",\"action\":\"updated\"}}"),
    ])
    .collect();
    for text in &texts {
        let head = if text.is_empty() { format!("{POST}\ncontent-length: 0") } else { POST.to_owned() };
        let answer = pulso.exchange(&head, text).await;
        assert_refused(&answer, 400, text.get(..200).unwrap_or(text));
        assert!(!answer.body.contains(NEGOCIO), "what was sent is not repeated: {answer:?}");
    }
    // Bytes that are no text at all.
    for bytes in [&b"{\"negocio_id\":\"\xff\xfe\"}"[..], b"\xff\xfe{\x00}\x00", b"{\"negocio_id\":\"\xed\xa0\x80\"}"] {
        let mut line = Line::open(pulso.port()).await;
        let head = format!("{POST}\nhost: x\ncontent-length: {}\n\n", bytes.len()).replace('\n', "\r\n");
        line.send([head.as_bytes(), bytes].concat()).await;
        assert_refused(&line.answer().await, 400, "no UTF-8");
    }
    assert_eq!(pulso.count("pulso_queries_total").await, queries, "no query for any of them");
    dashboard.expect_silence().await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
}

#[tokio::test]
async fn numbers_are_ids_only_where_the_column_is_an_integer() {
    let database = least("integer", "5").await;
    let pulso = pulso(&database.url()).ready().await;
    let mut dashboard = pulso.connect(&Claims::user("ana")).await;
    assert_eq!(dashboard.watch("5").await.total, 1);
    for (id, status) in [
        ("5", 200),
        ("\"5\"", 200),
        ("\"005\"", 200),
        ("6", 200),
        ("-6", 200),
        ("2147483647", 200),
        ("2147483648", 400),
        ("5.0", 400),
        ("5e0", 400),
        ("5.5", 400),
        ("\"5.0\"", 400),
        ("\" 5\"", 400),
        ("\"0x5\"", 400),
        ("\"cinco\"", 400),
        ("99999999999999999999999", 400),
        ("\"5; DROP\"", 400),
        ("true", 400),
    ] {
        let answer = pulso.exchange(POST, &format!("{{\"negocio_id\":{id}}}")).await;
        assert_eq!(answer.status, status, "{id}: {answer:?}");
        tells_nothing(&answer);
    }
    for _ in 0..3 {
        assert_eq!(dashboard.stats().await.negocio_id, "5");
    }
}

#[tokio::test]
async fn text_columns_take_any_text_and_no_number() {
    let database = least("varchar(60)", "negocio_123").await;
    let pulso = pulso(&database.url()).ready().await;
    let mut dashboard = pulso.connect(&Claims::user("ana")).await;
    assert_eq!(dashboard.watch("negocio_123").await.total, 1);
    let answer = pulso.notify("negocio_123").await;
    assert_eq!((answer.status, &answer.json()["subscribers"]), (200, &json!(1)));
    assert_eq!(dashboard.stats().await.negocio_id, "negocio_123");
    for id in ["NEGOCIO_123", "negocio_12", "ñandú", "a b", "'; DROP TABLE citas; --", "5", &"x".repeat(200)] {
        let answer = pulso.notify(id).await;
        assert_eq!((answer.status, &answer.json()["subscribers"]), (200, &json!(0)), "{id}: {answer:?}");
    }
    for id in ["5", "\"\"", "\"   \"", "\"a\\nb\"", "\"a\\u0000b\"", &format!("\"{}\"", "x".repeat(201))] {
        assert_refused(&pulso.exchange(POST, &format!("{{\"negocio_id\":{id}}}")).await, 400, id);
    }
    dashboard.expect_silence().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_whether_announced_or_not() {
    let (pulso, _database) = open().await;
    let padded = |length: usize| {
        let body = body_of(NEGOCIO);
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    assert_eq!(pulso.exchange(POST, &padded(16 * 1024)).await.status, 200);
    // Announced: refused before a byte of it is sent.
    for length in [16 * 1024 + 1, 1_u64 << 40] {
        let mut line = Line::open(pulso.port()).await;
        line.send(format!("{POST}\nhost: x\ncontent-length: {length}\n\n").replace('\n', "\r\n")).await;
        assert_refused(&line.answer().await, 413, "announced");
    }
    // Not announced.
    let chunked = |chunks: usize| {
        let head = format!("{POST}\nhost: x\ntransfer-encoding: chunked\n\n").replace('\n', "\r\n");
        let body = body_of(NEGOCIO);
        let first = format!("{:x}\r\n{body}\r\n", body.len());
        head + &first + &format!("400\r\n{}\r\n", " ".repeat(1_024)).repeat(chunks)
    };
    let mut line = Line::open(pulso.port()).await;
    line.send(chunked(3) + "0\r\n\r\n").await;
    assert_eq!(line.answer().await.status, 200);
    let mut line = Line::open(pulso.port()).await;
    line.send(chunked(17)).await;
    assert_refused(&line.answer().await, 413, "chunked");
}

#[tokio::test]
async fn what_does_not_say_that_it_is_json_is_a_415() {
    let (pulso, _database) = open().await;
    for kind in [
        "content-type: text/plain",
        "content-type: application/x-www-form-urlencoded",
        "content-type: multipart/form-data; boundary=x",
        "content-type: text/json",
        "content-type: application/jsonp",
        "content-type: json",
        "content-type:",
        "x: y",
    ] {
        let answer = pulso.exchange(&format!("POST /notify/cita HTTP/1.1\n{kind}"), &body_of(NEGOCIO)).await;
        assert_refused(&answer, 415, kind);
    }
    assert_eq!(pulso.count("pulso_notices_total").await, 0);
}

#[tokio::test]
async fn a_body_that_never_comes_is_a_408() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("HOOK_TIMEOUT", "1s").ready().await;
    for lines in
        ["content-length: 100\n\n{\"nego", "content-length: 100\n\n", "transfer-encoding: chunked\n\n5\n{\"neg\n"]
    {
        let mut line = Line::open(pulso.port()).await;
        line.send(format!("{POST}\nhost: x\n{lines}").replace('\n', "\r\n")).await;
        assert_refused(&line.answer().await, 408, lines);
    }
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
}
