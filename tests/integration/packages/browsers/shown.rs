//! What is shown to who has signed in, and to who may not.

use pulso_harness::SECRET;
use serde_json::{Value, json};

use super::{listens, page, sale, seller};
use crate::business::{NEGOCIO, citas, owner};
use crate::feeds::{configured, open};
use crate::tab::Browser;

super::in_each_browser! {
    a_page_shows_figures_and_sales_to_the_letter_and_its_token_stands_in_no_address
    a_page_of_an_origin_that_may_not_connect_says_so
    a_thousand_subscriptions_leave_no_listener_on_the_window
}

async fn a_page_shows_figures_and_sales_to_the_letter_and_its_token_stands_in_no_address(browser: Browser) {
    let (pulso, database) = open().await;
    let claims = seller();
    let (mut tab, address) = page(browser, pulso.port(), &claims, json!({})).await;
    tab.open(&address).await;
    listens(&mut tab).await;
    citas(&database, NEGOCIO, 3, "pendiente", "'2020-01-01'").await;
    pulso.notify(NEGOCIO).await;
    tab.wait_text("citas", "3").await;
    assert_eq!(pulso.post("/notify/venta", &sale("1234567890123456789", "45.50")).await.status, 200);
    tab.wait_text("sales", "1234567890123456789 45.50").await;
    let opened = tab.eval("sockets.map(({ url }) => url)").await;
    let opened = opened.as_array().unwrap();
    assert!(opened.len() == 1 && opened[0].as_str().unwrap().contains("/ws?v=2"), "{opened:?}");
    let requests = tab.ask(json!({ "do": "requests" })).await["urls"].to_string();
    let token = claims.sign(SECRET);
    assert!(!opened[0].to_string().contains(&token) && !requests.contains(&token), "{opened:?} {requests}");
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}

async fn a_page_of_an_origin_that_may_not_connect_says_so(browser: Browser) {
    let (configured, _database) = configured().await;
    let pulso = configured.with("WS_ALLOWED_ORIGINS", "https://elsewhere.example.com").ready().await;
    let options = json!({ "backoff": { "min": 50, "max": 200 } });
    let (mut tab, address) = page(browser, pulso.port(), &owner(), options).await;
    tab.open(&address).await;
    tab.wait_text("line", "stopped origin").await;
}

async fn a_thousand_subscriptions_leave_no_listener_on_the_window(browser: Browser) {
    let (pulso, _database) = open().await;
    let (mut tab, address) = page(browser, pulso.port(), &seller(), json!({})).await;
    tab.open(&address).await;
    // Not by `wait_text`, which listens to the window itself.
    tab.wait_eval("pulso.status.state", "connected").await;
    assert_eq!(tab.eval("listening > 0").await, true);
    let comes_and_goes = format!(
        "(async () => {{
            const before = listening;
            for (let n = 0; n < 1_000; n += 1) {{
                const one = pulso.channel(`{NEGOCIO}:c${{n % 50}}`);
                one.on('value', () => {{}});
                if (n % 10 === 0) await new Promise((done) => setTimeout(done));
                one.close();
            }}
            return listening - before;
        }})()"
    );
    assert_eq!(tab.eval(&comes_and_goes).await, 0);
    tab.eval("pulso.close()").await;
    assert_eq!(tab.eval("listening").await, 0);
}
