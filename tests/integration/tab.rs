//! A tab of a real browser, and what a test does with it.

use std::path::{Path, PathBuf};

use pulso_harness::{Running, Script};
use serde_json::{Value, json};

/// Longer than the page itself may wait: 30 s before it tries a line again, 10 s for an answer.
const PATIENCE_MS: u64 = 45_000;

/// As Debian has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    Chromium,
    Firefox,
}

/// One tab of a browser of its own.
pub struct Tab(Script);

impl Tab {
    pub async fn new() -> Self {
        Self::with(&[], "chromium").await
    }

    /// A tab that also keeps the pages that one may go back to, as far as the browser does.
    pub async fn of(browser: Browser) -> Self {
        match browser {
            Browser::Chromium => Self::with(&["--cached"], "chromium").await,
            Browser::Firefox => Self::with(&["--browser", "firefox"], "firefox-esr").await,
        }
    }

    async fn with(arguments: &[&str], package: &str) -> Self {
        let mut script = Script::node("browser.mjs", arguments);
        let ready = script.next().await;
        assert_eq!(ready["ok"], true, "{ready} (apt-get install {package})");
        Self(script)
    }

    /// A tab that shows the panel of `negocio`, opened by its link. Also says how the page was answered.
    pub async fn on(running: &Running, negocio: &str, token: &str) -> (Self, Value) {
        let mut tab = Self::new().await;
        let answer = tab.ask(json!({ "do": "open", "url": link(running, negocio, token) })).await;
        (tab, answer)
    }

    pub async fn ask(&mut self, command: Value) -> Value {
        let answer = self.0.ask(&command).await;
        assert_eq!(answer["ok"], true, "{command}: {answer}");
        answer
    }

    pub async fn text(&mut self, id: &str) -> String {
        self.ask(json!({ "do": "text", "id": id })).await["text"].as_str().unwrap().to_owned()
    }

    pub async fn wait_text(&mut self, id: &str, text: &str) {
        self.ask(json!({ "do": "waitText", "id": id, "equals": text, "timeout_ms": PATIENCE_MS })).await;
    }

    pub async fn wait_match(&mut self, id: &str, pattern: &str) {
        self.ask(json!({ "do": "waitText", "id": id, "matches": pattern, "timeout_ms": PATIENCE_MS })).await;
    }

    /// Waits for the four figures, as they are shown and as the page holds them.
    pub async fn wait_figures(&mut self, hoy: u64, total: u64, completadas: u64, canceladas: u64) {
        for (id, figure) in [
            ("citas-hoy", hoy),
            ("total-citas", total),
            ("citas-completadas", completadas),
            ("citas-canceladas", canceladas),
        ] {
            self.wait_text(id, &spanish(figure)).await;
            let raw = self.eval(&format!("document.getElementById('{id}').value")).await;
            assert_eq!(raw, figure.to_string(), "{id}");
        }
    }

    pub async fn is_visible(&mut self, id: &str) -> bool {
        self.ask(json!({ "do": "visible", "id": id })).await["visible"].as_bool().unwrap()
    }

    pub async fn eval(&mut self, js: &str) -> Value {
        self.ask(json!({ "do": "eval", "js": js })).await["value"].clone()
    }

    /// Waits until an expression, evaluated in the page, is `value`.
    pub async fn wait_eval(&mut self, js: &str, value: impl Into<Value>) {
        let value = value.into();
        self.ask(json!({ "do": "waitEval", "js": js, "equals": value, "timeout_ms": PATIENCE_MS })).await;
    }

    /// A tab that remembers nothing takes the place of this one, in the same browser.
    pub async fn renew(&mut self) {
        self.ask(json!({ "do": "renew" })).await;
    }

    /// From now on it is another tab of the same person, and by the next such call the one before.
    pub async fn beside(&mut self) {
        self.ask(json!({ "do": "beside" })).await;
    }

    pub async fn open(&mut self, address: &str) {
        self.ask(json!({ "do": "open", "url": address })).await;
    }

    pub async fn screenshot(&mut self, name: &str) {
        self.ask(json!({ "do": "screenshot", "path": pictures().join(name), "full": true })).await;
    }

    /// The page as it is now, on a desk by day and in a hand by night.
    pub async fn portraits(&mut self, name: &str) {
        for (place, width, height, scheme) in [("phone", 390, 844, "dark"), ("desk", 1366, 768, "light")] {
            self.ask(json!({ "do": "size", "width": width, "height": height })).await;
            self.ask(json!({ "do": "scheme", "value": scheme })).await;
            self.screenshot(&format!("{name}-{place}.png")).await;
        }
    }

    /// What axe finds wrong with the page as it is now.
    pub async fn axe(&mut self) -> Value {
        self.ask(json!({ "do": "axe" })).await["found"].clone()
    }

    /// Errors on the console and in the page, and breaches of the content security policy.
    pub async fn complaints(&mut self) -> Vec<Value> {
        self.ask(json!({ "do": "console" })).await["errors"].as_array().unwrap().clone()
    }

    /// As [`Self::complaints`], without what a browser says of a server that is away.
    pub async fn own_complaints(&mut self) -> Vec<Value> {
        let is_of_the_line = |complaint: &Value| {
            let said = complaint["text"].as_str().unwrap();
            let begins = ["WebSocket connection to", "Failed to load resource: net::"];
            complaint["kind"] == "console" && begins.iter().any(|begin| said.starts_with(begin))
        };
        self.complaints().await.into_iter().filter(|complaint| !is_of_the_line(complaint)).collect()
    }

    /// The token is in no address that was asked for, nor where anybody could read it later.
    pub async fn keeps_the_token_to_itself(&mut self, token: &str) {
        let requests = self.ask(json!({ "do": "requests" })).await["urls"].clone();
        let mut asked = requests.as_array().unwrap().iter().map(|url| url.as_str().unwrap());
        // A fragment stays in the browser; what the server is asked for is what stands before it.
        let is_silent = |url: &str| !url.split('#').next().unwrap().contains(token);
        assert!(asked.all(is_silent), "{requests}");
        assert!(requests.to_string().contains("/ws"), "{requests}");
        let address = self.ask(json!({ "do": "url" })).await;
        let history = self.ask(json!({ "do": "history" })).await["entries"].clone();
        assert!(!address.to_string().contains(token) && !history.to_string().contains(token), "{address} {history}");
        let local = self.ask(json!({ "do": "storage" })).await["local"].clone();
        assert_eq!(local, json!({}), "nothing outlives the tab");
    }
}

/// The link that opens the panel of `negocio`.
pub fn link(running: &Running, negocio: &str, token: &str) -> String {
    address(running.port(), &[("negocio", negocio), ("token", token)])
}

/// The page, with `access` in its fragment.
pub fn address(port: u16, access: &[(&str, &str)]) -> String {
    let mut fragment = url::form_urlencoded::Serializer::new(String::new());
    fragment.extend_pairs(access);
    format!("http://127.0.0.1:{port}/#{}", fragment.finish())
}

/// Thousands as the page groups them for a reader in Ecuador.
fn spanish(figure: u64) -> String {
    if figure < 1_000 { figure.to_string() } else { format!("{}.{:03}", figure / 1_000, figure % 1_000) }
}

/// Where the pictures go that a person may look at.
fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
