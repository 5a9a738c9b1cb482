//! What the customers' developers are answered, step by step of their walk-throughs and off them.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::tokens::{Bearer, Tokens};
use super::*;
use crate::business::Business;
use crate::clinic::KIOSK;
use crate::clock::Clock;
use crate::hooks::Hooks;

const SECRET: &str = "a key of the demo, long enough for it";
const RESTAURANT: &str = "7a1de1f0-0000-4000-8000-000000000001";

#[expect(clippy::disallowed_methods, reason = "a token is read by the system's clock")]
fn now() -> Zoned {
    Timestamp::now().to_zoned(TimeZone::UTC)
}

/// With hooks that nobody answers: the APIs do not depend on them.
async fn api() -> Api {
    let clock = Clock::new(now);
    let hooks = Hooks::new("http://127.0.0.1:9", "llave");
    let ledger = Business::create(None, &clock).await.unwrap().ledger;
    Api {
        accounts: Accounts::new(SECRET, RESTAURANT.into(), "clinica".into(), clock.clone()),
        restaurant: Arc::new(Restaurant::new(RESTAURANT.into(), Arc::clone(&ledger), hooks.clone(), clock.clone())),
        clinic: Arc::new(Clinic::new("clinica".into(), ledger, hooks, clock, 1..=1)),
    }
}

async fn ask(api: &Api, method: Method, path: &str, token: &str, body: &str) -> (u16, Value) {
    let mut headers = HeaderMap::new();
    if !token.is_empty() {
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    }
    let call = Call { method, path: path.to_owned(), headers, body: body.to_owned().into() };
    let Answer { status, body } = api.answer(&call).await;
    (status.as_u16(), body)
}

async fn post(api: &Api, path: &str, token: &str, body: &str) -> (u16, Value) {
    ask(api, Method::POST, path, token, body).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn login(email: &str, password: &str) -> String {
    json!({ "email": email, "password": password }).to_string()
}

async fn waiter(api: &Api) -> String {
    text(&post(api, "/api/v1/auth/login", "", &login(WAITER, PASSWORD)).await.1["accessToken"])
}

#[tokio::test]
async fn the_restaurants_walk_through_goes_from_login_to_the_kitchen() {
    let api = api().await;
    let token = waiter(&api).await;
    let (status, order) = post(&api, "/api/v1/orders", &token, r#"{"tableSessionId":"session-id-here"}"#).await;
    assert_eq!((status, &order["status"]), (201, &json!("DRAFT")));
    let path = format!("/api/v1/orders/{}", text(&order["id"]));
    let body = r#"{"name":"Hamburguesa","qty":2,"unitPrice":15.50}"#;
    let (status, item) = post(&api, &format!("{path}/items"), &token, body).await;
    assert_eq!((status, &item["unitPrice"]), (201, &json!("15.50")));
    assert_eq!(post(&api, &format!("{path}/confirm"), &token, "").await.0, 200);
    let (status, found) = ask(&api, Method::GET, &path, &token, "").await;
    assert_eq!((status, &found["status"], &found["items"][0]["id"]), (200, &json!("CONFIRMED"), &item["id"]));

    let kitchen = post(&api, "/api/v1/auth/login", "", &login(KITCHEN, PASSWORD)).await.1;
    let path = format!("{path}/items/{}/status", text(&item["id"]));
    let (status, item) = post(&api, &path, &text(&kitchen["accessToken"]), r#"{"status":"IN_PROGRESS"}"#).await;
    assert_eq!((status, &item["status"]), (200, &json!("IN_PROGRESS")));
}

#[tokio::test]
async fn a_login_gives_the_token_that_its_feed_takes_and_nothing_for_a_wrong_password() {
    let api = api().await;
    let claims = |token: &str| Tokens::new(SECRET).read(token).unwrap();
    let restaurant = claims(&waiter(&api).await);
    assert_eq!(restaurant.restaurant.as_deref(), Some(RESTAURANT));
    assert_eq!(restaurant.restaurant_user.as_deref(), Some(WAITER));
    let (status, answer) = post(&api, "/api/auth/login", "", &login(ADMIN, CLINIC_PASSWORD)).await;
    assert_eq!(status, 200);
    let clinic = claims(&text(&answer["access"]));
    assert_eq!((clinic.clinic.as_deref(), clinic.role.as_deref()), (Some("clinica"), Some("ADMIN")));

    for (path, email, password) in [
        ("/api/v1/auth/login", WAITER, "password"),
        ("/api/v1/auth/login", WAITER, ""),
        ("/api/v1/auth/login", ADMIN, CLINIC_PASSWORD),
        ("/api/auth/login", ADMIN, PASSWORD),
        ("/api/auth/login", WAITER, PASSWORD),
    ] {
        let (status, answer) = post(&api, path, "", &login(email, password)).await;
        assert_eq!(status, 401, "{path} {email}");
        assert!(answer.get("access").or(answer.get("accessToken")).is_none());
    }
}

#[tokio::test]
async fn orders_are_for_those_who_work_at_the_restaurant() {
    let api = api().await;
    let order = r#"{"tableSessionId":"s"}"#;
    let sign = |secret: &str, restaurant: Option<&str>| {
        let bearer = Bearer { id: "u".to_owned(), restaurant: restaurant.map(str::to_owned), ..Bearer::default() };
        Tokens::new(secret).sign(&bearer, now().timestamp()).unwrap()
    };
    assert_eq!(post(&api, "/api/v1/orders", &sign(SECRET, Some(RESTAURANT)), order).await.0, 201);
    for bad in [
        String::new(),
        "no.token.atall".to_owned(),
        sign("another key, just as long as the other", Some(RESTAURANT)),
        sign(SECRET, Some("another")),
        sign(SECRET, None),
    ] {
        assert_eq!(post(&api, "/api/v1/orders", &bad, order).await.0, 401);
    }
}

#[tokio::test]
async fn kiosks_order_if_they_exist_and_are_switched_on() {
    let api = api().await;
    let create = "/api/public/orders/create";
    let body = |device: &str, items: &str| format!(r#"{{"device_uid":"{device}","items":{items}}}"#);
    let (status, order) = post(&api, create, "", &body(KIOSK, r#"[{"product_id":1,"quantity":2}]"#)).await;
    assert_eq!((status, &order["id"], &order["status"]), (201, &json!(1), &json!("PLACED")));
    for (device, items, wanted) in [
        ("ipad-room-104", r#"[{"product_id":1,"quantity":2}]"#, 404),
        ("nobody", r#"[{"product_id":1,"quantity":2}]"#, 404),
        (KIOSK, "[]", 400),
        (KIOSK, r#"[{"product_id":1,"quantity":0}]"#, 400),
        (KIOSK, r#"[{"quantity":1}]"#, 400),
        (KIOSK, "{}", 400),
    ] {
        assert_eq!(post(&api, create, "", &body(device, items)).await.0, wanted, "{device} {items}");
    }
    let one = body(KIOSK, r#"[{"product_id":1,"quantity":2}]"#);
    let mut accepted = 1;
    while post(&api, create, "", &one).await.0 == 201 {
        accepted += 1;
    }
    assert_eq!(accepted, 100, "memory is bounded");
    assert_eq!(post(&api, create, "", &one).await.0, 503);
}

#[tokio::test]
async fn what_is_not_there_or_not_understood_is_said_so() {
    let api = api().await;
    let token = waiter(&api).await;
    for (method, path, body, wanted) in [
        (Method::GET, "/api/v1/orders", "", 404),
        (Method::GET, "/api/v1/orders/none", "", 404),
        (Method::POST, "/api/v1/orders/none/confirm", "", 404),
        (Method::POST, "/api/v1/orders/none/items", r#"{"name":"a","qty":1,"unitPrice":1}"#, 404),
        (Method::POST, "/api/v1/orders", "{", 400),
        (Method::POST, "/api/v1/orders", r#"{"tableSessionId":7}"#, 400),
        (Method::POST, "/api/v1/orders", r#"{"tableSessionId":""}"#, 400),
        (Method::POST, "/api/v1/orders/none/items", r#"{"name":"a","qty":1,"unitPrice":-1}"#, 400),
        (Method::DELETE, "/api/v1/orders/none", "", 405),
        (Method::POST, "/api/v1/menu", "", 404),
        (Method::GET, "/api/auth/login", "", 404),
    ] {
        let (status, answer) = ask(&api, method.clone(), path, &token, body).await;
        assert_eq!(status, wanted, "{method} {path} {body}");
        assert!(answer["message"].is_string());
    }
}
