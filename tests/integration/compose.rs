//! What the compose files say, where there is no Docker engine: held to the specification's schema, and run as plain
//! processes with the same settings.

use std::path::{Path, PathBuf};
use std::process::Command;

use pulso::config::SETTINGS;
use pulso_harness::process::{find, run, steady_port};
use pulso_harness::redis::Redis;
use pulso_harness::script::python_tool;
use pulso_harness::{Claims, HOOK_KEY, Nginx, Pulso, Running, SECRET, Scratch, Script};
use serde_json::{Value, json};

use crate::balancer::{before, sale};
use crate::business::{NEGOCIO, OWNER, citas, database};
use crate::readme::blocks::block_of;
use crate::tab::Tab;

const SCALE: &str = "compose.scale.yaml";
const RIGHTS: &str = include_str!("../../src/broker/redis/rights.txt");
const REDIS_PASSWORD: &str = "d0b4a5a90f6b4c7c";
/// What `.env` sets.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("JWT_SECRET", SECRET),
    ("POSTGRES_PASSWORD", "5a0d"),
    ("REDIS_PASSWORD", REDIS_PASSWORD),
    ("NOTIFY_API_KEY", HOOK_KEY),
];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

async fn services(file: &str) -> Value {
    let path = repository(file).to_string_lossy().into_owned();
    Script::python("yaml_json.py", &[&path]).next().await["services"].take()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// With its variables as `.env` sets them: `${NAME:?why it must be set}` and `${NAME:-default}`.
fn interpolated(text: &str) -> String {
    let mut parts = text.split("${");
    let mut whole = parts.next().unwrap().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').unwrap();
        let (name, otherwise) = variable.split_once(":-").unwrap_or((variable.split(":?").next().unwrap(), ""));
        let set = ENVIRONMENT.iter().find(|(known, _)| *known == name);
        assert!(set.is_some() || variable.contains(":-"), "nobody sets {name}");
        whole += set.map_or(otherwise, |(_, value)| value);
        whole += rest;
    }
    whole
}

fn conforms(file: &Path) -> bool {
    let mut check = python_tool("check-jsonschema");
    check.args(["--builtin-schema", "vendor.compose-spec"]).arg(file).output().unwrap().status.success()
}

#[test]
fn both_files_are_as_the_specification_of_compose_says() {
    assert!(conforms(&repository("compose.yaml")));
    assert!(conforms(&repository(SCALE)));
    let scratch = Scratch::new();
    let wrong = std::fs::read_to_string(repository(SCALE)).unwrap().replace("ports:", "port:");
    assert!(!conforms(&scratch.write("compose.yaml", &wrong)), "the schema knows no `port`");
}

#[tokio::test]
async fn the_nodes_differ_in_nothing_but_their_names_and_addresses() {
    let services = services(SCALE).await;
    let node = |number: u8| {
        let mut node = services[format!("pulso-{number}")].clone();
        assert_eq!(node["hostname"].take(), format!("pulso-{number}"));
        assert_eq!(node["networks"].take()["nodes"]["ipv4_address"], format!("172.30.213.1{number}"));
        node
    };
    assert_eq!(node(1), node(2));
    assert_eq!(node(1), node(3));
    let nginx = &services["nginx"]["networks"]["nodes"]["ipv4_address"];
    assert_eq!(node(1)["environment"]["TRUSTED_PROXIES"], *nginx);
}

#[tokio::test]
async fn both_files_hand_on_what_a_collector_of_traces_needs() {
    let of_traces = |name: &&str| name.starts_with("OTEL_") || name.starts_with("TRACE_");
    let wanted: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).filter(of_traces).collect();
    assert!(wanted.len() > 20, "{wanted:?}");
    for (file, service) in [("compose.yaml", "pulso"), (SCALE, "pulso-1")] {
        let environment = services(file).await[service]["environment"].take();
        let missing: Vec<_> = wanted.iter().filter(|name| environment.get(**name).is_none()).collect();
        assert!(missing.is_empty(), "{file}: {missing:?}");
    }
}

#[test]
fn the_user_of_redis_has_the_rights_that_the_server_needs_wherever_they_stand() {
    let scale = std::fs::read_to_string(repository(SCALE)).unwrap();
    assert!(scale.contains(RIGHTS.trim()), "{SCALE}");
    assert!(block_of("redis.md", "redis-conf").text.contains(RIGHTS.trim()), "redis.md");
}

/// Redis as the file starts it.
fn redis(service: &Value) -> Redis {
    let command = interpolated(text(&service["command"]));
    let options = command.strip_prefix("redis-server --").unwrap();
    let redis = Redis::with(&options.replace(" --", "\n"));
    let test: Vec<&str> = service["healthcheck"]["test"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(test[..2], ["CMD", "redis-cli"]);
    let mut check = Command::new(find("redis-cli", "redis-tools"));
    check.env("REDISCLI_AUTH", interpolated(text(&service["environment"]["REDISCLI_AUTH"])));
    run(check.args(["-p", &redis.port().to_string()]).args(&test[2..]), "the health check of redis");
    redis
}

/// A node as the file sets it, but for where the others are.
fn node(service: &Value, database: &str, redis: &Redis) -> Pulso {
    let mut node = Pulso::new(env!("CARGO_BIN_EXE_pulso"), database);
    for (name, value) in service["environment"].as_object().unwrap() {
        let set = ENVIRONMENT.iter().find(|(known, _)| known == name).map(|(_, value)| (*value).to_owned());
        let value = value.as_str().map(interpolated).or(set);
        match (name.as_str(), value) {
            ("DATABASE_URL", Some(value)) => assert_eq!(value, "postgres://pulso:5a0d@postgres:5432/pulso"),
            ("REDIS_URL", Some(value)) => {
                node = node.with(name, &value.replace("redis:6379", &format!("127.0.0.1:{}", redis.port())));
            }
            ("TRUSTED_PROXIES", Some(_)) => node = node.with(name, "127.0.0.1"),
            (_, Some(value)) => node = node.with(name, &value),
            (_, None) => {}
        }
    }
    node
}

/// The file of the repository that a container sees at `path`.
fn mounted(service: &Value, path: &str) -> String {
    let volumes = service["volumes"].as_array().unwrap().iter().map(text);
    let mut sources = volumes.filter_map(|volume| volume.strip_suffix(&format!(":{path}:ro")));
    std::fs::read_to_string(repository(sources.next().unwrap())).unwrap()
}

#[tokio::test]
async fn three_nodes_as_the_file_sets_them_are_one_server_behind_its_nginx() {
    let services = services(SCALE).await;
    let database = database().await;
    citas(&database, NEGOCIO, 3, "atendida", "'2020-01-01'").await;
    assert!(services["postgres"]["volumes"].to_string().contains("/sql/listen.postgres.sql:"));
    database.execute(include_str!("../../sql/listen.postgres.sql")).await;
    let redis = redis(&services["redis"]);
    let (mut nodes, mut ports): (Vec<Running>, Vec<u16>) = (Vec::new(), Vec::new());
    for name in ["pulso-1", "pulso-2", "pulso-3"] {
        let port = steady_port();
        nodes.push(node(&services[name], &database.url(), &redis).with("PORT", &port.to_string()).ready().await);
        ports.push(port);
    }
    let (port, nginx) = (steady_port(), &services["nginx"]);
    let site = before(&mounted(nginx, "/etc/nginx/conf.d/default.conf"), port, &ports);
    let _nginx = Nginx::start(&mounted(nginx, "/etc/nginx/nginx.conf"), &site, port).await;

    let mut tab = Tab::new().await;
    let token = Claims::naming(OWNER, &[NEGOCIO]).sign(SECRET);
    tab.open(&format!("http://127.0.0.1:{port}/#negocio={NEGOCIO}&token={token}")).await;
    tab.wait_figures(0, 3, 3, 0).await;
    // Whichever node the page is on, each of them reaches it, and so does whoever changes the table.
    for (number, node) in nodes.iter().enumerate() {
        let number = u64::try_from(number).unwrap();
        citas(&database, NEGOCIO, 1, "atendida", "'2020-01-01'").await;
        tab.wait_figures(0, 4 + number, 4 + number, 0).await;
        assert_eq!(node.post("/notify/venta", &sale(number).1).await.status, 200);
        let sales = "document.querySelectorAll('#ventas .sale').length";
        tab.wait_eval(sales, json!(number + 1)).await;
    }
}
