//! The cloud's side of the order synchronisation: orders and customers that change and wait to be pulled.
//!
//! Must not know how its notices travel. Few ids come again and again: what waits unconfirmed has one row each.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::json;

use super::hooks::Notice;

const ORDERS: u64 = 12;
const FIRST_ORDER: u64 = 5_001;
const STATUSES: [&str; 4] = ["pagado", "en preparación", "en camino", "entregado"];
const DISHES: [(&str, u64); 6] = [
    ("Ceviche de camarón", 1275),
    ("Arroz marinero", 1340),
    ("Encebollado", 650),
    ("Hamburguesa", 1550),
    ("Jugo de maracuyá", 280),
    ("Flan de coco", 390),
];
const CUSTOMERS: [&str; 8] = [
    "María Fernanda Ruiz",
    "Luis Alberto Zambrano",
    "Ana Lucía Cevallos",
    "Jorge Intriago",
    "Carmen Vera",
    "Diego Paredes",
    "Rosa Elena Quishpe",
    "Andrés Villacís",
];

/// A change of an order or, now and then, of a customer; `now` in ISO 8601.
pub(super) fn change(rng: &mut StdRng, now: &str) -> Notice {
    let number = rng.random_range(0..CUSTOMERS.len());
    let change = if rng.random_bool(0.75) {
        let quantity = rng.random_range(1..=3);
        let (dish, cents) = DISHES.choose(rng).copied().unwrap_or(DISHES[0]);
        let total = cents * quantity;
        json!({
            "entity": "order",
            "id": format!("pedido-{}", rng.random_range(FIRST_ORDER..FIRST_ORDER + ORDERS)),
            "payload": {
                "customerId": customer(number),
                "status": STATUSES.choose(rng),
                "items": [{"name": dish, "quantity": quantity}],
                "total": format!("{}.{:02}", total / 100, total % 100),
                "updatedAt": now,
            },
        })
    } else {
        json!({
            "entity": "customer",
            "id": customer(number),
            "payload": {"name": CUSTOMERS[number], "points": rng.random_range(0..400), "updatedAt": now},
        })
    };
    Notice::new("/notify/sync", &change)
}

fn customer(number: usize) -> String {
    format!("cliente-{}", number + 1)
}
