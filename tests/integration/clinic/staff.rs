//! `/ws/staff/orders/`: who gets in, in which words the others are turned away, and whose orders the staff has.

use pulso_harness::{Claims, Closed, Dashboard, SECRET, token};
use serde_json::{Value, json};

use super::{ORDER, STAFF, TOLD_STAFF, closed, invalid_token, nurse, turned_away};
use crate::business::{NEGOCIO, OTHER_NEGOCIO};
use crate::feeds::{assert_reached, open, signed};

#[tokio::test]
async fn a_token_that_is_not_good_is_a_4001_and_one_without_the_role_a_4003() {
    let (pulso, _database) = open().await;
    let good = nurse().sign(SECRET);
    let mut by_token: Vec<(String, Closed)> = vec![
        (String::new(), invalid_token()),
        ("?token=".to_owned(), invalid_token()),
        ("?token=rubbish".to_owned(), invalid_token()),
        (format!("?token=Basic%20{good}"), invalid_token()),
        (format!("?token={}", &good[..good.len() - 2]), invalid_token()),
        (format!("?token={}", nurse().sign("another secret, also longer than 32 bytes")), invalid_token()),
        (format!("?Token={good}"), invalid_token()),
    ];
    for bad in [
        nurse().expiring_in(-60),
        nurse().without("exp"),
        nurse().with("exp", json!("mañana")),
        nurse().with("nbf", json!(token::now() + 3_600)),
        nurse().expiring_in(400 * 24 * 3_600),
        Claims::user("cliente").expiring_in(-60),
    ] {
        by_token.push((signed("", &bad), invalid_token()));
    }
    let plain = || Claims::user("cliente");
    for none in [
        plain(),
        plain().with("role", json!("CLIENT")),
        plain().with("role", json!("STAFFER")),
        plain().with("role", json!("")),
        plain().with("role", json!(["STAFF"])),
        plain().with("roles", json!("ADMIN")),
        plain().with("roles", json!([])),
        plain().with("roles", json!([["ADMIN"], { "role": "ADMIN" }, null, 1])),
        plain().with("is_staff", json!("true")),
        plain().with("is_staff", json!(1)),
        plain().with("is_superuser", Value::Null),
        plain().with("Role", json!("STAFF")),
        plain().with("user", json!({ "role": "STAFF" })),
    ] {
        by_token.push((signed("", &none), closed(4003, "neither staff nor admin")));
    }
    for (query, wanted) in &by_token {
        for path in STAFF {
            assert_eq!(turned_away(&pulso, &format!("{path}{query}"), &[]).await, *wanted, "{path}{query}");
        }
    }
    let another = Claims::user("otra").with("role", json!("ADMIN")).sign(SECRET);
    for header in ["Bearer x", "Bearer ", &format!("Bearer {another}")] {
        let path = signed(STAFF[0], &nurse());
        assert_eq!(turned_away(&pulso, &path, &[("authorization", header)]).await, invalid_token(), "{header}");
    }
    assert_reached(&pulso.post("/notify/pedido", ORDER).await, 0);
}

#[tokio::test]
async fn whoever_has_the_role_in_any_of_its_forms_has_every_order_to_the_letter() {
    let (pulso, _database) = open().await;
    let one = || Claims::user("alguien");
    let mut staff = Vec::new();
    for claims in [
        one().with("role", json!("STAFF")),
        one().with("role", json!("admin")),
        one().with("role", json!("Staff")),
        one().with("roles", json!(["CLIENT", "ADMIN"])),
        one().with("roles", json!([7, "staff"])),
        one().with("role", json!("CLIENT")).with("roles", json!(["STAFF"])),
        one().with("is_staff", json!(true)),
        one().with("is_superuser", json!(true)).with("role", json!("CLIENT")),
        nurse().without("id"),
        nurse().without("id").with("user_id", json!(7)),
        nurse().without("id").with("sub", json!("7")),
    ] {
        for path in STAFF {
            staff.push(pulso.open(&signed(path, &claims)).await);
        }
    }
    for path in STAFF {
        let bearer = format!("Bearer {}", nurse().sign(SECRET));
        staff.push(Dashboard::connect(pulso.port(), path, &[("authorization", &bearer)]).await);
    }
    for member in &mut staff {
        member.ping().await;
    }
    assert_reached(&pulso.post("/notify/pedido", ORDER).await, staff.len());
    let without_room = ORDER.replace("\"101\"", "null");
    assert_reached(&pulso.post("/notify/pedido", &without_room).await, staff.len());
    let without_room = ORDER.replace("\"room_code\":\"101\",", "").replace('{', "{\"type\":\"new_order\",\"total\":1,");
    assert_reached(&pulso.post("/notify/pedido", &without_room).await, staff.len());
    for member in &mut staff {
        assert_eq!(member.text().await, TOLD_STAFF);
        assert_eq!(member.text().await, TOLD_STAFF.replace("\"101\"", "null"));
        assert_eq!(member.text().await, TOLD_STAFF.replace("\"101\"", "null"));
    }
}

#[tokio::test]
async fn an_order_of_a_clinic_reaches_the_staff_that_names_it_and_one_of_none_those_who_name_none() {
    let (pulso, _database) = open().await;
    let named = |negocios: Value| signed(STAFF[0], &nurse().with("negocios", negocios));
    let mut of_none = pulso.open(&signed(STAFF[0], &nurse())).await;
    let mut of_first = pulso.open(&signed(STAFF[0], &nurse().with("negocio_id", json!(NEGOCIO.to_uppercase())))).await;
    let mut of_both = pulso.open(&named(json!([NEGOCIO, OTHER_NEGOCIO, NEGOCIO]))).await;
    let mut of_other = pulso.open(&named(json!([OTHER_NEGOCIO]))).await;
    for member in [&mut of_none, &mut of_first, &mut of_both, &mut of_other] {
        member.ping().await;
    }
    let order = async |negocio: &str, number: u64| {
        let body = ORDER.replace("123", &number.to_string());
        let body = match negocio {
            "" => body,
            named => body.replacen('{', &format!("{{\"negocio_id\":\"{named}\","), 1),
        };
        pulso.post("/notify/pedido", &body).await
    };
    assert_reached(&order(NEGOCIO, 1).await, 2);
    assert_reached(&order(&OTHER_NEGOCIO.to_uppercase(), 2).await, 2);
    assert_reached(&order("", 3).await, 1);
    assert_reached(&order("33333333-3333-4333-8333-333333333333", 4).await, 0);
    for (member, orders) in
        [(&mut of_none, &[3][..]), (&mut of_first, &[1]), (&mut of_both, &[1, 2]), (&mut of_other, &[2])]
    {
        for order in orders {
            assert_eq!(member.text().await, TOLD_STAFF.replace("123", &order.to_string()));
        }
        member.ping().await;
    }
}

#[tokio::test]
async fn whatever_staff_says_is_ignored_except_a_ping() {
    let (pulso, _database) = open().await;
    let mut staff = pulso.open(&signed(STAFF[0], &nurse())).await;
    for text in [
        "",
        "rubbish",
        "[]",
        "null",
        "\"ping\"",
        r#"{"type":"Ping"}"#,
        r#"{"type":"auth","token":"x"}"#,
        r#"{"type":"subscribe","channel":"estadisticas:11111111-1111-4111-8111-111111111111"}"#,
        r#"{"type":"new_order","order_id":1}"#,
        &"x".repeat(10_000),
    ] {
        staff.send_text(text).await;
    }
    staff.send_message(tokio_tungstenite::tungstenite::Message::binary(vec![0, 159, 146, 150])).await;
    staff.ping().await;
    staff.send_text(r#" {"data":{}, "type" : "ping"} "#).await;
    assert_eq!(staff.text().await, r#"{"type":"pong"}"#);
}

#[tokio::test]
async fn when_its_token_expires_a_member_of_the_staff_is_closed_with_4001() {
    let (pulso, _database) = open().await;
    let expiry = token::now() + 2;
    let mut brief = pulso.open(&signed(STAFF[0], &nurse().with("exp", json!(expiry)))).await;
    let mut stays = pulso.open(&signed(STAFF[0], &nurse())).await;
    stays.ping().await;
    assert_reached(&pulso.post("/notify/pedido", ORDER).await, 2);
    assert_eq!(brief.text().await, TOLD_STAFF);
    assert_eq!(brief.closed().await, closed(4001, "token expired"));
    assert!(token::now() >= expiry, "not before");
    stays.next().await;
    stays.ping().await;
}
