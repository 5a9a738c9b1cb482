//! The README's recipe for Angular, in an application that Angular's own CLI makes and builds, shown by Chromium.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use pulso_harness::process::{find, run};
use pulso_harness::script::installed;
use pulso_harness::{SECRET, Scratch, wait};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::business::{self, NEGOCIO, citas, owner};
use crate::readme::blocks::block;
use crate::tab::Tab;

/// What a reader puts around the recipe's component.
const APP: &str = "import { Component, inject } from '@angular/core';
import { CitasComponent } from './citas.component';
import { EstadisticasService } from './estadisticas.service';

@Component({ selector: 'app-root', imports: [CitasComponent], template: '<app-citas /><output>{{ connected() }}</output>' })
export class App {
  readonly connected = inject(EstadisticasService).connected;
}
";

/// Makes an application of the recipe and builds it; returns where it is.
fn build(folder: &Path, port: u16) -> std::path::PathBuf {
    installed("angular/node_modules/.package-lock.json");
    let modules = fs::canonicalize(installed("angular/node_modules")).unwrap();
    let ng = |arguments: &[&str], at: &Path| {
        let mut ng = Command::new(find("node", "nodejs"));
        ng.arg(modules.join("@angular/cli/bin/ng.js")).args(arguments).current_dir(at).env("NG_CLI_ANALYTICS", "false");
        run(&mut ng, "ng")
    };
    ng(&["new", "panel", "--skip-install", "--skip-git", "--defaults", "--minimal", "--ai-config=none"], folder);
    let application = folder.join("panel");
    symlink(&modules, application.join("node_modules")).unwrap();
    let (service, component) = (block("angular-service"), block("angular-component"));
    assert_eq!((service.language, component.language), ("ts", "ts"));
    let here = format!("ws://127.0.0.1:{port}/ws");
    let service = service.text.replace("wss://pulso.example.com/ws", &here);
    assert!(service.contains(&here) && component.text.contains("6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f"));
    let component = component.text.replace("6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f", NEGOCIO);
    fs::write(application.join("src/app/estadisticas.service.ts"), service).unwrap();
    fs::write(application.join("src/app/citas.component.ts"), component).unwrap();
    fs::write(application.join("src/app/app.ts"), APP).unwrap();
    let said = ng(&["build"], &application);
    assert!(!said.contains("WARNING"), "{said}");
    application.join("dist/panel/browser")
}

/// Serves what was built on an origin of its own; returns its address.
async fn serve(tab: &mut Tab, built: &Path) -> String {
    let mut address = None;
    for entry in fs::read_dir(built).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let kind = match name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript",
            Some("css") => "text/css",
            _ => continue,
        };
        let body = fs::read_to_string(&path).unwrap();
        let served = tab.ask(json!({ "do": "serve", "path": format!("/{name}"), "type": kind, "body": body })).await;
        if name == "index.html" {
            address = Some(served["url"].as_str().unwrap().to_owned());
        }
    }
    address.expect("an index.html")
}

/// Opens the application as somebody who has logged in with `token`, in a tab that has heard nothing yet.
async fn open(tab: &mut Tab, address: &str, token: &str) {
    tab.open(address).await;
    tab.eval(&format!("localStorage.setItem('access_token', '{token}')")).await;
    tab.renew().await;
    tab.open(address).await;
}

#[tokio::test]
async fn an_angular_application_made_of_the_recipe_shows_figures_that_move() {
    let (running, database) = business::open().await;
    citas(&database, NEGOCIO, 2, "pendiente", "(now() AT TIME ZONE 'America/Guayaquil')::date").await;
    let folder = Scratch::new();
    let (path, port) = (folder.path().to_owned(), running.port());
    let built = tokio::task::spawn_blocking(move || build(&path, port)).await.unwrap();

    let mut tab = Tab::new().await;
    let token = owner().sign(SECRET);
    let address = serve(&mut tab, &built).await;
    open(&mut tab, &address, &token).await;
    let (shown, connected) =
        ("document.querySelector('app-citas').textContent", "document.querySelector('output').textContent");
    tab.wait_eval(shown, "2").await;
    tab.wait_eval(connected, "true").await;
    citas(&database, NEGOCIO, 3, "pendiente", "(now() AT TIME ZONE 'America/Guayaquil')::date").await;
    assert_eq!(running.notify(NEGOCIO).await.json()["subscribers"], 1);
    tab.wait_eval(shown, "5").await;
    let requests = tab.ask(json!({ "do": "requests" })).await.to_string();
    assert!(requests.contains("/ws") && !requests.contains(&token), "the token is in no address: {requests}");
    assert_eq!(tab.complaints().await, Vec::<Value>::new());

    // An open line is not yet a token that was good.
    open(&mut tab, &address, &owner().sign("another secret, also longer than 32 bytes")).await;
    let deadline = Instant::now() + wait::LIMIT;
    while !tab.ask(json!({ "do": "frames" })).await.to_string().contains("Invalid JWT token") {
        assert!(Instant::now() < deadline, "the page never hears that it is refused");
        tokio::time::sleep(wait::PAUSE).await;
    }
    assert_eq!(tab.eval(connected).await, "false");
    assert_eq!(tab.eval(shown).await, "");
}
