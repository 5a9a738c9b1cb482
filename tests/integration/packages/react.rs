//! `@pulso/react` in Vite's own template, as its README has it: inline callbacks, `StrictMode`, Suspense and Fast Refresh.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pulso_harness::process::{find, run, steady_port};
use pulso_harness::script::installed;
use pulso_harness::{Claims, SECRET, Scratch, Script, wait};
use serde_json::{Value, json};

use super::browsers::sale;
use super::built::{announce, link_modules};
use super::packed::folder_with;
use super::recipes::Recipes;
use crate::boards::{KEY, RESTAURANT, Stage, arrival, furnished, new_order, ticket};
use crate::business::{NEGOCIO, OWNER, citas};
use crate::tab::Tab;

const DEVICE: &str = "ipad-room-101";
const TODAY: &str = "(now() AT TIME ZONE 'America/Guayaquil')::date";
const TOLD: &str = "[...document.querySelectorAll('#told li')].map(({ textContent }) => textContent)";
const STATUS: &str =
    "[document.querySelector('.status'), document.querySelector('.kiosk-status')].map((at) => at.textContent)";
const REST: &str = "document.querySelector('#rest').textContent";
const PANEL: &str = "document.querySelector('#panel').textContent";
const BOTH: [&str; 2] = ["🟢 Conectado", "🟢 En línea"];

/// An application that renders all the time, each time with new callbacks, and has a part that suspends.
const APP: &str = "import { useChannel, useOrders, useSales } from '@pulso/react';
import { Suspense, lazy, useEffect, useState } from 'react';
import { Kiosk, StaffDashboard } from './Orders.tsx';

const Panel = lazy(() => import('./Panel.tsx').then(({ Panel }) => ({ default: Panel })));

let resume = () => {};
let waiting: Promise<void> | null = null;

function Suspends({ on }: { on: boolean }) {
  if (!on) return null;
  waiting ??= new Promise((done) => { resume = done; });
  throw waiting;
}

function Rest() {
  const [said, setSaid] = useState('nobody');
  const orders = useOrders();
  const sales = useSales('NEGOCIO', { keep: 2 });
  const messages = useChannel<{ por: string }>('NEGOCIO:caja', ({ data }) => setSaid(data.por), { keep: 1 });
  const shown = [
    orders.state, ...orders.events.map(({ type }) => type),
    sales.state, ...sales.events.map((event) => (event.type === 'newSale' ? event.data.total : event.type)),
    messages.state, messages.events.length, said,
  ];
  return <p id=\"rest\">{shown.join(' ')}</p>;
}

export default function App() {
  const [told, setTold] = useState<string[]>([]);
  const [renders, setRenders] = useState(0);
  const [suspended, setSuspended] = useState(false);
  const [beside, setBeside] = useState(true);
  useEffect(() => {
    const timer = setInterval(() => setRenders((before) => before + 1), 20);
    return () => clearInterval(timer);
  }, []);
  return (
    <main>
      <div id=\"panel\">
        <Suspense fallback=\"espera\"><Panel negocio=\"NEGOCIO\" /><Suspends on={suspended} /></Suspense>
      </div>
      <StaffDashboard onOrder={(text) => setTold((before) => [...before, text])} />
      <Kiosk device=\"ipad-room-101\" onStatus={(text) => setTold((before) => [...before, text])} />
      {beside && <div id=\"beside\"><Kiosk device=\"ipad-room-101\" onStatus={() => setRenders((before) => before + 1)} /></div>}
      <Rest />
      <output>{renders}</output>
      <button id=\"leave\" onClick={() => setBeside(false)}>leave</button>
      <button id=\"suspend\" onClick={() => setSuspended(true)}>suspend</button>
      <button id=\"resume\" onClick={() => { setSuspended(false); resume(); }}>resume</button>
      <ol id=\"told\">{told.map((text, index) => <li key={index}>{text}</li>)}</ol>
    </main>
  );
}
";

fn node(script: &Path, arguments: &[&str], at: &Path) -> String {
    let mut node = Command::new(find("node", "nodejs"));
    run(node.arg(script).args(arguments).current_dir(at), &script.display().to_string())
}

/// An application that Vite's template begins and the README's blocks go on; checked and built once with its own settings.
fn application(react: u8, port: u16) -> (Scratch, PathBuf) {
    let folder = folder_with(&["client", "react"]);
    installed(&format!("react-{react}/node_modules/.package-lock.json"));
    let modules = fs::canonicalize(installed(&format!("react-{react}/node_modules"))).unwrap();
    link_modules(&modules, folder.path());
    node(&modules.join("create-vite/index.js"), &["app", "--template", "react-ts", "--no-interactive"], folder.path());
    let app = folder.path().join("app");
    let mut recipes = Recipes::of("react");
    assert_eq!(recipes.take("install"), "npm install @pulso/client @pulso/react\n");
    let main = recipes.take("main").replace("https://pulso.example.com", &format!("http://127.0.0.1:{port}"));
    fs::write(app.join("src/main.tsx"), main).unwrap();
    fs::write(app.join("src/Panel.tsx"), recipes.take("panel")).unwrap();
    fs::write(app.join("src/hooks.ts"), recipes.take("hooks")).unwrap();
    fs::write(app.join("src/Orders.tsx"), recipes.take("orders")).unwrap();
    fs::write(app.join("src/App.tsx"), APP.replace("NEGOCIO", NEGOCIO)).unwrap();
    node(&modules.join("typescript/bin/tsc"), &["-b"], &app);
    node(&modules.join("vite/bin/vite.js"), &["build", "--logLevel", "warn"], &app);
    assert!(app.join("dist/index.html").exists());
    (folder, app)
}

/// Somebody whose business has appointments, and who is staff, of a restaurant too.
fn token() -> String {
    let claims = Claims::naming(OWNER, &[NEGOCIO]).with("role", json!("STAFF"));
    claims.with("restaurantId", json!(RESTAURANT)).sign(SECRET)
}

/// What else may be listened to comes over the same line.
async fn everything_else_is_shown(tab: &mut Tab, stage: &Stage) {
    tab.wait_eval(REST, "live live live 0 nobody").await;
    stage.tell("/notify/order/new", new_order(RESTAURANT, "o-1")).await;
    for (id, total) in [("1", "1.00"), ("2", "31.00"), ("1234567890123456789", "45.50")] {
        stage.tell("/notify/venta", sale(id, total)).await;
    }
    for who in ["Eva", "Ana"] {
        let message = json!({ "channel": format!("canal:{NEGOCIO}:caja"), "type": "turno", "data": { "por": who } });
        let head = format!("POST /api/publish HTTP/1.1\ncontent-type: application/json\nx-api-key: {KEY}");
        assert_eq!(stage.running.exchange(&head, &message.to_string()).await.status, 200);
    }
    tab.wait_eval(REST, "live order.new order.status.changed live 31.00 45.50 live 1 Ana").await;
}

async fn an_application_keeps_two_sockets(react: u8) {
    let (pulso, database) = furnished().await;
    let pulso = pulso.with("PORT", &steady_port().to_string());
    let mut stage = Stage { running: pulso.ready().await, database };
    let port = stage.port();
    citas(&stage.database, NEGOCIO, 2, "pendiente", TODAY).await;
    let (_folder, app) = tokio::task::spawn_blocking(move || application(react, port)).await.unwrap();
    let mut vite = Script::node("vite_dev.mjs", &[app.to_str().unwrap()]);
    let address = vite.next().await["url"].as_str().unwrap().to_owned();

    let mut tab = Tab::new().await;
    tab.open_signed_in(&address, &token()).await;
    tab.wait_eval(STATUS, json!(BOTH)).await;
    tab.wait_eval(PANEL, "2 citas hoy").await;
    let mut wanted: Vec<Value> = Vec::new();
    for order in 0..20 {
        stage.tell("/notify/pedido", arrival(Some(NEGOCIO), order, Some("101"))).await;
        stage.tell("/notify/pedido/estado", ticket(DEVICE, order, "PLACED", "READY")).await;
        wanted.extend([json!(format!("Nuevo pedido #{order}")), json!(format!("{order} READY"))]);
    }
    let in_any_order = format!("{TOLD}.sort()");
    wanted.sort_by_key(|text| text.as_str().unwrap().to_owned());
    tab.wait_eval(&in_any_order, wanted.clone()).await;
    // Each line's events in their order.
    let orders = format!("{TOLD}.filter((text) => text.startsWith('Nuevo')).map((text) => Number(text.split('#')[1]))");
    assert_eq!(tab.eval(&orders).await, json!((0..20).collect::<Vec<_>>()));
    // Another that asks for the same device hears it too, on the same line, which outlives it.
    tab.wait_eval("document.querySelectorAll('#beside .ticket').length", 20).await;
    tab.eval("document.querySelector('#leave').click()").await;
    tab.wait_eval("document.querySelector('#beside')", Value::Null).await;
    everything_else_is_shown(&mut tab, &stage).await;
    tab.wait_eval("Number(document.querySelector('output').textContent) > 30", true).await;

    // What suspends is shown again by the same line.
    tab.eval("document.querySelector('#suspend').click()").await;
    tab.wait_eval("document.querySelector('#panel').innerText", "espera").await;
    citas(&stage.database, NEGOCIO, 1, "pendiente", TODAY).await;
    announce(&stage).await;
    tab.eval("document.querySelector('#resume').click()").await;
    tab.wait_eval(PANEL, "3 citas hoy").await;

    // An edit, as somebody makes it who looks at the page beside the editor.
    for (file, from, to) in [("Panel.tsx", "citas hoy", "citas de hoy"), ("Orders.tsx", "Pedidos nuevos", "Pedidos")] {
        let source = fs::read_to_string(app.join("src").join(file)).unwrap();
        fs::write(app.join("src").join(file), source.replace(from, to)).unwrap();
    }
    tab.wait_eval(PANEL, "3 citas de hoy").await;
    tab.wait_eval("document.querySelector('h2').textContent", "Pedidos (20)").await;
    stage.tell("/notify/pedido", arrival(Some(NEGOCIO), 20, None)).await;
    tab.wait_eval("document.querySelector('h2').textContent", "Pedidos (21)").await;
    let mut sockets = tab.sockets(port).await;
    sockets.sort();
    assert_eq!(sockets, ["/ws", "/ws/kiosk/orders/"]);
    tab.no_address_has(&token()).await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());

    // The server goes and comes back.
    drop(stage.running);
    tab.wait_eval(STATUS, json!(["🔴 Desconectado", "🔴 Sin conexión"])).await;
    assert_eq!(tab.eval(PANEL).await, "3 citas de hoy");
    stage.running = pulso.ready().await;
    tab.wait_eval(STATUS, json!(BOTH)).await;
    wait::until(
        async || stage.call("/notify/pedido", &arrival(Some(NEGOCIO), 99, None).to_string()).await == 1,
        "it is back",
    )
    .await;
    tab.wait_eval(&format!("{TOLD}.at(-1)"), "Nuevo pedido #99").await;
    stage.tell("/notify/pedido/estado", ticket(DEVICE, 99, "PLACED", "READY")).await;
    tab.wait_eval(&format!("{TOLD}.at(-1)"), "99 READY").await;
}

#[tokio::test]
async fn an_application_of_react_19_keeps_two_sockets_whatever_it_renders() {
    an_application_keeps_two_sockets(19).await;
}

#[tokio::test]
async fn an_application_of_react_18_keeps_two_sockets_whatever_it_renders() {
    an_application_keeps_two_sockets(18).await;
}

const RENDERED: &str = "import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { PulsoProvider, useKiosk, usePulso, usePulsoStatus, useSales, useStats } from '@pulso/react';

function Page() {
  const line = usePulso();
  const all = [line.status.state, usePulsoStatus().state, useStats('n').state, useStats(null).state];
  return [...all, useSales(null).events.length, useKiosk('ipad').events.length].join(' ');
}
const options = { url: 'http://127.0.0.1:1', getToken: () => { throw new Error('nobody is asked'); } };
console.log(renderToString(createElement(PulsoProvider, { options }, createElement(Page))));
";

#[test]
fn where_pages_are_rendered_nothing_is_opened() {
    for react in [18, 19] {
        let folder = folder_with(&["client", "react"]);
        link_modules(&installed(&format!("react-{react}/node_modules")).canonicalize().unwrap(), folder.path());
        let script = folder.write("page.mjs", RENDERED);
        // It ends by itself: no timer and no socket is left.
        assert_eq!(node(&script, &[], folder.path()), "idle idle pending idle 0 0\n");
    }
}
