//! The products' own walk-throughs work against `pulso demo`, with nothing changed but host, port, token and ids. They
//! stand in `tests/clients/{walkthroughs,snippets}`, letter by letter.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use pulso_harness::process::find;
use pulso_harness::script::installed;
use pulso_harness::{Dashboard, Demo, Scratch, Transcript, http};
use serde_json::{Value, json};

use crate::business::pulso;

/// The little of jq that the walk-throughs use.
const JQ: &str = r"#!/usr/bin/env node
let text = '';
process.stdin.on('data', (chunk) => { text += chunk; }).on('end', () => {
  const steps = process.argv[3].match(/\w+/g);
  console.log(steps.reduce((value, step) => value[step], JSON.parse(text)));
});
";

/// A demo, and a folder for what its visitors run.
struct Visit {
    demo: Demo,
    scratch: Scratch,
}

impl Visit {
    async fn new() -> Self {
        let scratch = Scratch::new();
        symlink(installed("node_modules"), scratch.path().join("node_modules")).unwrap();
        fs::write(scratch.path().join("jq"), JQ).unwrap();
        fs::set_permissions(scratch.path().join("jq"), fs::Permissions::from_mode(0o755)).unwrap();
        let demo = Demo::start(pulso("").with("JWT_SECRET", "").command(&["demo"])).await;
        Self { demo, scratch }
    }

    /// Runs a script of Node.js, each of whose `changes` is made wherever it is to be made.
    fn node(&self, name: &str, changes: &[(&str, &str)]) -> Transcript {
        let mut command = Command::new(find("node", "nodejs"));
        command.arg(self.copy(name, changes));
        Transcript::of(&command)
    }

    /// Runs what is meant for a browser in which somebody has logged in with `token`.
    fn browser(&self, name: &str, changes: &[(&str, &str)], token: &str) -> Transcript {
        let mut command = Command::new(find("node", "nodejs"));
        let stand_in = self.copy("walkthroughs/browser_stand_in.mjs", &[]);
        command.arg("--import").arg(stand_in).arg(self.copy(name, changes));
        command.env("TOKEN", token);
        Transcript::of(&command)
    }

    /// Runs lines that somebody types, to their end.
    async fn shell(&self, name: &str, changes: &[(&str, &str)]) -> Transcript {
        let mut command = Command::new("bash");
        command.args(["-c", r#"PATH=$1:$PATH; . "$2""#, "bash"]).arg(self.scratch.path()).arg(self.copy(name, changes));
        let mut shell = Transcript::of(&command);
        assert_eq!(shell.ended().await, Some(0), "{}", shell.text());
        shell
    }

    fn copy(&self, name: &str, changes: &[(&str, &str)]) -> PathBuf {
        let original = installed(name);
        let mut text = fs::read_to_string(&original).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{name} has no {from}");
            text = text.replace(from, to);
        }
        let copy = self.scratch.path().join(original.file_name().unwrap());
        fs::write(&copy, text).unwrap();
        copy
    }

    async fn post(&self, path: &str, headers: &str, body: &Value) -> Value {
        let head = format!("POST {path} HTTP/1.1\ncontent-type: application/json{headers}");
        let answer = http::exchange(self.demo.port(), &head, &body.to_string()).await;
        assert!([200, 201].contains(&answer.status), "{path}: {answer:?}");
        answer.json()
    }

    /// Logs in as a walk-through says, and returns what stands at `token` in the answer.
    async fn login(&self, path: &str, email: &str, password: &str, token: &str) -> String {
        let answer = self.post(path, "", &json!({ "email": email, "password": password })).await;
        answer[token].as_str().unwrap().to_owned()
    }

    /// Something changed in the cloud.
    async fn change(&self, id: &str) {
        let body = json!({ "entity": "order", "id": id, "payload": { "total": "23.50" } });
        self.post("/notify/sync", &format!("\nx-api-key: {}", self.demo.hook_key()), &body).await;
    }

    async fn admin(&self) -> String {
        self.login("/api/auth/login", "admin@example.com", "tu_password", "access").await
    }

    /// For everything that says `localhost` and a port of its own.
    fn host(&self) -> String {
        format!("localhost:{}", self.demo.port())
    }
}

/// Those of the orders' events that are about `order`, as the client printed them.
fn about(client: &Transcript, label: &str, order: &str) -> Vec<Value> {
    client.values_after(label).into_iter().filter(|event| event["orderId"] == order).collect()
}

#[tokio::test]
async fn a_restaurants_order_goes_from_the_waiter_to_every_screen() {
    const NEW: &str = "New order:";
    const STATUS: &str = "Order status changed:";
    const ITEM: &str = "Item status changed:";
    let visit = Visit::new().await;
    let token = visit.login("/api/v1/auth/login", "waiter@restaurante.com", "password123", "accessToken").await;
    let host = visit.host();
    let client =
        visit.node("walkthroughs/restaurant.cjs", &[("localhost:3000", &host), ("your-jwt-token-here", &token)]);
    client.until("Connected to WebSocket server").await;

    let shell = visit.shell("walkthroughs/restaurant.sh", &[("localhost:3000", &host)]).await;
    let answers = shell.objects();
    let order = answers.iter().find_map(|answer| answer["orderId"].as_str()).unwrap().to_owned();
    client.until_it("both changes of our order", |_| about(&client, STATUS, &order).len() == 2).await;

    let new = about(&client, NEW, &order);
    assert_eq!(new.len(), 1);
    let (at, item) = (&new[0]["createdAt"], &new[0]["items"][0]);
    let item_at = &item["createdAt"];
    let (restaurant, id) = (&new[0]["restaurantId"], &item["id"]);
    assert_eq!(
        new[0],
        json!({
            "orderId": order, "restaurantId": restaurant, "tableSessionId": "session-id-here", "status": "CONFIRMED",
            "items": [{
                "id": id, "orderId": order, "name": "Hamburguesa", "qty": 2, "unitPrice": "15.50",
                "status": "PENDING", "notes": null, "createdAt": item_at, "updatedAt": item_at,
            }],
            "createdAt": at,
        })
    );
    assert_eq!(restaurant, "r-1", "that of the documents");
    for uuid in [&json!(order), id] {
        assert_eq!(uuid.as_str().unwrap().len(), 36, "{uuid}");
    }
    for time in [at, item_at] {
        let time = time.as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    }
    let told = about(&client, STATUS, &order);
    let changed = |from: &str, to: &str, at: &Value| {
        json!({
            "orderId": order, "restaurantId": restaurant, "previousStatus": from, "newStatus": to, "updatedAt": at,
        })
    };
    assert_eq!(told[0], changed("DRAFT", "CONFIRMED", at));
    assert_eq!(told[1], changed("CONFIRMED", "IN_PROGRESS", &told[1]["updatedAt"]));
    let mut item_change = changed("PENDING", "IN_PROGRESS", &told[1]["updatedAt"]);
    item_change["itemId"] = id.clone();
    assert_eq!(about(&client, ITEM, &order), [item_change]);
}

#[tokio::test]
async fn a_kiosks_order_reaches_the_staff_and_its_steps_reach_the_kiosk() {
    let visit = Visit::new().await;
    let host = visit.host();
    let staff = visit.browser("snippets/staff.js", &[("localhost:8000", &host)], &visit.admin().await);
    let kiosk = visit.browser("snippets/kiosk.js", &[("localhost:8000", &host)], "none");
    staff.until("✅ Conectado al WebSocket de pedidos (staff)").await;
    kiosk.until("✅ Conectado al WebSocket de pedidos (kiosk)").await;

    let shell = visit.shell("walkthroughs/clinic.sh", &[("localhost:8000", &host)]).await;
    let answers = shell.objects();
    let [login, first, second] = answers.as_slice() else { panic!("{}", shell.text()) };
    assert!(login["access"].is_string());
    for order in [first, second] {
        let id = order["id"].as_u64().unwrap();
        staff.until(&format!("Nuevo pedido #{id} desde ipad-room-101")).await;
        for shown in [
            format!("actualizarEstadoPedido: {id} PREPARING"),
            format!("actualizarEstadoPedido: {id} READY"),
            format!("actualizarEstadoPedido: {id} DELIVERED"),
        ] {
            kiosk.until(&shown).await;
        }
    }
    kiosk.until("¡Tu pedido está listo para recoger!").await;
    assert!(!kiosk.text().contains("new_order") && !staff.text().contains("order_status_changed"));
}

#[tokio::test]
async fn a_clinics_client_that_reconnects_by_itself_stays_connected() {
    let visit = Visit::new().await;
    let token = visit.admin().await;
    let client = visit.browser("snippets/staff-backoff.js", &[("localhost:8000", &visit.host())], &token);
    client.until("✅ Conectado").await;
    let path = format!("/ws/staff/orders/?token={token}");
    let mut staff = Dashboard::connect(visit.demo.port(), &path, &[]).await;
    let order = json!({ "device_uid": "ipad-room-101", "items": [{ "product_id": 1, "quantity": 2 }] });
    let id = visit.post("/api/public/orders/create", "", &order).await["id"].clone();
    let told = loop {
        let told = staff.next().await;
        if told["order_id"] == id {
            break told;
        }
    };
    let at = &told["placed_at"];
    let wanted = json!({
        "type": "new_order", "order_id": id, "room_code": "101", "device_uid": "ipad-room-101", "placed_at": at,
    });
    assert_eq!(told, wanted);
    assert!(!client.text().contains("Desconectado"), "{}", client.text());
}

#[tokio::test]
async fn a_back_end_is_told_of_changes_and_pulls_them() {
    let visit = Visit::new().await;
    let (host, key) = (visit.host(), visit.demo.cloud_key());
    let guide = visit.node("walkthroughs/sync_guide.mjs", &[("localhost:5000", &host), ("tu-cloud-api-key", key)]);
    guide.until("✅ Conectado correctamente").await;
    guide.until("📦 Órdenes pendientes:").await;
    visit.change("pedido-de-la-visita").await;
    guide.until("✅ Evento changes:pending recibido!").await;
    guide.until("📨 Notificación recibida: Hay cambios pendientes de sincronizar").await;
    guide.until("id: 'pedido-de-la-visita'").await;
    assert!(guide.text().contains("Cambios pendientes recibidos:") && guide.text().contains("pending_orders"));

    // Another, which was away when it happened.
    let client = visit.node("walkthroughs/sync_client.mjs", &[("localhost:5000", &host), ("tu-api-key", key)]);
    client.until("✅ Conectado al servidor de sincronización").await;
    client.until("📨 Cambios pendientes detectados").await;
    client.until("id: 'pedido-de-la-visita'").await;
}

#[tokio::test]
async fn a_back_end_with_a_wrong_key_is_told_what_is_wrong() {
    let visit = Visit::new().await;
    let host = visit.host();
    let wrong = visit.node("walkthroughs/sync_guide.mjs", &[("localhost:5000", &host)]);
    wrong.until("❌ Error de conexión: Invalid API key").await;
    wrong.until("El API key proporcionado no es válido").await;
    let none = visit.node("walkthroughs/sync_guide.mjs", &[("localhost:5000", &host), ("apiKey: CLOUD_API_KEY", "")]);
    none.until("❌ Error de conexión: API key required").await;
}
