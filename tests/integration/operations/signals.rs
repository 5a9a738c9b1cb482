//! Signals that are not "stop": what a terminal sends when it goes away.

use pulso_harness::wait;
use rustix::process::Signal;

use crate::business::pulso;

const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/nothing";

#[tokio::test]
async fn sighup_ends_no_server_and_sigquit_stops_it_in_order() {
    let pulso = pulso(NOWHERE).start().await;
    pulso.signal(Signal::HUP);
    pulso.until_logged("SIGHUP").await;
    assert_eq!(pulso.get("/health").await.status, 200);
    pulso.signal(Signal::QUIT);
    assert_eq!(pulso.ended().await, 0);
    wait::until(async || pulso.has_logged("\"stopped\""), "it stopped in order").await;
}
