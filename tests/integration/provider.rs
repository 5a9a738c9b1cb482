//! A real OpenID provider and its keys: found by discovery, rotated under load, away, flooded for by strangers.
//!
//! What an issuer may do wrong is tried where keys are fetched (`access/keys/fetch`).

use std::time::Duration;

use pulso::access::keys::BETWEEN_FETCHES;
use pulso_harness::process::free_port;
use pulso_harness::{
    Claims, Dashboard, Line, Page, Pulso, Running, Script, SigningKey, TlsWebsite, Website, jwks, token, wait,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::business::{self, NEGOCIO, OWNER, citas};
use crate::feeds::configured;

const AUDIENCE: &str = "https://pulso.example";
const SCREENS: usize = 20;

struct Provider {
    script: Script,
    issuer: String,
}

impl Provider {
    async fn start() -> Self {
        let mut script = Script::node("oidc_provider.mjs", &[&free_port().to_string()]);
        let issuer = script.until("listening").await["issuer"].as_str().unwrap().to_owned();
        Self { script, issuer }
    }

    async fn ask(&mut self, command: Value) -> Value {
        let answer = self.script.ask(&command).await;
        assert_eq!(answer["event"], command["do"], "{answer}");
        answer
    }

    /// The access token of who signs in.
    async fn sign_in(&mut self, user: &str) -> String {
        let signed_in = self.ask(json!({ "do": "sign in", "user": user, "negocios": [NEGOCIO] })).await;
        signed_in["token"].as_str().unwrap().to_owned()
    }

    /// How often its keys were asked for.
    async fn fetches(&mut self) -> u64 {
        self.ask(json!({ "do": "count" })).await["fetches"].as_u64().unwrap()
    }
}

/// Believes this issuer, and no secret.
fn believing(pulso: Pulso, issuer: &str) -> Pulso {
    let pulso = pulso.with("JWT_SECRET", "").with("OIDC_ISSUER", issuer).with("JWT_AUDIENCE", AUDIENCE);
    pulso.with("CLAIM_USER", "sub").with("CLAIM_NEGOCIOS", "app_metadata.negocios")
}

/// 101, or why not.
async fn status(pulso: &Running, token: &str) -> u16 {
    match Dashboard::try_connect(pulso.port(), &format!("/ws?token={token}"), &[]).await {
        Ok(_) => 101,
        Err(refused) => refused.status,
    }
}

async fn until_let_in(pulso: &Running, token: &str) {
    let let_in = async || match status(pulso, token).await {
        101 => true,
        503 => false,
        status => panic!("a client gives up at {status}"),
    };
    wait::until(let_in, "the token's key is there").await;
}

async fn watching(pulso: &Running, token: &str) -> Dashboard {
    let mut screen = pulso.open(&format!("/ws?token={token}")).await;
    screen.watch(NEGOCIO).await;
    screen
}

#[tokio::test]
async fn a_rotation_under_load_loses_no_screen_of_who_signed_in_before_or_after() {
    let mut provider = Provider::start().await;
    let database = business::database().await;
    let pulso = believing(business::pulso(&database.url()), &provider.issuer).ready().await;
    let (ana, luis) = (provider.sign_in(OWNER).await, provider.sign_in("luis").await);
    until_let_in(&pulso, &ana).await;
    let mut screens = Vec::new();
    for token in [&ana, &luis].into_iter().cycle().take(SCREENS) {
        screens.push(watching(&pulso, token).await);
    }

    provider.ask(json!({ "do": "rotate" })).await;
    let new = provider.sign_in(OWNER).await;
    let rotated = Instant::now();
    let mut booked = 0;
    let come_in = until_let_in(&pulso, &new);
    tokio::pin!(come_in);
    // Appointments are booked until the new token is let in, and every screen has each of them.
    let let_in = loop {
        booked += 1;
        citas(&database, NEGOCIO, 1, "atendida", "'2020-01-01'").await;
        assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
        for screen in &mut screens {
            screen.stats_until(|stats| stats.completadas == booked).await;
        }
        tokio::select! {
            biased;
            () = &mut come_in => break rotated.elapsed(),
            () = sleep(Duration::from_millis(50)) => {}
        }
    };
    assert!(let_in < BETWEEN_FETCHES + Duration::from_secs(10), "{let_in:?}");
    // Old and new tokens go on side by side, and one takes the other's place on a live connection.
    screens[0].send(&json!({ "type": "auth", "token": new })).await;
    screens[0].ping().await;
    screens.push(watching(&pulso, &new).await);
    screens.push(watching(&pulso, &ana).await);
    assert_eq!(pulso.closed_with(4001).await + pulso.closed_with(1013).await, 0);
    assert_eq!(provider.fetches().await, 2);
}

#[tokio::test]
async fn who_is_away_at_the_start_is_waited_for_by_nobody_and_who_is_away_later_is_missed_by_nobody() {
    let mut provider = Provider::start().await;
    let ana = provider.sign_in(OWNER).await;
    provider.ask(json!({ "do": "go away" })).await;
    let (pulso, _database) = configured().await;
    let pulso = believing(pulso, &provider.issuer).ready().await;
    assert_eq!(pulso.get("/ready").await.json(), json!({ "ready": true, "keys": "missing" }));
    assert_eq!(status(&pulso, &ana).await, 503);
    wait::until(async || pulso.metric("pulso_jwks_away_since_seconds").await > 0.0, "it is missed").await;

    provider.ask(json!({ "do": "come back" })).await;
    until_let_in(&pulso, &ana).await;
    assert_eq!(pulso.get("/ready").await.json(), json!({ "ready": true }));
    assert!(pulso.metric("pulso_jwks_keys").await > 0.0 && pulso.metric("pulso_jwks_away_since_seconds").await == 0.0);

    provider.ask(json!({ "do": "go away" })).await;
    let mut screen = watching(&pulso, &ana).await;
    // A stranger has them fetched, in vain.
    let stranger = SigningKey::p256("stranger").token(&Claims::user("x").with("iss", json!(provider.issuer)));
    assert_eq!(status(&pulso, &stranger).await, 503);
    let is_stale = async || pulso.get("/ready").await.json() == json!({ "ready": true, "keys": "stale" });
    wait::until(is_stale, "the keys are said to be old").await;
    assert_eq!((status(&pulso, &ana).await, status(&pulso, &stranger).await), (101, 503));
    screen.ping().await;
    let since = pulso.metric("pulso_jwks_away_since_seconds").await;
    assert!(since > 0.0, "{since}");
}

/// A provider of keys whose tokens this test signs itself.
async fn published(key: &SigningKey) -> Website {
    let website = Website::start().await;
    website.says("/jwks", Page::of(jwks(&[key])));
    let document = json!({ "issuer": website.url(""), "jwks_uri": website.url("/jwks") }).to_string();
    website.says("/.well-known/openid-configuration", Page::of(document));
    website
}

fn claims(website: &Website) -> Claims {
    let said =
        Claims::empty().with("iss", json!(website.url(""))).with("aud", json!(AUDIENCE)).with("sub", json!("42"));
    said.expiring_in(3_600)
}

#[tokio::test]
async fn a_flood_of_tokens_of_unknown_keys_is_one_fetch_in_thirty_seconds_and_delays_nobody() {
    const LINES: u64 = 10;
    let key = SigningKey::p256("good");
    let website = published(&key).await;
    let (pulso, _database) = configured().await;
    let pulso = believing(pulso, &website.url("")).with("LOG_LEVEL", "info").ready().await;
    let good = key.token(&claims(&website));
    until_let_in(&pulso, &good).await;
    let flood = claims(&website).json().to_string();
    let port = pulso.port();
    let strangers: Vec<_> = (0..LINES)
        .map(|line| {
            let flood = flood.clone();
            tokio::spawn(async move {
                let key = SigningKey::ed25519("stranger");
                let mut requests = 0_u64;
                let mut stream = Line::open(port).await;
                loop {
                    let header = json!({ "alg": "EdDSA", "kid": format!("{line}-{requests}") });
                    let token = key.sign(&header, flood.as_bytes());
                    let path = format!("/sse?channel=negocio:{NEGOCIO}&token={token}");
                    stream.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
                    let answer = stream.answer().await;
                    assert!(answer.status == 503, "a stranger with a new name is told to come back: {answer:?}");
                    requests += 1;
                    sleep(Duration::from_millis(10)).await;
                }
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    while website.asked("/jwks") < 2 {
        let begun = Instant::now();
        assert_eq!(status(&pulso, &good).await, 101);
        slowest = slowest.max(begun.elapsed());
        sleep(Duration::from_millis(50)).await;
    }
    let times = website.times("/jwks");
    assert!(times[1] - times[0] + Duration::from_millis(100) >= BETWEEN_FETCHES, "{times:?}");
    assert!(slowest < Duration::from_secs(1), "a handshake took {slowest:?}");
    let refused = pulso.refused("KeysUnavailable").await;
    assert!(refused > 5_000, "{refused} strangers came in {:?}", times[1] - times[0]);
    for stranger in strangers {
        assert!(!stranger.is_finished(), "{:?}", stranger.await);
        stranger.abort();
    }
}

#[tokio::test]
async fn keys_come_by_tls_from_who_an_authority_of_the_system_vouches_for_and_from_nobody_else() {
    let website = TlsWebsite::start(&jwks(&[&SigningKey::p256("k")])).await;
    let database = business::database().await;
    let pulso = business::pulso(&database.url()).with("JWT_SECRET", "").with("JWKS_URL", &website.url());
    let pulso = pulso.with("JWT_ISSUER", "https://id.example").with("JWT_AUDIENCE", AUDIENCE);
    let (_, said, _) = pulso.clone().with("SSL_CERT_FILE", &website.authority()).run(&["check"]).await;
    assert!(said.contains("the keys of https://id.example: \"k\" (P-256)"), "{said}");
    for (variable, value) in [("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", "/nowhere")] {
        let (code, said, _) = pulso.clone().with(variable, value).run(&["check"]).await;
        assert!(code == 1 && said.contains("invalid peer certificate: UnknownIssuer"), "{said}");
    }
}

#[tokio::test]
async fn a_clock_an_hour_off_judges_tokens_and_keeps_no_keys_away() {
    let key = SigningKey::p256("k");
    let website = published(&key).await;
    let (pulso, _database) = configured().await;
    let hour = 3_600;
    for (off, expected) in [(hour + 60, 401), (-hour, 101)] {
        let now = jiff::Timestamp::from_second(token::now() + off).unwrap();
        let pulso = believing(pulso.clone(), &website.url("")).at(&now.strftime("%Y-%m-%d %H:%M:%S").to_string());
        let pulso = pulso.ready().await;
        wait::until(async || pulso.metric("pulso_jwks_keys").await > 0.0, "the keys are here").await;
        assert_eq!(status(&pulso, &key.token(&claims(&website))).await, expected, "{off} s off");
        assert_eq!(pulso.get("/ready").await.json(), json!({ "ready": true }));
    }
}
