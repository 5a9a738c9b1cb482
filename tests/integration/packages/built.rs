//! What a framework has built, served on an origin of its own and looked at in Chromium.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::boards::{KEY, Stage};
use crate::business::NEGOCIO;
use crate::tab::Tab;

/// Says, as the API does, that the business's appointments have changed; one screen watches them.
pub async fn announce(stage: &Stage) {
    let head = format!("POST /notify/cita HTTP/1.1\ncontent-type: application/json\nx-api-key: {KEY}");
    let body = json!({ "negocio_id": NEGOCIO, "action": "created" }).to_string();
    let answer = stage.running.exchange(&head, &body).await;
    assert_eq!(answer.json()["subscribers"], 1, "{answer:?}");
}

/// Shows `folder/node_modules` all that is installed in `installed`, beside what is there.
pub fn link_modules(installed: &Path, folder: &Path) {
    let to = folder.join("node_modules");
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(installed).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name().to_string_lossy().starts_with('@') {
            fs::create_dir_all(&to).unwrap();
            for inner in fs::read_dir(from).unwrap() {
                let inner = inner.unwrap();
                symlink(inner.path(), to.join(inner.file_name())).unwrap();
            }
        } else {
            symlink(from, to).unwrap();
        }
    }
}

impl Tab {
    /// Serves a folder as it was built, on another origin than Pulso's; returns the address of its page.
    pub async fn serve_folder(&mut self, folder: &Path) -> String {
        let mut address = None;
        let mut folders = vec![folder.to_owned()];
        while let Some(inside) = folders.pop() {
            for entry in fs::read_dir(inside).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                let kind = match name.rsplit('.').next() {
                    Some("html") => "text/html; charset=utf-8",
                    Some("js") => "text/javascript",
                    Some("css") => "text/css",
                    _ => continue,
                };
                let body = fs::read_to_string(&path).unwrap();
                let served =
                    self.ask(json!({ "do": "serve", "path": format!("/{name}"), "type": kind, "body": body })).await;
                if name == "index.html" {
                    address = Some(served["url"].as_str().unwrap().to_owned());
                }
            }
        }
        address.expect("an index.html")
    }

    /// Opens a page as somebody who has signed in with `token`, in a tab that has heard nothing yet.
    pub async fn open_signed_in(&mut self, address: &str, token: &str) {
        self.open(address).await;
        self.eval(&format!("localStorage.setItem('access_token', '{token}')")).await;
        self.renew().await;
        self.open(address).await;
    }

    /// The WebSockets that were opened to the server at `port`, by path.
    pub async fn sockets(&mut self, port: u16) -> Vec<String> {
        let begin = format!("ws://127.0.0.1:{port}");
        let requests = self.ask(json!({ "do": "requests" })).await;
        let all = requests["urls"].as_array().unwrap().iter().filter_map(Value::as_str);
        all.filter_map(|url| Some(url.strip_prefix(&begin)?.split('?').next()?.to_owned())).collect()
    }

    /// Nothing that the page has asked for has `text` in its address.
    pub async fn no_address_has(&mut self, text: &str) {
        let requests = self.ask(json!({ "do": "requests" })).await.to_string();
        assert!(!requests.contains(text), "{requests}");
    }
}
