//! The same over two issuers, of which each claims the other's people and businesses, in its own words and in the other's.

use pulso_harness::{Claims, Database, Running, SECRET, Scratch, SigningKey, jwks};
use serde_json::{Value, json};

use super::matter::{Matter, RESTAURANT};
use super::{Cast, STRANGER, only_the_cast_hears, prepared};
use crate::business::{NEGOCIO, OTHER_OWNER, OWNER};

const UNO: &str = "https://uno.example";
const DOS: &str = "https://dos.example";

/// Who signs, and where its tokens say what.
struct Issuer {
    name: &'static str,
    key: SigningKey,
    user: &'static str,
    say: fn(Claims, &str, Value) -> Claims,
}

/// `uno` puts everything into `app_metadata`, as Supabase does.
fn of_uno(claims: Claims, what: &str, value: Value) -> Claims {
    let mut metadata = claims.json()["app_metadata"].clone();
    if metadata.is_null() {
        metadata = json!({});
    }
    metadata[what] = value;
    claims.with("app_metadata", metadata)
}

/// `dos` gives each claim an address, as Auth0 does.
fn of_dos(claims: Claims, what: &str, value: Value) -> Claims {
    claims.with(&format!("https://dos.example/{what}"), value)
}

/// Both call their keys alike.
fn issuers() -> [Issuer; 2] {
    [
        Issuer { name: UNO, key: SigningKey::p256("k"), user: "sub", say: of_uno },
        Issuer { name: DOS, key: SigningKey::p256("k"), user: "uid", say: of_dos },
    ]
}

/// A server that believes both. The people of `uno` are those of the database; `dos` calls them alike, and they are others.
async fn server(issuers: &[Issuer; 2]) -> (Running, Scratch, Database) {
    let scratch = Scratch::new();
    let [uno, dos] = issuers
        .each_ref()
        .map(|issuer| scratch.write(&format!("{}.json", issuer.user), &jwks(&[&issuer.key])).display().to_string());
    let file = json!([
        {
            "issuer": UNO, "jwks_file": uno, "audience": "panel",
            "claims": {
                "user": "sub", "negocio": "app_metadata.negocio", "negocios": "app_metadata.negocios",
                "restaurant": "app_metadata.restaurant", "role": "app_metadata.role",
            },
        },
        {
            "issuer": DOS, "jwks_file": dos, "audience": "panel", "user_prefix": "dos:",
            "claims": {
                "user": "uid", "negocio": "\"https://dos.example/negocio\"", "negocios": "\"https://dos.example/negocios\"",
                "restaurant": "\"https://dos.example/restaurant\"", "role": "\"https://dos.example/role\"",
            },
        },
    ]);
    let file = scratch.write("issuers.json", &file.to_string()).display().to_string();
    let (pulso, database) = prepared().await;
    (pulso.with("JWT_ISSUERS_FILE", &file).ready().await, scratch, database)
}

impl Issuer {
    fn user(&self, name: &str) -> Claims {
        let claims = Claims::empty().with("iss", json!(self.name)).with("aud", json!("panel"));
        claims.with(self.user, json!(name)).expiring_in(3_600)
    }

    /// In this issuer's words: what the matter is granted by, if the token says who somebody is.
    fn entitled(&self, claims: Claims, matter: Matter) -> Claims {
        let say = self.say;
        match matter {
            Matter::Staff => say(say(claims, "role", json!("STAFF")), "negocio", json!(NEGOCIO)),
            Matter::Orders => say(claims, "restaurant", json!(RESTAURANT)),
            _ => say(claims, "negocio", json!(NEGOCIO)),
        }
    }
}

/// Of `mine` somebody is rightful; of `theirs` nobody is, whatever they claim.
fn cast(matter: Matter, mine: &Issuer, theirs: &Issuer) -> Cast {
    let rightful = mine.entitled(mine.user("ana"), matter);
    // The people of `uno` are the database's: its owner would be rightful.
    let known = if theirs.name == UNO { OTHER_OWNER } else { OWNER };
    let all_names = ["id", "user_id", "sub", "userId", "uid"].into_iter().fold(theirs.user(known), |claims, name| {
        if name == theirs.user { claims } else { claims.with(name, json!(OWNER)) }
    });
    let foreign = [
        // Their people, who claim in the words of mine.
        theirs.key.token(&mine.entitled(theirs.user("ana"), matter)),
        theirs.key.token(&mine.entitled(all_names.clone(), matter)),
        theirs.key.token(&all_names),
        // In the name of mine, with a key of the same name.
        theirs.key.token(&rightful),
        theirs.key.token(&rightful.clone().with("iss", json!([UNO, DOS]))),
        // Mine, in the name of theirs and in their words.
        mine.key.token(&rightful.clone().with("iss", json!(theirs.name))),
        mine.key.token(&theirs.entitled(mine.user(STRANGER), matter)),
        mine.key.token(&rightful.clone().with("aud", json!("elsewhere"))),
        mine.key.token(&rightful.clone().without("aud")),
        mine.key.token(&rightful.clone().without("iss")),
        mine.key.token(&rightful.clone().expiring_in(-60)),
        // By the secret that stands beside them.
        rightful.sign(SECRET),
        rightful.clone().with("iss", json!("nobody")).sign(SECRET),
    ];
    let shown = |token: String| (token, "");
    Cast { rightful: shown(mine.key.token(&rightful)), foreign: foreign.into_iter().map(shown).collect() }
}

async fn neither_hears_what_is_the_others(matter: Matter) {
    let issuers = issuers();
    let (pulso, _scratch, _database) = server(&issuers).await;
    let [uno, dos] = &issuers;
    only_the_cast_hears(&pulso, matter, cast(matter, uno, dos)).await;
    only_the_cast_hears(&pulso, matter, cast(matter, dos, uno)).await;
}

#[tokio::test]
async fn neither_of_two_issuers_hears_the_others_sales() {
    neither_hears_what_is_the_others(Matter::Sales).await;
}

#[tokio::test]
async fn neither_of_two_issuers_sees_the_others_figures() {
    neither_hears_what_is_the_others(Matter::Figures).await;
}

#[tokio::test]
async fn neither_of_two_issuers_hears_the_others_channels() {
    neither_hears_what_is_the_others(Matter::Canal).await;
}

#[tokio::test]
async fn neither_of_two_issuers_staff_hears_the_others_orders() {
    neither_hears_what_is_the_others(Matter::Staff).await;
}

#[tokio::test]
async fn neither_of_two_issuers_waiters_hear_the_others_orders() {
    neither_hears_what_is_the_others(Matter::Orders).await;
}
