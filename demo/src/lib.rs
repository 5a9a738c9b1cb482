//! The believable little businesses of `pulso demo`: a database in memory, a day that goes on, and the REST APIs that
//! such customers have. Everything reaches Pulso through the same hooks that any REST API calls.
//!
//! Knows nothing of the server's inside: it writes rows and makes HTTP calls, like any other API, and what it answers is
//! mounted by whoever embeds it.

mod api;
mod appointments;
mod business;
mod clinic;
mod clock;
mod hooks;
mod ledger;
mod pos;
mod refused;
mod restaurant;
mod step;
mod sync;
mod waiting_room;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use api::Accounts;
use clinic::Clinic;
use hooks::Notice;
use pos::{Shop, Trade};
use restaurant::{Kitchen, Restaurant};

pub use api::{ADMIN, Answer, Api, CLINIC_PASSWORD, Call, KITCHEN, PASSWORD, WAITER};
pub use business::{Business, DemoError};
pub use clinic::KIOSK;
pub use clock::Clock;
pub use hooks::Hooks;

/// The live queries over what the APIs write, by name.
pub const QUERIES: [(&str, &str); 5] = [
    ("cocina", include_str!("../../sql/queries/cocina.sql")),
    ("sala-de-espera", include_str!("../../sql/queries/sala-de-espera.sql")),
    ("ventas-por-hora", include_str!("../../sql/queries/ventas-por-hora.sql")),
    ("pedidos-abiertos", include_str!("../../sql/queries/pedidos-abiertos.sql")),
    (clinic::OPEN_ORDERS, include_str!("../../sql/queries/pedidos-clinica.sql")),
];

/// What is open, before its day goes on.
#[derive(Debug)]
pub struct Demo {
    business: Business,
    shop: Shop,
    api: Arc<Api>,
    hooks: Hooks,
    clock: Clock,
    paces: Paces,
}

/// Between two steps, in milliseconds.
#[derive(Clone, Debug)]
struct Paces {
    /// Every step moves at least one figure.
    appointments: RangeInclusive<u64>,
    sales: RangeInclusive<u64>,
    kitchen: RangeInclusive<u64>,
    kiosks: RangeInclusive<u64>,
    /// How long a kiosk's order stays as it is, and how often that is looked at.
    service: RangeInclusive<u64>,
    look: RangeInclusive<u64>,
    sync: RangeInclusive<u64>,
}

const PACES: Paces = Paces {
    appointments: 1_000..=3_500,
    sales: 1_500..=5_000,
    kitchen: 1_500..=4_000,
    kiosks: 5_000..=15_000,
    service: 2_000..=4_000,
    look: 500..=500,
    sync: 4_000..=12_000,
};

impl Demo {
    /// `secret` signs the tokens that the APIs give out; `hooks` is where everything is told.
    pub fn new(business: Business, secret: &str, hooks: Hooks, clock: Clock) -> Self {
        Self::with_paces(business, secret, hooks, clock, PACES)
    }

    fn with_paces(business: Business, secret: &str, hooks: Hooks, clock: Clock, paces: Paces) -> Self {
        let (negocio, restaurant) = (business.negocio_id.clone(), business.restaurant_id.clone());
        let api = Api {
            accounts: Accounts::new(secret, restaurant.clone(), negocio.clone(), clock.clone()),
            restaurant: Arc::new(Restaurant::new(
                restaurant,
                Arc::clone(&business.ledger),
                hooks.clone(),
                clock.clone(),
            )),
            clinic: Arc::new(Clinic::new(
                negocio.clone(),
                Arc::clone(&business.ledger),
                hooks.clone(),
                clock.clone(),
                paces.service.clone(),
            )),
        };
        let shop = Shop::new(negocio, business.next_sale, &mut StdRng::from_os_rng());
        Self { business, shop, api: Arc::new(api), hooks, clock, paces }
    }

    /// The customers' APIs.
    pub fn api(&self) -> Arc<Api> {
        Arc::clone(&self.api)
    }

    /// The life of the businesses until `stop`. The database ends with it.
    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = Box::pin(self.live()) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn live(self) {
        let Self { mut business, mut shop, api, hooks, clock, paces } = self;
        let ledger = Arc::clone(&business.ledger);
        let appointments = async {
            let mut pace = Pace::new(paces.appointments);
            loop {
                keep_diary(&mut business, pace.next().await, &clock, &hooks).await;
            }
        };
        let sales = async {
            let mut pace = Pace::new(paces.sales);
            loop {
                let Trade { sale, notices } = shop.step(pace.next().await, &clock.iso());
                if let Some(sale) = sale
                    && let Err(error) = ledger.add_sale(shop.negocio_id(), sale, &clock).await
                {
                    tracing::warn!(%error, "demo: the sale could not be written");
                }
                hooks.call_all(notices).await;
            }
        };
        let kitchen = async {
            let (mut pace, mut kitchen) = (Pace::new(paces.kitchen), Kitchen::default());
            loop {
                kitchen.step(pace.next().await, &api.restaurant).await;
            }
        };
        let kiosks = async {
            let mut pace = Pace::new(paces.kiosks);
            loop {
                api.clinic.order_something(pace.next().await).await;
            }
        };
        let service = async {
            let mut pace = Pace::new(paces.look);
            loop {
                pace.next().await;
                api.clinic.advance().await;
                api.clinic.keep_kiosk_busy().await;
            }
        };
        let sync = async {
            let mut pace = Pace::new(paces.sync);
            loop {
                let change = sync::change(pace.next().await, &clock.iso());
                hooks.call(change).await;
            }
        };
        tokio::join!(appointments, sales, kitchen, kiosks, service, sync);
    }
}

/// When the next step is due, and what chance makes of it.
struct Pace {
    rng: StdRng,
    pause_ms: RangeInclusive<u64>,
}

impl Pace {
    fn new(pause_ms: RangeInclusive<u64>) -> Self {
        Self { rng: StdRng::from_os_rng(), pause_ms }
    }

    async fn next(&mut self) -> &mut StdRng {
        let pause = self.rng.random_range(self.pause_ms.clone());
        tokio::time::sleep(Duration::from_millis(pause)).await;
        &mut self.rng
    }
}

/// An appointment, committed and then told.
async fn keep_diary(business: &mut Business, rng: &mut StdRng, clock: &Clock, hooks: &Hooks) {
    match business.step(rng, clock).await {
        Ok(done) => {
            tracing::debug!(step = done.name(), "demo");
            let cita = json!({"negocio_id": business.negocio_id, "action": done.action()});
            hooks.call(Notice::new("/notify/cita", &cita)).await;
        }
        Err(error) => tracing::warn!(%error, "demo: the step could not be written"),
    }
}

#[cfg(test)]
mod tests;
