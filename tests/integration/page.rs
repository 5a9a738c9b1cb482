//! What the page gets of the server beside what is live: its files, compressed and known by their tags; who may frame it; the
//! currency; what a business is called, which nobody is told who may not watch it.

mod framed;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use pulso_harness::{Answer, Claims, Running, SECRET, Scratch};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderName, IF_NONE_MATCH, VARY};
use reqwest::{Client, Response};
use serde_json::json;

use crate::business::{self, NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, database, owner, pulso};
use crate::feeds::query_file;

const NAMES: &str = include_str!("../../sql/name.sql");
const NOBODYS: &str = "99999999-0000-4000-8000-000000000000";

/// The paths of all that is served as it is, and the files that it is.
fn assets() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut assets = Vec::new();
    let mut folders = vec![root.join("web")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
            } else if ["html", "js", "css", "svg"].contains(&kind) {
                let name = path.strip_prefix(root.join("web")).unwrap().to_str().unwrap().to_owned();
                assets.push((if name == "index.html" { String::new() } else { name }, path));
            }
        }
    }
    for document in ["openapi.yaml", "asyncapi.yaml"] {
        assets.push((document.to_owned(), root.join("docs").join(document)));
    }
    assert!(assets.len() > 20, "{assets:?}");
    assets
}

/// As a browser would that says this of itself; what comes is left as it is.
async fn get(pulso: &Running, path: &str, headers: &[(HeaderName, &str)]) -> Response {
    let client = Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(format!("http://127.0.0.1:{}/{path}", pulso.port()));
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.send().await.unwrap()
}

fn said<'a>(answer: &'a Response, name: &HeaderName) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn policy(pulso: &Running) -> String {
    pulso.get("/").await.header("content-security-policy").unwrap().to_owned()
}

#[tokio::test]
async fn every_asset_comes_compressed_and_a_second_load_has_no_bodies() {
    let (pulso, _database) = business::open().await;
    for (path, file) in assets() {
        let wanted = std::fs::read(file).unwrap();
        let mut tags = Vec::new();
        for (offer, encoding) in [("gzip, deflate, br", Some("br")), ("gzip", Some("gzip")), ("identity", None)] {
            let answer = get(&pulso, &path, &[(ACCEPT_ENCODING, offer)]).await;
            assert_eq!((answer.status().as_u16(), said(&answer, &CONTENT_ENCODING)), (200, encoding), "/{path}");
            assert_eq!(said(&answer, &VARY), Some("accept-encoding"), "/{path}");
            tags.push(said(&answer, &ETAG).unwrap().to_owned());
            let body = answer.bytes().await.unwrap();
            let mut plain = Vec::new();
            match encoding {
                Some("br") => brotli::Decompressor::new(&*body, 4_096).read_to_end(&mut plain).unwrap(),
                Some(_) => flate2::read::GzDecoder::new(&*body).read_to_end(&mut plain).unwrap(),
                None => (&*body).read_to_end(&mut plain).unwrap(),
            };
            assert!(plain == wanted, "/{path} is another in {encoding:?}");
            assert!(encoding.is_none() || body.len() < wanted.len(), "/{path} is no smaller in {encoding:?}");
        }
        assert!(tags.iter().all(|tag| *tag == tags[0]), "/{path}: {tags:?}");
        let again = get(&pulso, &path, &[(ACCEPT_ENCODING, "br"), (IF_NONE_MATCH, &tags[0])]).await;
        assert_eq!((again.status().as_u16(), said(&again, &ETAG)), (304, Some(&*tags[0])), "/{path}");
        assert_eq!(said(&again, &CONTENT_ENCODING), None);
        assert!(again.headers().contains_key("content-security-policy"));
        assert_eq!(again.bytes().await.unwrap().len(), 0);
        let other = get(&pulso, &path, &[(IF_NONE_MATCH, "\"another\"")]).await;
        assert_eq!(other.status().as_u16(), 200, "/{path}");
    }
    let told = get(&pulso, "page.json", &[]).await;
    let tag = said(&told, &ETAG).unwrap().to_owned();
    assert_eq!(get(&pulso, "page.json", &[(IF_NONE_MATCH, &tag)]).await.status().as_u16(), 304);
}

#[tokio::test]
async fn nobody_frames_the_page_but_who_is_allowed_to() {
    let database = database().await;
    let closed = pulso(&database.url()).ready().await;
    assert!(policy(&closed).await.ends_with("frame-ancestors 'none'"));
    let allowed = "https://Panel.example.com, http://localhost:3000";
    let open = pulso(&database.url()).with("EMBED_ORIGINS", allowed).ready().await;
    let policy = policy(&open).await;
    assert!(policy.ends_with("frame-ancestors https://panel.example.com http://localhost:3000"), "{policy}");
    // What a browser has of the one is not the same under the other.
    let tags =
        [get(&closed, "", &[]).await, get(&open, "", &[]).await].map(|page| said(&page, &ETAG).unwrap().to_owned());
    assert_ne!(tags[0], tags[1]);
}

#[tokio::test]
async fn everybody_is_told_what_amounts_are_counted_in() {
    let database = database().await;
    let none = pulso(&database.url()).ready().await;
    let dollars = pulso(&database.url()).with("CURRENCY", "usd").ready().await;
    for (pulso, told) in [(&none, json!({})), (&dollars, json!({ "currency": "USD" }))] {
        let answer = pulso.get("/page.json").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        assert_eq!(answer.json(), told);
        assert_eq!(pulso.exchange("POST /page.json HTTP/1.1", "").await.status, 405);
    }
}

/// Asks what a business is called.
async fn name(pulso: &Running, query: &str, token: Option<&str>) -> Answer {
    let token = token.map(|token| format!("\nauthorization: Bearer {token}")).unwrap_or_default();
    pulso.exchange(&format!("GET /page/name{query} HTTP/1.1{token}"), "").await
}

async fn naming() -> (Running, pulso_harness::Database, Scratch) {
    let database = database().await;
    let (file, scratch) = query_file(NAMES);
    (pulso(&database.url()).with("NAME_SQL", &file).ready().await, database, scratch)
}

fn of(negocio: &str) -> String {
    format!("?negocio={negocio}")
}

#[tokio::test]
async fn who_may_watch_a_business_is_told_what_it_is_called() {
    let (pulso, database, _file) = naming().await;
    let named = Claims::naming("cajera", &[NEGOCIO]).sign(SECRET);
    for token in [owner().sign(SECRET), named] {
        for spelling in [NEGOCIO.to_owned(), NEGOCIO.replace('-', "")] {
            let answer = name(&pulso, &of(&spelling), Some(&token)).await;
            assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{answer:?}");
            assert_eq!(answer.json(), json!({ "negocio": NEGOCIO, "name": "Barbería" }));
        }
    }
    database.execute(&format!("UPDATE negocios SET nombre = 'Peluquería \"Sol\"' WHERE id = '{NEGOCIO}'")).await;
    let token = owner().sign(SECRET);
    assert_eq!(name(&pulso, &of(NEGOCIO), Some(&token)).await.json()["name"], "Peluquería \"Sol\"");
    // The token is believed, and nobody knows such a business.
    let token = Claims::naming("cajera", &[NOBODYS]).sign(SECRET);
    assert_eq!(name(&pulso, &of(NOBODYS), Some(&token)).await.json(), json!({ "negocio": NOBODYS }));
    assert!(!pulso.has_logged("Barbería"));
}

#[tokio::test]
async fn nobody_else_is_told_what_a_business_is_called_nor_whether_there_is_one() {
    let (pulso, _database, _file) = naming().await;
    let (mine, other) = (owner().sign(SECRET), Claims::user(OTHER_OWNER).sign(SECRET));
    let mut refused: Vec<Answer> = Vec::new();
    for (token, negocio) in [(&mine, OTHER_NEGOCIO), (&other, NEGOCIO), (&mine, NOBODYS), (&mine, "no-uuid")] {
        let answer = name(&pulso, &of(negocio), Some(token)).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        refused.push(answer);
    }
    assert!(refused.iter().all(|answer| answer.body == refused[0].body), "{refused:?}");
    let expired = owner().expiring_in(-60).sign(SECRET);
    let forged = owner().sign("another secret, also longer than 32 bytes");
    let nobody = Claims::empty().with("role", json!("STAFF")).expiring_in(60).sign(SECRET);
    for token in [None, Some(&expired), Some(&forged), Some(&nobody)] {
        let answer = name(&pulso, &of(NEGOCIO), token.map(String::as_str)).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(!answer.body.contains("Barbería"));
    }
    // An address is written down on its way: a token in it is none.
    assert_eq!(name(&pulso, &format!("{}&token={mine}", of(NEGOCIO)), None).await.status, 401);
    for query in ["", "?negocio=a&negocio=b", "?negocio=a%00"] {
        assert_eq!(name(&pulso, query, Some(&mine)).await.status, 400, "{query}");
    }
    let posted = pulso.exchange(&format!("POST /page/name?negocio={NEGOCIO} HTTP/1.1"), "").await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET")));
    let foreign = format!(
        "GET /page/name?negocio={NEGOCIO} HTTP/1.1\norigin: https://evil.example\nauthorization: Bearer {mine}"
    );
    assert_eq!(pulso.exchange(&foreign, "").await.status, 403);
}

#[tokio::test]
async fn names_are_asked_for_within_the_rates_of_a_user_and_an_address() {
    let database = database().await;
    let (file, _scratch) = query_file(NAMES);
    let pulso = pulso(&database.url()).with("NAME_SQL", &file);
    let pulso = pulso.with("OWNERSHIP_BURST", "1").with("OWNERSHIP_RATE", "1").with("TRUSTED_PROXIES", "127.0.0.1");
    let pulso = pulso.with("CONNECTS_PER_ADDRESS", "1").with("CONNECTS_BURST", "5").ready().await;
    let token = owner().sign(SECRET);
    // Each from an address of its own.
    let ask = async |number: usize| {
        let negocio = of(&format!("99999999-0000-4000-8000-{number:012}"));
        let head = format!(
            "GET /page/name{negocio} HTTP/1.1\nauthorization: Bearer {token}\nx-forwarded-for: 203.0.113.{number}"
        );
        pulso.exchange(&head, "").await
    };
    let answers = join_all((0..20).map(ask)).await;
    assert!(answers.iter().all(|answer| [403, 429].contains(&answer.status)), "{answers:?}");
    assert!(answers.iter().any(|answer| answer.json()["error"] == "too_many_checks"));
    let named = Claims::naming(OWNER, &[NEGOCIO]).sign(SECRET);
    let head =
        format!("GET /page/name{} HTTP/1.1\nauthorization: Bearer {named}\nx-forwarded-for: 203.0.113.77", of(NEGOCIO));
    let answers = join_all((0..20).map(async |_| pulso.exchange(&head, "").await)).await;
    assert!(answers.iter().all(|answer| [200, 429].contains(&answer.status)), "{answers:?}");
    let refused = answers.iter().find(|answer| answer.status == 429).expect("twenty at once are too many");
    assert_eq!(refused.json()["error"], "too_many_connects");
}

#[tokio::test]
async fn without_a_query_businesses_have_no_names() {
    let (pulso, _database) = business::open().await;
    let token = owner().sign(SECRET);
    assert_eq!(name(&pulso, &of(NEGOCIO), Some(&token)).await.json(), json!({ "negocio": NEGOCIO }));
    assert_eq!(name(&pulso, &of(OTHER_NEGOCIO), Some(&token)).await.status, 403);
}

#[tokio::test]
async fn a_query_of_names_that_is_none_ends_the_start_with_what_to_mend() {
    let database = database().await;
    for (sql, reason) in [
        ("SELECT nombre AS name FROM negocios", "it asks by something else than $1"),
        ("SELECT nombre AS name FROM negocios WHERE id = $1 AND nombre = $2", "it asks by something else than $1"),
        ("DELETE FROM negocios WHERE id = $1", "line 1"),
        ("SELECT nombre FROM negocios WHERE id = $1", "returns the columns (nombre); it must return exactly (name)"),
        ("SELECT nombre AS name, id FROM negocios WHERE id = $1", "it must return exactly (name)"),
        ("SELECT 'x' || nada AS name FROM negocios WHERE id = $1 AND", "NAME_SQL"),
    ] {
        let (file, _scratch) = query_file(sql);
        let (code, out, said) = pulso(&database.url()).with("NAME_SQL", &file).run(&["serve"]).await;
        let said = out + &said;
        assert!(code != 0 && said.contains("NAME_SQL") && said.contains(reason), "{sql}: {said}");
    }
}

#[tokio::test]
async fn why_a_name_cannot_be_read_is_said_by_the_log_and_by_check() {
    let database = database().await;
    let token = owner().sign(SECRET);
    for (sql, reason) in [
        ("SELECT apodo AS name FROM negocios WHERE id = $1", "apodo"),
        ("SELECT nombre AS name FROM negocios WHERE id = $1 UNION ALL SELECT 'otro'", "row"),
    ] {
        let (file, _scratch) = query_file(sql);
        let pulso = pulso(&database.url()).with("FEEDS", "appointments").with("NAME_SQL", &file);
        let (code, said, _) = pulso.run(&["check"]).await;
        let problem = said.lines().find(|line| line.starts_with("PROBLEM  NAME_SQL"));
        assert!(code == 1 && problem.is_some_and(|problem| problem.contains(reason)), "{said}");
        let running = pulso.ready().await;
        for _ in 0..3 {
            assert_eq!(name(&running, &of(NEGOCIO), Some(&token)).await.status, 503);
        }
        running.until_logged("see NAME_SQL").await;
        let log = running.log();
        let told: Vec<_> = log.iter().filter(|line| line.contains("see NAME_SQL")).collect();
        assert!(told.len() == 1 && told[0].contains(reason), "{told:?}");
    }
    let columns = "returns the columns (nombre); it must return exactly (name)";
    for (sql, part) in [("SELECT nombre FROM negocios WHERE id = $1", columns), (NAMES, "ok       NAME_SQL: ")] {
        let (file, _scratch) = query_file(sql);
        let pulso = pulso(&database.url()).with("FEEDS", "appointments").with("NAME_SQL", &file);
        let (code, said, _) = pulso.run(&["check"]).await;
        assert!(said.contains(part) && (code == 0) == (sql == NAMES), "{said}");
    }
}

#[tokio::test]
async fn wrong_settings_of_the_page_are_reported_with_all_other_mistakes() {
    let (code, _, said) = pulso("")
        .with("EMBED_ORIGINS", "https://a.example/,*,file://,ok.example")
        .with("CURRENCY", "euro")
        .with("NAME_SQL", "/nonexistent.sql")
        .run(&["serve"])
        .await;
    assert_ne!(code, 0);
    for part in [
        "DATABASE_URL",
        "\"https://a.example/\"",
        "\"*\"",
        "\"file://\"",
        "\"ok.example\"",
        "\"euro\"",
        "/nonexistent.sql",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
