//! What a business is called and what its amounts are counted in, as the page shows them.

use pulso_harness::Claims;
use serde_json::{Value, json};

use super::{SALES, Stage, everything, everything_in, furnished, sale, signed};
use crate::business::{NEGOCIO, OTHER_NEGOCIO, OWNER};
use crate::tab::{Tab, link};

const NAMES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/name.sql");
const CHOICES: &str = "[...document.getElementById('elegir-negocio').options].map(({ textContent }) => textContent)";

#[tokio::test]
async fn a_business_goes_by_its_name_and_its_amounts_have_their_currency() {
    let (pulso, database) = furnished().await;
    let running = pulso.with("NAME_SQL", NAMES).with("CURRENCY", "USD").ready().await;
    let stage = Stage { running, database };
    let token = signed(&everything());
    let mut tab = Tab::new().await;
    everything_in(&mut tab, stage.port(), &token).await;
    tab.wait_text("negocio", "Barbería").await;
    stage.tell("/notify/venta", sale(NEGOCIO, 1, "1245.60")).await;
    tab.wait_text("ventas-total", "$1.245,60").await;
    assert_eq!(tab.eval(SALES).await, json!(["venta | Venta #1 | Mesa 5 | $1.245,60"]));
    tab.keeps_the_token_to_itself(&token).await;
    assert_eq!(tab.axe().await, json!([]));

    // A name is text, whatever stands in it; who has several chooses by theirs.
    let markup = "<img src=x onerror=alert(1)>";
    stage.database.execute(&format!("UPDATE negocios SET nombre = '{markup}' WHERE id = '{NEGOCIO}'")).await;
    tab.renew().await;
    let several = signed(&Claims::naming(OWNER, &[NEGOCIO, OTHER_NEGOCIO]));
    tab.open(&link(&stage.running, NEGOCIO, &several)).await;
    tab.wait_eval(CHOICES, json!([markup, "Clínica"])).await;
    assert_eq!(tab.eval("document.querySelectorAll('.negocio img').length").await, 0);

    // To a stranger it is an id.
    tab.renew().await;
    tab.open(&link(&stage.running, NEGOCIO, &signed(&Claims::user("somebody-else")))).await;
    tab.wait_match("aviso", "^No tienes acceso a este negocio").await;
    assert_eq!(tab.text("negocio").await, NEGOCIO);
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}
