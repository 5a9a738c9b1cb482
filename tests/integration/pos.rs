//! Point-of-sale events on `/ws`: every screen of the business and no other has them, to the letter and in order.

mod buffers;
mod clients;
mod spelling;

use jiff::Timestamp;
use pulso_harness::{Claims, Closed, Dashboard, Running, SECRET, token};
use serde_json::{Value, json};

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, owner};
use crate::feeds::{assert_reached, configured, open};

const SALE: &str = r#"{"saleId":123,"tableId":5,"total":45.50,"timestamp":"2025-07-20T10:30:00Z"}"#;
const PRODUCT: &str = r#"{"productId":456,"action":"stock_updated","newStock":25}"#;
const PROMOTION: &str = r#"{"promotionId":789,"action":"status_changed","enabled":true}"#;
const TABLE: &str = r#"{"tableId":12,"action":"status_changed","status":"occupied"}"#;
/// Hook, `type` on the wire, the contract's own example.
const EACH: [(&str, &str, &str); 4] = [
    ("/notify/venta", "newSale", SALE),
    ("/notify/producto", "updateProduct", PRODUCT),
    ("/notify/promocion", "updatePromotion", PROMOTION),
    ("/notify/mesa", "updateTable", TABLE),
];

/// The body of a call: the event's object and its business.
fn body(data: &str, negocio: &str) -> String {
    format!("{},\"negocio_id\":\"{negocio}\"}}", data.strip_suffix('}').unwrap())
}

/// Takes a message apart to the letter: `timestamp` must be the moment, and the rest is returned.
fn without_timestamp(text: &str) -> &str {
    let (rest, timestamp) = text.rsplit_once(",\"timestamp\":\"").unwrap_or_else(|| panic!("no timestamp: {text}"));
    let timestamp = timestamp.strip_suffix("\"}").unwrap();
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z'), "not as browsers write it: {timestamp}");
    let moment: Timestamp = timestamp.parse().unwrap();
    let age = token::now() - moment.as_second();
    assert!((-1..60).contains(&age), "not the moment: {timestamp}");
    rest
}

async fn hears(dashboard: &mut Dashboard, kind: &str, data: &str) {
    let text = dashboard.text().await;
    assert_eq!(without_timestamp(&text), format!("{{\"type\":\"{kind}\",\"data\":{data}"));
}

fn naming(negocio: &str) -> Claims {
    Claims::user("cajera").with("negocio_id", json!(negocio))
}

#[tokio::test]
async fn every_event_reaches_every_screen_of_its_business_and_no_other_to_the_letter() {
    let (pulso, _database) = open().await;
    let token = naming(NEGOCIO).sign(SECRET);
    let bearer = format!("Bearer {token}");
    let mut by_message = pulso.open("/ws").await;
    by_message.send(&json!({ "type": "auth", "token": token })).await;
    by_message.ping().await;
    let mut screens = [
        pulso.connect(&naming(NEGOCIO)).await,
        Dashboard::connect(pulso.port(), "/ws", &[("authorization", &bearer)]).await,
        by_message,
        pulso.connect(&naming(&NEGOCIO.to_uppercase())).await,
        pulso.connect(&Claims::naming("dueña", &[OTHER_NEGOCIO, NEGOCIO])).await,
    ];
    let mut others = [
        pulso.connect(&naming(OTHER_NEGOCIO)).await,
        pulso.connect(&owner()).await,
        pulso.connect(&Claims::naming("cajera", &[])).await,
        pulso.connect(&Claims::user("cajera").with("negocio_id", json!({ "id": NEGOCIO }))).await,
    ];
    let mut unknown = pulso.open("/ws").await;
    for (path, kind, data) in EACH {
        for negocio in [NEGOCIO, &NEGOCIO.to_uppercase()] {
            assert_reached(&pulso.post(path, &body(data, negocio)).await, screens.len());
            for screen in &mut screens {
                hears(screen, kind, data).await;
            }
        }
    }
    for other in &mut others {
        other.ping().await;
    }
    unknown.send(&json!({ "type": "ping" })).await;
    assert_eq!(unknown.error().await, "authenticate first");
    assert_reached(&pulso.post("/notify/venta", &body(SALE, "33333333-3333-4333-8333-333333333333")).await, 0);
}

#[tokio::test]
async fn what_a_call_says_passes_to_the_letter_wherever_its_business_stands() {
    let (pulso, _database) = open().await;
    let mut screen = pulso.connect(&naming(NEGOCIO)).await;
    screen.ping().await;
    for (path, kind, said, data) in [
        ("venta", "newSale", r#"{"negocio_id":"%","saleId":"v-1","tableId":null,"total":"45.50","timestamp":""}"#, ""),
        ("venta", "newSale", r#"{"saleId":1,"negocio_id":"%","tableId":"m1","total":0.10,"timestamp":"x"}"#, ""),
        (
            "venta",
            "newSale",
            r#"{"saleId":1,"tableId":2,"total":12345678901234567890.123456789012345,"timestamp":"x","negocio_id":"%"}"#,
            "",
        ),
        (
            "venta",
            "newSale",
            r#"{"saleId":99999999999999999999,"tableId":2,"total":1E+2,"timestamp":"ñ\u00f1\"","items":[{"qty":1.0,"x":{}}],"nota":null,"negocio_id":"%"}"#,
            "",
        ),
        ("producto", "updateProduct", r#"{"productId":4,"action":"deleted","negocio_id":"%"}"#, ""),
        (
            "producto",
            "updateProduct",
            r#"{"productId":4,"action":"stock_updated","newStock":2.50,"data":{"negocio_id":"z"},"negocio_id":"%"}"#,
            "",
        ),
        ("promocion", "updatePromotion", r#"{"promotionId":"p","action":"created","negocio_id":"%"}"#, ""),
        (
            "mesa",
            "updateTable",
            "{ \"tableId\" : \"t 1\" ,\n \"action\":\"x\", \"negocio_id\" : \"%\" }",
            r#"{"tableId":"t 1","action":"x"}"#,
        ),
    ] {
        let answer = pulso.post(&format!("/notify/{path}"), &said.replace('%', NEGOCIO)).await;
        assert_reached(&answer, 1);
        let data = if data.is_empty() {
            said.replace(r#""negocio_id":"%","#, "").replace(r#","negocio_id":"%""#, "")
        } else {
            data.to_owned()
        };
        hears(&mut screen, kind, &data).await;
    }
}

#[tokio::test]
async fn a_call_that_is_not_right_is_a_400_that_names_the_field_and_nobody_hears_of_it() {
    let (pulso, _database) = open().await;
    let mut screen = pulso.connect(&naming(NEGOCIO)).await;
    for (path, data, field) in [
        ("/notify/venta", SALE.replace("123", "1.5"), "saleId"),
        ("/notify/venta", SALE.replace("123", "\"\""), "saleId"),
        ("/notify/venta", SALE.replace("45.50", "\"cuarenta\""), "total"),
        ("/notify/venta", SALE.replace("45.50", "null"), "total"),
        ("/notify/venta", SALE.replace(":5,", ":true,"), "tableId"),
        ("/notify/venta", SALE.replace("\"tableId\":5,", ""), "tableId"),
        ("/notify/venta", SALE.replace("\"2025-07-20T10:30:00Z\"", "1752999000"), "timestamp"),
        ("/notify/producto", PRODUCT.replace("25", "\"25\""), "newStock"),
        ("/notify/producto", PRODUCT.replace("456", "null"), "productId"),
        ("/notify/promocion", PROMOTION.replace("true", "1"), "enabled"),
        ("/notify/promocion", PROMOTION.replace("\"status_changed\"", "7"), "action"),
        ("/notify/mesa", TABLE.replace("\"occupied\"", "false"), "status"),
        ("/notify/mesa", TABLE.replace("\"action\"", "\"accion\""), "action"),
    ] {
        let answer = pulso.post(path, &body(&data, NEGOCIO)).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("bad_request")), "{data}: {answer:?}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("{field} ")), "{field}: {message}");
    }
    for negocio in ["", " ", "a\\u0000b", &"x".repeat(201)] {
        let answer = pulso.post("/notify/mesa", &body(TABLE, negocio)).await;
        assert_eq!(answer.status, 400, "{negocio}: {answer:?}");
        assert!(answer.json()["message"].as_str().unwrap().starts_with("negocio_id "), "{answer:?}");
    }
    screen.ping().await;
}

#[tokio::test]
async fn without_its_business_an_event_is_a_400_that_says_what_to_set() {
    let (pulso, _database) = open().await;
    let mut screen = pulso.connect(&naming(NEGOCIO)).await;
    for (path, _, data) in EACH {
        let answer = pulso.post(path, data).await;
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400);
        assert!(message.contains("negocio_id") && message.contains("POS_SINGLE_BUSINESS"), "{message}");
    }
    screen.ping().await;
}

#[tokio::test]
async fn a_shop_that_is_alone_names_no_business_and_every_token_hears_it() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("POS_SINGLE_BUSINESS", "true").ready().await;
    let mut screens = [
        pulso.connect(&Claims::user("cajera")).await,
        pulso.connect(&naming(NEGOCIO)).await,
        pulso.connect(&Claims::empty().with("user_id", json!(7)).expiring_in(60)).await,
    ];
    let mut unknown = pulso.open("/ws").await;
    for (path, kind, data) in EACH {
        assert_reached(&pulso.post(path, data).await, screens.len());
        for screen in &mut screens {
            hears(screen, kind, data).await;
        }
        let named = pulso.post(path, &body(data, NEGOCIO)).await;
        assert_eq!(named.status, 400, "{named:?}");
        assert!(named.json()["message"].as_str().unwrap().starts_with("negocio_id "), "{named:?}");
    }
    unknown.send(&json!({ "type": "ping" })).await;
    assert_eq!(unknown.error().await, "authenticate first");
    for screen in &mut screens {
        screen.ping().await;
    }
}

#[tokio::test]
async fn a_new_token_changes_which_businesses_are_heard() {
    let (pulso, _database) = open().await;
    let mut screen = pulso.connect(&naming(NEGOCIO)).await;
    let renew = |claims: Claims| json!({ "type": "auth", "token": claims.sign(SECRET) });
    let sale = async |negocio: &str| pulso.post("/notify/venta", &body(SALE, negocio)).await;

    screen.send(&renew(naming(OTHER_NEGOCIO))).await;
    screen.ping().await;
    assert_reached(&sale(NEGOCIO).await, 0);
    assert_reached(&sale(OTHER_NEGOCIO).await, 1);
    hears(&mut screen, "newSale", SALE).await;

    screen.send(&renew(Claims::naming("cajera", &[NEGOCIO, OTHER_NEGOCIO, NEGOCIO]))).await;
    screen.ping().await;
    for negocio in [NEGOCIO, OTHER_NEGOCIO] {
        assert_reached(&sale(negocio).await, 1);
        hears(&mut screen, "newSale", SALE).await;
    }

    // A bad one changes nothing; one that names none leaves nothing.
    screen.send(&json!({ "type": "auth", "token": "x" })).await;
    screen.error().await;
    assert_reached(&sale(NEGOCIO).await, 1);
    hears(&mut screen, "newSale", SALE).await;
    screen.send(&renew(Claims::user("cajera"))).await;
    screen.ping().await;
    assert_reached(&sale(NEGOCIO).await, 0);

    screen.send(&renew(Claims::naming("otra", &[NEGOCIO]))).await;
    let closed = Closed { code: 4001, reason: "another user's token".to_owned() };
    assert_eq!(screen.closed().await, closed);
}

#[tokio::test]
async fn figures_and_sales_share_one_connection_and_its_pings() {
    let (pulso, _database) = open().await;
    let mut both = pulso.connect(&Claims::user(OWNER).with("negocio_id", json!(NEGOCIO))).await;
    let mut other = pulso.connect(&Claims::user(OTHER_OWNER)).await;
    both.ping().await;
    both.watch(NEGOCIO).await;
    other.watch(OTHER_NEGOCIO).await;
    assert_reached(&pulso.post("/notify/venta", &body(SALE, NEGOCIO)).await, 1);
    hears(&mut both, "newSale", SALE).await;
    let answer = pulso.post("/notify/cita", &json!({ "negocio_id": NEGOCIO }).to_string()).await;
    assert_eq!((answer.status, &answer.json()["subscribers"]), (200, &json!(1)), "{answer:?}");
    both.stats().await;
    // Leaving the figures does not leave the shop, whose events nobody subscribed to.
    both.unsubscribe(NEGOCIO).await;
    both.ping().await;
    assert_reached(&pulso.post("/notify/mesa", &body(TABLE, NEGOCIO)).await, 1);
    hears(&mut both, "updateTable", TABLE).await;
    both.send_text("rubbish").await;
    assert_eq!(both.next().await["type"], "error");
    both.ping().await;
    other.ping().await;
}

/// Posts sales one after the other; `saleId` says whose and which.
async fn sell(pulso: &Running, caller: usize, sales: usize) {
    for number in 0..sales {
        let sale = SALE.replace("123", &format!("\"{caller}-{number}\""));
        assert_eq!(pulso.post("/notify/venta", &body(&sale, NEGOCIO)).await.status, 200);
    }
}

async fn heard(screen: &mut Dashboard, sales: usize) -> Vec<String> {
    let mut heard = Vec::with_capacity(sales);
    for _ in 0..sales {
        let sale: Value = screen.next().await;
        heard.push(sale["data"]["saleId"].as_str().unwrap().to_owned());
    }
    heard
}

#[tokio::test]
async fn many_callers_at_once_are_heard_whole_and_in_one_order_by_everybody() {
    const CALLERS: usize = 8;
    const SALES: usize = 40;
    let (pulso, _database) = open().await;
    let mut screens = [pulso.connect(&naming(NEGOCIO)).await, pulso.connect(&naming(NEGOCIO)).await];
    for screen in &mut screens {
        screen.ping().await;
    }
    let [one, other] = &mut screens;
    let selling = futures_util::future::join_all((0..CALLERS).map(|caller| sell(&pulso, caller, SALES)));
    let (_, one, other) = tokio::join!(selling, heard(one, CALLERS * SALES), heard(other, CALLERS * SALES));
    assert_eq!(one, other);
    for caller in 0..CALLERS {
        let own: Vec<_> = one.iter().filter(|sale| sale.starts_with(&format!("{caller}-"))).cloned().collect();
        let wanted: Vec<_> = (0..SALES).map(|number| format!("{caller}-{number}")).collect();
        assert_eq!(own, wanted, "each call was answered before the next was made");
    }
    assert_eq!(pulso.count("pulso_conflated_total").await, 0);
    for screen in &mut screens {
        screen.ping().await;
    }
}
