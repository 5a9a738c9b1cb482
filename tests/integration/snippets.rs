//! The browser code of the guides that customers follow, in Chromium, from a page of another origin.

use pulso_harness::{ChaosProxy, Claims, Scratch, script, wait};
use serde_json::{Value, json};

use crate::boards::{
    OTHER_DEVICE, OTHER_RESTAURANT, RESTAURANT, Stage, arrival, furnished, item_status, new_order, order_status,
    signed, staff, ticket, waiter,
};
use crate::tab::{Tab, address};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const DEVICE: &str = "ipad-room-101";

/// What a customer's page has around a snippet: the functions that it calls, and somewhere to see them called.
const SURROUNDINGS: &str = "
    window.seen = [];
    const note = (name) => (...all) => { seen.push([name, ...all].join(' ')); };
    for (const name of ['mostrarNotificacion', 'reproducirSonido', 'actualizarListaPedidos', 'actualizarEstadoPedido',
        'cerrarNotificacionPedido', 'conectarWebSocket']) window[name] = note(name);";

impl Tab {
    /// Serves what `thing` says on another origin than the server's; returns the address.
    async fn serve(&mut self, path: &str, thing: Value) -> String {
        let mut command = json!({ "do": "serve", "path": path });
        command.as_object_mut().unwrap().extend(thing.as_object().unwrap().clone());
        self.ask(command).await["url"].as_str().unwrap().to_owned()
    }

    /// Opens a page that runs `script`, served as `thing` says, with `port` for the guide's.
    async fn run(&mut self, mut thing: Value, port: u16, before: &str) {
        thing["type"] = json!(SCRIPT);
        thing["replace"] = json!({ "localhost:8000": format!("127.0.0.1:{port}") });
        self.serve("/script.js", thing).await;
        let page = format!(
            "<!doctype html><script>{SURROUNDINGS}{before}</script><div id='root'></div><script src='/script.js'></script>"
        );
        let address = self.serve("/", json!({ "body": page })).await;
        self.open(&address).await;
    }

    async fn run_snippet(&mut self, name: &str, port: u16, before: &str) {
        self.run(json!({ "file": format!("snippets/{name}") }), port, before).await;
    }

    async fn run_react(&mut self, names: &[&str], port: u16, before: &str) {
        let files: Vec<_> = names.iter().map(|name| format!("snippets/{name}")).collect();
        self.run(json!({ "bundle": files }), port, before).await;
    }

    /// Answers for the network from which the restaurant's page has its script.
    async fn serve_bundle(&mut self) {
        let bundle = "node_modules/socket.io-client/dist/socket.io.min.js";
        let cdn = "https://cdn.socket.io/4.5.4/socket.io.min.js";
        self.ask(json!({ "do": "serve", "url": cdn, "type": SCRIPT, "file": bundle })).await;
    }

    async fn wait_open(&mut self) {
        self.wait_eval("ws.readyState", 1).await;
    }
}

fn remember(token: &str) -> String {
    format!("localStorage.setItem('access_token', '{token}');")
}

/// What the restaurant's page has written: a text, or a text and the payload behind it. Ids of sockets are left out.
const MESSAGES: &str = "[...document.querySelectorAll('#messages div')].map(({ textContent: text }) => {
    const at = text.indexOf('{');
    return at < 0 ? text.replace(/Connected: .+/, 'Connected') : [text.slice(0, at), JSON.parse(text.slice(at))];
})";

/// Calls a hook until a screen hears it: a page believes itself connected before the server has let it in.
async fn tell_once_in(stage: &Stage, path: &str, body: &Value) {
    let body = body.to_string();
    wait::until(async || stage.call(path, &body).await == 1, "a screen hears it").await;
}

#[tokio::test]
async fn the_restaurants_page_hears_its_orders_to_the_letter() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    let replace = json!({ "localhost:3000": format!("127.0.0.1:{}", stage.port()) });
    let page = json!({ "file": "snippets/test-websocket.html", "replace": replace });
    let address = tab.serve("/test-websocket.html", page).await;
    tab.serve_bundle().await;
    tab.open(&address).await;
    tab.ask(json!({ "do": "fill", "id": "tokenInput", "text": signed(&waiter()) })).await;
    tab.eval("connect()").await;
    tab.wait_eval(MESSAGES, json!(["✅ Connected"])).await;
    // It begins with polling and goes on with a WebSocket.
    tab.wait_eval("socket.io.engine.transport.name", "websocket").await;
    let asked = tab.ask(json!({ "do": "requests" })).await.to_string();
    assert!(asked.contains("transport=polling") && asked.contains("transport=websocket"), "{asked}");

    let mut wanted = vec![json!("✅ Connected")];
    let (new, item, status) = (
        new_order(RESTAURANT, "o-1"),
        item_status(RESTAURANT, "o-1", "o-1-a", "IN_PROGRESS"),
        order_status(RESTAURANT, "o-1", "CONFIRMED", "IN_PROGRESS"),
    );
    let mut confirmed = order_status(RESTAURANT, "o-1", "DRAFT", "CONFIRMED");
    confirmed["updatedAt"] = new["createdAt"].clone();
    for (foreign, path) in [
        (new_order(OTHER_RESTAURANT, "o-2"), "/notify/order/new"),
        (order_status(OTHER_RESTAURANT, "o-1", "CONFIRMED", "READY"), "/notify/order/status"),
    ] {
        assert_eq!(stage.call(path, &foreign.to_string()).await, 0);
    }
    stage.tell("/notify/order/new", &new).await;
    stage.tell("/notify/order/item-status", &item).await;
    stage.tell("/notify/order/status", &status).await;
    wanted.extend([
        json!(["📦 New Order: ", new]),
        json!(["🔄 Status Changed: ", confirmed]),
        json!(["🍽️  Item Status: ", item]),
        json!(["🔄 Status Changed: ", status]),
    ]);
    tab.wait_eval(MESSAGES, wanted.clone()).await;
    tab.screenshot("snippet-restaurant.png").await;
    tab.eval("disconnect()").await;
    wanted.push(json!("❌ Disconnected"));
    tab.wait_eval(MESSAGES, wanted).await;

    tab.open(&address).await;
    for (claims, why) in
        [(waiter().expiring_in(-3_600), "Invalid token"), (waiter().without("restaurantId"), "No restaurantId")]
    {
        tab.eval("document.getElementById('messages').replaceChildren()").await;
        tab.ask(json!({ "do": "fill", "id": "tokenInput", "text": signed(&claims) })).await;
        tab.eval("connect()").await;
        tab.wait_eval(MESSAGES, json!([format!("❌ Error: {why}")])).await;
    }
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_clinics_pages_hear_their_orders() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    let token = signed(&staff());
    let heard = json!([
        "mostrarNotificacion Nuevo pedido #123 desde ipad-room-101",
        "reproducirSonido",
        "actualizarListaPedidos"
    ]);
    tab.run_snippet("staff.js", stage.port(), &remember(&token)).await;
    tab.wait_open().await;
    tell_once_in(&stage, "/notify/pedido", &arrival(None, 123, None)).await;
    tab.wait_eval("seen", heard).await;

    // On the page's own host, as the guide has it for production.
    let snippet = std::fs::read_to_string(script::installed("snippets/staff-same-host.js")).unwrap();
    tab.open(&address(stage.port(), &[])).await;
    tab.eval(&format!(
        "window.seen = []; window.ws = (() => {{ const token = '{token}'; {snippet} return ws; }})(); 0"
    ))
    .await;
    tab.wait_open().await;
    tab.eval("ws.onmessage = ({ data }) => seen.push(JSON.parse(data).order_id)").await;
    tell_once_in(&stage, "/notify/pedido", &arrival(None, 124, Some("101"))).await;
    tab.wait_eval("seen", json!([124])).await;

    tab.run_snippet("kiosk.js", stage.port(), "").await;
    tab.wait_open().await;
    assert_eq!(stage.call("/notify/pedido/estado", &ticket(OTHER_DEVICE, 9, "PLACED", "READY").to_string()).await, 0);
    tell_once_in(&stage, "/notify/pedido/estado", &ticket(DEVICE, 123, "PLACED", "PREPARING")).await;
    stage.tell("/notify/pedido/estado", ticket(DEVICE, 123, "PREPARING", "READY")).await;
    tab.wait_eval(
        "seen",
        json!([
            "actualizarEstadoPedido 123 PREPARING",
            "mostrarNotificacion Tu pedido está siendo preparado info",
            "actualizarEstadoPedido 123 READY",
            "mostrarNotificacion ¡Tu pedido está listo para recoger! success",
            "reproducirSonido orden-lista",
        ]),
    )
    .await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_clinics_page_that_reconnects_comes_back_after_a_cut() {
    let stage = Stage::open().await;
    let proxy = ChaosProxy::start(stage.port()).await;
    let mut tab = Tab::new().await;
    let before = format!("const token = '{}';", signed(&staff()));
    tab.run_snippet("staff-backoff.js", proxy.port(), &before).await;
    tab.wait_open().await;
    tab.eval("window.first = ws; 0").await;
    proxy.cut();
    tab.wait_eval("ws !== first && ws.readyState", 1).await;
    assert_eq!(tab.eval("reconnectAttempts").await, 0);
    tab.eval("ws.onmessage = ({ data }) => seen.push(JSON.parse(data).order_id)").await;
    tell_once_in(&stage, "/notify/pedido", &arrival(None, 123, Some("101"))).await;
    tab.wait_eval("seen", json!([123])).await;
    assert_eq!(tab.own_complaints().await, Vec::<Value>::new());
}

/// Why a browser's socket was closed, when it was refused.
async fn closing_code(tab: &mut Tab, url: &str) -> Value {
    let js = format!("new Promise((told) => {{ new WebSocket('{url}').onclose = ({{ code }}) => told(code); }})");
    tab.eval(&js).await
}

#[tokio::test]
async fn a_page_of_the_clinic_can_read_why_it_is_refused() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    tab.run_snippet("kiosk.js", stage.port(), "").await;
    tab.wait_open().await;
    let line = format!("ws://127.0.0.1:{}/ws", stage.port());
    let outsider = signed(&Claims::user("somebody"));
    for (url, code) in [
        (format!("{line}/staff/orders/?token="), 4_001),
        (format!("{line}/staff/orders/?token={}", signed(&staff().expiring_in(-3_600))), 4_001),
        (format!("{line}/staff/orders/?token={outsider}"), 4_003),
        (format!("{line}/kiosk/orders/?device_uid=ipad-switched-off"), 4_001),
        (format!("{line}/kiosk/orders/"), 4_001),
    ] {
        assert_eq!(closing_code(&mut tab, &url).await, code, "{url}");
    }
}

#[tokio::test]
async fn the_clinics_react_hooks_render_what_they_hear() {
    let stage = Stage::open().await;
    let mut tab = Tab::new().await;
    tab.run_react(&["StaffDashboard.tsx", "test-staff.tsx"], stage.port(), &remember(&signed(&staff()))).await;
    tab.wait_eval("document.querySelector('.status').textContent", "🟢 Conectado").await;
    tell_once_in(&stage, "/notify/pedido", &arrival(None, 123, Some("101"))).await;
    stage.tell("/notify/pedido", arrival(None, 124, None)).await;
    tab.wait_eval("document.querySelector('h2').textContent", "Pedidos Nuevos (2)").await;
    let rows = "[...document.querySelectorAll('.order-notification')].map((row) => [...row.children].slice(0, 3).map(({ textContent }) => textContent).join(' | '))";
    let wanted = [
        "Pedido #123 | Dispositivo: ipad-room-101 | Habitación: 101",
        "Pedido #124 | Dispositivo: ipad-room-101 | Habitación: N/A",
    ];
    tab.wait_eval(rows, wanted.to_vec()).await;
    tab.screenshot("snippet-react-staff.png").await;

    tab.run_react(&["test-kiosk.tsx"], stage.port(), "").await;
    tab.wait_eval("document.querySelector('.connection-status').textContent", "🟢 En línea").await;
    tell_once_in(&stage, "/notify/pedido/estado", &ticket(DEVICE, 123, "PLACED", "READY")).await;
    let rows = "[...document.querySelectorAll('.order')].map(({ textContent }) => textContent)";
    tab.wait_eval(rows, json!(["123 READY", "124 PLACED"])).await;
    // Of the socket that React's strict mode throws away at once the hooks themselves say this.
    let thrown_away = json!({ "kind": "console", "text": "❌ Error en WebSocket: Event" });
    let complaints = tab.own_complaints().await;
    assert!(complaints.iter().all(|complaint| *complaint == thrown_away), "{complaints:?}");
}

#[tokio::test]
async fn the_restaurants_page_also_works_when_it_is_opened_as_a_file() {
    // Such a page has no origin; the operator allows that by name.
    let (pulso, database) = furnished().await;
    let stage = Stage { running: pulso.with("WS_ALLOWED_ORIGINS", "null").ready().await, database };
    let text = std::fs::read_to_string(script::installed("snippets/test-websocket.html")).unwrap();
    let folder = Scratch::new();
    let port = format!("127.0.0.1:{}", stage.port());
    let file = folder.write("test-websocket.html", &text.replace("localhost:3000", &port));
    let mut tab = Tab::new().await;
    tab.serve_bundle().await;
    tab.open(&format!("file://{}", file.display())).await;
    tab.ask(json!({ "do": "fill", "id": "tokenInput", "text": signed(&waiter()) })).await;
    tab.eval("connect()").await;
    tab.wait_eval("socket.io.engine.transport.name", "websocket").await;
    let ready = order_status(RESTAURANT, "o-1", "CONFIRMED", "READY");
    stage.tell("/notify/order/status", &ready).await;
    tab.wait_eval(MESSAGES, json!(["✅ Connected", ["🔄 Status Changed: ", ready]])).await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
}
