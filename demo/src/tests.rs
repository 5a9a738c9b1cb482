//! The demo over its real database, and over real HTTP.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Row as _, SqliteConnection, SqlitePool};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::business::Ids;

mod live_queries;

const STATS: &str = include_str!("../../sql/stats.sql");
const OWNER: &str = include_str!("../../sql/owner.sqlite.sql");

/// Late on a Tuesday evening in Guayaquil, when UTC is a day further.
const EVENING: &str = "2026-03-04T03:00:00Z";

/// A clock that stands still until the handle (milliseconds since the epoch) is written.
fn clock() -> (Clock, Arc<AtomicI64>) {
    let start: Timestamp = EVENING.parse().unwrap();
    let zone = TimeZone::get("America/Guayaquil").unwrap();
    let millis = Arc::new(AtomicI64::new(start.as_millisecond()));
    let read = Arc::clone(&millis);
    let now = move || Timestamp::from_millisecond(read.load(Ordering::SeqCst)).unwrap().to_zoned(zone.clone());
    (Clock::new(now), millis)
}

async fn business(rng: &mut StdRng, clock: &Clock) -> Business {
    Business::create_with(Ids::any(rng), rng, clock).await.unwrap()
}

/// Total, today, attended, cancelled, as the server reads them.
async fn figures(db: &mut SqliteConnection, negocio: &str, today: &str) -> [i64; 4] {
    let row = sqlx::query(STATS).bind(negocio).bind(today).fetch_one(db).await.unwrap();
    ["total_citas", "citas_hoy", "citas_completadas", "citas_canceladas"].map(|name| row.get(name))
}

async fn business_figures(business: &mut Business, clock: &Clock) -> [i64; 4] {
    let today = clock.today().to_string();
    let negocio = business.negocio_id.clone();
    figures(business.connection(), &negocio, &today).await
}

#[tokio::test]
async fn the_business_opens_with_a_believable_past_and_a_day_under_way() {
    let (clock, _) = clock();
    for seed in 0..20 {
        let mut business = business(&mut StdRng::seed_from_u64(seed), &clock).await;
        let [total, today, attended, cancelled] = business_figures(&mut business, &clock).await;
        assert!((120..=250).contains(&total), "{total}");
        assert_eq!(today, 12);
        assert!(attended > 5 * cancelled / 2 && cancelled > 0, "{attended} attended, {cancelled} cancelled");
        assert!(attended + cancelled < total);
    }
}

#[tokio::test]
async fn today_is_the_business_day() {
    let (clock, _) = clock();
    let mut business = business(&mut StdRng::seed_from_u64(1), &clock).await;
    let negocio = business.negocio_id.clone();
    assert_eq!(figures(business.connection(), &negocio, "2026-03-03").await[1], 12);
    assert_ne!(figures(business.connection(), &negocio, "2026-03-04").await[1], 12);
}

#[tokio::test]
async fn the_owner_owns_it_by_the_ownership_query() {
    let (clock, _) = clock();
    let mut business = business(&mut StdRng::seed_from_u64(1), &clock).await;
    let (negocios, users) = (json!([business.negocio_id]), json!([business.owner_id, "somebody"]));
    let query = sqlx::query(OWNER).bind(negocios.to_string()).bind(users.to_string());
    let rows = query.fetch_all(business.connection()).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<String, _>("user_id"), business.owner_id);
}

#[tokio::test]
async fn every_step_moves_a_figure_and_the_book_stays_believable_for_days() {
    let (clock, time) = clock();
    let mut rng = StdRng::seed_from_u64(7);
    let mut business = business(&mut rng, &clock).await;
    let mut seen = std::collections::HashSet::new();
    for day in 0..13 {
        for number in 0..120 {
            let before = business_figures(&mut business, &clock).await;
            let step = business.step(&mut rng, &clock).await.unwrap();
            let after = business_figures(&mut business, &clock).await;
            assert_ne!(before, after, "day {day}, step {number}: {step:?}");
            let [total, today, attended, cancelled] = after;
            assert!(today <= 45 && (100..=501).contains(&total), "day {day}: {after:?}");
            assert!(cancelled * 2 < attended && attended + cancelled <= total, "day {day}: {after:?}");
            seen.insert(step);
        }
        assert!(business_figures(&mut business, &clock).await[1] > 20);
        time.fetch_add(86_400_000, Ordering::SeqCst);
        assert!(business_figures(&mut business, &clock).await[1] < 30, "a new day begins nearly empty");
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
}

#[tokio::test]
async fn no_chair_has_two_appointments_at_once() {
    let (clock, _) = clock();
    let mut rng = StdRng::seed_from_u64(3);
    let mut business = business(&mut rng, &clock).await;
    for _ in 0..500 {
        business.step(&mut rng, &clock).await.unwrap();
    }
    let doubled: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM (SELECT 1 FROM citas WHERE estado <> 'cancelada' AND hora_fin > hora_inicio \
         GROUP BY fecha, hora_inicio, estacion_id HAVING COUNT(*) > 1)",
    )
    .fetch_one(business.connection())
    .await
    .unwrap();
    assert_eq!(doubled, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_and_the_writer_never_trip_over_each_other() {
    let (clock, _) = clock();
    let mut rng = StdRng::seed_from_u64(5);
    let mut business = business(&mut rng, &clock).await;
    let pool: SqlitePool = SqlitePoolOptions::new().max_connections(4).connect(&business.database_url).await.unwrap();
    let stop = CancellationToken::new();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (pool, stop, negocio) = (pool.clone(), stop.clone(), business.negocio_id.clone());
            tokio::spawn(async move {
                let mut reads = 0;
                while !stop.is_cancelled() {
                    let mut connection = pool.acquire().await.unwrap();
                    figures(&mut connection, &negocio, "2026-03-03").await;
                    reads += 1;
                }
                reads
            })
        })
        .collect();
    for _ in 0..300 {
        business.step(&mut rng, &clock).await.unwrap();
    }
    stop.cancel();
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn the_database_lives_in_memory_and_ends_with_the_business() {
    let (clock, _) = clock();
    let business = business(&mut StdRng::seed_from_u64(9), &clock).await;
    let url = business.database_url.clone();
    let name = url.trim_start_matches("sqlite://file:").split('?').next().unwrap().to_owned();
    let count = "SELECT COUNT(*) FROM sqlite_master";
    let tables = |url: String| async move {
        let pool = SqlitePool::connect(&url).await.unwrap();
        let tables = sqlx::query_scalar::<_, i64>(count).fetch_one(&pool).await.unwrap();
        pool.close().await;
        tables
    };
    assert!(tables(url.clone()).await > 0);
    let files = std::fs::read_dir(".").unwrap().filter_map(Result::ok);
    assert!(!files.map(|file| file.file_name()).any(|file| file.to_string_lossy().contains(&name)));
    business.close().await.unwrap();
    assert_eq!(tables(url).await, 0);
}

/// A call as a server sees it.
#[derive(Clone, Debug)]
struct Heard {
    path: String,
    key: Option<String>,
    body: String,
}

/// Answers hooks with `answers` in turn, over and over, and tells what it heard.
async fn hear(listener: TcpListener, answers: &'static [&'static str], heard: mpsc::Sender<Heard>) {
    for answer in answers.iter().cycle() {
        let (mut stream, _) = listener.accept().await.unwrap();
        let heard = heard.clone();
        tokio::spawn(async move {
            let mut read = Vec::new();
            // Every body is a JSON object, and comes behind everything else.
            while serde_json::from_str::<serde_json::Value>(body_of(&read)).is_err() {
                if stream.read_buf(&mut read).await.unwrap() == 0 {
                    return;
                }
            }
            let text = String::from_utf8(read.clone()).unwrap();
            let key = text.lines().find_map(|line| line.strip_prefix("x-api-key: "));
            let path = text.strip_prefix("POST ").and_then(|rest| rest.split(' ').next()).unwrap();
            let body = body_of(&read).to_owned();
            let _ = heard.send(Heard { path: path.to_owned(), key: key.map(str::to_owned), body }).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
    }
}

fn body_of(request: &[u8]) -> &str {
    let text = std::str::from_utf8(request).unwrap_or_default();
    text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

const BROKEN: &str = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A hurried demo whose hooks are answered with `answers`.
async fn open(answers: &'static [&'static str]) -> (Demo, mpsc::Receiver<Heard>) {
    let (clock, _) = clock();
    let business = Business::create(None, &clock).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hooks = Hooks::new(&format!("http://{}", listener.local_addr().unwrap()), "llave");
    let (sender, heard) = mpsc::channel(10_000);
    tokio::spawn(hear(listener, answers, sender));
    let soon = || 1..=5;
    let paces = Paces {
        appointments: soon(),
        sales: soon(),
        kitchen: soon(),
        kiosks: soon(),
        service: soon(),
        look: soon(),
        sync: soon(),
    };
    (Demo::with_paces(business, "a key of the demo, long enough for it", hooks, clock, paces), heard)
}

/// The hooks of every feed that the businesses have.
const PATHS: [&str; 12] = [
    "/notify/cita",
    "/notify/venta",
    "/notify/producto",
    "/notify/promocion",
    "/notify/mesa",
    "/notify/order/new",
    "/notify/order/status",
    "/notify/order/item-status",
    "/notify/sync",
    "/notify/pedido",
    "/notify/pedido/estado",
    "/notify/consulta",
];

#[tokio::test]
async fn every_feed_is_told_by_its_hooks_and_failing_hooks_stop_nothing() {
    let (demo, mut heard) = open(&[BROKEN, "nonsense\r\n\r\n", FINE]).await;
    let negocio = demo.business.negocio_id.clone();
    let stop = CancellationToken::new();
    let life = tokio::spawn(demo.run(stop.clone()));
    let mut times: HashMap<String, u32> = HashMap::new();
    while times.len() < PATHS.len() || times.values().any(|&times| times < 3) {
        let heard = heard.recv().await.unwrap();
        assert!(PATHS.contains(&heard.path.as_str()), "{heard:?}");
        assert_eq!(heard.key.as_deref(), Some("llave"));
        let body: serde_json::Value = serde_json::from_str(&heard.body).unwrap();
        assert!(body.get("negocio_id").is_none_or(|named| *named == negocio.as_str()), "{heard:?}");
        if heard.path == "/notify/cita" {
            assert!(["created", "updated", "deleted", "status_changed"].contains(&body["action"].as_str().unwrap()));
        }
        *times.entry(heard.path).or_default() += 1;
    }
    stop.cancel();
    life.await.unwrap();
}

#[tokio::test]
async fn every_order_goes_its_way_step_by_step() {
    let (demo, mut heard) = open(&[FINE]).await;
    let stop = CancellationToken::new();
    let life = tokio::spawn(demo.run(stop.clone()));
    let mut at: HashMap<String, String> = HashMap::new();
    let mut ended = HashMap::new();
    while ["order", "kiosk"].iter().any(|kind| ended.get(kind).is_none_or(|&count: &u32| count < 5)) {
        let Heard { path, body, .. } = heard.recv().await.unwrap();
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let said = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (kind, id, from, to) = match path.as_str() {
            "/notify/order/new" => ("order", said("orderId"), None, said("status")),
            "/notify/order/status" => ("order", said("orderId"), Some(said("previousStatus")), said("newStatus")),
            "/notify/pedido" => ("kiosk", body["order_id"].to_string(), None, "PLACED".to_owned()),
            "/notify/pedido/estado" => {
                ("kiosk", body["order_id"].to_string(), Some(said("from_status")), said("status"))
            }
            _ => continue,
        };
        if to == "DELIVERED" {
            *ended.entry(kind).or_default() += 1;
        }
        assert_eq!(at.insert(id, to), from, "{path}: {body}");
    }
    stop.cancel();
    life.await.unwrap();
}

#[test]
fn few_changes_wait_for_a_back_end_however_long_nobody_pulls() {
    let mut rng = StdRng::seed_from_u64(11);
    let mut ids = std::collections::HashSet::new();
    for _ in 0..2_000 {
        let change: serde_json::Value = serde_json::from_str(&sync::change(&mut rng, "now").body).unwrap();
        ids.insert((change["entity"].to_string(), change["id"].to_string()));
    }
    assert_eq!(ids.len(), 20);
}

#[test]
fn a_total_has_its_two_decimals() {
    let mut rng = StdRng::seed_from_u64(12);
    let mut shop = Shop::new("n".to_owned(), 1, &mut rng);
    let notices: Vec<_> = (0..500).flat_map(|_| shop.step(&mut rng, "now").notices).collect();
    let totals: Vec<&str> = notices
        .iter()
        .filter_map(|notice| notice.body.split_once(r#""total":"#)?.1.split(',').next())
        .inspect(|total| assert_eq!(total.split_once('.').map(|(_, cents)| cents.len()), Some(2), "{total}"))
        .collect();
    assert!(totals.len() > 200 && totals.iter().any(|total| total.ends_with('0')));
}
