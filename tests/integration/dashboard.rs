//! The main job, end to end: rows change, the hook is called, the screen has the figures.

use crate::business::{NEGOCIO, citas, open, owner};

#[tokio::test]
async fn a_dashboard_has_the_new_figures_when_the_hook_is_answered() {
    let (pulso, database) = open().await;
    citas(&database, NEGOCIO, 3, "pendiente", "'2020-01-01'").await;
    let mut dashboard = pulso.connect(&owner()).await;
    let stats = dashboard.watch(NEGOCIO).await;
    assert_eq!((stats.total, stats.hoy, stats.completadas, stats.canceladas), (3, 0, 0, 0));

    citas(&database, NEGOCIO, 2, "atendida", "(now() AT TIME ZONE 'America/Guayaquil')::date").await;
    citas(&database, NEGOCIO, 1, "cancelada", "'2020-01-01'").await;
    let answer = pulso.notify(NEGOCIO).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["subscribers"], 1);
    let stats = dashboard.stats().await;
    assert_eq!((stats.total, stats.hoy, stats.completadas, stats.canceladas), (6, 2, 2, 1));
    assert_eq!(answer.json()["seq"], stats.seq);
}
