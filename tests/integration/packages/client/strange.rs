//! Names that are none, another spelling, too many: each has the server's answer, and disturbs nothing else.

use pulso_harness::SECRET;
use serde_json::json;

use super::program::Program;
use crate::business::{NEGOCIO, OWNER, citas, owner};
use crate::feeds::open;

#[tokio::test]
async fn a_name_that_is_none_is_refused_alone_and_another_spelling_is_the_same_channel() {
    let negocio = "abcdefab-cdef-4abc-8def-abcdefabcdef";
    let (pulso, database) = open().await;
    let insert = format!("INSERT INTO negocios (id, admin_negocio_id, nombre) VALUES ('{negocio}', '{OWNER}', 'Bar')");
    database.execute(&insert).await;
    let mut program = Program::new().await;
    program.line(pulso.port(), &[owner().sign(SECRET)], json!({})).await;
    program.take("lower", "stats", json!([negocio])).await;
    program.take("upper", "stats", json!([negocio.to_uppercase()])).await;
    let none = ["con espacios", "", &"x".repeat(200), "ñandú", "caja\n"];
    for name in none {
        program.take(&format!("none {name}"), "channel", json!([format!("{NEGOCIO}:{name}")])).await;
    }
    program.take("caja", "channel", json!([format!("{NEGOCIO}:caja")])).await;
    program.until("Object.values(it.taken).every(({ state }) => state !== 'pending')").await;
    citas(&database, negocio, 2, "pendiente", "'2020-01-01'").await;
    pulso.notify(negocio).await;
    let all = program.until("['lower', 'upper'].every((name) => it.taken[name].latest?.total_citas === 2)").await;
    let taken = &all["taken"];
    assert_eq!(taken["lower"]["channel"], taken["upper"]["channel"]);
    assert_eq!(taken["caja"]["state"], "live");
    for name in none {
        let one = &taken[&format!("none {name}")];
        assert_eq!((&one["state"], &one["error"]), (&json!("refused"), &json!("unknown_channel")), "{name:?}: {one}");
    }
    assert_eq!(all["sockets"], 1);
    assert_eq!(program.end().await, 0);
}

#[tokio::test]
async fn of_a_hundred_and_one_channels_the_last_alone_is_refused() {
    let (pulso, _database) = open().await;
    let mut program = Program::new().await;
    program.line(pulso.port(), &[owner().sign(SECRET)], json!({})).await;
    for n in 0..=100 {
        program.take(&format!("c{n}"), "channel", json!([format!("{NEGOCIO}:c{n}")])).await;
    }
    let all = program.until("Object.values(it.taken).every(({ state }) => state !== 'pending')").await;
    for n in 0..100 {
        assert_eq!(all["taken"][format!("c{n}")]["state"], "live", "c{n}");
    }
    assert_eq!(all["taken"]["c100"]["error"], "too_many_channels");
    // There is room again once another is left.
    program.ask(json!({ "do": "leave", "name": "c0" })).await;
    program.take("again", "channel", json!([format!("{NEGOCIO}:c100")])).await;
    program.until("it.taken.again.state === 'live'").await;
    let body = json!({ "channel": format!("canal:{NEGOCIO}:c100"), "type": "turno", "data": { "n": 1 } });
    assert_eq!(pulso.post("/api/publish", &body.to_string()).await.status, 200);
    program.until("it.taken.again.values.length === 1").await;
    assert_eq!(program.end().await, 0);
}
