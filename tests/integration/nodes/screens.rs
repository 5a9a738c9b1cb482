//! A business that changes while screens show its figures, some that stay and some that wander: what they showed is judged by the
//! one checker of histories.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pulso_harness::history::{History, Screen};
use pulso_harness::{Dashboard, Database, HOOK_KEY, http, wait};
use rand::Rng;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::business::{NEGOCIO, owner};
use crate::feeds::signed;

const STAYING: usize = 3;
const WANDERING: usize = 3;
/// Between two changes.
const PACE: Duration = Duration::from_millis(30);
/// A node that does not answer is left for another.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much newer completed appointments make the figures, whatever their total: only a new database has more of them.
const DATABASE: u64 = 1_000_000;

struct Scene {
    ports: Vec<u16>,
    database: Database,
    begun: Instant,
    announced: AtomicU64,
    are_done: AtomicBool,
    may_leave: AtomicBool,
}

pub struct Screens {
    scene: Arc<Scene>,
    changes: JoinHandle<()>,
    shown: Vec<JoinHandle<Screen>>,
}

/// One more appointment; false if it is not known to be there.
async fn add(database: &Database) -> bool {
    let insert = format!(
        "INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
         VALUES (gen_random_uuid(), '{NEGOCIO}', gen_random_uuid(), '2020-01-01', '10:00', '10:30', 'pendiente')"
    );
    let Ok(mut connection) = PgConnection::connect(&database.url()).await else { return false };
    let added = sqlx::query(AssertSqlSafe(insert)).execute(&mut connection).await.is_ok();
    added && connection.close().await.is_ok()
}

async fn notify(port: u16) -> bool {
    let head = format!("POST /notify/cita HTTP/1.1\ncontent-type: application/json\nx-api-key: {HOOK_KEY}");
    if TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        return false;
    }
    let body = json!({ "negocio_id": NEGOCIO }).to_string();
    let answered = timeout(PATIENCE, http::try_exchange(port, &head, &body)).await;
    matches!(answered, Ok(Some(answer)) if answer.status == 200)
}

/// Each change is announced to one node after another, until one has taken it.
async fn change(scene: Arc<Scene>) {
    let mut node = 0;
    while !scene.are_done.load(Ordering::Relaxed) {
        if add(&scene.database).await {
            node += 1;
            while !notify(scene.ports[node % scene.ports.len()]).await {
                node += 1;
                sleep(PACE).await;
            }
            scene.announced.fetch_add(1, Ordering::Relaxed);
        }
        sleep(PACE).await;
    }
}

/// Shows whatever comes on one connection; what comes on another only if it is newer, as clients of several connections do.
async fn show(scene: Arc<Scene>, name: String, mut node: usize, wanders: bool) -> Screen {
    let mut screen = Screen { name, shown: Vec::new(), last: 0 };
    let mut newest = 0;
    let is_over = || scene.may_leave.load(Ordering::Relaxed);
    while !is_over() {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", scene.ports[node])).await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let path = signed("/ws", &owner());
        let Ok(mut dashboard) = Dashboard::handshake(stream, scene.ports[node], &path, &[]).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let subscribe = json!({ "type": "subscribe", "data": { "channel": format!("estadisticas:{NEGOCIO}") } });
        if dashboard.try_send_text(&subscribe.to_string()).await.is_err() {
            continue;
        }
        let before = newest;
        let until = Instant::now() + Duration::from_millis(rand::rng().random_range(200..900));
        let goes_on = || wanders && Instant::now() > until && !scene.are_done.load(Ordering::Relaxed);
        while !is_over() && !goes_on() {
            let Ok(message) = timeout(Duration::from_millis(50), dashboard.next_or_close()).await else { continue };
            let Ok(message) = message else { break };
            let Some(seq) = message["seq"].as_u64() else { continue };
            let count = |name: &str| message["data"][name].as_u64().unwrap();
            if seq >= before {
                let at = u64::try_from(scene.begun.elapsed().as_micros()).unwrap();
                screen.shown.push((DATABASE * count("citas_completadas") + count("total_citas"), at));
            }
            newest = newest.max(seq);
        }
        if wanders {
            node = rand::rng().random_range(0..scene.ports.len());
        }
    }
    screen
}

impl Screens {
    /// Before nodes at these ports; returns when the first changes were announced.
    pub async fn gather(ports: Vec<u16>, database: &Database) -> Self {
        let count = ports.len();
        let scene = Arc::new(Scene {
            ports,
            database: database.clone(),
            begun: Instant::now(),
            announced: AtomicU64::new(0),
            are_done: AtomicBool::new(false),
            may_leave: AtomicBool::new(false),
        });
        let screens = (0..STAYING + WANDERING).map(|number| {
            let wanders = number >= STAYING;
            let name = format!("{} {number}", if wanders { "wandering" } else { "staying" });
            tokio::spawn(show(Arc::clone(&scene), name, number % count, wanders))
        });
        let shown = screens.collect();
        let changes = tokio::spawn(change(Arc::clone(&scene)));
        let happens = async || scene.announced.load(Ordering::Relaxed) > 5;
        wait::until(happens, "changes are announced").await;
        Self { scene, changes, shown }
    }

    /// Ends the changes, waits for as long as everybody may take to be level, and checks what was shown.
    pub async fn check(self, what: &str, settled: Duration) {
        self.scene.are_done.store(true, Ordering::Relaxed);
        self.changes.await.unwrap();
        sleep(settled).await;
        self.scene.may_leave.store(true, Ordering::Relaxed);
        let counts = "SELECT count(*), count(*) FILTER (WHERE estado = 'atendida') FROM citas";
        let rows = self.scene.database.rows(counts).await;
        let [total, completed] = [0, 1].map(|column| u64::try_from(rows[0].get::<i64, _>(column)).unwrap());
        let mut history = History::default();
        for screen in self.shown {
            let last = DATABASE * completed + total;
            history.screens.push(Screen { last, ..screen.await.unwrap() });
        }
        let shown: usize = history.screens.iter().map(|screen| screen.shown.len()).sum();
        let announced = self.scene.announced.load(Ordering::Relaxed);
        eprintln!("{what}: {announced} changes announced, {shown} figures shown");
        let (_, wrong) = history.check();
        assert!(wrong.is_empty(), "{what}: {} wrong, such as {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
        assert!(announced > 10 && shown > 50, "{what}: too little happened to prove anything");
    }
}
