//! The README's JavaScript for back ends and for who was away, under Node.js with the real libraries.

use pulso_harness::process::steady_port;
use pulso_harness::{HOOK_KEY, SECRET, wait};
use serde_json::json;

use super::shell::Shell;
use crate::boards::{RESTAURANT, new_order, waiter};
use crate::business::{NEGOCIO, citas, database, owner, pulso};

#[tokio::test]
async fn a_node_api_calls_the_hook_as_the_recipe_does() {
    let database = database().await;
    let running = pulso(&database.url()).with_hook_key().ready().await;
    let mut dashboard = running.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let mut shell = Shell::new();
    shell.export("PULSO_URL", &format!("http://localhost:{}", running.port()));
    shell.export("PULSO_KEY", HOOK_KEY);
    shell.save("notify", "pulso.mjs");
    let api =
        format!("const db = {{ query: async (text) => console.log(text) }}, cita = {{ negocio_id: '{NEGOCIO}' }};\n");
    shell.save_behind(&api, "notify-use", "api.mjs");
    citas(&database, NEGOCIO, 2, "atendida", "'2020-01-01'").await;
    assert_eq!(shell.run("node api.mjs").await.trim(), "COMMIT");
    dashboard.stats_until(|stats| stats.completadas == 2).await;

    // The other client's one line, where the recipe's function has its own.
    let around = format!(
        "import axios from 'axios';\nconst url = `${{process.env.PULSO_URL}}/notify/cita`, negocio_id = '{NEGOCIO}';\n\
         const headers = {{ Authorization: `Bearer ${{process.env.PULSO_KEY}}` }}, action = 'created';\n"
    );
    shell.save_behind(&around, "notify-axios", "axios.mjs");
    citas(&database, NEGOCIO, 3, "atendida", "'2020-01-01'").await;
    assert_eq!(shell.run("node axios.mjs").await, "");
    dashboard.stats_until(|stats| stats.completadas == 5).await;

    shell.export("PULSO_KEY", "another key");
    let said = shell.run("node api.mjs").await;
    assert!(said.contains("pulso: 401 {\"error\""), "{said}");
    assert!(shell.run("node axios.mjs").await.contains("pulso: Request failed with status code 401"));
    shell.export("PULSO_URL", "http://127.0.0.1:9");
    assert!(shell.run("node api.mjs").await.contains("pulso: "));
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
    let heard = async |running: &pulso_harness::Running, name: &str| {
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
