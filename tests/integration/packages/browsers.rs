//! `@pulso/client` on a page, each promise in each browser: signed in, away and back, where sockets do not come through, in
//! tabs that nobody looks at, to the letter.

mod away;
mod shown;
mod tabs;

use std::sync::OnceLock;

use pulso_harness::{Claims, SECRET};
use serde_json::json;

use crate::business::{NEGOCIO, OWNER};
use crate::packages::packed;
use crate::tab::{Browser, Tab};

/// A test for each browser of each of these, which are functions of a browser.
macro_rules! in_each_browser {
    ($($promise:ident)+) => {
        mod chromium {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(crate::tab::Browser::Chromium).await;
            })+
        }

        mod firefox {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(crate::tab::Browser::Firefox).await;
            })+
        }
    };
}
pub(super) use in_each_browser;

/// A page that shows what it is told, and keeps what it has.
const PAGE: &str = r#"<!doctype html><title>Citas</title><output id="citas"></output><output id="line"></output><ol id="sales"></ol>
<script type="module" src="/page.js"></script>"#;

/// `OPTIONS` are the client's, but for `keep` (the name of a store) and `hasten` (how much faster its clock goes). What it
/// leaves on the window is for the test: `pulso`, its `sales`, its `sockets`, the `states` of its line, how many are `listening`
/// to the window and the document; `isAway` lets no new socket through.
const SCRIPT: &str = "import * as library from '/client/index.js';
const { keep, hasten = 1, ...options } = OPTIONS;
const from = Date.now();
window.clock = {
  now: () => from + (Date.now() - from) * hasten,
  setTimeout: (act, ms) => setTimeout(act, ms / hasten),
  clearTimeout: (timer) => clearTimeout(timer),
};
window.listening = 0;
for (const target of [window, document]) {
  const { addEventListener, removeEventListener } = target;
  target.addEventListener = (...given) => (listening += 1, addEventListener.apply(target, given));
  target.removeEventListener = (...given) => (listening -= 1, removeEventListener.apply(target, given));
}
window.sockets = [];
class Kept extends WebSocket {
  constructor(address) {
    super(window.isAway ? 'ws://127.0.0.1:9' : address);
    sockets.push(this);
  }
}
const pulso = window.pulso = new library.Pulso({
  url: 'URL', token: 'TOKEN', store: keep && library[keep](), WebSocket: Kept, clock: window.clock, ...options,
});
const show = (id, text) => document.getElementById(id).textContent = text;
window.states = [];
pulso.on('status', ({ state, transport, error }) => {
  states.push(state);
  show('line', [state, transport, error?.code].filter(Boolean).join(' '));
});
pulso.stats('NEGOCIO').on('value', ({ total_citas }) => show('citas', String(total_citas)));
window.sales = pulso.sales();
sales.on('value', ({ data }) => {
  const item = document.createElement('li');
  item.textContent = `${data.saleId} ${data.total}`;
  document.getElementById('sales').append(item);
});";

/// The sales that are shown.
pub const SALES: &str = "[...document.querySelectorAll('#sales li')].map(({ textContent }) => textContent)";

/// What the tarball has for pages: names and texts.
fn client() -> &'static [(String, String)] {
    static FILES: OnceLock<Vec<(String, String)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = packed::folder_with(&["client"]);
        let built = folder.path().join("node_modules").join(packed::scope()).join("client/dist");
        let files = std::fs::read_dir(built).unwrap().map(|entry| entry.unwrap().path());
        let scripts = files.filter(|path| path.extension().is_some_and(|extension| extension == "js"));
        scripts
            .map(|path| {
                (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
            })
            .collect()
    })
}

/// A tab, and the address of the page there: of an origin of its own, for the server or the line at `port`.
pub async fn page(browser: Browser, port: u16, claims: &Claims, options: serde_json::Value) -> (Tab, String) {
    let mut tab = Tab::of(browser).await;
    for (name, body) in tokio::task::spawn_blocking(client).await.unwrap() {
        serve(&mut tab, &format!("/client/{name}"), "text/javascript", body).await;
    }
    let script = SCRIPT.replace("OPTIONS", &options.to_string()).replace("NEGOCIO", NEGOCIO);
    let script = script.replace("URL", &format!("http://127.0.0.1:{port}")).replace("TOKEN", &claims.sign(SECRET));
    serve(&mut tab, "/page.js", "text/javascript", &script).await;
    let address = serve(&mut tab, "/index.html", "text/html; charset=utf-8", PAGE).await;
    (tab, address)
}

/// Until the page has its first figures and hears sales: on a stream it asks for these only once it knows whose they are.
pub async fn listens(tab: &mut Tab) {
    tab.wait_text("citas", "0").await;
    tab.wait_eval("sales.state", "live").await;
}

async fn serve(tab: &mut Tab, path: &str, kind: &str, body: &str) -> String {
    let served = tab.ask(json!({ "do": "serve", "path": path, "type": kind, "body": body })).await;
    served["url"].as_str().unwrap().to_owned()
}

/// Somebody whose token names the business, and opens its sales.
pub fn seller() -> Claims {
    Claims::naming(OWNER, &[NEGOCIO])
}

pub fn sale(id: &str, total: &str) -> String {
    format!(
        r#"{{"negocio_id":"{NEGOCIO}","saleId":{id},"tableId":5,"total":{total},"timestamp":"2025-07-20T10:30:00Z"}}"#
    )
}
