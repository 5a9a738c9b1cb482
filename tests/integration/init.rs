//! `pulso init`: settings that work, from a database of whatever tables, and nothing written over.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use pulso_harness::process::{find, spawn};
use pulso_harness::{Claims, Database, Postgres, Pulso, Scratch};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::business::{NEGOCIO, OWNER, citas, furnish, owner, pulso};

/// Other names, in English and as an ORM spells them.
const ENGLISH: &str = r#"
    CREATE TABLE "Shop" (id bigint PRIMARY KEY, "ownerId" bigint NOT NULL);
    CREATE TYPE booking_status AS ENUM ('Pending', 'Completed', 'Cancelled');
    CREATE TABLE "Booking" (id bigint PRIMARY KEY, "createdAt" timestamptz NOT NULL DEFAULT now(), "shopId" bigint NOT NULL,
                            "startsAt" timestamptz NOT NULL, status booking_status NOT NULL);
    CREATE INDEX bookings ON "Booking" ("shopId", "startsAt", status);
    CREATE TABLE kiosks (id serial PRIMARY KEY, serial text UNIQUE NOT NULL, enabled smallint NOT NULL);
    INSERT INTO "Shop" VALUES (7, 70), (8, 80);
    INSERT INTO "Booking" (id, "shopId", "startsAt", status) VALUES
        (1, 7, now(), 'Completed'), (2, 7, now() - interval '40 days', 'Completed'), (3, 7, now(), 'Cancelled'), (4, 8, now(), 'Pending');
    INSERT INTO kiosks (serial, enabled) VALUES ('ipad-1', 1), ('ipad-2', 0)"#;
/// The same on SQLite, of Spanish names.
const SPANISH: &str = "
    CREATE TABLE sucursales (id INTEGER PRIMARY KEY, propietario_id INTEGER NOT NULL);
    CREATE TABLE turnos (id INTEGER PRIMARY KEY, sucursal_id INTEGER NOT NULL, inicio DATETIME NOT NULL, estado TEXT NOT NULL);
    CREATE INDEX turnos_de ON turnos (sucursal_id, inicio, estado);
    CREATE TABLE kioscos (id INTEGER PRIMARY KEY, codigo TEXT NOT NULL UNIQUE, activo INTEGER NOT NULL);
    INSERT INTO sucursales VALUES (7, 70), (8, 80);
    INSERT INTO turnos VALUES (1, 7, datetime('now'), 'completado'), (2, 7, '2020-01-01 10:00:00', 'completado'),
                              (3, 7, datetime('now'), 'anulado'), (4, 8, datetime('now'), 'pendiente');
    INSERT INTO kioscos VALUES (1, 'ipad-1', 1), (2, 'ipad-2', 0)";

/// What is set for a server of a database that nobody has set up yet.
fn bare(url: &str) -> Pulso {
    ["JWT_SECRET", "TIMEZONE", "PORT", "LISTEN_ADDR", "LOG_FORMAT", "LOG_LEVEL"]
        .into_iter()
        .fold(pulso(url), |pulso, variable| pulso.with(variable, ""))
}

struct Ended {
    code: i32,
    said: String,
}

async fn ended(mut command: Command, folder: &Scratch) -> Ended {
    command.current_dir(folder.path());
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    Ended { code: status.code().unwrap(), said }
}

async fn init(pulso: &Pulso, folder: &Scratch) -> Ended {
    ended(pulso.command(&["init", "--yes"]), folder).await
}

/// What `.env` says.
fn settings(folder: &Scratch) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.path().join(".env")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        })
        .collect()
}

fn has(folder: &Scratch, path: &str) -> bool {
    folder.path().join(path).exists()
}

/// A server with the settings that were written.
fn of_settings(folder: &Scratch) -> Pulso {
    settings(folder).into_iter().fold(pulso(""), |pulso, (name, value)| {
        let is_file = name.ends_with("_SQL");
        let path = folder.path().join(&value);
        pulso.with(&name, if is_file { path.to_str().unwrap() } else { &value })
    })
}

async fn empty() -> Database {
    Postgres::shared().empty_database().await
}

async fn sqlite(folder: &Scratch, schema: &'static str) -> String {
    let file = folder.path().join("turnos.db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(schema).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    format!("sqlite://{}", file.display())
}

#[tokio::test]
async fn the_shipped_tables_need_no_query_of_their_own_and_the_keys_are_fresh_and_for_one_alone() {
    let (database, folder) = (empty().await, Scratch::new());
    database.execute(include_str!("../../sql/schema.postgres.sql")).await;
    furnish(&database).await;
    let Ended { code, said } = init(&bare(&database.url()), &folder).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Written: .env\n") && said.contains("connected to PostgreSQL"), "{said}");
    let mode = std::fs::metadata(folder.path().join(".env")).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, has(&folder, "pulso-sql")), (0o600, false));
    let said = settings(&folder);
    let names: Vec<&str> = said.keys().map(String::as_str).collect();
    assert_eq!(names, ["DATABASE_URL", "JWT_SECRET", "NOTIFY_API_KEY", "TIMEZONE"]);
    assert!(said["JWT_SECRET"].len() == 64 && said["NOTIFY_API_KEY"].len() == 64);
    assert_ne!(said["JWT_SECRET"], said["NOTIFY_API_KEY"]);
    let other = Scratch::new();
    init(&bare(&database.url()), &other).await;
    assert_ne!(settings(&other)["JWT_SECRET"], said["JWT_SECRET"]);

    citas(&database, NEGOCIO, 3, "atendida", "CURRENT_DATE").await;
    let running = of_settings(&folder).ready().await;
    let token = owner().sign(&said["JWT_SECRET"]);
    let mut screen = running.open(&format!("/ws?token={token}")).await;
    assert_eq!(screen.watch(NEGOCIO).await.completadas, 3);
    let call =
        format!("POST /notify/cita HTTP/1.1\ncontent-type: application/json\nx-api-key: {}", said["NOTIFY_API_KEY"]);
    assert_eq!(running.exchange(&call, &format!("{{\"negocio_id\":\"{NEGOCIO}\"}}")).await.status, 200);
}

#[tokio::test]
async fn tables_of_other_names_get_queries_that_serve() {
    let database = empty().await;
    database.execute(ENGLISH).await;
    let files = Scratch::new();
    for (url, table) in [(database.url(), "\"Booking\""), (sqlite(&files, SPANISH).await, "\"turnos\"")] {
        let folder = Scratch::new();
        let Ended { code, said } = init(&bare(&url), &folder).await;
        assert_eq!(code, 0, "{said}");
        for file in ["pulso-sql/stats.sql", "pulso-sql/owner.sql", "pulso-sql/devices.sql"] {
            assert!(has(&folder, file) && said.contains(file), "{file}: {said}");
        }
        let stats = std::fs::read_to_string(folder.path().join("pulso-sql/stats.sql")).unwrap();
        assert!(stats.contains(table), "{stats}");
        let running = of_settings(&folder).ready().await;
        let token = |user: &str| Claims::user(user).sign(&settings(&folder)["JWT_SECRET"]);
        let mut screen = running.open(&format!("/ws?token={}", token("70"))).await;
        let figures = screen.watch("7").await;
        assert_eq!((figures.total, figures.hoy, figures.completadas, figures.canceladas), (3, 2, 2, 1), "{stats}");
        screen.subscribe("8").await;
        assert!(!screen.error().await.is_empty(), "it is another's");
        let mut kiosk = running.open("/ws/kiosk/orders/?device_uid=ipad-1").await;
        kiosk.ping().await;
        assert_eq!(running.open("/ws/kiosk/orders/?device_uid=ipad-2").await.closed().await.code, 4001);
    }
}

#[tokio::test]
async fn where_there_are_no_tables_the_feeds_that_ask_none_are_on() {
    let (database, folder) = (empty().await, Scratch::new());
    let Ended { code, said } = init(&bare(&database.url()), &folder).await;
    assert_eq!(code, 0, "{said}");
    let off = "Off for want of a table, until it is named and FEEDS has them: appointments, clinic";
    assert!(said.contains("has no table") && said.contains("appointments: none") && said.contains(off), "{said}");
    assert_eq!(settings(&folder)["FEEDS"], "pos,restaurant,sync,channels,queries");
    assert!(!has(&folder, "pulso-sql"));
    of_settings(&folder).ready().await;
}

#[tokio::test]
async fn without_a_table_of_owners_only_a_token_that_names_a_business_opens_it() {
    let (database, folder) = (empty().await, Scratch::new());
    let schema = "CREATE TABLE visitas (clinica_id text, dia date); INSERT INTO visitas VALUES ('c1', CURRENT_DATE)";
    database.execute(schema).await;
    let Ended { code, said } = init(&bare(&database.url()), &folder).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("tokens have to name those that they open") && said.contains("citas_completadas stays 0"),
        "{said}"
    );
    let running = of_settings(&folder).ready().await;
    let secret = settings(&folder)["JWT_SECRET"].clone();
    let mut named = running.open(&format!("/ws?token={}", Claims::naming("ana", &["c1"]).sign(&secret))).await;
    assert_eq!(named.watch("c1").await.hoy, 1);
    let mut other = running.open(&format!("/ws?token={}", Claims::user("ana").sign(&secret))).await;
    other.subscribe("c1").await;
    other.error().await;
}

#[tokio::test]
async fn nothing_that_is_there_is_written_over() {
    let (database, folder) = (empty().await, Scratch::new());
    database.execute(ENGLISH).await;
    folder.write(".env", "MINE=1\n");
    let Ended { code, said } = init(&bare(&database.url()), &folder).await;
    assert!(code == 64 && said.contains(".env: it is there already"), "{said}");
    assert_eq!(std::fs::read_to_string(folder.path().join(".env")).unwrap(), "MINE=1\n");
    assert!(!has(&folder, "pulso-sql"));

    let folder = Scratch::new();
    std::fs::create_dir(folder.path().join("pulso-sql")).unwrap();
    folder.write("pulso-sql/owner.sql", "-- mine\n");
    let Ended { code, said } = init(&bare(&database.url()), &folder).await;
    let in_the_way =
        "pulso-sql/owner.sql: it is there already, and stays as it is. Move it away first. Nothing was written";
    assert!(code == 64 && said.contains(in_the_way), "{said}");
    assert_eq!(std::fs::read_to_string(folder.path().join("pulso-sql/owner.sql")).unwrap(), "-- mine\n");
    assert!(!has(&folder, ".env") && !has(&folder, "pulso-sql/stats.sql"));
}

#[tokio::test]
async fn who_cannot_be_asked_is_told_what_to_set() {
    let folder = Scratch::new();
    let refused = async |pulso: Pulso, arguments: &[&str], part: &str| {
        let Ended { code, said } = ended(pulso.command(arguments), &folder).await;
        assert!(code == 64 && said.contains(part) && !said.contains("cl4ve"), "{said}");
        assert!(!has(&folder, ".env"));
    };
    refused(bare("sqlite://x.db"), &["init"], "`pulso init --yes` with DATABASE_URL set").await;
    refused(bare(""), &["init", "--yes"], "DATABASE_URL: it is not set").await;
    refused(bare("mysql://ana:cl4ve@h/n"), &["init", "--yes"], "postgres://user:password@host").await;
    refused(bare("postgres://ana:cl4ve@127.0.0.1:1/n"), &["init", "--yes"], "Nothing was written").await;
    refused(bare("sqlite:///nowhere/x.db"), &["init", "--yes"], "Nothing was written").await;
    refused(bare("sqlite://x.db").with("TIMEZONE", "Quito"), &["init", "--yes"], "Nothing was written").await;
}

#[tokio::test]
async fn what_a_server_would_refuse_is_told_and_nothing_is_written() {
    let (database, folder) = (empty().await, Scratch::new());
    for (variable, value, part) in [
        ("JWT_SECRET", "corto", "JWT_SECRET: it is shorter than 32 bytes"),
        ("JWT_SECRET", "pulso-demo-secret-that-everybody-knows", "JWT_SECRET: it is the demo's"),
        ("NOTIFY_API_KEY", "pulso-demo-hook-key", "NOTIFY_API_KEY: it is the demo's"),
        ("MAX_CONNECTIONS", "muchas", "MAX_CONNECTIONS: \"muchas\""),
    ] {
        let Ended { code, said } = init(&bare(&database.url()).with(variable, value), &folder).await;
        assert!(code == 64 && said.contains(part) && said.contains("Nothing was written"), "{said}");
        assert!(!has(&folder, ".env"));
    }
}

#[tokio::test]
async fn a_kiosk_is_let_in_if_its_row_says_that_it_is_in_use_however_that_is_said() {
    for (kind, on, off) in [("smallint", "1", "0"), ("char(1)", "'S'", "'N'"), ("text", "'Activo'", "'de baja'")] {
        let (database, folder) = (empty().await, Scratch::new());
        let table = "CREATE TABLE devices (id serial PRIMARY KEY, device_uid text UNIQUE";
        database.execute(&format!("{table}, is_active {kind})")).await;
        let rows = format!("('ipad-1', {on}), ('ipad-2', {off}), ('ipad-3', NULL)");
        database.execute(&format!("INSERT INTO devices (device_uid, is_active) VALUES {rows}")).await;
        let Ended { code, said } = init(&bare(&database.url()), &folder).await;
        assert_eq!(code, 0, "{kind}: {said}");
        let running = of_settings(&folder).ready().await;
        running.open("/ws/kiosk/orders/?device_uid=ipad-1").await.ping().await;
        for out_of_use in ["ipad-2", "ipad-3"] {
            let mut kiosk = running.open(&format!("/ws/kiosk/orders/?device_uid={out_of_use}")).await;
            assert_eq!(kiosk.closed().await.code, 4001, "{kind}");
        }
    }
    for (more, part) in [(", is_active text", "No kiosk counts as in use"), ("", "Every kiosk counts as in use")] {
        let (database, folder) = (empty().await, Scratch::new());
        database.execute(&format!("CREATE TABLE devices (id serial PRIMARY KEY, device_uid text{more})")).await;
        let Ended { code, said } = init(&bare(&database.url()), &folder).await;
        assert!(code == 0 && said.contains(part), "{said}");
    }
}

/// In a terminal of its own, with these answers.
async fn asked(pulso: &Pulso, folder: &Scratch, answers: &'static str) -> Ended {
    let mut inner = pulso.command(&["init"]);
    let line: Vec<String> = [inner.get_program()]
        .into_iter()
        .chain(inner.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut command = Command::new(find("script", "bsdutils"));
    command.args(["-qefc", &line.join(" "), "/dev/null"]).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    inner.stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || {
        let mut child = spawn(command);
        child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    let Output { status, stdout, .. } = output.await.unwrap();
    Ended { code: status.code().unwrap(), said: String::from_utf8_lossy(&stdout).into_owned() }
}

#[tokio::test]
async fn in_a_terminal_it_asks_and_takes_what_is_offered_for_an_empty_line() {
    let (database, folder) = (empty().await, Scratch::new());
    let schema =
        "CREATE TABLE agenda (de_quien uuid, cuando date, estado text); CREATE TABLE gente (id uuid, jefe uuid);";
    database.execute(schema).await;
    database
        .execute(&format!(
            "INSERT INTO agenda VALUES ('{NEGOCIO}', (now() AT TIME ZONE 'America/Guayaquil')::date, 'atendida')"
        ))
        .await;
    database.execute(&format!("INSERT INTO gente VALUES ('{NEGOCIO}', '{OWNER}')")).await;
    let answers = "citas\nagenda\nde_quien\ncuando\ngente\njefe\n\nAmerica/Guayaquil\n\n";
    let Ended { code, said } = asked(&bare(&database.url()), &folder, answers).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("there is no citas; there are: agenda, gente"), "{said}");
    let written = settings(&folder);
    assert_eq!((written["TIMEZONE"].as_str(), written["JWT_SECRET"].len()), ("America/Guayaquil", 64));
    let running = of_settings(&folder).ready().await;
    let mut screen = running.open(&format!("/ws?token={}", owner().sign(&written["JWT_SECRET"]))).await;
    let figures = screen.watch(NEGOCIO).await;
    assert_eq!((figures.hoy, figures.completadas), (1, 1));

    let folder = Scratch::new();
    let Ended { code, said } = asked(&bare(""), &folder, "mysql://x\n").await;
    assert!(code != 0 && said.contains("postgres://user:password@host"), "{said}");
    assert!(!Path::new(&folder.path().join(".env")).exists());
}
