//! A restaurant at work by itself: tables order, the kitchen cooks, the waiter serves. It touches only what it ordered
//! itself: a visitor's orders wait for the visitor.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::book::{NewItem, Status};
use super::price::Price;
use super::{Restaurant, uuid};
use crate::refused::Refused;

/// Orders under way at once.
const MOST_OPEN: usize = 4;

/// What there is, its price in cents, and what some guests want with it.
const DISHES: [(&str, u64, &str); 14] = [
    ("Hamburguesa", 1550, "término medio"),
    ("Ceviche de camarón", 1275, "sin cebolla"),
    ("Encebollado", 650, "con ají aparte"),
    ("Seco de chivo", 990, "poco arroz"),
    ("Bolón mixto", 425, "con huevo frito"),
    ("Locro de papa", 580, "sin queso"),
    ("Arroz marinero", 1340, "para compartir"),
    ("Lomo saltado", 1120, "bien cocido"),
    ("Empanadas de viento", 375, "sin azúcar encima"),
    ("Ensalada de quinua", 760, "aliño aparte"),
    ("Jugo de maracuyá", 280, "sin hielo"),
    ("Limonada con hierbabuena", 250, "poca azúcar"),
    ("Flan de coco", 390, "dos cucharas"),
    ("Café pasado", 180, "con leche aparte"),
];

/// The orders under way, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Kitchen {
    open: Vec<Cooking>,
}

#[derive(Debug)]
struct Cooking {
    order: String,
    items: Vec<(String, Status)>,
}

impl Kitchen {
    /// One believable step: a new order, or the next thing that happens to one.
    pub(crate) async fn step(&mut self, rng: &mut StdRng, restaurant: &Restaurant) {
        let wants_more = self.open.len() < MOST_OPEN && rng.random_bool(0.4);
        let done = if self.open.is_empty() || wants_more {
            self.take_order(rng, restaurant).await
        } else {
            let number = rng.random_range(0..self.open.len());
            self.advance(number, restaurant).await
        };
        if let Err(refused) = done {
            // Its order was forgotten: many visitors order here.
            tracing::debug!(%refused, "demo: the kitchen lost an order");
            self.open.clear();
        }
    }

    async fn take_order(&mut self, rng: &mut StdRng, restaurant: &Restaurant) -> Result<(), Refused> {
        let order = id_of(&restaurant.open(&uuid()).await?);
        let mut items = Vec::new();
        let count = rng.random_range(1..=4);
        for &(dish, cents, note) in DISHES.choose_multiple(rng, count) {
            let item = NewItem {
                name: dish.to_owned(),
                qty: rng.random_range(1..=3),
                unit_price: Price { cents },
                notes: rng.random_bool(0.2).then(|| note.to_owned()),
            };
            items.push((id_of(&restaurant.add(&order, item).await?), Status::Pending));
        }
        restaurant.confirm(&order).await?;
        self.open.push(Cooking { order, items });
        Ok(())
    }

    /// One item goes on; a finished order is carried out whole.
    async fn advance(&mut self, number: usize, restaurant: &Restaurant) -> Result<(), Refused> {
        let Some(Cooking { order, items }) = self.open.get_mut(number) else { return Ok(()) };
        let next = [(Status::InProgress, Status::Ready), (Status::Pending, Status::InProgress)];
        for (from, to) in next {
            if let Some((item, status)) = items.iter_mut().find(|(_, status)| *status == from) {
                restaurant.set_item(order, item, to).await?;
                *status = to;
                return Ok(());
            }
        }
        for (item, _) in items.iter() {
            restaurant.set_item(order, item, Status::Delivered).await?;
        }
        self.open.remove(number);
        Ok(())
    }
}

fn id_of(answer: &serde_json::Value) -> String {
    answer["id"].as_str().unwrap_or_default().to_owned()
}
