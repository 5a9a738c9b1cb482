//! Sources over a real server: what is asked of an issuer and when, and what is had meanwhile.

use jiff::tz::TimeZone;
use pulso_harness::{Page, Website, wait};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;
use crate::access::keys::{Looked, Standing};
use crate::config::Algorithm;

const JWKS: &str = include_str!("../tests/openssl.json");

struct Kept {
    site: Website,
    source: Arc<Source>,
    metrics: Arc<Metrics>,
    keeper: JoinHandle<()>,
}

impl Kept {
    /// A source over a server whose set is at first `page`.
    async fn start(page: Page) -> Self {
        let site = Website::start().await;
        site.says("/jwks", page);
        let at = KeysAt::Jwks(site.url("/jwks").parse().unwrap());
        let source = Arc::new(Source::fetched(RemoteKeys { at, allow_http: false }));
        let metrics = Arc::<Metrics>::default();
        let (sources, clock) = (vec![Arc::clone(&source)], Clock::system(TimeZone::UTC));
        let keeper = tokio::spawn(keep(sources, clock, Arc::clone(&metrics), CancellationToken::new()));
        Self { site, source, metrics, keeper }
    }

    fn is_there(&self, kid: &str) -> bool {
        matches!(self.source.look(Some(kid), Algorithm::ES256), Looked::Keys(_))
    }

    async fn until_there(&self, kid: &str) {
        wait::until(async || self.is_there(kid), "the key is there").await;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

#[tokio::test]
async fn an_issuer_that_is_away_at_the_start_is_asked_again_and_its_absence_is_told() {
    let kept = Kept::start(Page::status("500 Internal Server Error")).await;
    assert!(matches!(kept.source.look(Some("p256"), Algorithm::ES256), Looked::NotYet));
    wait::until(async || kept.metrics.issuers.failures.get() == 1, "a failure").await;
    let Standing::Missing { since } = kept.source.standing() else { panic!("{:?}", kept.source.standing()) };
    assert_eq!(kept.metrics.issuers.away_since.get(), since);
    kept.site.says("/jwks", Page::of(JWKS));
    kept.until_there("p256").await;
    wait::until(async || kept.metrics.issuers.keys.get() == 4, "it is told").await;
    assert_eq!((kept.source.standing(), kept.metrics.issuers.away_since.get()), (Standing::Current, 0));
    let times = kept.site.times("/jwks");
    assert!(times[1] - times[0] >= FIRST_RETRY, "{times:?}");
}

#[tokio::test]
async fn a_flood_of_unknown_kids_costs_a_fetch_in_thirty_seconds_and_a_new_key_is_found_in_it() {
    let kept = Kept::start(Page::of(JWKS)).await;
    kept.until_there("p256").await;
    kept.site.says("/jwks", Page::of(JWKS.replace("\"p256\"", "\"new\"")));
    let mut strangers = 0_u32;
    while !kept.is_there("new") {
        assert!(matches!(kept.source.look(Some("new"), Algorithm::ES256), Looked::NotYet | Looked::Keys(_)));
        for _ in 0..10 {
            strangers += 1;
            kept.source.look(Some(&format!("stranger {strangers}")), Algorithm::ES256);
        }
        assert!(kept.is_there("p256") || kept.is_there("new"), "those who have a key are not kept waiting");
        sleep(Duration::from_millis(10)).await;
    }
    let times = kept.site.times("/jwks");
    assert_eq!(times.len(), 2, "{times:?}");
    assert!(times[1] - times[0] >= BETWEEN_FETCHES && strangers > 10_000, "{strangers} in {:?}", times[1] - times[0]);
    assert!(matches!(kept.source.look(Some("p256"), Algorithm::ES256), Looked::NotYet), "nobody asked for it before");
    assert_eq!((kept.metrics.issuers.fetches.get(), kept.metrics.issuers.failures.get()), (2, 0));
}

#[tokio::test]
async fn the_last_good_set_serves_while_the_issuer_has_nothing_good() {
    let kept = Kept::start(Page::of(JWKS)).await;
    kept.until_there("p256").await;
    kept.site.says("/jwks", Page::of(r#"{"keys":[]}"#));
    // What a fetch that is due does.
    let remote = kept.source.remote().unwrap().clone();
    let error = fetch(&remote).await.unwrap_err();
    let keeper = Keeper {
        sources: &[Arc::clone(&kept.source)],
        clock: Clock::system(TimeZone::UTC),
        metrics: Arc::clone(&kept.metrics),
    };
    keeper.miss(&kept.source, &remote, &error);
    keeper.tell();
    assert!(kept.is_there("p256") && matches!(kept.source.standing(), Standing::Stale { .. }));
    assert_eq!(kept.metrics.issuers.keys.get(), 4);
    assert!(kept.metrics.issuers.away_since.get() > 0);
}

#[tokio::test]
async fn the_keeper_ends_when_told_to_also_with_nothing_to_keep() {
    for sources in [Vec::new(), vec![Arc::new(Source::fixed(crate::access::keys::KeySet::default()))]] {
        let stop = CancellationToken::new();
        let keeper = tokio::spawn(keep(sources, Clock::system(TimeZone::UTC), Arc::default(), stop.clone()));
        sleep(Duration::from_millis(20)).await;
        assert!(!keeper.is_finished());
        stop.cancel();
        keeper.await.unwrap();
    }
}
