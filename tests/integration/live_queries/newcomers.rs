//! Crowds that come at once: few reads, and everybody is right in the end.

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::{KITCHEN, Restaurants, result, result_is, subscribe};

const KEYS: usize = 10;
const EACH: usize = 30;
/// Whoever comes later than this behind a read is given its result, and it is read again for all who come so late.
const NEW_MS: u128 = 250;

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_newcomers_costs_two_reads_a_key_and_sees_what_nobody_announced() {
    let quiet = |pulso: pulso_harness::Pulso| pulso.with("SENTINEL_INTERVAL", "0");
    let without_triggers = KITCHEN.replace(" listen/pedidos", "");
    let restaurants = Restaurants::with(&[("cocina.sql", &without_triggers)], quiet).await;
    let keys: Vec<String> = (0..KEYS).map(|number| format!("r-{number}")).collect();
    let mut first = Vec::new();
    for key in &keys {
        let mut screen = restaurants.waiter(key).await;
        subscribe(&mut screen, &format!("consulta:cocina:{key}")).await;
        assert_eq!(result(&mut screen, &format!("consulta:cocina:{key}")).await["todos"], 0);
        first.push(screen);
    }
    let mut crowd = Vec::new();
    for number in 0..KEYS * EACH {
        let key = &keys[number % KEYS];
        crowd.push((format!("consulta:cocina:{key}"), restaurants.waiter(key).await));
    }
    // Nobody says a word of it.
    for key in &keys {
        restaurants.order(key, "PENDING").await;
    }
    let before = restaurants.reads("cocina").await;
    let begun = Instant::now();
    join_all(crowd.iter_mut().map(async |(channel, screen)| subscribe(screen, channel).await)).await;
    let took = begun.elapsed();
    let right = json!({ "pendientes": 1, "todos": 1 });
    let first = first.iter_mut().zip(&keys).map(|(screen, key)| (format!("consulta:cocina:{key}"), screen));
    let all = first.chain(crowd.iter_mut().map(|(channel, screen)| (channel.clone(), screen)));
    join_all(all.map(async |(channel, screen)| result_is(screen, &channel, right.clone()).await)).await;
    // A crowd that is slow to say what it wants costs as many more as it takes.
    let most = KEYS as u64 * (2 + u64::try_from(took.as_millis() / NEW_MS).unwrap());
    let reads = restaurants.reads("cocina").await - before;
    assert!(reads <= most, "{reads} reads of {KEYS} keys in {took:?}");
}
