//! Fetches from a real server that does what issuers do on good days and on bad ones.

use pulso_harness::{Page, Website};
use serde_json::json;
use tokio::time::Instant;

use super::*;

const JWKS: &str = include_str!("../tests/openssl.json");
const DOCUMENT: &str = "/.well-known/openid-configuration";

async fn site() -> Website {
    let site = Website::start().await;
    site.says("/jwks", Page::of(JWKS));
    site
}

/// The keys at `url`.
async fn keys_at(url: &str) -> Result<Fetched, FetchError> {
    fetch(&RemoteKeys { at: KeysAt::Jwks(Url::parse(url).unwrap()), allow_http: false }).await
}

async fn refused(url: &str) -> String {
    keys_at(url).await.unwrap_err().to_string()
}

/// The keys of the issuer at `issuer`.
async fn discovered(issuer: &str) -> Result<Fetched, FetchError> {
    let url = Url::parse(&format!("{issuer}{DOCUMENT}")).unwrap();
    fetch(&RemoteKeys { at: KeysAt::Discovery { issuer: issuer.to_owned(), url }, allow_http: false }).await
}

fn document(issuer: &str, jwks_uri: &str) -> Page {
    Page::of(json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string())
}

#[tokio::test]
async fn a_set_is_fetched_and_kept_for_what_its_issuer_says_within_bounds() {
    let site = site().await;
    let fetched = keys_at(&site.url("/jwks")).await.unwrap();
    assert_eq!((fetched.set.keys().len(), fetched.kept_for), (4, KEPT_AT_LEAST));
    let head = site.head("/jwks").unwrap().to_lowercase();
    assert!(head.contains("\r\naccept: application/json\r\n") && head.contains("\r\nuser-agent: pulso/"), "{head}");
    for (said, kept_for) in [
        ("max-age=600", Duration::from_mins(10)),
        ("max-age=1", KEPT_AT_LEAST),
        ("no-store", KEPT_AT_LEAST),
        ("max-age=86400", KEPT_AT_MOST),
    ] {
        site.says("/jwks", Page::of(JWKS).with("cache-control", said));
        assert_eq!(keys_at(&site.url("/jwks")).await.unwrap().kept_for, kept_for, "{said}");
    }
}

#[tokio::test]
async fn a_set_that_is_not_to_be_had_is_said_to_be_so_and_why() {
    let site = site().await;
    assert_eq!(refused(&site.url("/nothing")).await, "it answers 404");
    site.says("/broken", Page::status("500 Internal Server Error"));
    assert_eq!(refused(&site.url("/broken")).await, "it answers 500");
    site.says("/html", Page::of("<html>"));
    assert_eq!(refused(&site.url("/html")).await, "its keys cannot be used: it is not a JSON Web Key Set");
    site.says("/empty", Page::of(r#"{"keys":[]}"#));
    assert_eq!(refused(&site.url("/empty")).await, "its keys cannot be used: it has no key");
    let port = site.port();
    drop(site);
    let gone = refused(&format!("http://127.0.0.1:{port}/jwks")).await;
    assert!(gone.starts_with("cannot be reached: "), "{gone}");
}

#[tokio::test]
async fn what_is_too_large_is_not_read_to_its_end() {
    let site = site().await;
    site.says("/large", Page::of(vec![b' '; 5 * 1024 * 1024]));
    assert_eq!(refused(&site.url("/large")).await, "it is larger than 1048576 bytes");
    site.says("/endless", Page::Endless);
    let begun = Instant::now();
    assert_eq!(refused(&site.url("/endless")).await, "it is larger than 1048576 bytes");
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let site = site().await;
    site.says("/slow", Page::Silence);
    let begun = Instant::now();
    assert_eq!(refused(&site.url("/slow")).await, "no answer within 5s");
    assert!(begun.elapsed() < PATIENCE * 2);
}

#[tokio::test]
async fn a_redirect_is_followed_on_its_own_host_and_a_few_times() {
    let (site, other) = (site().await, site().await);
    site.says("/moved", Page::leading_to("/jwks"));
    assert_eq!(keys_at(&site.url("/moved")).await.unwrap().set.keys().len(), 4);
    site.says("/round", Page::leading_to("/round"));
    assert!(refused(&site.url("/round")).await.contains("not followed"));
    assert_eq!(site.asked("/round"), 4);
    for elsewhere in [other.url("/jwks"), "http://169.254.169.254/latest/meta-data".into(), "file:///etc/passwd".into()]
    {
        site.says("/away", Page::leading_to(&elsewhere));
        assert!(refused(&site.url("/away")).await.contains("not followed"), "{elsewhere}");
    }
    assert_eq!(other.asked("/jwks"), 0);
}

#[tokio::test]
async fn an_issuers_document_says_where_its_keys_are() {
    let (issuer, keys) = (site().await, site().await);
    let name = issuer.url("");
    issuer.says(DOCUMENT, document(&name, &issuer.url("/jwks")));
    assert_eq!(discovered(&name).await.unwrap().url.as_str(), issuer.url("/jwks"));
    // Another host, in the network where the operator's own address leads too.
    issuer.says(DOCUMENT, document(&name, &keys.url("/jwks").replace("127.0.0.1", "localhost")));
    assert_eq!(discovered(&name).await.unwrap().set.keys().len(), 4);
    assert_eq!(keys.asked("/jwks"), 1);
}

#[tokio::test]
async fn a_document_of_another_issuer_or_of_none_leads_nowhere() {
    let site = site().await;
    let name = site.url("");
    let uri = site.url("/jwks");
    for (page, why) in [
        (document("https://evil.example", &uri), "its document is that of another issuer: \"https://evil.example\""),
        (document(&format!("{name}/"), &uri), "its document is that of another issuer"),
        (Page::of("[]"), "its document is not that of an OpenID provider"),
        (Page::of(format!(r#"{{"jwks_uri":"{uri}"}}"#)), "its document is not that of an OpenID provider"),
        (document(&name, "not a URL"), "its document has no address of keys"),
        (document(&name, "file:///etc/passwd"), "its document has no address of keys"),
        // Without TLS a private network is no place to go to unless that is allowed, nor is the rest of the world.
        (document(&name, "http://10.0.0.1/jwks"), "it leads to a private network, where it may not"),
        (document(&name, "http://1.1.1.1/jwks"), "it leads to the internet without TLS, where it may not"),
    ] {
        site.says(DOCUMENT, page);
        let said = discovered(&name).await.unwrap_err().to_string();
        assert!(said.starts_with(why), "{said}");
    }
    assert_eq!(site.asked("/jwks"), 0);
}
