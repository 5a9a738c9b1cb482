//! From a statement of anybody's to the screens, by the triggers that `pulso migrate --listen` installs: no hook is called.

use pulso_harness::Dashboard;
use serde_json::{Value, json};

use super::{Restaurants, heard, result, subscribe, waiter};

/// Of the orders and of their lines.
const BOTH: &str = "-- access: claim restaurantId
-- hints: listen/pedidos listen/lineas
SELECT (SELECT count(*) FROM pedidos WHERE restaurante = $1) AS pedidos,
       (SELECT count(*) FROM lineas WHERE restaurante = $1) AS lineas
";
const EVERYWHERE: &str = "-- access: authenticated
-- key: none
-- hints: listen/pedidos
SELECT count(*) AS pedidos FROM pedidos
";

/// A screen that asks for nothing more once it has begun.
struct Screen {
    dashboard: Dashboard,
    channel: String,
    shown: Value,
}

impl Screen {
    async fn open(restaurants: &Restaurants, channel: &str, key: &str) -> Self {
        let mut dashboard = restaurants.pulso.connect(&waiter(key)).await;
        subscribe(&mut dashboard, channel).await;
        let shown = result(&mut dashboard, channel).await;
        Self { dashboard, channel: channel.to_owned(), shown }
    }

    async fn shows(&mut self, wanted: Value) {
        while self.shown != wanted {
            self.shown = result(&mut self.dashboard, &self.channel).await;
        }
    }
}

struct Watched {
    restaurants: Restaurants,
    a: Screen,
    b: Screen,
    all: Screen,
}

impl Watched {
    async fn new() -> Self {
        let quiet = |pulso: pulso_harness::Pulso| pulso.with("SENTINEL_INTERVAL", "0");
        let restaurants = Restaurants::with(&[("ambas.sql", BOTH), ("todas.sql", EVERYWHERE)], quiet).await;
        let lines =
            "CREATE TABLE lineas (pedido int REFERENCES pedidos (id) ON DELETE CASCADE, restaurante text, marca text)";
        restaurants.database.execute(lines).await;
        for table in ["pedidos", "lineas"] {
            migrate(&restaurants, &["--listen", table, "restaurante", table]).await;
        }
        // The lines were not there when the server asked first.
        restaurants.reload().await;
        let a = Screen::open(&restaurants, "consulta:ambas:a", "a").await;
        let b = Screen::open(&restaurants, "consulta:ambas:b", "b").await;
        let all = Screen::open(&restaurants, "consulta:todas", "a").await;
        Self { restaurants, a, b, all }
    }

    /// After a statement the screens show this many orders and lines.
    async fn after(&mut self, sql: &str, a: (u64, u64), b: (u64, u64), all: u64) {
        self.restaurants.database.execute(sql).await;
        let of_both = |(orders, lines)| json!({ "pedidos": orders, "lineas": lines });
        self.a.shows(of_both(a)).await;
        self.b.shows(of_both(b)).await;
        self.all.shows(json!({ "pedidos": all })).await;
    }
}

async fn migrate(restaurants: &Restaurants, arguments: &[&str]) {
    let command = pulso_harness::Pulso::new(env!("CARGO_BIN_EXE_pulso"), &restaurants.database.url());
    let (code, said, wrong) = command.run(&[&["migrate"][..], arguments].concat()).await;
    assert_eq!(code, 0, "{said}{wrong}");
}

#[tokio::test]
async fn whatever_touches_a_row_moves_the_screens_of_its_keys() {
    let mut watched = Watched::new().await;
    let insert = "INSERT INTO pedidos (id, restaurante, estado) OVERRIDING SYSTEM VALUE VALUES";
    watched.after(&format!("{insert} (1, 'a', 'x'), (2, 'b', 'x'), (3, 'b', 'x')"), (1, 0), (2, 0), 3).await;
    let upsert = format!(
        "{insert} (3, 'a', 'x'), (4, 'b', 'x') ON CONFLICT (id) DO UPDATE SET restaurante = excluded.restaurante"
    );
    watched.after(&upsert, (2, 0), (2, 0), 4).await;
    let merge = "MERGE INTO pedidos AS p USING (VALUES (2, 'a'), (4, NULL), (5, 'b')) AS v (id, r) ON p.id = v.id
                 WHEN MATCHED AND v.r IS NULL THEN DELETE
                 WHEN MATCHED THEN UPDATE SET restaurante = v.r
                 WHEN NOT MATCHED THEN INSERT (id, restaurante, estado) OVERRIDING SYSTEM VALUE VALUES (v.id, v.r, 'x')";
    watched.after(merge, (3, 0), (1, 0), 4).await;
    watched.after("UPDATE pedidos SET restaurante = 'b' WHERE id = 1", (2, 0), (2, 0), 4).await;
    watched.after("INSERT INTO lineas VALUES (1, 'a'), (1, 'b'), (5, 'b')", (2, 1), (2, 2), 4).await;
    watched.after("DELETE FROM pedidos WHERE id = 1", (2, 0), (1, 1), 3).await;
    watched.after("TRUNCATE pedidos CASCADE", (0, 0), (0, 0), 0).await;
}

#[tokio::test]
async fn a_statement_on_a_hundred_thousand_keys_or_on_a_very_long_one_succeeds_and_moves_all() {
    let mut watched = Watched::new().await;
    let many = "INSERT INTO pedidos (restaurante, estado)
                SELECT CASE n WHEN 1 THEN 'a' WHEN 2 THEN 'b' ELSE 'r ' || n END, 'x' FROM generate_series(1, 100000) AS n";
    watched.after(many, (1, 0), (1, 0), 100_000).await;
    // An index takes no key as long as that.
    watched.restaurants.database.execute("DROP INDEX pedidos_restaurante_idx").await;
    let long = "INSERT INTO pedidos (restaurante, estado) VALUES (repeat('x', 9000), 'x'), ('b', 'x')";
    watched.after(long, (1, 0), (2, 0), 100_002).await;
}

#[tokio::test]
async fn a_trigger_that_cannot_tell_the_keys_any_more_fails_no_statement_and_moves_all() {
    let mut watched = Watched::new().await;
    migrate(&watched.restaurants, &["--listen", "lineas", "restaurante", "lineas", "--remove"]).await;
    migrate(&watched.restaurants, &["--listen", "lineas", "marca", "lineas"]).await;
    watched.after("INSERT INTO pedidos (restaurante, estado) VALUES ('a', 'x')", (1, 0), (0, 0), 1).await;
    watched.restaurants.database.execute("ALTER TABLE lineas RENAME COLUMN marca TO sello").await;
    watched.after("INSERT INTO lineas SELECT id, 'a' FROM pedidos", (1, 1), (0, 0), 1).await;
    // What is rolled back was nobody's.
    let undone = "BEGIN; DELETE FROM lineas; ROLLBACK; INSERT INTO lineas SELECT id, 'b' FROM pedidos";
    watched.after(undone, (1, 1), (0, 1), 1).await;
    assert!(heard(&mut watched.all.dashboard).await.is_empty());
}
