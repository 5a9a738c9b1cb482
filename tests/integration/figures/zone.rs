//! The business's day where the appointments are moments.

use pulso_harness::{Postgres, Scratch};

use super::four;
use crate::business::{NEGOCIO, owner, pulso};

/// What is advised for a column that is a `timestamptz`, done to the shipped query.
#[tokio::test]
async fn the_advice_for_a_moment_counts_the_businesss_day() {
    let database = Postgres::shared().empty_database().await;
    database
        .execute(&format!(
            "CREATE TABLE negocios (id uuid PRIMARY KEY, admin_negocio_id uuid);
             CREATE TABLE citas (negocio_id uuid, fecha timestamptz, estado text);
             SET timezone = 'America/Guayaquil';
             INSERT INTO citas VALUES ('{NEGOCIO}', current_date + time '21:00', ''), ('{NEGOCIO}', current_date + time '22:30', ''),
                                      ('{NEGOCIO}', current_date - 1 + time '20:30', '')"
        ))
        .await;
    let refused = pulso(&database.url()).with("TIMEZONE", "America/Guayaquil").command(&["serve"]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    let advice = "fecha >= $2::date AND fecha < $2::date + 1";
    assert!(said.contains(advice), "{said}");
    let scratch = Scratch::new();
    let query = scratch.write("stats.sql", &include_str!("../../../sql/stats.sql").replace("fecha = $2", advice));
    let pulso = pulso(&database.url())
        .with("TIMEZONE", "America/Guayaquil")
        .with("SUBSCRIBE_ACCESS", "authenticated")
        .with("STATS_SQL", &query.to_string_lossy())
        .ready()
        .await;
    let mut dashboard = pulso.connect(&owner()).await;
    let (total, today, ..) = four(&dashboard.watch(NEGOCIO).await);
    assert_eq!((total, today), (3, 2));
}
