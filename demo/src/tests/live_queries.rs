//! The demo's live queries over what its APIs write, as the server reads them: `$1` the key, `$2` today, `$3` now.

use sqlx::sqlite::SqliteRow;

use super::*;
use crate::ledger::{Ledger, Sale, column};
use crate::restaurant::{NewItem, Status};

const KITCHEN: &str = QUERIES[0].1;
const WAITING_ROOM: &str = QUERIES[1].1;
const SALES_BY_HOUR: &str = QUERIES[2].1;
const OPEN_ORDERS: &str = QUERIES[3].1;
const KIOSK_ORDERS: &str = QUERIES[4].1;

async fn read(business: &mut Business, sql: &'static str, key: &str, today: &str, now: &str) -> Vec<SqliteRow> {
    let rows = sqlx::query(sql).bind(key).bind(today).bind(now).fetch_all(business.connection()).await;
    rows.unwrap()
}

fn backlog(row: &SqliteRow) -> [i64; 4] {
    ["por_empezar", "en_cocina", "listos", "retrasados"].map(|name| row.get(name))
}

fn next_change(row: &SqliteRow) -> Option<String> {
    row.get("next_change_at")
}

#[tokio::test]
async fn an_order_is_in_the_backlog_until_it_is_served_and_becomes_late_by_the_clock_alone() {
    let (clock, _) = clock();
    let mut business = business(&mut StdRng::seed_from_u64(1), &clock).await;
    let (id, ledger) = (business.restaurant_id.clone(), Arc::clone(&business.ledger));
    let restaurant = Restaurant::new(id.clone(), ledger, Hooks::new("http://127.0.0.1:9", "llave"), clock.clone());
    let item = r#"{"name":"Encebollado","qty":1,"unitPrice":6.50}"#;
    let item: NewItem = serde_json::from_str(item).unwrap();
    let order = restaurant.open("mesa-1").await.unwrap()["id"].as_str().unwrap().to_owned();
    let item = restaurant.add(&order, item).await.unwrap()["id"].as_str().unwrap().to_owned();
    let (today, now) = (clock.today().to_string(), column(clock.now()));

    let rows = read(&mut business, KITCHEN, &id, &today, &now).await;
    assert_eq!((backlog(&rows[0]), next_change(&rows[0])), ([0, 0, 0, 0], None), "a draft is nobody's yet");
    restaurant.confirm(&order).await.unwrap();
    let rows = read(&mut business, KITCHEN, &id, &today, &now).await;
    assert_eq!(backlog(&rows[0]), [1, 0, 0, 0]);
    let open = read(&mut business, OPEN_ORDERS, &id, &today, &now).await;
    let field = |name: &str| open[0].get::<String, _>(name);
    assert_eq!(
        (field("orderId"), field("tableSessionId"), field("status")),
        (order.clone(), "mesa-1".into(), "CONFIRMED".into())
    );
    let placed: jiff::Timestamp = field("createdAt").parse().unwrap();
    assert_eq!(placed.as_second(), clock.now().as_second(), "a moment, wherever it is read");
    let items: serde_json::Value = serde_json::from_str(&field("items")).unwrap();
    assert_eq!((&items[0]["name"], &items[0]["status"]), (&"Encebollado".into(), &"PENDING".into()));
    let promised = next_change(&rows[0]).unwrap();
    assert!(promised > now, "{promised}");
    let rows = read(&mut business, KITCHEN, &id, &today, &promised).await;
    assert_eq!((backlog(&rows[0]), next_change(&rows[0])), ([1, 0, 0, 1], None), "nobody wrote anything");

    restaurant.set_item(&order, &item, Status::InProgress).await.unwrap();
    let rows = read(&mut business, KITCHEN, &id, &today, &now).await;
    assert_eq!((backlog(&rows[0]), next_change(&rows[0])), ([0, 1, 0, 0], Some(promised.clone())), "the promise stays");
    restaurant.set_item(&order, &item, Status::Ready).await.unwrap();
    let rows = read(&mut business, KITCHEN, &id, &today, &promised).await;
    assert_eq!((backlog(&rows[0]), next_change(&rows[0])), ([0, 0, 1, 0], None), "ready is no longer late");
    restaurant.set_item(&order, &item, Status::Delivered).await.unwrap();
    let rows = read(&mut business, KITCHEN, &id, &today, &promised).await;
    assert_eq!(backlog(&rows[0]), [0, 0, 0, 0]);
    assert!(read(&mut business, OPEN_ORDERS, &id, &today, &now).await.is_empty(), "what is served is not open");
}

#[tokio::test]
async fn a_kiosks_order_is_open_until_it_is_delivered_and_nobody_elses() {
    let (clock, _) = clock();
    let mut business = business(&mut StdRng::seed_from_u64(3), &clock).await;
    let (id, ledger) = (business.negocio_id.clone(), Arc::clone(&business.ledger));
    let hooks = Hooks::new("http://127.0.0.1:9", "llave");
    let clinic = Clinic::new(id.clone(), ledger, hooks, clock.clone(), 0..=0);
    clinic.keep_kiosk_busy().await;
    for _ in 0..3 {
        let open = read(&mut business, KIOSK_ORDERS, &id, "", "").await;
        let room = open[0].get::<String, _>("room_code");
        assert_eq!((open.len(), open[0].get::<i64, _>("order_id"), room.as_str()), (1, 1, "101"));
        assert_eq!(open[0].get::<String, _>("device_uid"), KIOSK);
        let placed: jiff::Timestamp = open[0].get::<String, _>("placed_at").parse().unwrap();
        assert_eq!(placed.as_second(), clock.now().as_second(), "a moment, wherever it is read");
        assert!(read(&mut business, KIOSK_ORDERS, "otra", "", "").await.is_empty());
        clinic.advance().await;
    }
    assert!(read(&mut business, KIOSK_ORDERS, &id, "", "").await.is_empty(), "what is delivered is not open");
}

/// Hour, sales, total.
async fn hours(business: &mut Business, clock: &Clock) -> Vec<(String, i64, String)> {
    let (negocio, today) = (business.negocio_id.clone(), clock.today().to_string());
    let rows = read(business, SALES_BY_HOUR, &negocio, &today, "").await;
    rows.iter().map(|row| (row.get("hora"), row.get("ventas"), row.get("total"))).collect()
}

#[tokio::test]
async fn sales_are_counted_by_the_hours_of_today() {
    let (_, millis) = clock();
    // The demo's zone is UTC; noon has twelve hours behind it.
    millis.store("2026-03-04T12:20:00Z".parse::<Timestamp>().unwrap().as_millisecond(), Ordering::SeqCst);
    let read = Arc::clone(&millis);
    let clock =
        Clock::new(move || Timestamp::from_millisecond(read.load(Ordering::SeqCst)).unwrap().to_zoned(TimeZone::UTC));
    let mut business = business(&mut StdRng::seed_from_u64(2), &clock).await;
    let ledger = Ledger::open(&business.database_url).await.unwrap();
    let before = hours(&mut business, &clock).await;
    let names: Vec<&str> = before.iter().map(|(hour, ..)| hour.as_str()).collect();
    assert!(names.len() >= 12 && names.is_sorted() && names.last() == Some(&"12:00"), "{names:?}");
    assert!(before.iter().all(|(_, _, total)| total.split_once('.').is_some_and(|(_, cents)| cents.len() == 2)));

    millis.fetch_add(3_600_000, Ordering::SeqCst);
    let negocio = business.negocio_id.clone();
    for number in [10_001, 10_002] {
        ledger.add_sale(&negocio, Sale { number, table: Some(1), cents: 1_205 }, &clock).await.unwrap();
    }
    let after = hours(&mut business, &clock).await;
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after[before.len()..], [("13:00".to_owned(), 2, "24.10".to_owned())]);

    millis.fetch_add(86_400_000, Ordering::SeqCst);
    ledger.add_sale(&negocio, Sale { number: 10_003, table: None, cents: 5 }, &clock).await.unwrap();
    assert_eq!(hours(&mut business, &clock).await, [("13:00".to_owned(), 1, "0.05".to_owned())]);
}

#[tokio::test]
async fn who_has_come_waits_until_the_appointment_is_over_and_some_wait_long() {
    let (clock, time) = clock();
    let mut rng = StdRng::seed_from_u64(4);
    let mut business = business(&mut rng, &clock).await;
    let (mut most, mut longest) = (0, 0);
    for step in 0..300 {
        time.fetch_add(2_000, Ordering::SeqCst);
        business.step(&mut rng, &clock).await.unwrap();
        let (negocio, today, now) = (business.negocio_id.clone(), clock.today().to_string(), column(clock.now()));
        let rows = read(&mut business, WAITING_ROOM, &negocio, &today, &now).await;
        let [waiting, long, attended]: [i64; 3] =
            ["esperan", "esperan_mucho", "atendidas_hoy"].map(|name| rows[0].get(name));
        let since: Option<String> = rows[0].get("espera_desde");
        assert!((0..=6).contains(&waiting) && long <= waiting, "step {step}: {waiting} wait, {long} for long");
        assert_eq!(since.is_some(), waiting > 0);
        assert_eq!(next_change(&rows[0]).is_some(), waiting > long, "step {step}");
        let over: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM sala_de_espera JOIN citas ON id = cita_id WHERE estado <> 'pendiente'",
        )
        .fetch_one(business.connection())
        .await
        .unwrap();
        assert_eq!(over, 0);
        assert!(attended > 0);
        (most, longest) = (most.max(waiting), longest.max(long));
    }
    assert!(most >= 3 && longest >= 1, "{most} waited, {longest} for long");
}

#[tokio::test]
async fn a_hook_is_told_of_what_is_written_already() {
    let (demo, mut heard) = open(&[FINE]).await;
    let pool = SqlitePool::connect(&demo.business.database_url).await.unwrap();
    let stop = CancellationToken::new();
    let life = tokio::spawn(demo.run(stop.clone()));
    let (mut orders, mut sales) = (0, 0);
    while orders < 3 || sales < 3 {
        let Heard { path, body, .. } = heard.recv().await.unwrap();
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let (sql, id) = match path.as_str() {
            "/notify/order/new" => ("SELECT COUNT(*) FROM pedidos WHERE id = $1", body["orderId"].as_str().unwrap()),
            "/notify/venta" => {
                ("SELECT COUNT(*) FROM ventas WHERE id = CAST($1 AS INTEGER)", &*body["saleId"].to_string())
            }
            _ => continue,
        };
        let rows: i64 = sqlx::query_scalar(sql).bind(id).fetch_one(&pool).await.unwrap();
        assert_eq!(rows, 1, "{path} {id}");
        *(if path == "/notify/venta" { &mut sales } else { &mut orders }) += 1;
    }
    stop.cancel();
    life.await.unwrap();
}
