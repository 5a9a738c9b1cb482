//! The whole server behind the real pgbouncer in transaction mode: everybody gets his own figures.

use std::sync::Arc;

use pulso_harness::pgbouncer::Options;
use pulso_harness::{Claims, PgBouncer, Postgres};
use tokio::task::JoinSet;

use crate::business::{citas, pulso};

const NEGOCIOS: u32 = 5;
const ROUNDS: u32 = 8;

fn negocio(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn user(number: u32) -> String {
    format!("aaaaaaaa-0000-4000-8000-{number:012}")
}

#[tokio::test]
async fn behind_a_transaction_pooler_everybody_gets_his_own_figures() {
    let database = Postgres::shared().database().await;
    for number in 1..=NEGOCIOS {
        database
            .execute(&format!(
                "INSERT INTO negocios (id, admin_negocio_id, nombre) VALUES ('{}', '{}', 'n')",
                negocio(number),
                user(number)
            ))
            .await;
        citas(&database, &negocio(number), number * 100, "pendiente", "'2020-01-01'").await;
    }
    let pooler = PgBouncer::start(&database, Options { pool_size: 2, max_prepared_statements: 0 });
    let pulso = Arc::new(pulso(&pooler.url(&database)).ready().await);
    let mut dashboards = JoinSet::new();
    for number in 1..=NEGOCIOS {
        let (pulso, database) = (Arc::clone(&pulso), database.clone());
        dashboards.spawn(async move {
            let mut dashboard = pulso.connect(&Claims::user(&user(number))).await;
            let own = dashboard.watch(&negocio(number)).await;
            assert_eq!((own.negocio_id, own.total), (negocio(number), i64::from(number * 100)));
            dashboard.subscribe(&negocio(number % NEGOCIOS + 1)).await;
            assert_eq!(dashboard.error().await, "not allowed to subscribe to this channel");
            for round in 1..=ROUNDS {
                citas(&database, &negocio(number), 1, "atendida", "'2020-01-01'").await;
                let answer = pulso.notify(&negocio(number)).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                let stats = dashboard.stats_until(|stats| answer.json()["seq"] == stats.seq).await;
                assert_eq!(stats.negocio_id, negocio(number));
                assert_eq!((stats.total, stats.completadas), (i64::from(number * 100 + round), i64::from(round)));
            }
        });
    }
    while let Some(dashboard) = dashboards.join_next().await {
        dashboard.unwrap();
    }
    assert_eq!(pulso.count("pulso_query_failures_total").await, 0);
}
