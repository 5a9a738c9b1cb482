//! A program on the packed client, told what to do.

use pulso_harness::{Scratch, Script};
use serde_json::{Value, json};

use crate::packages::packed;

pub struct Program {
    script: Script,
    _folder: Scratch,
}

impl Program {
    /// With the package as ES modules get it.
    pub async fn new() -> Self {
        Self::of(&[]).await
    }

    /// With the package as `require` gets it.
    pub async fn required() -> Self {
        Self::of(&["cjs"]).await
    }

    async fn of(more: &[&str]) -> Self {
        let folder = tokio::task::spawn_blocking(|| packed::folder_with(&["client"])).await.unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        let arguments: Vec<&str> = std::iter::once(path.as_str()).chain(more.iter().copied()).collect();
        Self { script: Script::node("package_client.mjs", &arguments), _folder: folder }
    }

    pub async fn ask(&mut self, command: Value) -> Value {
        let answer = self.script.ask(&command).await;
        assert_eq!(answer["ok"], true, "{command}: {answer}");
        answer
    }

    /// A line to the server at `port`, with a `getToken` that gives these in turn.
    pub async fn line(&mut self, port: u16, tokens: &[String], options: Value) {
        let mut options = options;
        options["url"] = json!(format!("http://127.0.0.1:{port}"));
        self.ask(json!({ "do": "new", "options": options, "tokens": tokens })).await;
    }

    /// Subscribes, by the name of the method.
    pub async fn take(&mut self, name: &str, kind: &str, with: Value) {
        self.ask(json!({ "do": "take", "names": [name], "kind": kind, "with": with })).await;
    }

    /// Waits until an expression over what there is, `it`, is true; returns all of it.
    pub async fn until(&mut self, js: &str) -> Value {
        self.ask(json!({ "do": "until", "js": js })).await
    }

    pub async fn eval(&mut self, js: &str) -> Value {
        self.ask(json!({ "do": "eval", "js": js })).await["value"].clone()
    }

    /// Closes the line and waits for the end of the process, which has nothing left to do: what it counted as unhandled.
    pub async fn end(mut self) -> u64 {
        self.ask(json!({ "do": "end" })).await;
        let (lines, code) = self.script.rest().await;
        assert_eq!(code, Some(0));
        lines.last().expect("a last word")["unhandled"].as_u64().expect("a number")
    }
}
