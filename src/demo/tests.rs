//! The demo over its real database, and over real HTTP.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Row as _, SqliteConnection, SqlitePool};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const STATS: &str = include_str!("../../sql/stats.sql");
const OWNER: &str = include_str!("../../sql/owner.sqlite.sql");

/// Late on a Tuesday evening in Guayaquil, when UTC is a day further.
const EVENING: &str = "2026-03-04T03:00:00Z";

fn clock() -> (Clock, std::sync::Arc<std::sync::atomic::AtomicI64>) {
    let start: Timestamp = EVENING.parse().unwrap();
    Clock::manual(TimeZone::get("America/Guayaquil").unwrap(), start)
}

async fn business(rng: &mut StdRng, clock: &Clock) -> Business {
    Business::create_with(rng, clock).await.unwrap()
}

/// Total, today, attended, cancelled, as the server reads them.
async fn figures(db: &mut SqliteConnection, negocio: &str, today: &str) -> [i64; 4] {
    let row = sqlx::query(STATS).bind(negocio).bind(today).fetch_one(db).await.unwrap();
    ["total_citas", "citas_hoy", "citas_completadas", "citas_canceladas"].map(|name| row.get(name))
}

async fn business_figures(business: &mut Business, clock: &Clock) -> [i64; 4] {
    let today = clock.day_of(clock.now()).to_string();
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
    sqlx::Connection::close(business.into_connection()).await.unwrap();
    assert_eq!(tables(url).await, 0);
}

/// The hook as a server sees it: answers `answers` in turn and gives back the bodies.
async fn serve(listener: TcpListener, answers: &[&str]) -> Vec<serde_json::Value> {
    let mut bodies = Vec::new();
    for answer in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        let text = String::from_utf8(read).unwrap();
        assert!(text.starts_with("POST /notify/cita HTTP/1.1\r\n"), "{text}");
        bodies.push(serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap());
    }
    bodies
}

#[tokio::test]
async fn every_step_is_told_to_the_hook_and_a_failing_hook_stops_nothing() {
    let clock = Clock::system(TimeZone::UTC);
    let business = Business::create(&clock).await.unwrap();
    let negocio = business.negocio_id.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let life = tokio::spawn(live(business, address, clock, stop.clone(), 1..=5));

    let (broken, fine) =
        ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let bodies = serve(listener, &[broken, "nonsense\r\n\r\n", fine]).await;
    for body in &bodies {
        assert_eq!(body["negocio_id"], negocio.as_str());
        assert!(["created", "updated", "deleted", "status_changed"].contains(&body["action"].as_str().unwrap()));
    }
    stop.cancel();
    life.await.unwrap();
}
