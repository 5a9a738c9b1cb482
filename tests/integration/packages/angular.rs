//! `@pulso/angular` in applications that Angular's own CLI makes, prerenders and builds, as the package's README has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pulso_harness::process::{find, run, steady_port};
use pulso_harness::script::installed;
use pulso_harness::{Claims, SECRET, Scratch};
use serde_json::{Value, json};

use super::built::{announce, link_modules};
use super::packed::folder_with;
use super::recipes::Recipes;
use crate::boards::{Stage, arrival, furnished};
use crate::business::{NEGOCIO, OWNER, citas};
use crate::tab::Tab;

const TODAY: &str = "(now() AT TIME ZONE 'America/Guayaquil')::date";
const SHOWN: &str = "document.querySelector('app-citas p').textContent";
const FLOWS: &str = "document.querySelector('app-flujos').textContent.trim()";
const IS_STALE: &str = "document.querySelector('app-citas p').classList.contains('stale')";

/// What a reader puts around the README's components. What it says at the end is whether the application is stable.
const APP: &str = "import { AsyncPipe } from '@angular/common';
import { ApplicationRef, ChangeDetectionStrategy, Component, NgZone, afterNextRender, inject, signal } from '@angular/core';
import { events$, stats$, status$ } from '@pulso/angular';
import type { NewOrder } from '@pulso/client';
import { scan, startWith } from 'rxjs';
import { Citas } from './citas';
import { Pedidos } from './pedidos';

@Component({
  selector: 'app-flujos',
  changeDetection: ChangeDetectionStrategy.OnPush,
  imports: [AsyncPipe],
  template: `{{ (stats | async)?.citas_hoy }} {{ orders | async }} {{ (line | async)?.state }}`,
})
export class Flujos {
  readonly stats = stats$('NEGOCIO');
  readonly orders = events$<NewOrder>('staff_orders').pipe(scan((count) => count + 1, 0), startWith(0));
  readonly line = status$();
}

@Component({
  selector: 'app-root',
  changeDetection: ChangeDetectionStrategy.OnPush,
  imports: [Citas, Flujos, Pedidos],
  template: `<app-citas negocio=\"NEGOCIO\" /><app-pedidos /><app-flujos /><output>{{ stable() }}</output><i>{{ zone }}</i>`,
})
export class App {
  readonly stable = signal('');
  readonly zone = inject(NgZone).constructor === NgZone ? 'zone.js' : 'zoneless';

  constructor() {
    const application = inject(ApplicationRef);
    afterNextRender(() => application.whenStable().then(() => this.stable.set('stable')));
  }
}
";

/// An application's own interceptor renews after a 401; the package's stands behind it.
const INTERCEPTOR: &str = "import { HttpClient, type HttpInterceptorFn, provideHttpClient, withInterceptors } from '@angular/common/http';
import { HttpTestingController, provideHttpClientTesting } from '@angular/common/http/testing';
import { TestBed } from '@angular/core/testing';
import { pulsoTokenInterceptor } from '@pulso/angular';
import { FakePulso, provideFakePulso } from '@pulso/angular/testing';
import { catchError } from 'rxjs';

describe('pulsoTokenInterceptor', () => {
  it('gives the line the token that the API takes after it has refused another, once, and no other', () => {
    let token = 'old';
    const own: HttpInterceptorFn = (request, next) => {
      const signed = () => request.clone({ setHeaders: { authorization: `Bearer ${token}` } });
      return next(signed()).pipe(catchError(() => {
        token = 'new';
        return next(signed());
      }));
    };
    TestBed.configureTestingModule({
      providers: [provideFakePulso(), provideHttpClient(withInterceptors([own, pulsoTokenInterceptor()])), provideHttpClientTesting()],
    });
    const { tokens } = TestBed.inject(FakePulso);
    const api = TestBed.inject(HttpTestingController);
    const ask = (url: string) => {
      TestBed.inject(HttpClient).get(url).subscribe();
      return api.expectOne(url);
    };
    ask('/api/citas').flush({});
    expect(tokens).toEqual([]);
    ask('/api/citas').flush('', { status: 401, statusText: 'Unauthorized' });
    const again = api.expectOne('/api/citas');
    ask('https://elsewhere.example.com/').flush({});
    expect(tokens).toEqual([]);
    again.flush({});
    expect(tokens).toEqual(['new']);
    ask('/api/citas').flush({});
    expect(tokens).toEqual(['new']);
  });
});
";

/// The Node.js that the newest Angular asks for; the others are content with the system's.
fn node(angular: u8) -> PathBuf {
    if angular >= 22 { installed("runtimes/node_modules/node-24/bin/node") } else { find("node", "nodejs") }
}

struct Application {
    angular: u8,
    modules: PathBuf,
    path: PathBuf,
    _folder: Scratch,
}

impl Application {
    /// An application that `ng new` begins with `options` and the README's blocks go on, for the server at `port`.
    fn new(angular: u8, options: &[&str], port: u16) -> Self {
        installed(&format!("angular-{angular}/node_modules/.package-lock.json"));
        let modules = fs::canonicalize(installed(&format!("angular-{angular}/node_modules"))).unwrap();
        let folder = folder_with(&["client", "angular"]);
        let made = Self { angular, modules, path: folder.path().join("panel"), _folder: folder };
        let mut arguments =
            vec!["new", "panel", "--skip-install", "--skip-git", "--defaults", "--ai-config=none", "--ssr"];
        arguments.extend(options);
        made.ng(&arguments, made.path.parent().unwrap());
        link_modules(&made.modules, &made.path);
        let packages = super::packed::scope();
        let packed = made.path.parent().unwrap().join("node_modules");
        fs::rename(packed.join(&packages), made.path.join("node_modules").join(&packages)).unwrap();

        let mut recipes = Recipes::of("angular");
        assert_eq!(recipes.take("install"), "npm install @pulso/client @pulso/angular\n");
        let at = |name: &str| made.path.join("src/app").join(name);
        let config = recipes.take("config").replace("https://pulso.example.com", &format!("http://127.0.0.1:{port}"));
        fs::write(at("pulso.ts"), config).unwrap();
        fs::write(at("citas.ts"), recipes.take("component")).unwrap();
        fs::write(at("pedidos.ts"), recipes.take("events")).unwrap();
        fs::write(at("citas.spec.ts"), recipes.take("spec")).unwrap();
        fs::write(at("interceptor.spec.ts"), INTERCEPTOR).unwrap();
        fs::remove_file(at("app.spec.ts")).unwrap();
        fs::write(at("app.ts"), APP.replace("NEGOCIO", NEGOCIO)).unwrap();
        let given = fs::read_to_string(at("app.config.ts")).unwrap();
        let with_pulso = given.replacen("providers: [", "providers: [pulso,", 1);
        assert_ne!(given, with_pulso);
        fs::write(at("app.config.ts"), format!("import {{ pulso }} from './pulso';\n{with_pulso}")).unwrap();
        made
    }

    fn ng(&self, arguments: &[&str], at: &Path) -> String {
        let mut ng = Command::new(node(self.angular));
        ng.arg(self.modules.join("@angular/cli/bin/ng.js")).args(arguments).current_dir(at);
        run(ng.env("NG_CLI_ANALYTICS", "false").env("CI", "true"), "ng")
    }

    /// Builds and prerenders it; returns what a server of files serves.
    fn build(&self) -> PathBuf {
        let said = self.ng(&["build"], &self.path);
        assert!(!said.contains("WARNING"), "{said}");
        self.path.join("dist/panel/browser")
    }
}

async fn an_application_shows_figures_that_move(
    angular: u8,
    options: &'static [&'static str],
    zone: &str,
    is_tested: bool,
) {
    let (pulso, database) = furnished().await;
    let pulso = pulso.with("PORT", &steady_port().to_string());
    let mut stage = Stage { running: pulso.ready().await, database };
    let port = stage.port();
    citas(&stage.database, NEGOCIO, 2, "pendiente", TODAY).await;
    let made = move || {
        let application = Application::new(angular, options, port);
        if is_tested {
            application.ng(&["test", "--watch=false"], &application.path);
        }
        (application.build(), application)
    };
    let (built, _application) = tokio::task::spawn_blocking(made).await.unwrap();
    let rendered = fs::read_to_string(built.join("index.html")).unwrap();
    assert!(rendered.contains("Cargando…") && rendered.contains("ng-server-context"), "it is prerendered: {rendered}");
    assert!(rendered.contains(" ngh="), "it can be hydrated: {rendered}");

    let mut tab = Tab::new().await;
    let address = tab.serve_folder(&built).await;
    let token = Claims::naming(OWNER, &[NEGOCIO]).with("role", json!("STAFF")).sign(SECRET);
    tab.open_signed_in(&address, &token).await;
    tab.wait_eval(SHOWN, "2 citas hoy").await;
    tab.wait_eval("document.querySelector('output').textContent", "stable").await;
    assert_eq!(tab.eval("document.querySelector('i').textContent").await, zone);
    tab.wait_eval(FLOWS, "2 0 connected").await;
    assert_eq!(tab.eval("document.querySelectorAll('[ngh]').length").await, 0, "it took over what was there");
    citas(&stage.database, NEGOCIO, 3, "pendiente", TODAY).await;
    announce(&stage).await;
    tab.wait_eval(SHOWN, "5 citas hoy").await;
    for order in 0..5 {
        stage.tell("/notify/pedido", arrival(Some(NEGOCIO), order, Some("101"))).await;
    }
    let orders = "[...document.querySelectorAll('.order')].map(({ textContent }) => textContent)";
    tab.wait_eval(orders, json!(["#0 101", "#1 101", "#2 101", "#3 101", "#4 101"])).await;
    tab.wait_eval(FLOWS, "5 5 connected").await;
    assert_eq!(tab.sockets(port).await, ["/ws"]);
    tab.no_address_has(&token).await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());

    // The server goes and comes back; meanwhile what is shown says that it is old.
    drop(stage.running);
    tab.wait_eval(IS_STALE, true).await;
    assert_eq!(tab.eval(SHOWN).await, "5 citas hoy");
    stage.running = pulso.ready().await;
    tab.wait_eval(IS_STALE, false).await;

    // Somebody whose token is no good is told so, and asks no more.
    let bad = Claims::naming(OWNER, &[NEGOCIO]).sign("another secret, also longer than 32 bytes");
    tab.open_signed_in(&address, &bad).await;
    tab.wait_eval(SHOWN, "Vuelve a entrar.").await;
    let tried = tab.sockets(port).await.len();
    assert!((1..=3).contains(&tried), "{tried} attempts");
}

#[tokio::test]
async fn an_application_of_the_lowest_angular_with_zone_js_shows_figures_that_move() {
    an_application_shows_figures_that_move(20, &["--zoneless=false"], "zone.js", false).await;
}

#[tokio::test]
async fn a_zoneless_application_of_the_angular_between_them_shows_figures_that_move() {
    an_application_shows_figures_that_move(21, &[], "zoneless", false).await;
}

#[tokio::test]
async fn a_zoneless_application_of_the_newest_angular_shows_figures_that_move_and_passes_its_own_tests() {
    an_application_shows_figures_that_move(22, &[], "zoneless", true).await;
}
