//! The book's JavaScript for back ends and for who was away, under Node.js with the real libraries.

use pulso_harness::process::steady_port;
use pulso_harness::{Dashboard, Database, HOOK_KEY, Running, SECRET, wait};
use serde_json::json;

use super::shell::Shell;
use crate::boards::{RESTAURANT, new_order, waiter};
use crate::business::{NEGOCIO, citas, database, owner, pulso};
use crate::packages::{node_server, python_server};

/// A server with a dashboard on it, and a shell that knows the way to it.
async fn watched() -> (Running, Database, Dashboard, Shell) {
    let database = database().await;
    let running = pulso(&database.url()).with_hook_key().ready().await;
    let mut dashboard = running.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let mut shell = Shell::new();
    shell.export("PULSO_URL", &format!("http://localhost:{}", running.port()));
    shell.export("PULSO_KEY", HOOK_KEY);
    (running, database, dashboard, shell)
}

#[tokio::test]
async fn a_node_api_tells_of_a_change_as_the_recipe_does() {
    let (_running, database, mut dashboard, mut shell) = watched().await;
    shell.install(&node_server::built().join("node_modules"));
    let api = format!(
        "import {{ PulsoServer }} from '@pulso/server';\n\
         const db = {{ query: async (text) => console.log(text) }}, cita = {{ negocio_id: '{NEGOCIO}' }};\n"
    );
    shell.save_behind(&api, "notify-use", "api.mjs");
    citas(&database, NEGOCIO, 2, "atendida", "'2020-01-01'").await;
    assert_eq!(shell.run("node api.mjs").await.trim(), "COMMIT");
    dashboard.stats_until(|stats| stats.completadas == 2).await;
    shell.export("PULSO_KEY", "another key");
    let said = shell.run("node api.mjs").await;
    assert!(said.contains("pulso: cita: 401 unauthorized"), "{said}");
}

#[tokio::test]
async fn a_python_api_tells_of_a_change_as_the_recipe_does() {
    let (_running, database, mut dashboard, mut shell) = watched().await;
    let api = format!(
        "import os\nimport sqlite3\nfrom pulso import Pulso\n\
         connection, cita = sqlite3.connect(':memory:'), {{'negocio_id': '{NEGOCIO}'}}\n"
    );
    shell.save_behind(&api, "notify-python", "api.py");
    let typed = format!("{} api.py", python_server::python().display());
    citas(&database, NEGOCIO, 2, "atendida", "'2020-01-01'").await;
    assert_eq!(shell.run(&typed).await, "");
    dashboard.stats_until(|stats| stats.completadas == 2).await;
    shell.export("PULSO_KEY", "another key");
    let said = shell.run(&typed).await;
    assert!(said.contains("cita: 401 unauthorized"), "{said}");
}

#[tokio::test]
async fn an_api_that_is_there_already_and_calls_by_axios_goes_on() {
    let (_running, database, mut dashboard, mut shell) = watched().await;
    let api = format!(
        "import axios from 'axios';\nconst headers = {{ Authorization: `Bearer ${{process.env.PULSO_KEY}}` }};\n\
         const body = {{ negocio_id: '{NEGOCIO}', action: 'created' }};\n\
         axios.post(`${{process.env.PULSO_URL}}/notify/cita`, body, {{ headers, timeout: 5_000 }})\n\
           .catch((error) => console.error(error.message));\n"
    );
    std::fs::write(shell.path().join("axios.mjs"), api).unwrap();
    citas(&database, NEGOCIO, 3, "atendida", "'2020-01-01'").await;
    assert_eq!(shell.run("node axios.mjs").await, "");
    dashboard.stats_until(|stats| stats.completadas == 3).await;
    shell.export("PULSO_KEY", "another key");
    assert!(shell.run("node axios.mjs").await.contains("Request failed with status code 401"));
}

#[tokio::test]
async fn a_socketio_client_goes_on_where_it_was_or_loads_afresh() {
    let database = database().await;
    let pulso = pulso(&database.url()).with_hook_key().with("PORT", &steady_port().to_string());
    let running = pulso.ready().await;
    let mut shell = Shell::new();
    shell.export("TOKEN", &waiter().sign(SECRET));
    let around = format!(
        "import {{ io }} from 'socket.io-client';\nconst url = 'http://localhost:{}', token = () => process.env.TOKEN;\n\
         const show = ({{ orderId }}) => console.log('shown', orderId), loadEverything = () => console.log('loaded');\n",
        running.port()
    );
    shell.save_behind(&around, "missed-socketio", "missed.mjs");
    let screen = shell.start_typed("node missed.mjs").await;
    let order = |name: &str| new_order(RESTAURANT, name).to_string();
    let heard = async |running: &Running, name: &str| {
        running.post("/notify/order/new", &order(name)).await.json()["clients"] == json!(1)
    };
    wait::until(async || heard(&running, "o-1").await, "the screen is there").await;
    screen.until("shown o-1").await;
    assert!(!screen.text().contains("loaded"), "{}", screen.text());
    // A restart forgets the history, and says so.
    drop(running);
    let running = pulso.ready().await;
    screen.until("loaded").await;
    wait::until(async || heard(&running, "o-2").await, "the screen is back").await;
    screen.until("shown o-2").await;
}
