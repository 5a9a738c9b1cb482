//! What a client keeps of what is over: nothing.

use std::fmt::Write;

use pulso_harness::{Running, SECRET, Script};

use crate::business::{NEGOCIO, owner};
use crate::feeds::configured;
use crate::packages::packed;

/// Messages of one call.
const BATCH: usize = 100;
/// Beyond what it was: so much is what a runtime does by itself.
const MOST_GROWTH: f64 = 1.05;

async fn publish(pulso: &Running, kind: &str, count: usize) {
    let mut messages = String::new();
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(messages, r#"{comma}{{"channel":"canal:{NEGOCIO}:caja","type":"{kind}","data":{{"n":{n}}}}}"#);
    }
    assert_eq!(pulso.post("/api/publish", &format!("[{messages}]")).await.status, 200);
}

/// Publishes as many thousands, and waits until all of them have come.
async fn thousands(pulso: &Running, program: &mut Script, numbers: std::ops::RangeInclusive<usize>) {
    for thousand in numbers {
        for _ in 0..1_000 / BATCH {
            publish(pulso, "turno", BATCH).await;
        }
        assert_eq!(program.next().await["heard"], thousand * 1_000);
    }
}

async fn heap(pulso: &Running, program: &mut Script) -> f64 {
    publish(pulso, "mide", 1).await;
    let line = program.next().await;
    line["heap"].as_f64().unwrap_or_else(|| panic!("{line}"))
}

#[tokio::test]
async fn a_hundred_thousand_events_and_a_thousand_channels_leave_the_heap_as_it_was() {
    let (configured, _database) = configured().await;
    // Whoever comes and goes so often is cut off otherwise.
    let pulso = configured.with("MESSAGE_BURST", "10000").ready().await;
    let folder = tokio::task::spawn_blocking(|| packed::folder_with(&["client"])).await.unwrap();
    let (path, url) = (folder.path().to_str().unwrap(), format!("http://127.0.0.1:{}", pulso.port()));
    let mut program = Script::node("package_memory.mjs", &[path, &url, NEGOCIO, &owner().sign(SECRET)]);
    assert_eq!(program.next().await["state"], "live");
    // Once, so that all is compiled.
    thousands(&pulso, &mut program, 1..=10).await;
    let before = heap(&pulso, &mut program).await;
    thousands(&pulso, &mut program, 11..=110).await;
    let after = heap(&pulso, &mut program).await;
    assert!(after <= before * MOST_GROWTH, "{before} bytes, then {after}");
}
