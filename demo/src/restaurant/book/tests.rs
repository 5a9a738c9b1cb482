//! What becomes of orders, and what the hooks are told of it, letter by letter.

use super::*;

const NOW: &str = "2026-03-04T03:00:00.000Z";
const LATER: &str = "2026-03-04T03:05:00.000Z";

fn burger() -> NewItem {
    serde_json::from_str(r#"{"name":"Hamburguesa","qty":2,"unitPrice":15.50}"#).unwrap()
}

/// A book with the order `o`, and `items` in it.
fn book(items: &[&str]) -> Book {
    let mut book = Book::new("r".into());
    book.open("o".into(), "mesa-1", NOW).unwrap();
    for item in items {
        book.add("o", (*item).into(), burger(), NOW).unwrap();
    }
    book
}

fn told((_, notices): (Value, Vec<Notice>)) -> Vec<(&'static str, String)> {
    notices.into_iter().map(|notice| (notice.path, notice.body)).collect()
}

/// The paths and the new states that a change of an item makes known.
fn set(book: &mut Book, item: &str, status: Status) -> Vec<(&'static str, Value)> {
    let notices = told(book.set_item("o", item, status, LATER).unwrap());
    let new = |body: String| serde_json::from_str::<Value>(&body).unwrap()["newStatus"].clone();
    notices.into_iter().map(|(path, body)| (path, new(body))).collect()
}

#[test]
fn a_confirmed_order_is_told_whole_in_the_products_words() {
    let mut book = book(&["i"]);
    let item = r#"{"id":"i","orderId":"o","name":"Hamburguesa","qty":2,"unitPrice":"15.50","status":"PENDING","notes":null,"createdAt":"2026-03-04T03:00:00.000Z","updatedAt":"2026-03-04T03:00:00.000Z"}"#;
    let order = format!(
        r#"{{"orderId":"o","restaurantId":"r","tableSessionId":"mesa-1","status":"CONFIRMED","items":[{item}],"createdAt":"{NOW}"}}"#
    );
    assert_eq!(told(book.confirm("o", LATER).unwrap()), [("/notify/order/new", order)]);
    assert_eq!(book.find("o").unwrap()["status"], "CONFIRMED");
}

#[test]
fn an_items_change_is_told_before_what_it_makes_of_its_order() {
    let mut book = book(&["i"]);
    book.confirm("o", NOW).unwrap();
    let item = r#"{"orderId":"o","itemId":"i","restaurantId":"r","previousStatus":"PENDING","newStatus":"IN_PROGRESS","updatedAt":"2026-03-04T03:05:00.000Z"}"#;
    let order = r#"{"orderId":"o","restaurantId":"r","previousStatus":"CONFIRMED","newStatus":"IN_PROGRESS","updatedAt":"2026-03-04T03:05:00.000Z"}"#;
    assert_eq!(
        told(book.set_item("o", "i", Status::InProgress, LATER).unwrap()),
        [("/notify/order/item-status", item.to_owned()), ("/notify/order/status", order.to_owned())]
    );
    assert_eq!(set(&mut book, "i", Status::InProgress), [], "nothing changed, nothing is told");
}

#[test]
fn an_order_is_where_its_items_are() {
    let (item, order) = ("/notify/order/item-status", "/notify/order/status");
    let mut book = book(&["a", "b", "c"]);
    book.confirm("o", NOW).unwrap();
    let known = |path, status: &str| (path, Value::from(status));
    assert_eq!(set(&mut book, "a", Status::Ready), [known(item, "READY"), known(order, "IN_PROGRESS")]);
    assert_eq!(set(&mut book, "b", Status::Ready), [known(item, "READY")]);
    assert_eq!(set(&mut book, "c", Status::Cancelled), [known(item, "CANCELLED"), known(order, "READY")]);
    assert_eq!(set(&mut book, "a", Status::Delivered), [known(item, "DELIVERED")]);
    assert_eq!(set(&mut book, "b", Status::Delivered), [known(item, "DELIVERED"), known(order, "DELIVERED")]);
    for id in ["a", "b"] {
        set(&mut book, id, Status::Cancelled);
    }
    assert_eq!(book.find("o").unwrap()["status"], "CANCELLED");
}

#[test]
fn what_does_not_fit_the_orders_state_is_refused_and_told_to_nobody() {
    let mut empty = book(&[]);
    assert!(matches!(empty.confirm("o", NOW), Err(Refused::Conflict(_))), "nothing was ordered");
    let mut book = book(&["i"]);
    assert!(matches!(book.set_item("o", "i", Status::Ready, NOW), Err(Refused::Conflict(_))), "a draft");
    book.confirm("o", NOW).unwrap();
    assert!(matches!(book.confirm("o", NOW), Err(Refused::Conflict(_))));
    assert!(matches!(book.add("o", "j".into(), burger(), NOW), Err(Refused::Conflict(_))));
    assert!(matches!(book.set_item("o", "i", Status::Draft, NOW), Err(Refused::Invalid(_))));
    assert!(matches!(book.set_item("o", "j", Status::Ready, NOW), Err(Refused::Unknown(_))));
    assert!(matches!(book.find("x"), Err(Refused::Unknown(_))));
}

#[test]
fn memory_is_bounded_however_much_is_ordered() {
    let mut book = Book::new("r".into());
    for number in 0..2 * MOST_ORDERS {
        book.open(number.to_string(), "mesa", NOW).unwrap();
    }
    assert_eq!(book.orders.len(), MOST_ORDERS);
    assert!(book.find("0").is_err());
    let last = (2 * MOST_ORDERS - 1).to_string();
    for number in 0..MOST_ITEMS {
        book.add(&last, number.to_string(), burger(), NOW).unwrap();
    }
    assert!(matches!(book.add(&last, "one more".into(), burger(), NOW), Err(Refused::Conflict(_))));
    let long = "x".repeat(MOST_LETTERS + 1);
    assert!(book.open("o".into(), &long, NOW).is_err());
    book.open("o".into(), "mesa", NOW).unwrap();
    for wrong in [
        NewItem { name: long.clone(), ..burger() },
        NewItem { notes: Some(long), ..burger() },
        NewItem { qty: 0, ..burger() },
        NewItem { qty: MOST_OF_ONE + 1, ..burger() },
    ] {
        assert!(matches!(book.add("o", "i".into(), wrong, NOW), Err(Refused::Invalid(_))));
    }
}
